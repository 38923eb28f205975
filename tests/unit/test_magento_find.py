"""Look-ups of the Magento source: what is asked, what a database that compares loosely may not give, what an error says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from magento_stub import StubShop, opened, order, sample
from scripted_server import answer

from cdi_cli.errors import RefusedError
from cdi_cli.sources import FOUND_MAX
from cdi_cli.sources.magento.find import condition
from cdi_cli.sources.magento.source import MagentoSource


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one token."""
    monkeypatch.setenv("MAGENTO_TOKEN", StubShop().token)


async def found(source: MagentoSource, by: Any, value: str, stream: str = "orders") -> list[int]:
    """The ids of what is found."""
    rows = [json.loads(record) for record in await source.find(stream, by, value)]
    return [row.get("entity_id", row.get("id")) for row in rows]


@pytest.mark.parametrize("value", ["0", "007", "1 or 1=1", "1e1", "-1", "1.0", "4294967296", "٣", "²", "", "  "])
def test_only_ids_are_asked_for_as_ids(value: str) -> None:
    """MySQL takes the number that a text begins with: it is never asked for anything but a number."""
    assert condition("orders", "id", value) is None
    assert condition("orders", "customer_id", value) is None


async def test_an_edited_order_is_found_by_the_number_of_the_first() -> None:
    """Its record holds that number; the orders that it replaced say nothing and are found by their id alone."""
    first = order(13, increment_id="000000013", original_increment_id="", state="canceled", relation_child_id="14")
    second = order(
        14, increment_id="000000013-1", original_increment_id="000000013", state="canceled", relation_child_id="15"
    )
    third = order(15, increment_id="000000013-2", original_increment_id="000000013")
    other = order(16, increment_id="000000016", original_increment_id="")
    async with opened(StubShop({"/orders": [first, second, third, other]})) as source:
        assert await found(source, "number", "000000013") == [15]
        assert await found(source, "number", "000000013-2") == [15]
        assert await found(source, "number", "000000016") == [16]
        assert await found(source, "id", "13") == [13]


async def test_what_the_database_finds_alike_is_not_the_same() -> None:
    """Rows that come though they hold another value are left out: accents, and a server that ignores the filters."""
    rows = [order(1, customer_email="jose@example.com"), order(2, customer_email="José@example.com"), order(3)]
    async with opened(StubShop({"/orders": rows}, is_blind=True)) as source:
        assert await found(source, "email", " JOSÉ@example.com ") == [2]
        assert await found(source, "id", "3") == [3]


async def test_no_more_are_given_than_the_contract_allows() -> None:
    """Page by page, up to the limit."""
    shop = StubShop({"/orders": [order(number, customer_id=7) for number in range(1, FOUND_MAX + 101)]})
    async with opened(shop, page_size=200) as source:
        assert await found(source, "customer_id", "7") == list(range(1, FOUND_MAX + 1))
    assert [int(query["searchCriteria[pageSize]"]) for query in shop.queries("/orders")] == [200, 200, 100]


async def test_customers_are_found_as_their_own_store_view_tells() -> None:
    """Consent differs by the view; a customer's id and their own customer id are one."""
    rows = sample("customers_search")["items"]
    own = {2: {"extension_attributes": {"is_subscribed": False}}}
    shop = StubShop({"/customers/search": rows}, by_store={"eu_de": own})
    async with opened(shop) as source:
        (record,) = await source.find("customers", "customer_id", "2")
        assert [record] == await source.find("customers", "id", "2")
    assert json.loads(record)["extension_attributes"] == {"is_subscribed": False}


async def test_only_the_chosen_store_views_are_searched() -> None:
    """What a pipeline does not read is not found by it either."""
    shop = StubShop({"/orders": [order(1, store_id=1), order(2, store_id=2)]})
    async with opened(shop, store_views=["eu_de"]) as source:
        assert await found(source, "id", "1") == []
        assert await found(source, "id", "2") == [2]


async def test_a_module_that_the_shop_lacks_holds_nothing() -> None:
    """No carts without their module."""
    async with opened(StubShop({})) as source:
        assert await found(source, "id", "1", "carts") == []


async def test_a_refusal_shows_nobody() -> None:
    """Though the shop repeats what was asked for, the error does not."""
    said = json.dumps({"message": "no %1", "parameters": ["jane@example.com"]}).encode()
    shop = StubShop({"/orders": []}, faults={"/orders": [answer(400, said, content_type="application/json")]})
    async with opened(shop) as source:
        with pytest.raises(RefusedError) as caught:
            await found(source, "email", "jane@example.com")
    assert "jane" not in repr(caught.value.args) + caught.value.message + (caught.value.hint or "")
    assert caught.value.message == "Magento orders look-up: the shop answered 400"
