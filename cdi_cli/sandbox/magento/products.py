"""Products: simple, configurable with variants, dynamic bundles, virtual and grouped ones.

Prices are of the base currency; a special price holds inside its dates only. Names are scoped by store view. Selects hold
the ids of options. A dynamic bundle has no price of its own, neither has a configurable product, and a grouped one has not
even the field.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any

from cdi_cli.sandbox.magento.money import number
from cdi_cli.sandbox.magento.table import Document, Kind, Scope
from cdi_cli.sandbox.seed.words import BRANDS, COLOURS, SIZES

PRODUCTS = Kind(
    "products",
    "entity_id",
    frozenset({
        "entity_id", "sku", "name", "price", "status", "visibility", "type_id", "created_at", "updated_at",
        "attribute_set_id", "special_price", "special_from_date", "special_to_date", "url_key", "manufacturer",
        "weight", "category_id", "website_id", "description", "image",
    }),
    is_eav=True,
)  # fmt: skip
COLOUR_ATTRIBUTE, SIZE_ATTRIBUTE, BRAND_ATTRIBUTE = "137", "138", "manufacturer"
COLOUR_IDS = {name: 4 + number for number, name in enumerate(COLOURS)}
SIZE_IDS = {name: 20 + number for number, name in enumerate(SIZES)}
BRAND_IDS = {name: 40 + number for number, name in enumerate(BRANDS)}
OPTIONS = {"color": COLOUR_IDS, "size": SIZE_IDS, BRAND_ATTRIBUTE: BRAND_IDS}
"""What `/V1/products/attributes/{code}/options` tells: label -> id."""

VISIBLE, VARIANT = 4, 1


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the tables hold it; money in cents of the base currency."""

    id: int
    sku: str
    name: str
    type: str
    created: str
    updated: str
    price: int = 0
    special_price: int | None = None
    special_from: str = ""
    special_to: str = ""
    visibility: int = VISIBLE
    status: int = 1
    category_ids: tuple[int, ...] = ()
    website_ids: tuple[int, ...] = (1, 2)
    brand: str = ""
    colour: str = ""
    size: str = ""
    names: dict[int, str] = field(default_factory=dict)
    children: tuple[Product, ...] = ()
    """Variants of a configurable, parts of a bundle, members of a group; as they were when the product was made."""

    @property
    def url_key(self) -> str:
        """What its page is called."""
        return slug(self.name)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Product:
        return self

    @property
    def owner(self) -> int:
        """Products belong to no other record."""
        return 0

    def price_at(self, when: str) -> int:
        """What it costs at a time: the special price inside its dates."""
        if self.special_price is None or not self.special_from <= when or (self.special_to and when > self.special_to):
            return self.price
        return self.special_price

    def name_in(self, store_id: int) -> str:
        """Its name in a store view."""
        return self.names.get(store_id, self.name)

    def column(self, name: str) -> Any:
        """The value of an attribute in the default scope."""
        return _columns(self).get(name)

    def document(self, scope: Scope) -> Document:
        """The product as `/V1/products` lists it: no stock, attributes of the store view."""
        document: Document = {
            "id": self.id,
            "sku": self.sku,
            "name": self.name_in(scope.store_id),
            "attribute_set_id": 4,
            "price": number(self.price),
            "status": self.status,
            "visibility": self.visibility,
            "type_id": self.type,
            "created_at": self.created,
            "updated_at": self.updated,
            "weight": 1,
            "extension_attributes": self._extension(),
            "product_links": [_link(self, child, place) for place, child in enumerate(self.children)]
            if self.type == "grouped"
            else [],
            "options": [],
            "media_gallery_entries": self._media(),
            "tier_prices": self._tiers(),
            "custom_attributes": [{"attribute_code": code, "value": value} for code, value in self._attributes().items()],
        }
        if self.type == "grouped":
            del document["price"], document["weight"]
        return document

    def _extension(self) -> Document:
        links = [{"position": 0, "category_id": str(category)} for category in self.category_ids]
        extension: Document = {"website_ids": list(self.website_ids), "category_links": links}
        if self.type == "configurable":
            extension["configurable_product_options"] = [
                _option(self, 1, COLOUR_ATTRIBUTE, "Color", sorted({COLOUR_IDS[child.colour] for child in self.children})),
                _option(self, 2, SIZE_ATTRIBUTE, "Size", sorted({SIZE_IDS[child.size] for child in self.children})),
            ]
            extension["configurable_product_links"] = [child.id for child in self.children]
        if self.type == "bundle":
            extension["bundle_product_options"] = [_part(self, child, place) for place, child in enumerate(self.children)]
        return extension

    def _media(self) -> list[Document]:
        if self.visibility == VARIANT:
            return []
        file = f"/{self.url_key[:1]}/{self.url_key[1:2] or '_'}/{self.url_key}.jpg"
        kinds = ["image", "small_image", "thumbnail"]
        first = {"id": self.id * 2, "media_type": "image", "label": self.name, "position": 1, "disabled": False}
        return [
            {**first, "types": kinds, "file": file},
            {**first, "id": self.id * 2 + 1, "position": 2, "disabled": True, "types": [], "file": f"{file[:-4]}_2.jpg"},
        ]

    def _tiers(self) -> list[Document]:
        if self.type != "simple" or self.id % 7:
            return []
        tier = {"customer_group_id": 32000, "qty": 10, "value": number(self.price * 6 // 10)}
        return [{**tier, "extension_attributes": {"website_id": 0}}]

    def _attributes(self) -> Document:
        media = self._media()
        image = media[0]["file"] if media else "no_selection"
        attributes: Document = {"image": image, "small_image": image, "thumbnail": image}
        if self.special_price is not None:
            attributes["special_price"] = f"{self.special_price / 100:.6f}"
            attributes["special_from_date"] = f"{self.special_from[:10]} 00:00:00"
            if self.special_to:
                attributes["special_to_date"] = f"{self.special_to[:10]} 00:00:00"
        attributes |= {"options_container": "container2", "url_key": self.url_key, "required_options": "0"}
        attributes |= {"has_options": "1" if self.type in ("configurable", "bundle") else "0", "tax_class_id": "2"}
        if self.type == "bundle":
            attributes |= {"price_type": "0", "sku_type": "1", "price_view": "0", "weight_type": "0", "shipment_type": "0"}
        if self.brand:
            attributes[BRAND_ATTRIBUTE] = str(BRAND_IDS[self.brand])
        if self.colour:
            attributes |= {"color": str(COLOUR_IDS[self.colour]), "size": str(SIZE_IDS[self.size])}
        if self.visibility == VISIBLE:
            attributes["description"] = f"<p>{self.name}</p>"
        attributes["category_ids"] = [str(category) for category in self.category_ids]
        return attributes


def _columns(product: Product) -> dict[str, Any]:
    document = product.document(Scope())
    attributes = {each["attribute_code"]: each["value"] for each in document["custom_attributes"]}
    first_category = product.category_ids[0] if product.category_ids else None
    return {**attributes, **document, "category_id": first_category, "website_id": product.website_ids[0]}


def _option(product: Product, identifier: int, attribute: str, label: str, values: list[int]) -> Document:
    return {
        "id": identifier,
        "attribute_id": attribute,
        "label": label,
        "position": identifier - 1,
        "values": [{"value_index": value} for value in values],
        "product_id": product.id,
    }


def _part(product: Product, child: Product, place: int) -> Document:
    link = {
        "id": str(place + 1), "sku": child.sku, "option_id": place + 1, "qty": bundled_quantity(place), "position": 0,
        "is_default": True, "price": number(child.price), "price_type": None, "can_change_quantity": 0,
    }  # fmt: skip
    option = {"option_id": place + 1, "title": child.name, "required": True, "type": "radio", "position": place + 1}
    return {**option, "sku": product.sku, "product_links": [link]}


def _link(product: Product, child: Product, place: int) -> Document:
    linked = {"link_type": "associated", "linked_product_sku": child.sku, "linked_product_type": child.type}
    return {"sku": product.sku, **linked, "position": place, "extension_attributes": {"qty": 1}}


def bundled_quantity(place: int) -> int:
    """How many pieces of its part at a place a bundle holds."""
    return 1 + place % 2


def slug(name: str) -> str:
    """A url key."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", folded).strip("-") or "product"


def changed(product: Product, when: str | None, **fields: Any) -> Product:
    """A product with other values; without a time the change leaves `updated_at` alone."""
    return replace(product, **fields, updated=when or product.updated)
