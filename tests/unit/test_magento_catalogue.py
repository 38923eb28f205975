"""Products of all store views, categories, brands and stock; carts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from magento_products import AT, in_markets, product, read, shop_of
from magento_stub import StubShop, opened

from cdi_cli.commerce import Cart, Money, Product, ProductTexts
from cdi_cli.errors import ScopeError
from cdi_cli.sources import Joined, Nothing, Unreadable


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one token."""
    monkeypatch.setenv("MAGENTO_TOKEN", StubShop().token)


async def one(record: dict[str, Any], at: datetime = AT, **more: Any) -> Product:
    """The product in the view `default`."""
    (found,) = await read(shop_of(record, **more), record, at=at, store_views=["default"])
    (entity,) = found
    assert isinstance(entity, Product)
    return entity


def numbers(prices: dict[str, Money]) -> dict[str, float]:
    """Prices by currency as plain numbers."""
    return {currency: price.number() for currency, price in prices.items()}


async def test_a_product_of_a_store_view() -> None:
    """Special and regular price, address, pictures, category path, stock and the view's texts; it is known by its SKU."""
    second = {"file": "/y.png", "types": [], "disabled": False, "media_type": "image"}
    film = {"file": "/z.png", "types": [], "disabled": False, "media_type": "external-video"}
    record = product()
    record["media_gallery_entries"] = [film, second, *record["media_gallery_entries"]]
    found = await one(record)
    assert (found.id, found.sku, found.product_id, found.name) == ("24-MB01", "24-MB01", "1", "Joust Duffle Bag 2")
    assert found.description == "<p>The sporty Joust Duffle Bag</p>"
    assert (numbers(found.prices), numbers(found.original_prices)) == ({"USD": 28.0}, {"USD": 35.0})
    assert found.url == "http://127.0.0.1:8082/joust-duffle-bag.html"
    assert found.image_url == "http://127.0.0.1:8082/media/catalog/product/x/_/x.png"
    assert found.images == (found.image_url, "http://127.0.0.1:8082/media/catalog/product/y.png")
    assert (found.categories, found.is_published) == (("Gear",), True)
    assert (found.is_in_stock, found.stock_count) == (True, 66)
    assert found.locales == {"en-US": ProductTexts(found.name, found.description, found.url, found.categories)}


async def test_store_views_tell_their_texts_and_prices_of_one_product() -> None:
    """Texts by locale, prices by the website's currency; the views beside the first cost a request each."""
    record = product()
    shop = shop_of(record, by_store={"eu_de": {1: {"name": "Reisetasche", "price": 30}}}, answers=in_markets())
    ((found,),) = await read(shop, record)

    assert isinstance(found, Product)
    assert found.name == "Joust Duffle Bag 2"
    assert {locale: texts.name for locale, texts in found.locales.items()} == {
        "en-US": "Joust Duffle Bag 2",
        "de-DE": "Reisetasche",
        "fr-FR": "Joust Duffle Bag 2",
    }
    assert numbers(found.prices) == {"EUR": 28.0, "USD": 28.0}
    assert numbers(found.original_prices) == {"EUR": 30.0, "USD": 35.0}
    assert [code for code, path, _ in shop.asked if path == "/products"] == ["eu_de", "eu_fr"]


async def test_a_product_is_told_by_the_views_that_it_is_enabled_in() -> None:
    """Where the first view does not sell it another's record is what it is told by, and goes with the reading."""
    record = product(status=2)
    shop = shop_of(record, by_store={"eu_de": {1: {"name": "Reisetasche", "status": 1}}}, answers=in_markets())
    (found,) = await read(shop, record)

    assert isinstance(found, Joined)
    (entity,) = found
    assert isinstance(entity, Product)
    assert (entity.name, entity.is_published, list(entity.locales)) == ("Reisetasche", True, ["de-DE"])
    assert numbers(entity.original_prices) == {"EUR": 35.0}
    assert [json.loads(origin)["name"] for origin in found.records] == ["Reisetasche"]


async def test_of_a_product_that_is_enabled_nowhere_is_only_told_which_it_is() -> None:
    """So that an edit of it says nothing new."""
    found = await one(product(status=2))
    assert found == Product(
        id="24-MB01",
        version=found.version,
        created_at=found.created_at,
        updated_at=found.updated_at,
        product_id="1",
        sku="24-MB01",
        is_published=False,
    )


async def test_a_view_that_cannot_tell_the_product_makes_it_unreadable() -> None:
    """Whether the shop fails on it there or serves nonsense: half of a product is none."""
    record = product()
    (found,) = await read(shop_of(record, by_store={"eu_de": {1: {"status": "on"}}}), record)
    assert [type(reading) for reading in found] == [Unreadable]
    (found,) = await read(shop_of(record, poisoned={"/products": {1}}), record)
    assert [(reading.reason, reading.record_id) for reading in found] == [("source_error", "1")]


async def test_a_product_of_another_website_is_none_here() -> None:
    """Membership is told by `website_ids`: lists are filtered by nothing."""
    elsewhere = product(extension_attributes={"website_ids": [2]})
    (found,) = await read(shop_of(elsewhere), elsewhere, store_views=["default"])
    assert list(found) == [Nothing("not_sold_here")]


@pytest.mark.parametrize(
    ("special", "since", "until", "at", "price"),
    [
        ("28.000000", None, None, AT, 28.0),
        ("28.000000", "2026-11-24 00:00:00", "2026-11-24 00:00:00", AT, 28.0),
        ("28.000000", "2026-11-25 00:00:00", None, AT, 35.0),
        ("28.000000", None, "2026-11-23 00:00:00", AT, 35.0),
        ("28.000000", "2026-11-24 00:00:00", None, datetime(2026, 11, 24, 3, tzinfo=UTC), 35.0),
        ("28.000000", None, "2026-11-23 00:00:00", datetime(2026, 11, 24, 3, tzinfo=UTC), 28.0),
        ("40.000000", None, None, AT, 35.0),
        ("cheap", None, None, AT, 35.0),
        (None, None, None, AT, 35.0),
    ],
)
async def test_a_special_price_counts_within_its_days(
    special: str | None, since: str | None, until: str | None, at: datetime, price: float
) -> None:
    """Both days belong to it, by the clock of the store (New York); one that is no lower than the price is none."""
    attributes = {"special_price": special, "special_from_date": since, "special_to_date": until}
    found = await one(product(attributes=attributes), at)
    assert (numbers(found.prices), numbers(found.original_prices)) == ({"USD": price}, {"USD": 35.0})


@pytest.mark.parametrize("changes", [{"price": 0, "type_id": "bundle"}, {"price": None, "type_id": "downloadable"}])
async def test_what_has_no_price_of_its_own_has_none(changes: dict[str, Any]) -> None:
    """0 for a bundle that is priced by its parts."""
    found = await one(product(attributes={"special_price": None}, **changes))
    assert (found.prices, found.original_prices) == ({}, {})


@pytest.mark.parametrize(("kind", "reason"), [("configurable", "sold_by_variant"), ("grouped", "sold_by_member")])
async def test_what_is_sold_by_other_records_is_no_product(kind: str, reason: str) -> None:
    """Nobody has its SKU in a basket; nothing is asked for it."""
    record = product(type_id=kind, price=0)
    shop = shop_of(record)
    (found,) = await read(shop, record)
    assert list(found) == [Nothing(reason)]
    assert (shop.queries("/products"), shop.queries("/inventory/source-items")) == ([], [])


async def test_variants_have_no_page_and_disabled_pictures_do_not_count() -> None:
    """Visibility 1 is a variant; `no_selection` is no picture."""
    entry = {"file": "/y.png", "types": ["image"], "disabled": True}
    found = await one(product(visibility=1, media_gallery_entries=[entry], attributes={"image": "no_selection"}))
    assert (found.url, found.image_url, found.images, found.is_published) == (None, None, (), True)


async def test_brands_are_told_by_their_label() -> None:
    """A select attribute holds an option's id, whose label is looked up once; other attributes hold the text itself."""
    record = product(attributes={"manufacturer": "7"})
    options = [{"label": " ", "value": ""}, {"label": "Acme", "value": "7"}]
    shop = shop_of(record, answers={"/products/attributes/manufacturer/options": options})
    found = await read(shop, record, record, store_views=["default"])
    assert [reading[0].brand for reading in found] == ["Acme", "Acme"]
    assert len(shop.queries("/products/attributes/manufacturer/options")) == 1

    assert (await one(product(attributes={"manufacturer": "Acme Ltd"}))).brand == "Acme Ltd"
    assert (await one(product())).brand is None


def stock_of(readings: list[Any]) -> list[tuple[bool | None, int | None]]:
    """Whether there is any, and how much."""
    return [(product.is_in_stock, product.stock_count) for (product,) in readings]


async def test_stock_is_what_all_sources_have() -> None:
    """What is out of stock at its source does not count; a sku with a comma is asked for alone."""
    odd = product(id=2, sku="A,B")
    shop = shop_of(product(), odd)
    shop.lists["/inventory/source-items"] += [
        {"entity_id": 50, "sku": "A,B", "source_code": "x", "quantity": 4, "status": 0},
        {"entity_id": 51, "sku": "24-MB01", "source_code": "x", "quantity": 1.5, "status": 1},
        {"entity_id": 52, "sku": "24-MB01", "source_code": "y", "quantity": 9, "status": 0},
    ]
    found = await read(shop, product(), odd, store_views=["default"])
    assert stock_of(found) == [(True, 67), (False, 0)]
    assert len(shop.queries("/inventory/source-items")) == 2


async def test_stock_without_sources_is_as_older_versions_tell_it() -> None:
    """Or not known."""
    items = [{"is_in_stock": False, "qty": 3}, {"is_in_stock": True, "qty": 3}, {"is_in_stock": True}, {}]
    old = [product(extension_attributes={"stock_item": item}) for item in items]
    found = await read(StubShop({"/products": []}), *old, product(extension_attributes={}), store_views=["default"])
    assert stock_of(found) == [(False, 0), (True, 3), (True, None), (None, None), (None, None)]


async def test_a_look_up_that_is_forbidden_names_resource_and_switch() -> None:
    """It stops the run: leaving stock out would not be noticed."""
    with pytest.raises(ScopeError) as caught:
        await read(shop_of(product(), denied={"/inventory/source-items"}), product(), store_views=["default"])
    assert "lookups.stock: false" in (caught.value.hint or "")
    found = await read(
        shop_of(product(), denied={"/inventory/source-items"}), product(), store_views=["default"], lookups={"stock": False}
    )
    assert found[0][0].is_in_stock is None


async def test_a_product_that_cannot_be_read_fails_alone() -> None:
    """Its neighbour is read."""
    found = await read(shop_of(product()), product(status="on"), product(), store_views=["default"])
    assert isinstance(found[0][0], Unreadable)
    assert found[0][0].record_id == "1"
    assert isinstance(found[1][0], Product)


def cart(**changes: Any) -> dict[str, Any]:
    """A guest's cart with an address, in the shape of the REST reference."""
    record: dict[str, Any] = {
        "id": 12,
        "created_at": "2026-11-22 07:19:40",
        "updated_at": "2026-11-22 07:19:49",
        "is_active": True,
        "is_virtual": False,
        "items": [{"item_id": 17, "sku": "24-UG06", "qty": 2, "name": "Bottle", "price": 7.5, "product_type": "simple"}],
        "items_count": 1,
        "items_qty": 2,
        "customer": {"email": None, "firstname": None, "lastname": None},
        "billing_address": {"id": 5, "country_id": "US", "street": [""], "email": "guest1@example.com"},
        "orig_order_id": 0,
        "currency": {"base_currency_code": "USD", "quote_currency_code": "EUR", "store_to_quote_rate": 0},
        "customer_is_guest": True,
        "store_id": 2,
    }
    return record | changes


async def read_cart(record: dict[str, Any]) -> Cart:
    """The cart that a record becomes."""
    async with opened(StubShop()) as source:
        ((found,),) = await source.read("carts", [json.dumps(record).encode()])
    assert isinstance(found, Cart)
    return found


async def test_a_guests_cart_that_reached_checkout() -> None:
    """Lines are priced in the base currency; an e-mail was entered, so checkout had begun."""
    found = await read_cart(cart())
    assert (found.id, found.state, found.is_checkout, found.email) == ("12", "active", True, "guest1@example.com")
    assert (found.total.number(), found.currency, found.lines[0].quantity) == (15.0, "USD", 2)
    assert (found.customer_id, found.store, found.updated_at) == (None, "eu_de", "2026-11-22T07:19:49.000Z")


async def test_a_customers_cart_without_an_address_did_not() -> None:
    """The account's e-mail was not entered for it; nor is a country an address."""
    customer = {"id": 2, "email": "zoe@example.com", "group_id": 1}
    address = {"country_id": "DE", "street": [""]}
    found = await read_cart(cart(customer=customer, customer_is_guest=False, billing_address=address))
    assert (found.is_checkout, found.customer_id, found.email) == (False, "2", "zoe@example.com")
    assert found.customer_group == "General"


async def test_a_cart_that_became_an_order_has_no_lines_any_more() -> None:
    """And one that never changed has the time of its creation."""
    found = await read_cart(cart(is_active=False, items=[], updated_at="0000-00-00 00:00:00"))
    assert (found.state, found.lines, found.total.number()) == ("ordered", (), 0.0)
    assert found.updated_at == found.created_at
