"""The stream `product_deletions`: messages about products and variants that are gone, read as variants to be hidden.

    {"id", "createdAt", "type": "ProductDeleted", "resource": {"id"}, "currentProjection"?: {"createdAt", variants ...}}
    {"id", "createdAt", "type": "ProductVariantDeleted", "resource": {"id"}, "variant": {"id", "sku"?}}

A query never shows what was deleted, and a product never shows the variant that it had; only messages do, where the project
keeps them (sheet "commercetools", section 3). A SKU that is sold again, by another product or by the same, is not hidden:
what is published now is asked for. A deleted product that was not published has no projection in its message.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi_cli.sources._base import Nothing, Reading, Unreadable
from cdi_cli.sources._records import unreadable
from cdi_cli.sources.commercetools.products import hidden
from cdi_cli.sources.commercetools.reading import attempt
from cdi_cli.sources.commercetools.records import Record
from cdi_cli.sources.commercetools.records_products import Variant
from cdi_cli.sources.commercetools.sku_lookups import SkuLookups

MESSAGE_TYPES = ("ProductDeleted", "ProductVariantDeleted")


class _Resource(Record):
    id: str


class _Projection(Record):
    created_at: str
    master_variant: Variant | None = None
    variants: tuple[Variant, ...] = ()


class _Message(Record):
    id: str
    created_at: str
    type: str
    resource: _Resource
    current_projection: _Projection | None = None
    variant: Variant | None = None


@dataclass(frozen=True, slots=True)
class _Gone:
    """Variants that a message says are gone, and when their product was created (None: the message does not say)."""

    message: _Message
    variants: tuple[Variant, ...]
    created_at: str | None


_decode = msgspec.json.Decoder(_Message).decode


class ProductDeletionReader:
    """Reads the messages."""

    def __init__(self, by_sku: SkuLookups) -> None:
        self._by_sku = by_sku

    async def read(self, records: Sequence[bytes]) -> list[list[Reading]]:
        """The variants to hide for each message, in the same order; raises what a look-up raises."""
        decoded: list[Any] = [attempt(_decode, record) for record in records]
        gone = {number: _gone(item) for number, item in enumerate(decoded) if isinstance(item, _Message)}
        skus = [variant.sku for each in gone.values() for variant in each.variants if variant.sku]
        sold = await self._by_sku.sold(list(dict.fromkeys(skus)))
        unknown = [each.message.resource.id for each in gone.values() if each.variants and each.created_at is None]
        created = await self._by_sku.created_at(list(dict.fromkeys(unknown)))
        return [
            list(_readings(gone[number], sold, created)) if number in gone else [item] for number, item in enumerate(decoded)
        ]


def _gone(message: _Message) -> _Gone:
    if message.type == "ProductVariantDeleted" and message.variant is not None:
        return _Gone(message, (message.variant,), None)
    projection = message.current_projection
    if message.type != "ProductDeleted" or projection is None:
        return _Gone(message, (), None)
    main = (projection.master_variant,) if projection.master_variant is not None else ()
    return _Gone(message, (*main, *projection.variants), projection.created_at)


def _readings(gone: _Gone, sold: set[str], created: dict[str, str]) -> Iterator[Reading]:
    message = gone.message
    if not gone.variants:
        yield Nothing("never_published" if message.type in MESSAGE_TYPES else "other_message")
        return
    created_at = gone.created_at or created.get(message.resource.id)
    if created_at is None:
        yield Nothing("product_deleted")  # its own message hides the variants that it had at the end
        return
    for variant in gone.variants:
        yield _reading(message, variant, created_at) if variant.sku not in sold else Nothing("sold_again")


def _reading(message: _Message, variant: Variant, created_at: str) -> Reading:
    try:
        return hidden(message.resource.id, variant, version=1, created_at=created_at, updated_at=message.created_at)
    except ValueError as error:
        found: Unreadable = unreadable(error, message.id)
        return found
