"""The catalogue: a category tree, products with variants, stock, and the small kinds (codes, groups, stores)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.sandbox.commercetools.records import Document, reference
from cdi_cli.sandbox.seed.dice import DAY_MS, Dice, instant
from cdi_cli.sandbox.seed.money import MARKETS, Market, local_price, money
from cdi_cli.sandbox.seed.offers import is_standalone, shown_prices, standalone_prices
from cdi_cli.sandbox.seed.words import ADJECTIVES, BRANDS, CATEGORY_TREE, COLOURS, GERMAN, SIZES

PRODUCTS = 240
_PUBLISHED_SHARE = 0.95
_ORDER_BASE_BYTES = 1_700
_LINE_BASE_BYTES = 1_250


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant as orders show it, at several sizes: `padded` holds its JSON by number of lines in the order."""

    sku: str
    plain: dict[str, Any]
    padded: dict[int, msgspec.Raw] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Product:
    """What building order lines needs to know about a product."""

    id: str
    key: str
    name: dict[str, str]
    slug: dict[str, str]
    euro_cents: int
    is_reduced_tax: bool
    variants: tuple[Variant, ...]


@dataclass(slots=True)
class Catalogue:
    """All products for building lines, and the documents to serve."""

    products: list[Product] = field(default_factory=list)
    documents: dict[str, list[Document]] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    channel_id: str = ""


def build_catalogue(dice: Dice, start_ms: int) -> Catalogue:
    """The whole catalogue; everything in it was created in the month after `start_ms`."""
    catalogue = Catalogue(channel_id=dice.uuid())
    leaves = _categories(catalogue, dice, start_ms)
    catalogue.documents["products"] = []
    for number in range(1, PRODUCTS + 1):
        root, leaf_id, ancestors, leaf = dice.pick(leaves)
        _product(catalogue, dice, start_ms, (number, root, leaf, [leaf_id, *ancestors]))
    _small_kinds(catalogue, dice, start_ms)
    return catalogue


def _base(dice: Dice, start_ms: int) -> Document:
    at = instant(start_ms + dice.below(30 * DAY_MS))
    return {"id": dice.uuid(), "version": 1, "createdAt": at, "lastModifiedAt": at}


def _categories(catalogue: Catalogue, dice: Dice, start_ms: int) -> list[tuple[str, str, list[str], str]]:
    """Make the tree; returns its leaves as (root name, leaf id, ancestor ids from the root, leaf name)."""
    documents: list[Document] = []
    leaves: list[tuple[str, str, list[str], str]] = []

    def add(name: str, ancestors: list[str]) -> str:
        document = {
            **_base(dice, start_ms),
            "key": name.lower().replace(" ", "-"),
            "name": {"en": name, "de": GERMAN[name]},
            "slug": {"en": name.lower().replace(" ", "-")},
            "ancestors": [reference("category", ancestor) for ancestor in ancestors],
            "orderHint": f"0.{len(documents) + 1}",
        }
        if ancestors:
            document["parent"] = reference("category", ancestors[-1])
        documents.append(document)
        return str(document["id"])

    for root, branches in CATEGORY_TREE.items():
        root_id = add(root, [])
        for branch, names in branches.items():
            branch_id = add(branch, [root_id])
            leaves += [(root, add(name, [root_id, branch_id]), [root_id, branch_id], name) for name in names]
    catalogue.documents["categories"] = documents
    return leaves


def _product(catalogue: Catalogue, dice: Dice, start_ms: int, about: tuple[int, str, str, list[str]]) -> None:
    number, root, leaf, category_ids = about
    brand = dice.pick(BRANDS)
    title = f"{dice.pick(ADJECTIVES)} {leaf} {number}"
    name = {"en": title, "de": f"{GERMAN[leaf]} {number} – {brand}"}
    slug = {"en": f"{leaf.lower()}-{number}", "de": f"artikel-{number}"}
    euro_cents = dice.between(9, 180) * 100 + dice.pick((0, 49, 50, 90, 99))
    base = _base(dice, start_ms)
    is_clothing = root == "Clothing"
    variants = tuple(
        _variant(dice, (number, index), brand, is_clothing, euro_cents)
        for index in range(1, (dice.between(2, 5) if is_clothing else 1) + 1)
    )
    product = Product(str(base["id"]), f"product-{number}", name, slug, euro_cents, root == "Books", variants)
    catalogue.products.append(product)
    shown = [{**variant.plain, "prices": shown_prices(number, variant.plain["prices"], start_ms)} for variant in variants]
    data = {
        "name": name,
        "description": {"en": f"{title} by {brand}.", "de": f"{GERMAN[leaf]} von {brand}."},
        "slug": slug,
        "categories": [reference("category", category_id) for category_id in category_ids[:1]],
        "masterVariant": shown[0],
        "variants": shown[1:],
        "searchKeywords": {},
        "attributes": [],
    }
    is_published = dice.chance(_PUBLISHED_SHARE)
    catalogue.documents["products"].append({
        **base,
        "key": product.key,
        "productType": reference("product-type", catalogue.channel_id),
        "taxCategory": reference("tax-category", catalogue.channel_id),
        "priceMode": "Standalone" if is_standalone(number) else "Embedded",
        "masterData": {"published": is_published, "hasStagedChanges": False, "current": data, "staged": data},
    })  # fmt: skip


def _variant(dice: Dice, number: tuple[int, int], brand: str, is_clothing: bool, euro_cents: int) -> Variant:
    sku = f"SKU-{number[0]:04d}-{number[1]}"
    attributes: list[dict[str, Any]] = [{"name": "brand", "value": brand}]
    if is_clothing:
        colour = dice.pick(COLOURS)
        attributes.append({"name": "size", "value": {"key": SIZES[number[1] - 1].lower(), "label": SIZES[number[1] - 1]}})
        attributes.append({"name": "colour", "value": {"key": colour, "label": {"en": colour}}})
    markets: dict[str, Market] = {market.currency: market for market, _share in MARKETS}
    plain = {
        "id": number[1],
        "sku": sku,
        "key": sku.lower(),
        "prices": [
            {"id": dice.uuid(), "value": money(local_price(euro_cents, market), market)} for market in markets.values()
        ],
        "images": [{"url": f"https://img.shop.example/{sku.lower()}.jpg", "dimensions": {"w": 800, "h": 1200}}],
        "attributes": attributes,
        "assets": [],
    }
    return Variant(sku, plain)


def shown_variant(variant: Variant, lines: int, order_bytes: int | None, dice: Dice) -> msgspec.Raw:
    """A variant as a line of an order with `lines` lines shows it, padded so that the order gets its size."""
    shown = variant.padded.get(lines)
    if shown is None:
        wanted = 0 if order_bytes is None else (order_bytes - _ORDER_BASE_BYTES) // lines - _LINE_BASE_BYTES
        shown = variant.padded[lines] = msgspec.Raw(msgspec.json.encode(_padded(variant.plain, wanted, dice)))
    return shown


def _padded(plain: dict[str, Any], wanted_bytes: int, dice: Dice) -> dict[str, Any]:
    """The variant without its prices, or with as many prices and attributes as it takes to add `wanted_bytes`."""
    prices: list[dict[str, Any]] = []
    attributes = list(plain["attributes"])
    added = 0
    while added < wanted_bytes:
        market = dice.weighted(MARKETS)
        price = {
            "id": dice.uuid(),
            "value": money(dice.between(900, 20_000), market),
            "country": market.country,
            "channel": reference("channel", dice.uuid()),
        }
        attribute = {"name": f"detail-{len(attributes)}", "value": f"{dice.random():.16f} cm, care label {len(prices)}"}
        prices.append(price)
        attributes.append(attribute)
        added += 350
    return {**plain, "prices": prices, "attributes": attributes}


def _small_kinds(catalogue: Catalogue, dice: Dice, start_ms: int) -> None:
    """Stock, a few standalone prices, discount codes, customer groups and stores."""
    skus = [variant.sku for product in catalogue.products for variant in product.variants]
    catalogue.documents["inventory"] = [
        {**_base(dice, start_ms), "sku": sku, "quantityOnStock": (stock := dice.between(0, 90)), "availableQuantity": stock}
        for sku in skus
    ]
    euro = MARKETS[0][0]
    catalogue.documents["standalone-prices"] = [
        {**_base(dice, start_ms), "sku": sku, "value": money(dice.between(900, 9900), euro), "country": "DE", "active": True}
        for sku in skus[::10]
    ]
    apart = [product for number, product in enumerate(catalogue.products, 1) if is_standalone(number)]
    priced = [(variant.sku, product.euro_cents) for product in apart for variant in product.variants]
    of_others = [each for each in catalogue.documents["standalone-prices"] if each["sku"] not in dict(priced)]
    catalogue.documents["standalone-prices"] = of_others + standalone_prices(priced, start_ms)
    codes = [
        {
            **_base(dice, start_ms),
            "code": code,
            "name": {"en": f"Code {code}"},
            "cartDiscounts": [reference("cart-discount", dice.uuid())],
            "isActive": True,
            "references": [],
            "groups": [],
        }
        for code in ("MAI10", "WELCOME", "ÉTÉ2026", "SPÄTER", "桜2026", "VIP-ONLY", "10%OFF", "FREESHIP")
    ]
    groups = [{**_base(dice, start_ms), "name": name, "key": name.lower()} for name in ("VIP", "Staff", "B2B", "Press")]
    stores = [
        {**_base(dice, start_ms), "key": key, "name": {"en": name}, "languages": ["en"], "countries": []}
        for key, name in (("eu-web", "Europe"), ("us-web", "USA"), ("uk-web", "UK"), ("asia-web", "Asia"))
    ]
    catalogue.documents |= {"discount-codes": codes, "customer-groups": groups, "stores": stores}
    catalogue.codes = [str(code["id"]) for code in codes]
    catalogue.groups = {str(group["name"]): str(group["id"]) for group in groups}
