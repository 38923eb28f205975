"""Properties of the Magento source: every row once whatever the times and faults, exact money, PHP's order of names."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magento_stub import TOKEN, StubShop, opened, order, sample

from cdi_cli import sources
from cdi_cli.clock import Instant, Window, instant_from_datetime
from cdi_cli.commerce import Order
from cdi_cli.sources import Reading, SourceContext, Unreadable
from cdi_cli.sources.magento.lines import lines_of
from cdi_cli.sources.magento.money import money
from cdi_cli.sources.magento.oauth1 import natural
from cdi_cli.sources.magento.poison import find_poisoned
from cdi_cli.sources.magento.records import OrderItem
from cdi_cli.sources.magento.search import instant_of, sql_time

HOUR = Window(Instant("2026-03-01T12:00:00.000Z"), Instant("2026-03-01T13:00:00.000Z"))


@pytest.fixture(autouse=True, scope="module")
def _secret() -> Any:
    """The stub knows one token."""
    os.environ["MAGENTO_TOKEN"] = TOKEN
    yield
    del os.environ["MAGENTO_TOKEN"]


def at(second: int) -> str:
    """A second of the hour, as the shop writes it."""
    return f"2026-03-01 12:{second // 60:02d}:{second % 60:02d}"


@settings(max_examples=40)
@given(
    times=st.lists(st.integers(0, 8), max_size=40),
    page_size=st.integers(1, 12),
    poisoned=st.sets(st.integers(1, 40), max_size=3),
    cut=st.integers(0, 3599),
    by=st.sampled_from(["created", "modified"]),
)
async def test_two_touching_windows_give_each_row_once(
    times: list[int], page_size: int, poisoned: set[int], cut: int, by: str
) -> None:
    """Crowded seconds, any page size, poisoned rows: each id comes once, in the window that holds its time."""
    rows = [order(number, at(second * 400)) for number, second in enumerate(times, 1)]
    middle = instant_of(at(cut))
    windows = [Window(HOUR.since, middle), Window(middle, HOUR.until)] if cut else [HOUR]
    shop = StubShop({"/orders": rows}, poisoned={"/orders": poisoned & set(range(1, len(rows) + 1))})
    found: list[int] = []
    async with opened(shop, page_size=page_size) as source:
        for window in windows:
            pages = [page async for page in source.pages("orders", window, None, by=by)]
            assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
            found += [json.loads(record)["entity_id"] for page in pages for record in page.records]
    assert sorted(found) == list(range(1, len(rows) + 1))


@settings(max_examples=60)
@given(poisoned=st.integers(1, 2**32 - 1), near=st.integers(0, 2**32 - 1))
async def test_a_poisoned_id_is_found_in_few_steps(poisoned: int, near: int) -> None:
    """Wherever the search begins, in less than seventy questions."""
    asked: list[int] = []

    async def fails_up_to(identifier: int) -> bool:
        asked.append(identifier)
        return identifier >= poisoned

    assert await find_poisoned(fails_up_to, near) == poisoned
    assert len(asked) < 70


async def test_nothing_is_found_where_all_or_nothing_fails() -> None:
    """A shop that fails on everything, or no longer on anything, has no poisoned record."""

    async def always(_identifier: int) -> bool:
        return True

    async def never(_identifier: int) -> bool:
        return False

    assert await find_poisoned(always, 5) is None
    assert await find_poisoned(never, 5) is None


@given(moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), second=st.integers(-2, 2))
def test_a_bound_splits_seconds_as_the_server_does(moment: datetime, second: int) -> None:
    """A row's second is at or after an instant exactly when it is at or after what the server is asked for."""
    bound = instant_from_datetime(moment.replace(tzinfo=UTC))
    row = moment.replace(microsecond=0) + timedelta(seconds=second)
    served = row.isoformat(sep=" ")
    assert (instant_of(served) >= bound) == (served >= sql_time(bound))


@given(st.decimals(-(10**8), 10**8, places=4), st.sampled_from(["USD", "EUR", "JPY", "KWD"]))
def test_money_is_exact(amount: Decimal, currency: str) -> None:
    """Up to the four decimals of orders nothing is rounded, and JSON shows the same number."""
    found = money(amount, currency)
    assert found.decimal() == amount
    assert Decimal(str(found.number())) == amount


@st.composite
def baskets(draw: st.DrawFn) -> list[OrderItem]:
    """Lines of all types; children of configurables without a price, those of bundles with theirs."""
    cents = st.integers(0, 100_000).map(lambda minor: Decimal(minor) / 100)
    items: list[OrderItem] = []
    for number in range(draw(st.integers(0, 6))):
        kind, quantity = draw(st.sampled_from(["simple", "configurable", "bundle"])), Decimal(draw(st.integers(1, 5)))
        parent, children = 100 * number + 1, draw(st.integers(1, 3)) if kind == "bundle" else int(kind == "configurable")
        parts = []
        for child in range(children):
            price = draw(cents) if kind == "bundle" else Decimal(draw(st.sampled_from([0, 18])))
            discount = draw(cents) if kind == "bundle" else Decimal(0)
            parts.append(
                OrderItem(parent + 1 + child, price, quantity, parent, product_type="simple", discount_amount=discount)
            )
        price = sum((part.price for part in parts), Decimal()) if kind == "bundle" else draw(cents)
        own = Decimal(0) if kind == "bundle" else draw(cents)
        items += [OrderItem(parent, price, quantity, product_type=kind, discount_amount=own), *parts]
    return items


@given(items=baskets())
def test_either_way_of_reading_bundles_comes_to_the_same(items: list[OrderItem]) -> None:
    """Prices and discounts add up to those of the lines without a parent and of all lines, each counted once."""
    subtotal = sum((item.price * item.qty_ordered for item in items if item.parent_item_id is None), Decimal())
    discount = sum((item.discount_amount or Decimal() for item in items), Decimal())
    for bundles in ("parent", "children"):
        lines = lines_of(items, "USD", bundles)  # type: ignore[arg-type]
        assert sum((line.price.decimal() * line.quantity for line in lines), Decimal()) == subtotal
        assert sum((line.discount.decimal() for line in lines if line.discount), Decimal()) == discount
        assert sum((line.total.decimal() for line in lines), Decimal()) == subtotal - discount
        assert [line.position for line in lines] == list(range(1, len(lines) + 1))


def strnatcmp(first: str, second: str) -> int:
    """PHP's function as its C code goes, character by character, for names without blanks and leading zeros."""
    i = j = 0
    while i < len(first) and j < len(second):
        if first[i].isdigit() and second[j].isdigit():
            left, right = re.match(r"\d+", first[i:]), re.match(r"\d+", second[j:])
            assert left is not None
            assert right is not None
            ours, theirs = left.group(), right.group()
            if ours != theirs:
                longer = len(ours) != len(theirs)
                return (-1 if len(ours) < len(theirs) else 1) if longer else (-1 if ours < theirs else 1)
            i, j = i + len(ours), j + len(theirs)
        elif first[i] != second[j]:
            return -1 if first[i] < second[j] else 1
        else:
            i, j = i + 1, j + 1
    return (len(first) - i > 0) - (len(second) - j > 0)


NAMES = st.lists(st.one_of(st.integers(1, 300).map(str), st.sampled_from(["a", "Z", "%", "[", "_", "field"])), max_size=6)


@given(st.lists(NAMES.map("".join), max_size=8))
def test_names_sort_as_php_sorts_them(names: list[str]) -> None:
    """Against a second writing of the same function."""
    assert sorted(names, key=natural) == sorted(names, key=cmp_to_key(strnatcmp))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150)
@given(
    name=st.sampled_from(["order_config_bundle", "order_eur", "order_refunded_partial"]),
    changes=st.dictionaries(st.sampled_from(sorted(sample("order_config_bundle"))), JSON, max_size=3),
)
async def test_no_damage_to_an_order_escapes(name: str, changes: dict[str, Any]) -> None:
    """Whatever stands in a field, the record is an order, says nothing, or is unreadable; nothing is raised."""
    spec = sources.load("magento")
    assert spec.open_offline is not None
    source = spec.open_offline(None, SourceContext(), {})
    (found,) = await source.read("orders", [json.dumps(sample(name) | changes).encode()])
    assert len(found) == 1
    readings: list[Reading] = list(found)
    assert all(isinstance(reading, Order | Unreadable) or getattr(reading, "reason", "") for reading in readings)
