"""The consent of orders and carts: that of their customer, as it is now (sheet "magento", sections 2.1 and 2.6).

Only a customer's record tells `is_subscribed`, so where consent is read from there, the customers of a group of orders are
asked for together, each under the own store view. Guests, and customers who were deleted, have given none that we can know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from cdi_cli.commerce import Consent
from cdi_cli.sources._base import ConsentField, Cursor, Page, Unreadable
from cdi_cli.sources._consent import ConsentReader
from cdi_cli.sources.magento.client import Client
from cdi_cli.sources.magento.fetch import fetch_by_ids
from cdi_cli.sources.magento.poison import why_unreadable
from cdi_cli.sources.magento.records import CartRecord, Identified, OrderRecord
from cdi_cli.sources.magento.scoped import customers_in_their_views
from cdi_cli.sources.magento.stores import Stores

SUBSCRIBED = "extension_attributes.is_subscribed"
_HINT = (
    "the consent of orders and carts is that of their customers: tick `Magento_Customer::customer`, or take "
    f"`{SUBSCRIBED}` out of the pipeline's `consent`"
)
_decode_id = msgspec.json.Decoder(Identified).decode


@dataclass(slots=True)
class Subscriptions:
    """Consents by customer, and the customers whose record the shop fails on."""

    consents: dict[int, Consent] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)


class SubscriptionReader:
    """Looks up the consent of customers; made once per run."""

    def __init__(self, client: Client, fields: Mapping[str, ConsentField]) -> None:
        self._client = client
        self._fields = {category: field for category, field in fields.items() if field.path == SUBSCRIBED}
        self._reader = ConsentReader(self._fields)

    async def of(self, items: Iterable[OrderRecord | CartRecord], stores: Stores) -> Subscriptions:
        """The consents of the customers of these orders and carts; nothing is asked where no category is kept there."""
        ids = [number for item in items if (number := customer_of(item)) is not None] if self._fields else []
        found = Subscriptions()
        if not ids:
            return found
        asked = await fetch_by_ids(
            self._client, "customers", "entity_id", ids, key="id", store_code=stores.home_code, scope_hint=_HINT
        )
        found.failed.update(asked.failed)
        records: Sequence[bytes] = [row for rows in asked.records.values() for row in rows]
        page = await customers_in_their_views(self._client, stores, Page(records, Cursor(""), is_last=True))
        for record in page.records:
            number = _id_of(record)
            if (poisoned := why_unreadable(record)) is not None:
                found.failed.add(int(poisoned.record_id or 0))
            elif number is not None:
                found.consents[number] = self._reader.read(record)
        return found

    def joined(self, own: Consent, item: OrderRecord | CartRecord, known: Subscriptions) -> Consent:
        """The consent of an order or cart: its own, and where it tells none of a category the customer's."""
        given = known.consents.get(customer_of(item) or 0)
        if given is None:
            return own
        states = {
            category: given.categories[category] if state == "unknown" and category in self._fields else state
            for category, state in own.categories.items()
        }
        return Consent(states)


def customer_of(item: OrderRecord | CartRecord) -> int | None:
    """The id of the customer whose order or cart it is; None for a guest's."""
    if isinstance(item, CartRecord):
        return item.customer.id if item.customer is not None and not item.customer_is_guest else None
    text = str(item.customer_id or "")
    return int(text) if text.isascii() and text.isdecimal() and int(text) else None


def without_consent(record_id: str) -> Unreadable:
    """What is said of an order whose customer the shop fails on: sent without looking, it might go against their will."""
    detail = "the shop fails whenever it is asked for the customer of this record, whose consent is needed"
    return Unreadable("source_error", detail, record_id)


def _id_of(record: bytes) -> int | None:
    try:
        return _decode_id(record).id
    except (ValueError, RecursionError):
        return None
