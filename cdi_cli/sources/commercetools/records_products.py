"""What we read of commercetools' products; see `records` for the rules."""

from __future__ import annotations

import msgspec

from cdi_cli.sources.commercetools.records import Attribute, Image, Names, Price, Record, Reference


class CatalogPrice(Price):
    """A price that a product is offered at: where, to whom and when it holds."""

    country: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    recurrence_policy: Reference | None = None


class StandalonePrice(CatalogPrice, kw_only=True):
    """A price that is kept apart from the product; it does not change the product when it changes."""

    id: str
    sku: str
    active: bool = True


class InventoryEntry(Record):
    """Stock of a SKU at one supply channel, or without channels."""

    id: str
    sku: str
    available_quantity: int = 0


class ChannelAvailability(Record):
    """Stock of a variant, for one channel or without channels."""

    is_on_stock: bool | None = None
    available_quantity: int | None = None


class Availability(Record):
    """Stock of a variant; eventually consistent."""

    is_on_stock: bool | None = None
    available_quantity: int | None = None
    channels: dict[str, ChannelAvailability] = msgspec.field(default_factory=dict)


class Variant(Record):
    """A variant of the catalogue."""

    id: int
    sku: str | None = None
    key: str | None = None
    prices: tuple[CatalogPrice, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    images: tuple[Image, ...] = ()
    availability: Availability | None = None


class ProductData(Record):
    """A product as it is published; no variants where the project keeps them apart (`productCatalogModel` Modular)."""

    name: Names
    description: Names = msgspec.field(default_factory=dict)
    slug: Names = msgspec.field(default_factory=dict)
    categories: tuple[Reference, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    master_variant: Variant | None = None
    variants: tuple[Variant, ...] = ()


class MasterData(Record):
    """The published side of a product; the staged side is not read."""

    published: bool
    current: ProductData


class ProductRecord(Record):
    """A product with its published data."""

    id: str
    version: int
    created_at: str
    last_modified_at: str
    master_data: MasterData
    key: str | None = None
    price_mode: str | None = None
