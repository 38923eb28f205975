"""Products: from a record to a `Product`, by its published data (sheet "commercetools", section 3).

Read from `/products`, which unlike `/product-projections` still holds products that were unpublished.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdi_cli.commerce import Money, Product
from cdi_cli.sources.commercetools.money import money
from cdi_cli.sources.commercetools.records_products import ProductRecord, Variant
from cdi_cli.sources.commercetools.shop import Shop, image_url, instant


def product_of(record: ProductRecord, shop: Shop, categories: Mapping[str, str]) -> Product:
    """The product as published; `categories` has the path of each category by id. Raises ValueError, without values."""
    data = record.master_data.current
    variant = data.master_variant
    sku = variant.sku if variant is not None else None
    attributes = (*(variant.attributes if variant is not None else ()), *data.attributes)
    return Product(
        id=record.id,
        version=record.version,
        created_at=instant(record.created_at, "createdAt"),
        updated_at=instant(record.last_modified_at, "lastModifiedAt"),
        name=shop.text(data.name),
        key=record.key,
        sku=sku,
        brand=shop.brand(attributes),
        categories=tuple(categories[category.id] for category in data.categories if category.id in categories),
        price=_price_of(variant) if variant is not None else None,
        is_published=record.master_data.published,
        is_in_stock=_stock_of(variant) if variant is not None else None,
        url=shop.product_url(slug=shop.text(data.slug), id=record.id, key=record.key, sku=sku),
        image_url=image_url(variant.images) if variant is not None else None,
    )


def _price_of(variant: Variant) -> Money | None:
    """The first price that is for everyone: neither for a customer group nor for a channel."""
    for price in variant.prices:
        if price.customer_group is None and price.channel is None:
            return money(price.value if price.discounted is None else price.discounted.value)
    return None


def _stock_of(variant: Variant) -> bool | None:
    """Whether there is stock anywhere; None where the project does not keep stock."""
    availability = variant.availability
    if availability is None:
        return None
    if availability.is_on_stock is not None:
        return availability.is_on_stock
    told = [channel.is_on_stock for channel in availability.channels.values() if channel.is_on_stock is not None]
    return any(told) if told else None
