"""What we read of commercetools' products; see `records` for the rules."""

from __future__ import annotations

import msgspec

from cdi_cli.sources.commercetools.records import Attribute, Image, Names, Price, Record, Reference


class ChannelAvailability(Record):
    """Stock of a variant, for one channel or without channels."""

    is_on_stock: bool | None = None


class Availability(Record):
    """Stock of a variant; eventually consistent."""

    is_on_stock: bool | None = None
    channels: dict[str, ChannelAvailability] = msgspec.field(default_factory=dict)


class Variant(Record):
    """A variant of the catalogue."""

    id: int
    sku: str | None = None
    key: str | None = None
    prices: tuple[Price, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    images: tuple[Image, ...] = ()
    availability: Availability | None = None


class ProductData(Record):
    """A product as it is published; no variants where the project keeps them apart (`productCatalogModel` Modular)."""

    name: Names
    slug: Names = msgspec.field(default_factory=dict)
    categories: tuple[Reference, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    master_variant: Variant | None = None


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
