"""From raw records to entities: decode, look up what a group refers to, normalise; a record that fails fails alone.

Records of a group are decoded first, so that their references are looked up together. What a record does wrong is told by
field path and type, never by value.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from cdi_cli.commerce import Consent, Entity
from cdi_cli.sources._base import ConsentField, Reading, Unreadable
from cdi_cli.sources._consent import ConsentReader, completed, is_open, of_customers
from cdi_cli.sources._records import unreadable
from cdi_cli.sources.commercetools.carts import cart_of
from cdi_cli.sources.commercetools.customers import customer_of
from cdi_cli.sources.commercetools.orders import order_of
from cdi_cli.sources.commercetools.records import (
    Basket,
    CartRecord,
    CustomerRecord,
    Identified,
    OrderRecord,
    Reference,
)
from cdi_cli.sources.commercetools.references import References
from cdi_cli.sources.commercetools.settings import Lookups
from cdi_cli.sources.commercetools.shop import Known, Shop

_decode_id = msgspec.json.Decoder(Identified).decode
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    "customers": msgspec.json.Decoder(CustomerRecord),
    "carts": msgspec.json.Decoder(CartRecord),
    "orders": msgspec.json.Decoder(OrderRecord),
}


class Reader:
    """Reads the records of orders, carts and customers; `refunds.py` joins payments to orders first."""

    def __init__(
        self, references: References, shop: Shop, lookups: Lookups, consent: Mapping[str, ConsentField] | None = None
    ) -> None:
        self._references = references
        self._shop = shop
        self._lookups = lookups
        self._consent = ConsentReader(consent or {})
        self._of_customers = of_customers(consent or {})

    async def read(self, stream: str, records: Sequence[bytes]) -> list[Reading]:
        """One reading per record, in the same order; raises what a look-up raises."""
        decode = _DECODERS[stream].decode
        decoded: list[Any] = [attempt(decode, record) for record in records]
        consents = [self._consent_of(item, record) for item, record in zip(decoded, records, strict=True)]
        known = await self._look_up([item for item in decoded if not isinstance(item, Unreadable)])
        known = replace(known, consents=await self._customers(decoded, consents))
        return [
            item if isinstance(item, Unreadable) else self._normalise(item, consent, known)
            for item, consent in zip(decoded, consents, strict=True)
        ]

    def _consent_of(self, item: Any, record: bytes) -> Consent:
        if isinstance(item, Unreadable):
            return Consent()
        return (self._of_customers if isinstance(item, CustomerRecord) else self._consent).read(record)

    async def _customers(self, items: Sequence[Any], consents: Sequence[Consent]) -> dict[str, Consent]:
        """What the customers of orders and carts, whose own records leave a consent open, have agreed to now."""
        if not self._lookups.customer_consent:
            return {}
        ids = [
            item.customer_id
            for item, consent in zip(items, consents, strict=True)
            if isinstance(item, Basket) and item.customer_id and is_open(consent)
        ]
        records = await self._references.customers(ids) if ids else {}
        return {customer_id: self._of_customers.read(record) for customer_id, record in records.items()}

    def _normalise(self, item: Any, consent: Consent, known: Known) -> Reading:
        if self._lookups.customer_consent and isinstance(item, Basket) and item.customer_id:
            consent = completed(consent, known.consents.get(item.customer_id, Consent()))
        try:
            return self._entity(item, known, consent)
        except (ValueError, ArithmeticError) as error:
            return unreadable(error, item.id)

    def _entity(self, item: Any, known: Known, consent: Consent) -> Entity:
        if isinstance(item, OrderRecord):
            return order_of(item, self._shop, known, consent)
        if isinstance(item, CartRecord):
            return cart_of(item, self._shop, known, consent)
        return customer_of(item, known, consent)

    async def _look_up(self, items: Sequence[Any]) -> Known:
        baskets = [item for item in items if isinstance(item, Basket)]
        codes: Iterable[str] = ()
        groups: Iterable[str] = ()
        products: Iterable[str] = ()
        if self._lookups.discount_codes:
            codes = (code.discount_code.id for basket in baskets for code in basket.discount_codes)
        if self._lookups.customer_groups:
            groups = _group_ids(items)
        if self._lookups.product_categories:
            products = (line.product_id for basket in baskets for line in basket.line_items)
        return Known(
            coupons=await _names(self._references.coupons.names, codes),
            groups=await _names(self._references.groups.names, groups),
            categories=await _names(self._references.product_categories.names, products),
        )


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


def _group_ids(items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        reference: Reference | None = getattr(item, "customer_group", None)
        if reference is not None:
            yield reference.id


async def _names(look_up: Callable[[Iterable[str]], Awaitable[dict[str, str]]], ids: Iterable[str]) -> dict[str, str]:
    wanted = list(dict.fromkeys(identifier for identifier in ids if identifier))
    return await look_up(wanted) if wanted else {}
