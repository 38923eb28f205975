"""The stream of products: a record and what the other store views tell of it become one product (sheet "magento", 2.1).

The list is read under the home view; the others are asked for the same products once per group and view, so that name,
price and address are theirs too. The record of the view that it is mainly told by goes with the reading. Stock comes of the
source items. A configurable product and a group are no SKU that anybody is sold: their variants and members are, each by a
record of its own. A change of a configurable product shows in its variants when they are read themselves (reconciling).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec

from cdi_cli.sources._base import Joined, Nothing, Reading, Unreadable
from cdi_cli.sources._records import unreadable
from cdi_cli.sources._together import together
from cdi_cli.sources.magento.client import ALL_STORES, Client
from cdi_cli.sources.magento.fetch import Fetched, fetch_by_ids
from cdi_cli.sources.magento.known import Known, Shop
from cdi_cli.sources.magento.lookups import References
from cdi_cli.sources.magento.parents import CONFIGURABLE, ParentReader, Parents
from cdi_cli.sources.magento.poison import source_error
from cdi_cli.sources.magento.products import NOT_VISIBLE, Seen, main_of, product_of
from cdi_cli.sources.magento.reading import Reader, attempt
from cdi_cli.sources.magento.records_products import ProductRecord
from cdi_cli.sources.magento.stores import StoreView

SOLD_OTHERWISE = {CONFIGURABLE: "sold_by_variant", "grouped": "sold_by_member"}
"""Types of products that are not sold themselves, and what to count them under."""
_decode = msgspec.json.Decoder(ProductRecord).decode


class ProductReader:
    """Reads products for the chosen store views."""

    def __init__(self, client: Client, references: References, parents: ParentReader, reader: Reader) -> None:
        self._client = client
        self._references = references
        self._parents = parents
        self._reader = reader

    async def read(self, records: Sequence[bytes]) -> list[list[Reading]]:
        """For each record a product, with the record that it is mainly told by; raises what a look-up raises."""
        decoded: list[Any] = [attempt(_decode, record) for record in records]
        items = [item for item in decoded if isinstance(item, ProductRecord) and item.type_id not in SOLD_OTHERWISE]
        others = await self._other_views(items)
        hidden = [item.id for item in items if item.visibility == NOT_VISIBLE]
        parents = await self._parents.of(hidden, [view.code for view in self._shop.stores.chosen] or [ALL_STORES])
        known = Known(
            categories=await self._references.categories() if items else {},
            brands=await self._references.brands() if self._have_brands(items) else {},
            stock=await self._references.stock(item.sku for item in items),
        )
        return [
            [item] if isinstance(item, Unreadable) else self._read_one(item, record, others, parents, known)
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

    def _read_one(
        self, item: ProductRecord, record: bytes, others: dict[str, Fetched], parents: Parents, known: Known
    ) -> list[Reading]:
        if item.type_id in SOLD_OTHERWISE:
            return [Nothing(SOLD_OTHERWISE[item.type_id])]
        if (trouble := parents.trouble(item.id)) is not None:
            return [replace(trouble, detail=f"its configurable product: {trouble.detail}", record_id=str(item.id))]
        if self._shop.stores.home is None:
            return [self._product([_seen(item, None, record, parents)], known)]
        seen: list[Seen] = []
        for view in self._shop.stores.chosen:
            if not _sells(view, item):
                continue
            if view is self._shop.stores.home:
                seen.append(_seen(item, view, record, parents))
                continue
            found = others[view.code]
            if item.id in found.failed:
                return [source_error(item.id, found.failed[item.id])]
            for own in found.records.get(item.id, ())[:1]:
                told: Any = attempt(_decode, own)
                if isinstance(told, Unreadable):
                    return Joined([told], [own])
                seen.append(_seen(told, view, own, parents))
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


def _seen(item: ProductRecord, view: StoreView | None, raw: bytes, parents: Parents) -> Seen:
    """A product in a view, with those of its parents that the view sells; they are None where no shop tells parents."""
    if not parents.links:
        return Seen(item, view, raw)
    told = parents.of(item.id, view.code if view is not None else ALL_STORES)
    return Seen(item, view, raw, tuple(each for each in told if view is None or _sells(view, each)))


def _sells(view: StoreView, item: ProductRecord) -> bool:
    """Whether a product is in the view's website; one that does not tell its websites is in all."""
    extension = item.extension_attributes
    websites = extension.website_ids if extension is not None else None
    return websites is None or view.website_id in websites
