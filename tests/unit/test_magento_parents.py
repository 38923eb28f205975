"""Variants of configurable products: which page shows them, and what they have of their parent."""

from __future__ import annotations

from typing import Any

import pytest
from magento_products import in_markets, product, read, shop_of
from magento_stub import StubShop

from cdi_cli.commerce import Product
from cdi_cli.sources import Unreadable

PICTURE = {"file": "/p.png", "types": ["image"], "disabled": False, "media_type": "image"}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one token."""
    monkeypatch.setenv("MAGENTO_TOKEN", StubShop().token)


def parent(number: int = 100, *variants: int, **changes: Any) -> dict[str, Any]:
    """A configurable product with these variants."""
    links = {"website_ids": [1, 2], "configurable_product_links": list(variants), "category_links": [{"category_id": "3"}]}
    values = {
        "id": number, "sku": f"CONF-{number}", "type_id": "configurable", "price": 0, "extension_attributes": links,
        "media_gallery_entries": [PICTURE], "attributes": {"url_key": f"page-{number}", "special_price": None},
    }  # fmt: skip
    return product(**(values | changes))


def variant(number: int, **changes: Any) -> dict[str, Any]:
    """A variant: no page, no picture, no words of its own."""
    attributes = {"image": "no_selection", "url_key": f"variant-{number}", "description": None, "special_price": None}
    values = {
        "id": number, "sku": f"V-{number}", "visibility": 1, "media_gallery_entries": [], "attributes": attributes,
        "extension_attributes": {"website_ids": [1, 2]},
    }  # fmt: skip
    return product(**(values | changes))


async def one(variant_: dict[str, Any], *parents: dict[str, Any], **options: Any) -> Product:
    """The variant in the view `default`."""
    ((found,),) = await read(shop_of(variant_, *parents), variant_, **({"store_views": ["default"]} | options))
    assert isinstance(found, Product)
    return found


async def test_a_variant_is_shown_by_its_parent() -> None:
    """Page, group, picture, words and categories are the parent's; name, price and SKU its own."""
    found = await one(variant(7), parent(100, 7, 8), parent(101, 9))

    assert (found.sku, found.group, found.is_published) == ("V-7", "CONF-100", True)
    assert found.url == "http://127.0.0.1:8082/page-100.html"
    assert found.image_url == "http://127.0.0.1:8082/media/catalog/product/p.png"
    assert (found.description, found.categories) == ("<p>The sporty Joust Duffle Bag</p>", ("Men",))
    assert found.prices["USD"].number() == 35.0
    assert found.locales["en-US"].url == found.url


async def test_what_a_variant_has_itself_goes_first() -> None:
    """A picture and words of its own."""
    entry = PICTURE | {"file": "/own.png"}
    found = await one(variant(7, media_gallery_entries=[entry], attributes={"description": "Own"}), parent(100, 7))

    assert found.image_url is not None
    assert (found.image_url.endswith("/own.png"), found.description) == (True, "Own")


async def test_a_product_with_a_page_of_its_own_has_no_parent() -> None:
    """Also where it is a variant; nothing is looked up for it."""
    record = variant(7, visibility=4)
    shop = shop_of(record, parent(100, 7))
    ((found,),) = await read(shop, record, store_views=["default"])

    assert isinstance(found, Product)
    assert (found.url, found.group) == ("http://127.0.0.1:8082/variant-7.html", None)
    assert shop.queries("/products") == []


@pytest.mark.parametrize(
    "parents",
    [
        [parent(100, 7, status=2)],
        [parent(100, 7, visibility=1)],
        [parent(100, 8)],
        [parent(100, 7, extension_attributes={"website_ids": [2], "configurable_product_links": [7]})],
    ],
)
async def test_what_no_page_shows_is_not_on_sale(parents: list[dict[str, Any]]) -> None:
    """The parent is off, has no page, is none of its, or is not sold here: only which variant it is, is told."""
    found = await one(variant(7), *parents)

    assert (found.is_published, found.name, found.url, found.group) == (False, None, None, None)


async def test_of_several_parents_the_first_that_shows_it_counts() -> None:
    """By number."""
    found = await one(variant(7), parent(103, 7), parent(101, 7, status=2), parent(102, 7))

    assert (found.group, found.url) == ("CONF-102", "http://127.0.0.1:8082/page-102.html")


async def test_each_store_view_has_the_page_of_its_own() -> None:
    """The parent is asked for under the view; a view whose parent is off does not tell the variant."""
    record, conf = variant(7), parent(100, 7)
    words = {"custom_attributes": [{"attribute_code": "url_key", "value": "seite-100"}]}
    by_store = {"eu_de": {100: words}, "eu_fr": {100: {"status": 2}}}
    shop = shop_of(record, conf, by_store=by_store, answers=in_markets())
    ((found,),) = await read(shop, record)

    assert isinstance(found, Product)
    assert {locale: (texts.url or "").rpartition("/")[2] for locale, texts in found.locales.items()} == {
        "en-US": "page-100.html",
        "de-DE": "seite-100.html",
    }


async def test_the_links_are_read_once_and_parents_once_for_a_group() -> None:
    """However many variants there are: nothing but the links, in pages, then the parents of the group."""
    records = [variant(number) for number in range(1, 91)]
    parents = [parent(1000 + number, number) for number in range(1, 91)]
    shop = shop_of(*records, *parents)
    shop.rows_max = 40
    found = await read(shop, *records, *records[:5], store_views=["default"], lookups={"stock": False})

    links = [query for query in shop.queries("/products") if "fields" in query]
    others = [query for query in shop.queries("/products") if "fields" not in query]
    assert len(found) == 95
    assert all(isinstance(each, Product) and each.group for (each,) in found)
    assert [query["fields"] for query in links] == [
        "items[id,created_at,extension_attributes[configurable_product_links]],total_count"
    ] * 4  # the first asks for more rows than the shop gives
    assert len(others) <= 4


async def test_it_can_be_switched_off() -> None:
    """Then nothing is asked, and a variant is on sale where it is enabled, without a page."""
    record = variant(7)
    shop = shop_of(record, parent(100, 7))
    ((found,),) = await read(shop, record, store_views=["default"], lookups={"parents": False})

    assert isinstance(found, Product)
    assert (found.is_published, found.url, found.group) == (True, None, None)
    assert shop.queries("/products") == []


async def test_a_parent_that_cannot_be_read_makes_its_variants_unreadable_and_no_other() -> None:
    """The letter is the variant's."""
    both = [variant(7), variant(8)]
    shop = shop_of(*both, parent(100, 7), parent(101, 8), by_store={"default": {100: {"status": "on"}}})
    found = await read(shop, *both, store_views=["default"])

    assert [type(reading) for (reading,) in found] == [Unreadable, Product]
    assert found[0][0].record_id == "7"
    assert found[0][0].detail.startswith("its configurable product: ")


async def test_where_the_shop_fails_on_a_parent_it_may_be_any_variants() -> None:
    """Of those that have no other: what is on sale must not be hidden for it."""
    records = [variant(7), variant(8), variant(9)]
    shop = shop_of(*records, parent(100, 7), parent(101, 8), poisoned={"/products": {100}})
    found = await read(shop, *records, store_views=["default"])

    assert [type(reading) for (reading,) in found] == [Unreadable, Product, Unreadable]
    assert [found[place][0].reason for place in (0, 2)] == ["source_error"] * 2
