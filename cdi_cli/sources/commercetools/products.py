"""Products: from a record to a `Product` for each of its variants, by its published data (sheet "commercetools", section 3).

Read from `/products`, which unlike `/product-projections` still holds products that were unpublished: of these only is told
which they are, so that they are hidden once and not again with each edit.

A variant's attributes are those with a simple value: text, number, boolean, localized text, label of an enumeration.
References, amounts, sets and nested attributes are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Product, ProductTexts
from cdi_cli.commerce.entities import Simple
from cdi_cli.sources.commercetools.prices import Market, prices_of
from cdi_cli.sources.commercetools.records import Attribute, Names
from cdi_cli.sources.commercetools.records_products import (
    Availability,
    CatalogPrice,
    ChannelAvailability,
    InventoryEntry,
    ProductData,
    ProductRecord,
    Variant,
)
from cdi_cli.sources.commercetools.shop import Shop, instant

STANDALONE = "Standalone"
Paths = Mapping[str, str]
"""Category id -> its path of names."""
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Offer:
    """What is known of products besides their records: standalone prices and stock by SKU, and for whom and when."""

    now: Instant
    market: Market
    prices: Mapping[str, Sequence[CatalogPrice]] = field(default_factory=dict)
    stock: Mapping[str, Sequence[InventoryEntry]] = field(default_factory=dict)


def variants_of(data: ProductData) -> list[Variant]:
    """All variants, the main one first; none where the project keeps them apart (`productCatalogModel` Modular)."""
    return [*([data.master_variant] if data.master_variant is not None else []), *data.variants]


def product_id(record_id: str, variant: Variant) -> str:
    """What a variant is known by for ever: its SKU, else both ids, as that of a variant is unique in its product only."""
    return variant.sku or f"{record_id}-{variant.id}"


def hidden(record_id: str, variant: Variant, *, version: int, created_at: str, updated_at: str) -> Product:
    """A variant of a product that is not sold; raises ValueError for times that are none."""
    return Product(
        id=product_id(record_id, variant),
        version=version,
        created_at=instant(created_at, "createdAt"),
        updated_at=instant(updated_at, "lastModifiedAt"),
        product_id=record_id,
        group=record_id,
        sku=variant.sku or None,
        is_published=False,
    )


def products_of(
    record: ProductRecord, shop: Shop, locales: Sequence[str], paths: Callable[[str | None], Paths], offer: Offer
) -> list[Product]:
    """The variants of a product as published; `paths` has the categories' paths in a locale, or in the shop's language.

    Raises ValueError, without values.
    """
    variants = variants_of(record.master_data.current)
    if not record.master_data.published:
        times = {"created_at": record.created_at, "updated_at": record.last_modified_at}
        return [hidden(record.id, variant, version=record.version, **times) for variant in variants]
    return [_product(record, variant, shop, locales, paths, offer) for variant in variants]


def _product(
    record: ProductRecord,
    variant: Variant,
    shop: Shop,
    locales: Sequence[str],
    paths: Callable[[str | None], Paths],
    offer: Offer,
) -> Product:
    data = record.master_data.current
    prices = offer.prices.get(variant.sku or "", ()) if record.price_mode == STANDALONE else variant.prices
    present, original = prices_of(prices, offer.market, offer.now)
    attributes = (*variant.attributes, *data.attributes)
    stock_count, is_in_stock = _stock_of(variant, offer.stock.get(variant.sku or "", ()))
    images = tuple(image.url for image in variant.images if image.url)
    texts = {locale: _texts_in(locale, record, variant, shop, paths(locale)) for locale in locales}
    return Product(
        id=product_id(record.id, variant),
        version=record.version,
        created_at=instant(record.created_at, "createdAt"),
        updated_at=instant(record.last_modified_at, "lastModifiedAt"),
        product_id=record.id,
        group=record.id,
        name=shop.text(data.name),
        description=shop.text(data.description),
        key=variant.key or record.key,
        sku=variant.sku or None,
        brand=shop.brand(attributes),
        categories=_categories_of(data, paths(None)),
        prices=present,
        original_prices=original,
        is_in_stock=is_in_stock,
        stock_count=stock_count,
        url=shop.product_url(slug=shop.text(data.slug), id=record.id, key=record.key, sku=variant.sku),
        image_url=images[0] if images else None,
        images=images,
        attributes=_attributes_of(attributes, shop, shop.text),
        locales={locale: found for locale, found in texts.items() if found is not None},
    )


def _texts_in(locale: str, record: ProductRecord, variant: Variant, shop: Shop, paths: Paths) -> ProductTexts | None:
    """What the product is called in a locale; None where it has no name there."""
    data = record.master_data.current
    name = shop.text_in(data.name, locale)
    if name is None:
        return None

    def text(names: Names) -> str | None:
        return shop.text_in(names, locale) or shop.text(names)

    return ProductTexts(
        name=name,
        description=shop.text_in(data.description, locale),
        url=shop.product_url(slug=text(data.slug), id=record.id, key=record.key, sku=variant.sku, locale=locale),
        categories=_categories_of(data, paths),
        attributes=_attributes_of((*variant.attributes, *data.attributes), shop, text),
    )


def _categories_of(data: ProductData, paths: Paths) -> tuple[str, ...]:
    return tuple(paths[category.id] for category in data.categories if category.id in paths)


def _stock_of(variant: Variant, entries: Sequence[InventoryEntry]) -> tuple[int | None, bool | None]:
    """How many there are at all places together, and whether any; None where the project does not keep stock."""
    if entries:
        count = sum(max(entry.available_quantity, 0) for entry in entries)
        return count, count > 0
    availability = variant.availability
    if availability is None:
        return None, None
    places: list[Availability | ChannelAvailability] = [availability, *availability.channels.values()]
    counts = [place.available_quantity for place in places if place.available_quantity is not None]
    told = [place.is_on_stock for place in places if place.is_on_stock is not None]
    count_all = sum(max(count, 0) for count in counts) if counts else None
    return count_all, any(told) if told else None if count_all is None else count_all > 0


def _attributes_of(attributes: Sequence[Attribute], shop: Shop, text: Callable[[Names], str | None]) -> dict[str, Simple]:
    """Simple attributes by name, in the order of their names; a variant's own goes before that of its product."""
    found: dict[str, Simple] = {}
    for attribute in sorted(attributes, key=lambda each: each.name):
        if attribute.name != shop.brand_attribute and attribute.name not in found:
            value = _simple(msgspec.json.decode(attribute.value), text)
            if value is not None:
                found[attribute.name] = value
    return found


def _simple(value: Any, text: Callable[[Names], str | None]) -> Simple | None:
    if isinstance(value, dict) and value.keys() == {"key", "label"}:
        value = value["label"]
    if isinstance(value, dict) and value and all(_LOCALE.fullmatch(name) for name in value):
        value = text({name: each for name, each in value.items() if isinstance(each, str)})
    if isinstance(value, str):
        return value or None
    return value if isinstance(value, bool | int | float) else None
