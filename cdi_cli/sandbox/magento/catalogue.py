"""The catalogue of the seed data: a category tree with products in each leaf, bundles, virtual ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.magento import times
from cdi_cli.sandbox.magento.products import VARIANT, VISIBLE, Product, slug
from cdi_cli.sandbox.magento.table import Document
from cdi_cli.sandbox.seed.dice import Dice
from cdi_cli.sandbox.seed.words import ADJECTIVES, BRANDS, CATEGORY_TREE, COLOURS, GERMAN, SIZES

ROOT_CATEGORY, DEFAULT_CATEGORY = 1, 2


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What can be bought, and where it is found."""

    categories: list[Document]
    products: list[Product]

    @property
    def for_sale(self) -> list[Product]:
        """What a customer can put into a basket and has shipped."""
        return [product for product in self.products if product.visibility == VISIBLE and product.type not in ("virtual",)]

    @property
    def virtual(self) -> list[Product]:
        """What is not shipped."""
        return [product for product in self.products if product.type == "virtual"]


def build_catalogue(dice: Dice, start: int) -> Catalogue:
    """The same catalogue for the same dice; made at `start`, seconds since 1970."""
    categories = _categories(times.text_of(start))
    leaves = [category for category in categories if category["level"] == 4]
    maker = _Maker(dice, start)
    for leaf in leaves:
        ids = (int(leaf["parent_id"]), int(leaf["id"]))
        for _number in range(3):
            maker.simple(leaf["name"], ids)
        maker.configurable(leaf["name"], ids)
    for name in ("Membership", "Gift card", "Online-Kurs „Stricken“"):
        maker.add(name, "virtual", price=dice.between(10, 90) * 100, category_ids=(DEFAULT_CATEGORY,))
    simple = [product for product in maker.products if product.type == "simple" and product.visibility == VISIBLE]
    for number_of, name in enumerate(("Starter Kit", "Winter Kit", "Küchen-Set", "Reading Kit", 'The "Big" Kit')):
        parts = tuple(simple[number_of * 5 + place] for place in range(2 + number_of % 2))
        maker.add(name, "bundle", category_ids=(DEFAULT_CATEGORY,), children=parts)
    maker.add("Set of goods", "grouped", category_ids=(DEFAULT_CATEGORY,), children=tuple(simple[:3]))
    return Catalogue(categories, maker.products)


class _Maker:
    def __init__(self, dice: Dice, start: int) -> None:
        self._dice = dice
        self._start = start
        self.products: list[Product] = []

    def add(self, name: str, type_: str, **fields: Any) -> Product:
        made = times.text_of(self._start + len(self.products) // 3)
        identifier = len(self.products) + 1
        sku = fields.pop("sku", None) or f"{slug(name)[:12].upper()}-{identifier:03d}"
        product = Product(id=identifier, sku=sku, name=name, type=type_, created=made, updated=made, **fields)
        self.products.append(product)
        return product

    def simple(self, leaf: str, category_ids: tuple[int, ...]) -> None:
        dice = self._dice
        name, fields = (
            f"{dice.pick(ADJECTIVES)} {leaf} {len(self.products) + 1}",
            self._special(dice.between(4, 180) * 50 - 1),
        )
        names = {2: f"{GERMAN[leaf]} {len(self.products) + 1}"} if dice.chance(0.5) else {}
        sku = f"24 WG/{len(self.products) + 1} ü" if dice.chance(0.05) else None
        self.add(name, "simple", brand=dice.pick(BRANDS), names=names, sku=sku, category_ids=category_ids, **fields)

    def configurable(self, leaf: str, category_ids: tuple[int, ...]) -> None:
        dice = self._dice
        name, brand, price = f"{dice.pick(ADJECTIVES)} {leaf}", dice.pick(BRANDS), dice.between(20, 240) * 50
        code = f"{slug(leaf)[:4].upper()}{len(self.products) + 1:02d}"
        variants = [
            self.add(
                f"{name}-{size}-{colour}", "simple", sku=f"{code}-{size}-{colour}", price=price, visibility=VARIANT,
                colour=colour, size=size, category_ids=category_ids[-1:], brand=brand,
            )
            for colour in COLOURS[:2]
            for size in SIZES[1:4]
        ]  # fmt: skip
        fields: dict[str, Any] = {"category_ids": category_ids, "brand": brand, "children": tuple(variants)}
        self.add(name, "configurable", sku=code, **fields)

    def _special(self, price: int) -> dict[str, Any]:
        """A price; for some products a special one too: running, over, or still to come."""
        dice, day = self._dice, times.DAY_SECONDS
        if not dice.chance(0.2):
            return {"price": price}
        start = self._start + dice.between(0, 900) * day
        start -= start % day
        end = times.text_of(start + 120 * day) if dice.chance(0.6) else ""
        return {"price": price, "special_price": price * 8 // 10, "special_from": times.text_of(start), "special_to": end}


def _categories(made: str) -> list[Document]:
    """The tree below the default category, flat, with paths and the ids of children as a text."""
    found: list[Document] = [
        _category(ROOT_CATEGORY, 0, "Root Catalog", 0, "1", made),
        _category(DEFAULT_CATEGORY, 1, "Default Category", 1, "1/2", made),
    ]

    def add(parent: Document, name: str) -> Document:
        identifier = len(found) + 1
        path = f"{parent['path']}/{identifier}"
        category = _category(identifier, parent["id"], name, parent["level"] + 1, path, made)
        found.append(category)
        return category

    for root, branches in CATEGORY_TREE.items():
        top = add(found[1], root)
        for branch, leaves in branches.items():
            below = add(top, branch)
            for leaf in leaves:
                add(below, leaf)
    for category in found:
        category["children"] = ",".join(str(each["id"]) for each in found if each["parent_id"] == category["id"])
    return found


def _category(identifier: int, parent: int, name: str, level: int, path: str, made: str) -> Document:
    attributes = {"path": path, "children_count": "0"}
    if level > 1:
        attributes |= {"is_anchor": "1", "url_key": slug(name), "url_path": slug(name)}
    return {
        "id": identifier,
        "parent_id": parent,
        "name": name,
        **({"is_active": True} if identifier != ROOT_CATEGORY else {}),
        "position": identifier,
        "level": level,
        "children": "",
        "created_at": made,
        "updated_at": made,
        "path": path,
        "include_in_menu": True,
        "custom_attributes": [{"attribute_code": code, "value": value} for code, value in attributes.items()],
    }
