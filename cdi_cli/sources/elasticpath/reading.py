"""From raw records to entities: decode, look up what a group refers to, normalise; a record that fails fails alone.

Records of a group are decoded first, so that their references are looked up together. What a record does wrong is told by
field path and type, never by value. A message of the API or of a webhook (`{"data": ..., "included": ...}`) is read as the
record in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cdi_cli.sources._base import Joined, Nothing, Reading, SourceContext, Unreadable
from cdi_cli.sources._records import unreadable
from cdi_cli.sources.elasticpath.client import Client
from cdi_cli.sources.elasticpath.consents import ConsentSource
from cdi_cli.sources.elasticpath.customers import customer_of
from cdi_cli.sources.elasticpath.envelope import Composer, unwrapped
from cdi_cli.sources.elasticpath.lookups import OfOrders, References
from cdi_cli.sources.elasticpath.orders import Known, is_anonymized, order_of
from cdi_cli.sources.elasticpath.products import ProductReader
from cdi_cli.sources.elasticpath.records import CustomerRecord, Identified, OrderRecord, is_hidden
from cdi_cli.sources.elasticpath.records_products import ProductRecord
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.streams import LISTINGS

ANONYMIZED = "anonymized"
_decode_id = msgspec.json.Decoder(Identified).decode
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "customers": msgspec.json.Decoder(CustomerRecord),
    "account_members": msgspec.json.Decoder(CustomerRecord),
    "orders": msgspec.json.Decoder(OrderRecord),
    "products": msgspec.json.Decoder(ProductRecord),
}


class Reader:
    """Reads the records of all streams."""

    def __init__(
        self,
        client: Client,
        settings: ElasticPathSettings,
        context: SourceContext,
        references: References,
        composer: Composer,
    ) -> None:
        self._settings = settings
        self._references = references
        self._composer = composer
        self._consents = ConsentSource(client, context.consent, settings.lookups)
        self._products = ProductReader(client, settings, references)

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """One list per record, in the same order; raises what a look-up raises."""
        raws = [self._unwrapped(stream, record) for record in records]
        decode = _DECODERS[stream].decode
        decoded: list[Any] = [attempt(decode, raw) for raw in raws]
        good = [(item, raw) for item, raw in zip(decoded, raws, strict=True) if not isinstance(item, Unreadable)]
        read: Callable[[Any, bytes], Reading]
        if stream == "products":
            offers = await self._products.offers([item for item, _ in good])
            read = lambda item, _raw: self._products.read(item, offers)  # noqa: E731
        elif stream == "orders":
            living = [(item, raw) for item, raw in good if not is_anonymized(item)]
            known, failed = await self._known(living)
            read = lambda item, _raw: self._order(item, known, failed)  # noqa: E731
        else:
            read = self._customer
        readings: list[list[Reading]] = []
        for record, raw, item in zip(records, raws, decoded, strict=True):
            one = item if isinstance(item, Unreadable) else _safely(read, item, raw)
            readings.append([one] if raw is record else Joined([one], [raw]))
        return readings

    def _unwrapped(self, stream: str, record: bytes) -> bytes:
        """The record in a message, or the record itself."""
        found = unwrapped(record)
        return record if found is None else self._composer.record(stream, LISTINGS[stream], *found)

    async def _known(self, orders: Sequence[tuple[OrderRecord, bytes]]) -> tuple[Known, dict[str, str]]:
        """What is known of a group of orders besides themselves, and of which something cannot be read."""
        if not orders:
            return Known(), {}
        found: OfOrders = await self._references.of_orders([order for order, _ in orders])
        known = Known(
            currencies=await self._references.currencies(),
            transactions=found.transactions,
            accounts=found.accounts,
            items=found.items,
            consents=await self._consents.of_orders(orders),
        )
        return known, found.failed

    def _order(self, item: OrderRecord, known: Known, failed: dict[str, str]) -> Reading:
        if is_anonymized(item):
            return Nothing(ANONYMIZED)
        if item.id in failed:
            return Unreadable("unreadable_record", failed[item.id], item.id)
        return order_of(item, self._settings, known, known.consents[item.id])

    def _customer(self, item: CustomerRecord, raw: bytes) -> Reading:
        if is_hidden(item.name, item.email):
            return Nothing(ANONYMIZED)
        return customer_of(item, self._settings, self._consents.customers(raw))


def attempt(decode: Callable[[bytes], Any], record: bytes) -> Any:
    """The decoded record, or why it cannot be read."""
    try:
        return decode(record)
    except (ValueError, RecursionError) as error:
        try:
            record_id = _decode_id(record).id or None
        except (ValueError, RecursionError):
            record_id = None
        return unreadable(error, record_id)


def _safely(read: Callable[[Any, bytes], Reading], item: Any, raw: bytes) -> Reading:
    try:
        return read(item, raw)
    except (ValueError, ArithmeticError) as error:
        return unreadable(error, item.id)
