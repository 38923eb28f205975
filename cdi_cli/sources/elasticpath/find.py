"""Looking single records up: by id, by number (of a product its SKU), by the customer or the e-mail that they belong to.

`eq` with a quoted value, at most `FOUND_MAX` records; every row that comes is compared once more. A value that cannot be
quoted is one that no record has. A refusal may repeat what was asked for, and with it somebody's address: only its status is
told.

E-mail: Elastic Path compares addresses as they were typed, so they are asked for as given and in small letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from cdi_cli.errors import RefusedError
from cdi_cli.sources._base import FOUND_MAX, FindBy
from cdi_cli.sources.elasticpath.client import Ask, Client
from cdi_cli.sources.elasticpath.envelope import Composer, Envelope, Single
from cdi_cli.sources.elasticpath.filters import equals, quotable
from cdi_cli.sources.elasticpath.orders import customer_of, email_of, is_anonymized, member_of
from cdi_cli.sources.elasticpath.paging import OFFSET_MAX
from cdi_cli.sources.elasticpath.records import CustomerRecord, OrderRecord, is_hidden
from cdi_cli.sources.elasticpath.records_products import ProductRecord
from cdi_cli.sources.elasticpath.settings import ID, PAGE_SIZE_MAX
from cdi_cli.sources.elasticpath.streams import LISTINGS

_FIELDS: dict[str, dict[FindBy, tuple[str, ...]]] = {
    "customers": {"email": ("email",)},
    "account_members": {"email": ("email",)},
    "orders": {
        "number": ("order_number",),
        "customer_id": ("customer_id", "account_member_id"),
        "email": ("email",),
    },
    "products": {"number": ("sku",)},
}
_OWN_ID: dict[str, frozenset[FindBy]] = {
    "customers": frozenset({"id", "customer_id"}),
    "account_members": frozenset({"id", "customer_id"}),
    "orders": frozenset({"id"}),
    "products": frozenset({"id"}),
}
_decode_order = msgspec.json.Decoder(OrderRecord).decode
_decode_product = msgspec.json.Decoder(ProductRecord).decode
_decode_customer = msgspec.json.Decoder(CustomerRecord).decode


class Finder:
    """Looks records up."""

    def __init__(self, client: Client, composer: Composer) -> None:
        self._client = client
        self._composer = composer

    async def find(self, stream: str, by: FindBy, value: str) -> list[bytes]:
        """The records with this id, number, customer or e-mail; raises what `Client.get` raises."""
        text = quotable(value)
        if text is None:
            return []
        if by in _OWN_ID[stream]:
            return await self._by_id(stream, text)
        fields = _FIELDS.get(stream, {}).get(by, ())
        if by == "customer_id" and re.fullmatch(ID, text) is None:
            return []
        spellings = dict.fromkeys((text, text.lower())) if by == "email" else (text,)
        found: dict[bytes, None] = {}
        for field in fields:
            for spelling in spellings:
                for record in await self._filtered(stream, equals(field, spelling)):
                    if is_wanted(stream, record, by, text):
                        found.setdefault(record)
        return list(found)[:FOUND_MAX]

    async def _by_id(self, stream: str, identifier: str) -> list[bytes]:
        if re.fullmatch(ID, identifier) is None:
            return []
        listing = LISTINGS[stream]
        found = await self._client.find(
            Ask(f"{listing.path}/{identifier}", f"Elastic Path {stream} look-up", self._include(stream)), Single
        )
        return [] if found is None else [self._composer.single(stream, listing, found)]

    async def _filtered(self, stream: str, condition: str) -> list[bytes]:
        listing = LISTINGS[stream]
        found: list[bytes] = []
        offset = 0
        while len(found) < FOUND_MAX and offset < OFFSET_MAX:
            page = [("page[limit]", str(PAGE_SIZE_MAX)), ("page[offset]", str(offset))]
            params = [("filter", condition), *self._include(stream), *page]
            ask = Ask(listing.path, f"Elastic Path {stream} look-up", params, is_private=True)
            try:
                envelope = await self._client.get(ask, Envelope)
            except RefusedError as refused:
                if refused.status != 400:
                    raise
                return []  # a list that cannot be filtered by this has no such field
            rows = self._composer.records(stream, listing, envelope.data or (), envelope.included)
            fresh = [row for row in rows if row not in found]
            found += fresh
            offset += len(rows)
            if not fresh or ((len(rows) < PAGE_SIZE_MAX) if envelope.total is None else envelope.total <= offset):
                break
        return found

    def _include(self, stream: str) -> Sequence[tuple[str, str]]:
        include = LISTINGS[stream].include
        return [("include", ",".join(include))] if include else []


def is_wanted(stream: str, record: bytes, by: FindBy, value: str) -> bool:
    """Whether a row really has what was looked for, and says anything."""
    wanted = value.lower()
    try:
        if stream == "products":
            return (_decode_product(record).attributes.sku or "").lower() == wanted
        if stream != "orders":
            customer = _decode_customer(record)
            return not is_hidden(customer.name, customer.email) and (customer.email or "").lower() == wanted
        order = _decode_order(record)
    except (ValueError, RecursionError):
        return False
    if is_anonymized(order):
        return False
    held: dict[FindBy, str | None] = {
        "number": order.order_number,
        "customer_id": customer_of(order) or member_of(order),
        "email": email_of(order),
    }
    return (held[by] or "").lower() == wanted
