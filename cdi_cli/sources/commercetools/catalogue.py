"""The products stream: records to variants, with the standalone prices and the stock that a product does not carry itself.

Prices and stock are asked for by SKU, for a group of records at a time, as they are now: neither is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cdi_cli.clock import Clock
from cdi_cli.sources._base import Nothing, Reading, Unreadable
from cdi_cli.sources._records import unreadable
from cdi_cli.sources.commercetools.prices import Market
from cdi_cli.sources.commercetools.products import STANDALONE, Offer, Paths, products_of, variants_of
from cdi_cli.sources.commercetools.reading import attempt
from cdi_cli.sources.commercetools.records_products import ProductRecord
from cdi_cli.sources.commercetools.references import References
from cdi_cli.sources.commercetools.settings import CommercetoolsSettings
from cdi_cli.sources.commercetools.shop import Shop
from cdi_cli.sources.commercetools.sku_lookups import SkuLookups

_decode = msgspec.json.Decoder(ProductRecord).decode


class CatalogueReader:
    """Reads product records, in the locales of the settings or else in all that the project has."""

    def __init__(
        self, references: References, by_sku: SkuLookups, shop: Shop, settings: CommercetoolsSettings, clock: Clock
    ) -> None:
        self._references = references
        self._by_sku = by_sku
        self._shop = shop
        self._lookups = settings.lookups
        self._market = Market(settings.currencies, settings.price_countries)
        self._locales = settings.locales
        self._clock = clock

    async def read(self, records: Sequence[bytes]) -> list[list[Reading]]:
        """The variants of each product, in the same order; raises what a look-up raises."""
        decoded: list[Any] = [attempt(_decode, record) for record in records]
        offer = await self._offer([item for item in decoded if not isinstance(item, Unreadable)])
        locales = self._locales or self._shop.languages
        known: dict[str | None, Paths] = {locale: {} for locale in (None, *locales)}
        if self._lookups.product_categories:
            known = {locale: await self._references.categories(locale) for locale in known}
        return [[item] if isinstance(item, Unreadable) else self._variants(item, locales, known, offer) for item in decoded]

    def _variants(
        self, record: ProductRecord, locales: Sequence[str], known: dict[str | None, Paths], offer: Offer
    ) -> list[Reading]:
        try:
            products = products_of(record, self._shop, locales, known.__getitem__, offer)
        except (ValueError, ArithmeticError) as error:
            return [unreadable(error, record.id)]
        return [*products] if products else [Nothing("no_variants")]

    async def _offer(self, records: Sequence[ProductRecord]) -> Offer:
        sold = [record for record in records if record.master_data.published]
        skus = _skus(sold)
        apart = _skus([record for record in sold if record.price_mode == STANDALONE])
        prices = await self._by_sku.standalone_prices(apart if self._lookups.standalone_prices else ())
        stock = await self._by_sku.inventory(skus if self._lookups.inventory else ())
        return Offer(self._clock.instant(), self._market, prices, stock)


def _skus(records: Sequence[ProductRecord]) -> list[str]:
    found = (variant.sku for record in records for variant in variants_of(record.master_data.current))
    return list(dict.fromkeys(sku for sku in found if sku))
