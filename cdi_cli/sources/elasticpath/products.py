"""Products: one SKU each, from a record of the product experience manager to a `Product` (sheet, section 3.5).

A product without a SKU is known by its id. Variations of one product have their base product in common. What is not `live`
is hidden. Attributes are the simple values of the product's templates, named `template.attribute`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdi_cli.clock import SYSTEM_CLOCK, Instant
from cdi_cli.commerce import Product
from cdi_cli.commerce.entities import Simple
from cdi_cli.sources.elasticpath.client import Client
from cdi_cli.sources.elasticpath.lookups import References
from cdi_cli.sources.elasticpath.money import Currencies
from cdi_cli.sources.elasticpath.prices import PriceBooks, prices_of
from cdi_cli.sources.elasticpath.records import Times
from cdi_cli.sources.elasticpath.records_products import FileRecord, PriceAttributes, ProductRecord
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.times import times_of, version_of

LIVE = "live"
_TEMPLATE = re.compile(r"[^()]*\((.+)\)")


@dataclass(frozen=True, slots=True)
class Offers:
    """What is known of products besides their records: the entries of the price books, and when that was."""

    now: Instant
    currencies: Currencies
    books: Sequence[Mapping[str, PriceAttributes]] = ()


class ProductReader:
    """Reads products with their prices."""

    def __init__(self, client: Client, settings: ElasticPathSettings, references: References) -> None:
        self._client = client
        self._settings = settings
        self._references = references
        self._books = PriceBooks(client, settings.price_books)

    async def offers(self, records: Sequence[ProductRecord]) -> Offers:
        """What is known of some products besides their records; raises what `Client.get` raises."""
        if not self._settings.price_books or not records:
            return Offers(SYSTEM_CLOCK.instant(), Currencies())
        skus = [record.attributes.sku for record in records if record.attributes.sku]
        return Offers(await self._client.server_now(), await self._references.currencies(), await self._books.of(skus))

    def read(self, record: ProductRecord, offers: Offers) -> Product:
        """The product as it stands; raises ValueError, without values."""
        attributes = record.attributes
        own = Times(created_at=record.meta.created_at, updated_at=record.meta.updated_at)
        created_at, changed_at = times_of(own, record.meta.timestamps)
        sku = attributes.sku or None
        present, original = prices_of((book.get(sku or "") for book in offers.books), offers.currencies, offers.now)
        base = record.relationships.base_product if record.relationships is not None else None
        images = _images_of(record)
        simple = _simple_of(record)
        brand = simple.pop(self._settings.brand_attribute, None) if self._settings.brand_attribute else None
        return Product(
            id=sku or record.id,
            version=version_of(changed_at),
            created_at=created_at,
            updated_at=changed_at,
            product_id=record.id,
            group=(base.data.id if base is not None and base.data is not None else None) or record.id,
            name=attributes.name or None,
            description=attributes.description or None,
            sku=sku,
            brand=str(brand) if brand is not None else None,
            prices=present,
            original_prices=original,
            is_published=attributes.status == LIVE,
            url=self._url_of(record),
            image_url=images[0] if images else None,
            images=images,
            attributes=simple,
        )

    def _url_of(self, record: ProductRecord) -> str | None:
        """The address of the product's page; None where the template needs something that the product has not."""
        template = self._settings.product_url_template
        fields = {"slug": record.attributes.slug, "sku": record.attributes.sku, "id": record.id}
        if template is None or any(not value and f"{{{name}}}" in template for name, value in fields.items()):
            return None
        return template.format(**{name: value or "" for name, value in fields.items()})


def _images_of(record: ProductRecord) -> tuple[str, ...]:
    """The addresses of the images, the main one first."""
    if record.included is None:
        return ()
    served: list[FileRecord] = [*(record.included.main_image or ()), *(record.included.files or ())]
    images = [one for one in served if one.mime_type is None or one.mime_type.startswith("image/")]
    return tuple(dict.fromkeys(one.link.href for one in images if one.link is not None and one.link.href))


def _simple_of(record: ProductRecord) -> dict[str, Simple]:
    """The simple attributes of the templates, in the order of their names."""
    found: dict[str, Simple] = {}
    for name, values in sorted((record.attributes.extensions or {}).items()):
        match = _TEMPLATE.fullmatch(name)
        template = match.group(1) if match else name
        for attribute, value in sorted((values or {}).items()):
            if _is_simple(value):
                found[f"{template}.{attribute}"] = value
    return found


def _is_simple(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and bool(value))
