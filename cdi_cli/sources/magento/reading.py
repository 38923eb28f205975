"""From raw records to entities: decode, look up what a group refers to, normalise; a record that fails fails alone.

Records of a group are decoded first, so that their references are looked up together. What a record does wrong is told by
field path and type, never by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cdi_cli.clock import Clock
from cdi_cli.commerce import Consent, Entity
from cdi_cli.sources._base import Joined, Nothing, Reading, SourceContext, Unreadable
from cdi_cli.sources._consent import ConsentReader
from cdi_cli.sources._records import unreadable
from cdi_cli.sources._together import together
from cdi_cli.sources.magento.carts import cart_of
from cdi_cli.sources.magento.client import Client
from cdi_cli.sources.magento.customers import customer_of
from cdi_cli.sources.magento.edits import REPLACED, as_origin, is_replaced, origins_of
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.lookups import References
from cdi_cli.sources.magento.orders import has_shipped, is_paid, order_of
from cdi_cli.sources.magento.poison import source_error, why_unreadable
from cdi_cli.sources.magento.records import CartRecord, CustomerRecord, Identified, OrderRecord
from cdi_cli.sources.magento.subscriptions import SubscriptionReader, without_consent
from cdi_cli.sources.magento.subscriptions import customer_of as customer_id_of

_decode_id = msgspec.json.Decoder(Identified).decode
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "customers": msgspec.json.Decoder(CustomerRecord),
    "orders": msgspec.json.Decoder(OrderRecord),
    "carts": msgspec.json.Decoder(CartRecord),
}


class Reader:
    """Reads customers, orders and carts; credit memos and products are joined to others first."""

    def __init__(self, client: Client, references: References, shop: Shop, context: SourceContext, clock: Clock) -> None:
        self._client = client
        self._references = references
        self.shop = shop
        self._consent = ConsentReader(context.consent)
        self._subscriptions = SubscriptionReader(client, context.consent)
        self._with_paid_at = context.with_paid_at
        self.clock = clock

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """One list per record, in the same order; raises what a look-up raises."""
        decode = _DECODERS[stream].decode
        decoded: list[Any] = [attempt(decode, record) for record in records]
        items = [item for item in decoded if not isinstance(item, Unreadable)]
        known = await self._look_up_orders(items) if stream == "orders" else Known()
        if items:
            known.groups = await self._references.groups()
        if items and stream != "customers":
            known.subscriptions = await self._subscriptions.of(items, self.shop.stores)
        return [self._read_one(item, record, known) for item, record in zip(decoded, records, strict=True)]

    def _read_one(self, item: Any, record: bytes, known: Known) -> list[Reading]:
        if isinstance(item, Unreadable):
            return [item]
        if isinstance(item, OrderRecord) and is_replaced(item):
            return [Nothing(REPLACED)]
        if known.subscriptions.failed and customer_id_of(item) in known.subscriptions.failed:
            return [without_consent(_id_of(item) or "")]
        if not isinstance(item, OrderRecord):
            return [self._normalise(item, record, known)]
        if item.entity_id in known.failed:
            return [source_error(item.entity_id, known.failed[item.entity_id])]
        origin = known.origins.get(item.entity_id)
        reading = self._normalise(item, record, known)
        return [reading] if origin is None else Joined([reading], [as_origin(record, origin)])

    def _normalise(self, item: Any, record: bytes, known: Known) -> Reading:
        try:
            consent = self._consent.read(record)
            if not isinstance(item, CustomerRecord):
                consent = self._subscriptions.joined(consent, item, known.subscriptions)
            return self._entity(item, known, consent)
        except (ValueError, ArithmeticError) as error:
            return unreadable(error, _id_of(item))

    def _entity(self, item: Any, known: Known, consent: Consent) -> Entity:
        if isinstance(item, OrderRecord):
            return order_of(item, self.shop, known, consent)
        if isinstance(item, CustomerRecord):
            return customer_of(item, self.shop, known, consent)
        return cart_of(item, self.shop, known, consent)

    async def _look_up_orders(self, orders: Sequence[OrderRecord]) -> Known:
        """What orders refer to, in a few requests for a group; only orders that say that they have some are asked for."""
        living = [order for order in orders if not is_replaced(order)]
        refunded = [order.entity_id for order in living if order.total_refunded]
        shipped = [order.entity_id for order in living if has_shipped(order)]
        paid = [order.entity_id for order in living if order.total_paid and is_paid(order)] if self._with_paid_at else []
        memos, shipments, invoices = await together(
            self._references.credit_memos(refunded), self._references.shipments(shipped), self._references.invoices(paid)
        )
        origins = await origins_of(self._client, living)
        failed = {**memos.failed, **shipments.failed, **invoices.failed}
        return Known(memos.records, shipments.records, invoices.records, origins, failed)


def attempt(decode: Callable[[bytes], Any], record: bytes) -> Any:
    """The decoded record, or why it cannot be read."""
    if (poisoned := why_unreadable(record)) is not None:
        return poisoned
    try:
        return decode(record)
    except (ValueError, RecursionError) as error:
        try:
            record_id = _id_of(_decode_id(record))
        except (ValueError, RecursionError):
            record_id = None
        return unreadable(error, record_id)


def _id_of(item: Any) -> str | None:
    found = getattr(item, "entity_id", None) or getattr(item, "id", None)
    return str(found) if found else None
