"""The catalogue: PCM products with extensions and images, price books with prices by currency. Products have no price.

Timestamps stand in `meta` itself here, not in `meta.timestamps`, and always with milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cdi_cli.sandbox.elasticpath.money import CURRENCIES, MARKETS, Document, half_even
from cdi_cli.sandbox.elasticpath.people import uuid_of
from cdi_cli.sandbox.elasticpath.times import DAY_MS, instant_of
from cdi_cli.sandbox.seed.dice import Dice
from cdi_cli.sandbox.seed.money import local_price
from cdi_cli.sandbox.seed.words import ADJECTIVES, BRANDS, CATEGORY_TREE, COLOURS, SIZES

PRODUCTS = 240
_LEAVES = [(root, leaf) for root, branches in CATEGORY_TREE.items() for leaves in branches.values() for leaf in leaves]
_MARKET_OF_CURRENCY = {market.currency: market for market, _share in MARKETS}


@dataclass(frozen=True, slots=True)
class Product:
    """A product; `image_id` empty: none. `options`: the ids of what a bundle is made of."""

    id: str
    created: int
    updated: int
    sku: str
    name: str
    description: str
    euro_cents: int
    brand: str
    leaf: str
    is_reduced: bool
    status: str = "live"
    image_id: str = ""
    extensions: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def field(self, name: str) -> Any:
        """`sku`, `status`, `name`, `slug`."""
        return self.sku.lower() if name == "slug" else getattr(self, name, None)

    def document(self) -> Document:
        """The product as `/pcm/products` lists it."""
        attributes: Document = {
            "commodity_type": "physical",
            "description": self.description,
            "name": self.name,
            "sku": self.sku,
            "slug": self.sku.lower(),
            "status": self.status,
            "mpn": f"MPN-{self.sku}",
            "upc_ean": f"40{int(self.id[:8], 16) % 10**11:011d}",
            "tags": [self.leaf.lower()],
            "extensions": self.extensions,
        }
        if self.options:
            options = [{"id": each, "type": "product", "quantity": 1} for each in self.options]
            attributes["components"] = {"parts": {"name": "Parts", "min": 1, "max": len(options), "options": options}}
        links = {
            name: {"data": [], "links": {"self": f"/products/{self.id}/{path}"}}
            for name, path in (
                ("children", "children"),
                ("component_products", "relationships/component_products"),
                ("files", "relationships/files"),
                ("templates", "relationships/templates"),
                ("variations", "relationships/variations"),
            )
        }
        image = {"type": "main_image", "id": self.image_id} if self.image_id else None
        return {
            "type": "product",
            "id": self.id,
            "attributes": attributes,
            "relationships": {**links, "main_image": {"data": image}},
            "meta": {
                "created_at": instant_of(self.created),
                "updated_at": instant_of(self.updated),
                "owner": "store",
                "product_types": ["bundle" if self.options else "standard"],
            },
        }

    def file(self) -> Document:
        """The main image as `included` and `/v2/files` show it."""
        return {
            "type": "file",
            "id": self.image_id,
            "file_name": f"{self.sku.lower()}.jpg",
            "mime_type": "image/jpeg",
            "file_size": 20_000 + len(self.name),
            "public": True,
            "link": {"href": f"https://files.shop.example/{self.image_id}/{self.sku.lower()}.jpg"},
            "links": {"self": f"/v2/files/{self.image_id}"},
            "meta": {"dimensions": {"width": 800, "height": 1200}, "timestamps": {"created_at": instant_of(self.created)}},
        }


@dataclass(frozen=True, slots=True)
class ProductPrice:
    """What a SKU costs according to a price book: amounts by currency, and a sale with a schedule of its own."""

    id: str
    created: int
    updated: int
    book_id: str
    sku: str
    amounts: dict[str, int]
    sale: dict[str, Any] = field(default_factory=dict)

    def field(self, name: str) -> Any:
        """`sku`."""
        return self.sku if name == "sku" else None

    def document(self) -> Document:
        """The price as `/pcm/pricebooks/{id}/prices` lists it."""
        currencies = {code: self._amount(code, amount) for code, amount in self.amounts.items()}
        attributes: Document = {
            "sku": self.sku,
            "currencies": currencies,
            "created_at": instant_of(self.created),
            "updated_at": instant_of(self.updated),
        }
        if self.sale:
            attributes["sales"] = {"season": self.sale}
        return {
            "type": "product-price",
            "id": self.id,
            "attributes": attributes,
            "meta": {"owner": "store", "pricebook_id": self.book_id},
            "relationships": {},
        }

    def _amount(self, code: str, amount: int) -> Document:
        return {"amount": amount, "includes_tax": _MARKET_OF_CURRENCY[code].is_tax_included}


@dataclass(frozen=True, slots=True)
class PriceBook:
    """A price book; the first one is the store's."""

    id: str
    created: int
    updated: int
    name: str

    def field(self, name: str) -> Any:
        """`name`."""
        return self.name if name == "name" else None

    def document(self) -> Document:
        """The price book as `/pcm/pricebooks` lists it."""
        attributes = {
            "name": self.name,
            "description": f"{self.name} price book",
            "created_at": instant_of(self.created),
            "updated_at": instant_of(self.updated),
        }
        return {
            "type": "pricebook",
            "id": self.id,
            "attributes": attributes,
            "meta": {"owner": "store"},
            "relationships": {},
        }


@dataclass(slots=True)
class Catalogue:
    """All products, price books and prices; `live`: what can be bought, bundles apart."""

    products: list[Product]
    books: list[PriceBook]
    prices: list[ProductPrice]

    @property
    def live(self) -> list[Product]:
        """Products that are sold by themselves."""
        return [each for each in self.products if each.status == "live" and not each.options]

    @property
    def bundles(self) -> list[Product]:
        """Bundles that are sold."""
        return [each for each in self.products if each.status == "live" and each.options]


def build_catalogue(dice: Dice, seed: int, start: int, now: int) -> Catalogue:
    """The whole catalogue; it was entered in the two months after `start`."""
    products = [_product(dice, seed, number, start, now) for number in range(1, PRODUCTS + 1)]
    parts = [each for each in products if each.status == "live"]
    for number in range(0, PRODUCTS, 16):
        chosen = tuple(dict.fromkeys(dice.pick(parts).id for _ in range(3)))
        products[number] = _bundled(products[number], chosen)
    books = [PriceBook(uuid_of(seed, "book", name), start, start, name) for name in ("Standard", "Loyalty")]
    prices = [_price(dice, seed, books[0], each, now) for each in products if not dice.chance(0.02)]
    prices += [_price(dice, seed, books[1], each, now, percent=90) for each in products[::10]]
    return Catalogue(products, books, prices)


def _bundled(product: Product, options: tuple[str, ...]) -> Product:
    return replace(product, name=f"{product.name} set", sku=f"SET-{product.sku[4:]}", options=options)


def _product(dice: Dice, seed: int, number: int, start: int, now: int) -> Product:
    root, leaf = dice.pick(_LEAVES)
    brand = dice.pick(BRANDS)
    created = start + dice.below(60 * DAY_MS)
    extensions: dict[str, Any] = {"products(brand)": {"brand": brand, "sustainable": dice.chance(0.3)}}
    if root == "Clothing":
        size = {"size": dice.pick(SIZES), "colour": dice.pick(COLOURS), "width_mm": dice.between(200, 900), "online": None}
        extensions["products(size)"] = size
    name = f"{dice.pick(ADJECTIVES)} {leaf} {number}"
    return Product(
        id=uuid_of(seed, "product", number),
        created=created,
        updated=created if dice.chance(0.5) else min(now, created + dice.below(500 * DAY_MS)),
        sku=f"SKU-{number:04d}",
        name=name,
        description=f"{name} by {brand}.",
        euro_cents=dice.between(9, 180) * 100 + dice.pick((0, 49, 50, 90, 99)),
        brand=brand,
        leaf=leaf,
        is_reduced=root == "Books",
        status="draft" if dice.chance(0.05) else "live",
        image_id=uuid_of(seed, "image", number) if dice.chance(0.9) else "",
        extensions=extensions,
    )


def _price(dice: Dice, seed: int, book: PriceBook, product: Product, now: int, *, percent: int = 100) -> ProductPrice:
    euro_cents = half_even(product.euro_cents * percent, 100)
    amounts = {code: local_price(euro_cents, _MARKET_OF_CURRENCY[code]) for code in CURRENCIES}
    sale: dict[str, Any] = {}
    if dice.chance(0.1):
        schedule = {"valid_from": instant_of(now - 10 * DAY_MS), "valid_to": instant_of(now + 20 * DAY_MS)}
        cut = {code: {"amount": half_even(amount * 80, 100), "includes_tax": True} for code, amount in amounts.items()}
        sale = {"schedule": schedule, "currencies": cut}
    return ProductPrice(
        id=uuid_of(seed, "price", book.id, product.id),
        created=product.created,
        updated=product.updated,
        book_id=book.id,
        sku=product.sku,
        amounts=amounts,
        sale=sale,
    )
