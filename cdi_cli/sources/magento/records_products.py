"""What we read of Magento's catalogue; see `records` for the rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from cdi_cli.sources.magento.records import Flag, Number, Record


class CategoryLink(Record):
    """A category that a product is in."""

    category_id: Number


class StockItem(Record):
    """Stock as the list tells it in versions without sources."""

    qty: Decimal | None = None
    is_in_stock: Flag | None = None


class ProductExtension(Record):
    """Websites, categories and stock of a product."""

    website_ids: tuple[int, ...] | None = None
    category_links: tuple[CategoryLink, ...] | None = None
    stock_item: StockItem | None = None


class MediaEntry(Record):
    """A picture or film."""

    file: str | None = None
    types: tuple[str, ...] | None = None
    disabled: Flag | None = None
    media_type: str | None = None


class CustomAttribute(Record):
    """An attribute; the value is decoded only when it is one that we look for."""

    attribute_code: str
    value: msgspec.Raw = msgspec.Raw(b"null")


class ProductRecord(Record):
    """A product as one store view tells it; `price` is 0 for configurables and bundles and absent for groups."""

    id: int
    sku: str
    created_at: str
    updated_at: str | None = None
    name: str | None = None
    price: Decimal | None = None
    status: int | None = None
    visibility: int | None = None
    type_id: str | None = None
    extension_attributes: ProductExtension | None = None
    media_gallery_entries: tuple[MediaEntry, ...] | None = None
    custom_attributes: tuple[CustomAttribute, ...] | None = None

    def attribute(self, code: str) -> Any:
        """The value of a custom attribute; None for one that the product does not have, or whose value is empty."""
        for one in self.custom_attributes or ():
            if one.attribute_code == code:
                return msgspec.json.decode(one.value) or None
        return None


class Links(Record):
    """The variants of a configurable product."""

    configurable_product_links: tuple[Number, ...] | None = None


class LinksRecord(Record):
    """A configurable product, by nothing but its variants."""

    id: int
    extension_attributes: Links | None = None


class CategoryRecord(Record):
    """A category; `path` holds the ids from the root to itself: `1/2/5`."""

    id: int
    name: str | None = None
    path: str | None = None
    level: int | None = None


class GroupRecord(Record):
    """A customer group."""

    id: int
    code: str


class SourceItem(Record):
    """The stock of a product at one source; status 1 is in stock."""

    sku: str
    quantity: Decimal | None = None
    status: int | None = None


class AttributeOption(Record):
    """A choice of a select attribute."""

    label: str | None = None
    value: Number | None = None
