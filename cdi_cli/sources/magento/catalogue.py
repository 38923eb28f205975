"""The stream of products: a record and what the other store views tell of it become one product (sheet "magento", 2.1).

The list is read under the home view; the others are asked for the same products once per group and view, so that name,
price and address are theirs too. The record of the view that it is mainly told by goes with the reading. Stock comes of the
source items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cdi_cli.sources._base import Joined, Nothing, Reading, Unreadable
from cdi_cli.sources.magento.client import Client
from cdi_cli.sources.magento.fetch import Fetched, fetch_by_ids
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.lookups import References
from cdi_cli.sources.magento.poison import source_error
from cdi_cli.sources.magento.products import Seen, main_of, product_of
from cdi_cli.sources.magento.reading import Reader, attempt, unreadable
from cdi_cli.sources.magento.records_products import ProductRecord
from cdi_cli.sources.magento.stores import StoreView
from cdi_cli.sources.magento.together import together

_decode = msgspec.json.Decoder(ProductRecord).decode


class ProductReader:
    """Reads products for the chosen store views."""

    def __init__(self, client: Client, references: References, reader: Reader) -> None:
        self._client = client
        self._references = references
        self._reader = reader

    async def read(self, records: Sequence[bytes]) -> list[list[Reading]]:
        """For each record a product, with the record that it is mainly told by; raises what a look-up raises."""
        decoded: list[Any] = [attempt(_decode, record) for record in records]
        items = [item for item in decoded if isinstance(item, ProductRecord)]
        if not items:
            return [[item] for item in decoded]
        others = await self._other_views(items)
        known = Known(
            categories=await self._references.categories(),
            brands=await self._references.brands() if self._have_brands(items) else {},
            stock=await self._references.stock(item.sku for item in items),
        )
        return [
            [item] if isinstance(item, Unreadable) else self._read_one(item, record, others, known)
            for item, record in zip(decoded, records, strict=True)
        ]

    @property
    def _shop(self) -> Shop:
        return self._reader.shop

    def _have_brands(self, items: Sequence[ProductRecord]) -> bool:
        return any(item.attribute(self._shop.brand_attribute) for item in items)

    async def _other_views(self, items: Sequence[ProductRecord]) -> dict[str, Fetched]:
        """What the views other than the home view tell of the products, by their codes."""
        wanted = {view.code: [item.id for item in items if _sells(view, item)] for view in self._shop.stores.chosen[1:]}
        codes = [code for code, ids in wanted.items() if ids]
        found = await together(
            *(fetch_by_ids(self._client, "products", "entity_id", wanted[code], key="id", store_code=code) for code in codes)
        )
        return dict(zip(codes, found, strict=True))

    def _read_one(self, item: ProductRecord, record: bytes, others: dict[str, Fetched], known: Known) -> list[Reading]:
        if self._shop.stores.home is None:
            return [self._product([Seen(item, None, record)], known)]
        seen: list[Seen] = []
        for view in self._shop.stores.chosen:
            if not _sells(view, item):
                continue
            if view is self._shop.stores.home:
                seen.append(Seen(item, view, record))
                continue
            found = others[view.code]
            if item.id in found.failed:
                return [source_error(item.id, found.failed[item.id])]
            for own in found.records.get(item.id, ())[:1]:
                told: Any = attempt(_decode, own)
                if isinstance(told, Unreadable):
                    return Joined([told], [own])
                seen.append(Seen(told, view, own))
        if not seen:
            return [Nothing("not_sold_here")]
        origin = main_of(seen).raw
        reading = self._product(seen, known)
        return [reading] if origin is record else Joined([reading], [origin])

    def _product(self, seen: Sequence[Seen], known: Known) -> Reading:
        try:
            return product_of(seen, self._shop, known, self._reader.clock.now())
        except (ValueError, ArithmeticError) as error:
            return unreadable(error, str(seen[0].record.id))


def _sells(view: StoreView, item: ProductRecord) -> bool:
    """Whether a product is in the view's website; one that does not tell its websites is in all."""
    extension = item.extension_attributes
    websites = extension.website_ids if extension is not None else None
    return websites is None or view.website_id in websites
