"""Looking single records up: by id, by number, by the customer or the e-mail that they belong to.

`eq` on a column of the list's own table, oldest id first, at most `FOUND_MAX` records. MySQL compares texts without regard
to case, accents and trailing spaces, and takes `7 or 1` for the number 7: what is no id is not asked for, and every row that
comes is compared once more. A refusal may repeat what was asked for, and with it somebody's address: its status is told.

Numbers: an edited order is known by the number of the first of its chain, which its record holds as
`original_increment_id`. Orders that an edit replaced say nothing and are given by their id alone. That of a product is its
SKU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cdi_cli.errors import RefusedError, TooLargeError
from cdi_cli.sources._base import FOUND_MAX, FindBy
from cdi_cli.sources.magento.client import Ask, Client
from cdi_cli.sources.magento.paging import Envelope, place_of
from cdi_cli.sources.magento.poison import ID_MAX
from cdi_cli.sources.magento.refusals import NoRouteError, PageSizeError, ServerFaultError, SlowAnswerError
from cdi_cli.sources.magento.search import Filter, Group, Params, criteria
from cdi_cli.sources.magento.streams import Listing

VALUE_CHARACTERS_MAX = 255
"""What a column of text holds at most."""
_FIELDS: dict[str, dict[FindBy, tuple[str, ...]]] = {
    "customers": {"id": ("entity_id",), "email": ("email",)},
    "orders": {
        "id": ("entity_id",),
        "number": ("increment_id", "original_increment_id"),
        "customer_id": ("customer_id",),
        "email": ("customer_email",),
    },
    "creditmemos": {"id": ("entity_id",)},
    "carts": {"id": ("entity_id",), "customer_id": ("customer_id",), "email": ("customer_email",)},
    "products": {"id": ("entity_id",), "number": ("sku",)},
}
_IDS: frozenset[FindBy] = frozenset({"id", "customer_id"})


class _Owner(msgspec.Struct):
    id: int | None = None
    email: str | None = None


class _Row(msgspec.Struct):
    """What rows are compared by."""

    entity_id: int | None = None
    id: int | None = None
    increment_id: str | None = None
    original_increment_id: str | None = None
    sku: str | None = None
    customer_id: int | str | None = None
    customer_email: str | None = None
    email: str | None = None
    customer: _Owner | None = None
    state: str | None = None
    relation_child_id: int | str | None = None


_decode = msgspec.json.Decoder(_Row).decode


def condition(stream: str, by: FindBy, value: str) -> Group | None:
    """The filters, of which one must hold, that a look-up asks with; None where nothing can be found by it."""
    fields = _FIELDS.get(stream, {}).get(by, ())
    text = value.strip()
    if not fields or not text or not text.isprintable() or len(text) > VALUE_CHARACTERS_MAX:
        return None
    if by in _IDS and not (text.isascii() and text.isdecimal() and text[0] != "0" and int(text) <= ID_MAX):
        return None
    return tuple(Filter(field, "eq", text) for field in fields)


async def find_records(
    client: Client, listing: Listing, groups: Sequence[Group], ask_of: Callable[[Params, bool], Ask]
) -> list[bytes]:
    """The rows that all groups hold for, by id, in fewer at once where they are too large; raises what `get` raises."""
    found: list[bytes] = []
    after: list[Group] = []
    asked = client.rows_max
    while len(found) < FOUND_MAX:
        asked = min(asked, FOUND_MAX - len(found))
        ask = ask_of(criteria([*groups, *after], sort=[listing.id_field], page_size=asked), asked > 1)
        try:
            page, _ = await client.get(ask, Envelope)
        except NoRouteError:
            return []
        except PageSizeError as refused:
            if refused.rows_max >= asked:
                raise
            asked = client.rows_max = refused.rows_max
            continue
        except (TooLargeError, SlowAnswerError):
            if asked == 1:
                raise
            asked //= 2
            continue
        except ServerFaultError:
            raise
        except RefusedError as error:
            message = f"{ask.what}: the shop answered {error.status}"
            raise RefusedError(message, status=error.status, code=error.code, where=error.where, hint=error.hint) from None
        rows = [bytes(row) for row in page.items or ()]
        found += rows
        total = page.total_count
        if not rows or (len(rows) < asked if total is None else total <= len(rows)):
            break
        after = [(Filter(listing.id_field, "gt", str(place_of(rows[-1], "created_at", listing.record_id).id)),)]
    return found


def is_wanted(record: bytes, by: FindBy, group: Group) -> bool:
    """Whether a row really has what was looked for, and, unless its very id was, says anything."""
    try:
        row = _decode(record)
    except ValueError:
        return by == "id"
    wanted = group[0].value.lower()
    if by == "id":
        return str(row.entity_id or row.id) == wanted
    if row.state == "canceled" and row.relation_child_id:
        return False
    owner = row.customer or _Owner()
    held: dict[FindBy, tuple[object, ...]] = {
        "number": (row.increment_id, row.original_increment_id, row.sku),
        "customer_id": (row.customer_id, owner.id),
        "email": (row.customer_email, row.email, owner.email),
    }
    return any(str(one).lower() == wanted for one in held[by] if one is not None)
