"""What the sandbox's products cost: in the product, apart from it, discounted, and prices that do not count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_client import SandboxClient

from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.commercetools.mutate import mutate


@pytest.fixture(scope="module")
def shop() -> Iterator[SandboxThread]:
    """A shop without orders that keeps messages."""
    with SandboxThread(SandboxOptions(orders=0, messages=True)) as sandbox:
        yield sandbox


def products(shop: SandboxThread) -> dict[int, dict[str, Any]]:
    """The products by number."""
    return {int(each["key"].rpartition("-")[2]): each for each in shop.shop.documents("products")}


def test_some_products_have_their_prices_apart(shop: SandboxThread) -> None:
    """Each SKU of theirs has a price for each currency, and none in the product."""
    apart = {number: each for number, each in products(shop).items() if each["priceMode"] == "Standalone"}
    priced: dict[str, set[str]] = {}
    for price in shop.shop.documents("standalone-prices"):
        if price["active"] and not {"country", "channel", "customerGroup", "validFrom", "validUntil"} & price.keys():
            priced.setdefault(price["sku"], set()).add(price["value"]["currencyCode"])

    assert set(apart) == set(range(8, 241, 8))
    for each in apart.values():
        current = each["masterData"]["current"]
        for variant in (current["masterVariant"], *current["variants"]):
            assert variant["prices"] == []
            assert priced[variant["sku"]] == {"EUR", "USD", "GBP", "JPY", "KWD"}


def test_some_prices_are_discounted_and_some_are_over(shop: SandboxThread) -> None:
    """A discounted price keeps the one before; a price with dates stands beside one without."""
    by_number = products(shop)
    discounted = by_number[6]["masterData"]["current"]["masterVariant"]["prices"]
    dated = by_number[12]["masterData"]["current"]["masterVariant"]["prices"][-1]

    assert all(price["discounted"]["value"]["centAmount"] < price["value"]["centAmount"] for price in discounted)
    assert dated["validUntil"] < shop.clock.instant()
    assert "discounted" not in by_number[1]["masterData"]["current"]["masterVariant"]["prices"][0]


def test_prices_and_stock_are_served_by_sku(shop: SandboxThread) -> None:
    """As our look-ups ask for them, and products by the SKUs that they sell."""
    where = ("where", 'sku in ("SKU-0008-1", "nothing")')
    sold = next(each for each in shop.shop.documents("product-projections") if each["variants"])

    with SandboxClient(shop.url) as client:
        assert {row["sku"] for row in client.page("standalone-prices", where)} == {"SKU-0008-1"}
        assert [row["sku"] for row in client.page("inventory", where)] == ["SKU-0008-1"]
        for sku in (sold["masterVariant"]["sku"], sold["variants"][-1]["sku"]):
            condition = f'masterVariant(sku in ("{sku}")) or variants(sku in ("{sku}"))'
            assert [row["id"] for row in client.page("product-projections", ("where", condition))] == [sold["id"]]


def test_a_deleted_product_leaves_a_message() -> None:
    """With what was published of it; nothing of one that was not."""
    with SandboxThread(SandboxOptions(orders=0, messages=True)) as sandbox:
        shop = sandbox.shop
        published = next(each for each in shop.documents("products") if each["masterData"]["published"])
        hidden = next(each for each in shop.documents("products") if not each["masterData"]["published"])
        for product in (published, hidden):
            mutate(shop, {"do": "delete", "kind": "products", "id": product["id"]})
        told = {each["resource"]["id"]: each for each in shop.documents("messages") if each["type"] == "ProductDeleted"}

    projection = told[published["id"]]["currentProjection"]
    assert (projection["createdAt"], projection["masterVariant"]) == (
        published["createdAt"],
        published["masterData"]["current"]["masterVariant"],
    )
    assert "currentProjection" not in told[hidden["id"]]
