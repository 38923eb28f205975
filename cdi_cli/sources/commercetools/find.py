"""Looking single records up: by id, by number, by the customer or the e-mail that they belong to.

`where=orderNumber = "..."`, sorted by `id`, at most `FOUND_MAX` records. Values are quoted as strings of a predicate. What a
refusal says may repeat the predicate, and with it somebody's address: only its status and code are told.

E-mail: customers are asked for by `lowercaseEmail`, whatever the case; orders and carts keep an address as it was typed and
have no such field, so they are found under the address as it is given and in small letters. Whose e-mail stands only in an
address is found by that, in the order in which the entity takes it: the customer's own, billing, shipping.

The number of a product is the SKU of any variant that it has on sale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cdi_cli.errors import RefusedError, TooLargeError
from cdi_cli.sources._base import FOUND_MAX, FindBy
from cdi_cli.sources.commercetools.client import Ask, Client, SlowAnswerError
from cdi_cli.sources.commercetools.paging import Envelope, place_of
from cdi_cli.sources.commercetools.references import is_id, quoted

_FIELDS: dict[str, dict[FindBy, str]] = {
    "customers": {"id": "id", "number": "customerNumber", "customer_id": "id", "email": "lowercaseEmail"},
    "orders": {"id": "id", "number": "orderNumber", "customer_id": "customerId", "email": "customerEmail"},
    "carts": {"id": "id", "customer_id": "customerId", "email": "customerEmail"},
    "payments": {"id": "id"},
    "products": {"id": "id", "number": "sku"},
    "product_deletions": {"id": "id"},
    "deletions": {"id": "id", "customer_id": "resource"},
}
_EMAIL = (
    "(customerEmail in {set} or (customerEmail is not defined and (billingAddress(email in {set}) or "
    "(shippingAddress(email in {set}) and (billingAddress is not defined or billingAddress(email is not defined))))))"
)
_IDS: frozenset[FindBy] = frozenset({"id", "customer_id"})


def condition(stream: str, by: FindBy, value: str) -> str | None:
    """The predicate that a look-up asks with; None where nothing can be found by it."""
    field = _FIELDS.get(stream, {}).get(by)
    if field is None or not value.strip() or not value.isprintable() or (by in _IDS and not is_id(value)):
        return None
    if field == "resource":
        return f'resource(typeId = "customer" and id = {quoted(value)})'
    if field == "sku":
        return f"masterData(current(masterVariant(sku = {quoted(value)}) or variants(sku = {quoted(value)})))"
    if field == "lowercaseEmail":
        return f"{field} = {quoted(value.strip().lower())}"
    if field == "customerEmail":
        spellings = dict.fromkeys((value.strip(), value.strip().lower()))
        return _EMAIL.replace("{set}", f"({', '.join(map(quoted, spellings))})")
    return f"{field} = {quoted(value)}"


async def find_records(client: Client, ask: Ask, where: str, extra: Sequence[tuple[str, str]]) -> list[bytes]:
    """The records that a predicate holds for, by id, in fewer at once where they are too large; raises what `get` raises."""
    found: list[bytes] = []
    rows = FOUND_MAX
    last = ""
    while len(found) < FOUND_MAX:
        params = [
            ("where", where),
            *([("where", f"id > {quoted(last)}")] if last else []),
            ("sort", "id asc"),
            ("limit", str(min(rows, FOUND_MAX - len(found)))),
            ("withTotal", "false"),
            *extra,
        ]
        try:
            page, _ = await client.get(replace(ask, params=params, is_divisible=rows > 1), Envelope)
        except (TooLargeError, SlowAnswerError):
            if rows == 1:
                raise
            rows //= 2
            continue
        except RefusedError as error:
            code = f" {error.code}" if error.code else ""
            raise RefusedError(
                f"{ask.what}: commercetools answered {error.status}{code}",
                status=error.status,
                code=error.code,
                where=error.where,
                hint=error.hint,
            ) from None
        found += [bytes(row) for row in page.results]
        if len(page.results) < min(rows, page.limit or rows) or not page.results:
            break
        last = place_of(page.results[-1], "created").id
    return found
