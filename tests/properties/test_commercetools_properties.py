"""Properties of the commercetools source: sums of money, cursors, walks over pages, page sizes, scrubbing."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
from commercetools_stub import _holds, sample
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Consent, add
from cdi_cli.sources._consent import ConsentReader
from cdi_cli.sources._records import scrubbed
from cdi_cli.sources.commercetools.money import amounts_of
from cdi_cli.sources.commercetools.orders import order_of
from cdi_cli.sources.commercetools.paging import PageSize, Position, Walk, cursor_of, position_of, predicate
from cdi_cli.sources.commercetools.records import DENIED_FIELDS, OrderRecord
from cdi_cli.sources.commercetools.shop import Known, Shop

WINDOW = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2026-01-02T00:00:00.000Z"))
AMOUNTS = st.integers(-(10**9), 10**9)
DIGITS = st.sampled_from([0, 2, 3])
TIMES = st.integers(0, 4).map(lambda number: Instant(f"2026-01-01T00:00:00.00{number}Z"))


def cents(amount: int, digits: int) -> dict[str, Any]:
    return {"type": "centPrecision", "currencyCode": "XTS", "centAmount": amount, "fractionDigits": digits}


@st.composite
def priced_orders(draw: st.DrawFn) -> dict[str, Any]:
    """Orders with every combination of tax and shipping that the API can serve, also amounts that make no sense."""
    digits = draw(DIGITS)
    record: dict[str, Any] = sample("order") | {"totalPrice": cents(draw(AMOUNTS), digits), "lineItems": []}
    if draw(st.booleans()):
        record["taxedPrice"] = {"totalNet": cents(draw(AMOUNTS), digits), "totalGross": cents(draw(AMOUNTS), digits)}
        if draw(st.booleans()):
            record["taxedPrice"]["totalTax"] = cents(draw(AMOUNTS), digits)
    if draw(st.booleans()):
        record["taxedShippingPrice"] = {"totalNet": cents(draw(AMOUNTS), digits), "totalGross": cents(0, digits)}
    infos = [
        {"price": cents(draw(AMOUNTS), digits)}
        | (
            {"taxRate": {"amount": rate, "includedInPrice": draw(st.booleans())}}
            if (rate := draw(st.sampled_from([None, 0, 0.07, 0.19, 0.255, 1]))) is not None
            else {}
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    if draw(st.booleans()) and infos:
        record["shippingInfo"] = infos.pop()
    record["shipping"] = [{"shippingKey": str(number), "shippingInfo": info} for number, info in enumerate(infos)]
    return record


@given(priced_orders())
def test_revenue_shipping_and_tax_are_the_total(record: dict[str, Any]) -> None:
    """total = revenue + shipping + tax, to the last digit, for taxed, untaxed, single and multiple shipping."""
    amounts = amounts_of(msgspec.json.decode(json.dumps(record), type=OrderRecord))
    parts = [part for part in (amounts.shipping, amounts.tax) if part is not None]
    assert add(amounts.revenue, *parts).decimal() == amounts.total.decimal()
    assert (amounts.tax is None) == ("taxedPrice" not in record)


@given(st.integers(0, 10**7), st.sampled_from(["0", "0.05", "0.07", "0.19", "0.2", "0.255"]))
def test_net_shipping_is_within_half_a_cent(price: int, rate: str) -> None:
    """Tax is taken out of a shipping price by exact arithmetic, rounded once."""
    record = sample("order") | {
        "totalPrice": cents(price, 2),
        "shippingInfo": {"price": cents(price, 2), "taxRate": {"amount": float(rate), "includedInPrice": True}},
    }
    shipping = amounts_of(msgspec.json.decode(json.dumps(record), type=OrderRecord)).shipping
    assert shipping is not None
    assert abs(Decimal(shipping.minor) * (1 + Decimal(rate)) - price) <= (1 + Decimal(rate)) / 2


@given(TIMES, st.uuids().map(str) | st.just(""))
def test_cursor_round_trips(at: Instant, identifier: str) -> None:
    """What is written as a cursor is read as the same position."""
    position = Position(at, identifier)
    assert position_of(cursor_of(position), WINDOW) == position


@given(st.lists(TIMES, max_size=40), st.integers(1, 7))
def test_walk_serves_every_row_once(times: list[Instant], limit: int) -> None:
    """Whatever timestamps coincide and wherever pages end, each row is served once and in order."""
    rows = sorted(
        ({"id": f"id-{(number * 17) % 41}", "createdAt": at} for number, at in enumerate(times)),
        key=lambda row: row["createdAt"],
    )
    ranks = {row["id"]: rank for rank, row in enumerate(rows)}
    walk = Walk("created", WINDOW, None)
    served: list[str] = []
    while True:
        where = predicate("created", WINDOW, walk.position)
        page = [row for row in rows if _holds(where, row, ranks)][:limit]
        position = walk.advance([json.dumps(row).encode() for row in page])
        served += [row["id"] for row in page]
        walk = Walk("created", WINDOW, cursor_of(position)) if len(served) % 2 else walk
        if len(page) < limit:
            break
    assert served == [row["id"] for row in rows]


@given(
    st.integers(1, 500),
    st.lists(st.tuples(st.booleans(), st.integers(0, 500), st.integers(0, 60_000_000)), max_size=60),
)
def test_page_size_stays_in_bounds_and_never_leaps(rows_max: int, history: list[tuple[bool, int, int]]) -> None:
    """Between one row and the most, at most a quarter (or one) more than before, and fewer after a failure."""
    size = PageSize(rows_max)
    for failed, rows, size_bytes in history:
        before = size.rows
        if failed:
            size.shrink(before)
            assert size.rows == max(1, before // 2)
        else:
            size.observe(min(rows, before), size_bytes)
            assert size.rows <= before + max(1, before // 4)
        assert 1 <= size.rows <= rows_max


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(DENIED_FIELDS)) | st.text(max_size=5), below, max_size=4)
    ),
    max_leaves=20,
)


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for below in value.values() for name in names_in(below)}
    return {name for below in value for name in names_in(below)} if isinstance(value, list) else set()


@given(JSON)
def test_denied_fields_are_removed_at_any_depth_and_nothing_else(value: Any) -> None:
    """Scrubbing takes the denied fields out wherever they are; a second time changes nothing."""
    kept = scrubbed(json.dumps(value).encode(), DENIED_FIELDS)
    assert kept is not None
    assert not names_in(json.loads(kept)) & DENIED_FIELDS
    assert scrubbed(kept, DENIED_FIELDS) == kept
    if not names_in(value) & DENIED_FIELDS:
        assert json.loads(kept) == value


@given(st.data())
def test_order_with_any_field_missing_or_changed_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever becomes of a field, the outcome is an order or a ValueError, never another exception."""
    record = sample("order-rich")
    node: Any = record
    while isinstance(node, (dict, list)) and node:
        key = data.draw(st.sampled_from(sorted(node)) if isinstance(node, dict) else st.integers(0, len(node) - 1))
        parent, node = node, node[key]
        if data.draw(st.booleans()):
            break
    change = data.draw(st.sampled_from(["remove", None, 0, -1, "", "x", [], {}, 1.5, True]))
    if change == "remove":
        del parent[key]
    else:
        parent[key] = change
    try:
        order = order_of(msgspec.json.decode(json.dumps(record), type=OrderRecord), Shop(), Known(), Consent())
    except ValueError:
        return
    parts = [part for part in (order.shipping, order.tax) if part is not None]
    assert add(order.revenue, *parts).decimal() == order.total.decimal()
    assert ConsentReader({}).read(b"{}") == Consent()
