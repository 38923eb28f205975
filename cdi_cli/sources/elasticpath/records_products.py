"""What we read of products and price books (sheet "elasticpath", section 3.5)."""

from __future__ import annotations

from typing import Any

from cdi_cli.sources.elasticpath.records import Record, Related, Times


class ProductAttributes(Record):
    """What a product is called; `extensions` are the attributes of its templates, by template: `products(size)`."""

    sku: str | None = None
    name: str | None = None
    slug: str | None = None
    description: str | None = None
    status: str | None = None
    tags: tuple[str, ...] | None = None
    extensions: dict[str, dict[str, Any] | None] | None = None


class ProductMeta(Record):
    """Times of a product, directly in its `meta`."""

    created_at: str | None = None
    updated_at: str | None = None
    timestamps: Times | None = None


class ProductRelationships(Record):
    """What a product refers to: `base_product` is the one that it is a variation of."""

    base_product: Related | None = None


class Link(Record):
    """Where a file is."""

    href: str | None = None


class FileRecord(Record):
    """An image or another file."""

    link: Link | None = None
    mime_type: str | None = None


class ProductFiles(Record):
    """What was served with a product."""

    main_image: tuple[FileRecord, ...] | None = None
    files: tuple[FileRecord, ...] | None = None


class ProductRecord(Record):
    """A product: one SKU, live or a draft."""

    id: str
    attributes: ProductAttributes
    meta: ProductMeta
    relationships: ProductRelationships | None = None
    included: ProductFiles | None = None


class CurrencyPrice(Record):
    """A price in one currency, in its smallest unit."""

    amount: int


class Schedule(Record):
    """When a sale holds: from one instant to another; one that is missing leaves it open."""

    valid_from: str | None = None
    valid_to: str | None = None


class Sale(Record):
    """A sale price; one that names bundles holds inside these only."""

    currencies: dict[str, CurrencyPrice] | None = None
    schedule: Schedule | None = None
    bundle_ids: tuple[str, ...] | None = None


class PriceAttributes(Record):
    """The prices of a SKU in a price book."""

    sku: str
    currencies: dict[str, CurrencyPrice] | None = None
    sales: dict[str, Sale] | None = None


class PriceRecord(Record):
    """An entry of a price book."""

    attributes: PriceAttributes
