"""Elastic Path, whatever its records hold: windows are read once each in order, money adds up, nothing crashes."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdi_cli.clock import Instant, Window, instant_from_datetime, to_datetime
from cdi_cli.commerce import Consent, Order
from cdi_cli.sources import Page, SourceContext, Unreadable
from cdi_cli.sources.elasticpath.filters import CATALOGUE_DIALECTS, Dialect, between, quotable
from cdi_cli.sources.elasticpath.keyset import keyset_pages
from cdi_cli.sources.elasticpath.offline import open_offline
from cdi_cli.sources.elasticpath.orders import Known, order_of
from cdi_cli.sources.elasticpath.paging import Position, Row, Rows, position_of, start_of
from cdi_cli.sources.elasticpath.records import OrderRecord, Transaction
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.slices import slice_pages

START = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = ElasticPathSettings.model_validate(
    {"region": "eu", "client_id": "k", "client_secret": "${S}", "shipping_skus": ["SHIP*"], "fee_skus": ["FEE*"]}
)
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def at(milliseconds: int) -> Instant:
    """That much later than the start."""
    return instant_from_datetime(START + timedelta(milliseconds=milliseconds))


class Listed:
    """A list as the store would serve it: by time or in no order, in pages, with or without its total."""

    def __init__(self, times: list[int], size: int, *, is_sorted: bool, totals: bool) -> None:
        self.rows = [Row(Position(at(time), f"id-{number:03d}"), b"{}") for number, time in enumerate(times)]
        self.size = size
        self.is_sorted = is_sorted
        self.totals = totals

    async def __call__(self, window: Window, offset: int) -> Rows:
        """One page."""
        found = [row for row in self.rows if row.place.at in window]
        if self.is_sorted:
            found = sorted(found, key=lambda row: row.place.at)
        return Rows(found[offset : offset + self.size], len(found) if self.totals else None)


async def _walk(listed: Listed, window: Window, cursor: Any = None) -> list[Page]:
    walk = keyset_pages if listed.is_sorted else slice_pages
    return [page async for page in walk(listed, window, start_of(window, cursor), listed.size)]


@relaxed
@given(
    times=st.lists(st.integers(0, 40), max_size=60),
    size=st.integers(1, 7),
    cut=st.tuples(st.integers(0, 41), st.integers(1, 42)),
    is_sorted=st.booleans(),
    totals=st.booleans(),
)
def test_a_window_is_read_once_in_order_and_from_each_cursor(
    times: list[int], size: int, cut: tuple[int, int], is_sorted: bool, totals: bool
) -> None:
    """Whatever falls on one instant, whatever the pages are cut at, whether the store sorts and counts or not."""
    listed = Listed(times, size, is_sorted=is_sorted, totals=totals)
    window = Window(at(cut[0]), at(cut[0] + cut[1]))
    expected = sorted(row.place for row in listed.rows if row.place.at in window)

    pages = asyncio.run(_walk(listed, window))

    places = [position_of(page.cursor, window) for page in pages if page.records]
    assert sum(len(page.records) for page in pages) == len(expected)
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]
    read = 0
    for page, place in zip([page for page in pages if page.records], places, strict=True):
        read += len(page.records)
        assert place == expected[read - 1]
    for number, page in enumerate(pages):
        rest = asyncio.run(_walk(listed, window, page.cursor))
        assert sum(len(one.records) for one in rest) == sum(len(one.records) for one in pages[number + 1 :])


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.sampled_from(CATALOGUE_DIALECTS))
def test_every_dialect_holds_for_the_whole_window(since: int, length: int, dialect: Dialect) -> None:
    """Exactly, or for whole days around it: never for less."""
    window = Window(at(since), at(since + length))
    text = between("updated_at", window, dialect)
    bounds = [text[len("ge(updated_at,") : text.index("):lt(")], text[text.index("):lt(updated_at,") + 16 : -1]]
    assert len(text) < 200

    def moment(operand: str) -> datetime:
        operand = operand.strip('"')
        if operand.isdecimal():
            return datetime.fromtimestamp(int(operand) / 1000, UTC)
        return datetime.fromisoformat(operand).replace(tzinfo=UTC)

    first, last = moment(bounds[0]), moment(bounds[1])
    slack = timedelta(days=1) if dialect == "day" else timedelta(0)
    assert timedelta(0) <= to_datetime(window.since) - first <= slack
    assert timedelta(0) <= last - to_datetime(window.until) <= slack


@given(st.text(max_size=300))
def test_what_can_be_quoted_stays_one_operand(value: str) -> None:
    """No value ends its quotes or is a pattern."""
    found = quotable(value)
    if found is not None:
        assert found == value.strip() != ""
        assert '"' not in found
        assert "\\" not in found
        assert "*" not in found


amount = st.integers(0, 10**9)


@st.composite
def _lines(draw: st.DrawFn) -> list[dict[str, Any]]:
    lines = []
    for number in range(draw(st.integers(0, 5))):
        sku = draw(st.sampled_from(["SHIP-1", "FEE-1", "plain"]))
        net, tax = draw(amount), draw(st.integers(0, 10**6))
        quantity, unit = draw(st.integers(1, 9)), draw(st.integers(-(10**6), 10**8))
        price = {"with_tax": {"value": {"amount": net + tax}}, "without_tax": {"value": {"amount": net}}}
        lines.append(
            {
                "id": f"i{number}",
                "sku": sku,
                "product_id": draw(st.sampled_from(["", "p"])),
                "quantity": quantity,
                "unit_price": {"amount": unit, "includes_tax": draw(st.booleans())},
                "value": {"amount": unit * quantity},
                "meta": {"display_price": draw(st.sampled_from([price, None]))},
            }
        )
    return lines


@relaxed
@given(
    lines=_lines(), total=amount, tax=st.integers(0, 10**6), shipping=amount, currency=st.sampled_from(["EUR", "JPY", "KWD"])
)
def test_an_order_always_adds_up(lines: list[dict[str, Any]], total: int, tax: int, shipping: int, currency: str) -> None:
    """Total is revenue, shipping and tax; lines are numbered from 1; discounts are never negative."""
    display = {
        "with_tax": {"amount": total, "currency": currency}, "tax": {"amount": tax, "currency": ""},
        "shipping": {"amount": shipping},
    }  # fmt: skip
    times = {"created_at": "2026-03-01T12:00:00Z"}
    record = {"id": "o", "meta": {"display_price": display, "timestamps": times}, "included": {"items": lines}}
    found = order_of(msgspec.convert(record, type=OrderRecord), SETTINGS, Known(), Consent())
    assert found.tax is not None
    assert found.shipping is not None
    assert found.revenue.decimal() + found.shipping.decimal() + found.tax.decimal() == found.total.decimal()
    assert [line.position for line in found.lines] == list(range(1, len(found.lines) + 1))
    assert all(line.discount is None or line.discount.minor > 0 for line in found.lines)
    assert found.discount is None or found.discount.minor > 0
    assert not any(line.sku == "SHIP-1" for line in found.lines)


@relaxed
@given(
    parts=st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)), min_size=1, max_size=4),
    payment=st.sampled_from(["paid", "partially_paid", "refunded"]),
)
def test_refunds_are_what_the_transactions_say(parts: list[tuple[int, int]], payment: str) -> None:
    """One for each payment of which something went back; at most the last is full, and only at the order's total."""
    total = sum(amount for amount, _ in parts)
    rows: list[dict[str, Any]] = [
        {"id": f"t{n}", "amount": amount, "refunded_amount": min(back, amount), "transaction_type": "purchase",
         "status": "complete", "currency": "EUR",
         "meta": {"timestamps": {"updated_at": f"2026-03-0{n + 1}T12:00:00+02:00"}}}
        for n, (amount, back) in enumerate(parts)
    ]  # fmt: skip
    display = {"with_tax": {"amount": total, "currency": "EUR"}}
    times = {"created_at": "2026-03-01T12:00:00Z"}
    record = {"id": "o", "payment": payment, "meta": {"display_price": display, "timestamps": times}}
    known = Known(transactions={"o": msgspec.convert(rows, type=list[Transaction])})
    found = order_of(msgspec.convert(record, type=OrderRecord), SETTINGS, known, Consent())
    returned = {row["id"]: row["refunded_amount"] or (row["amount"] if payment == "refunded" else 0) for row in rows}
    assert {one.payment_id: one.amount.minor for one in found.refunds} == {k: v for k, v in returned.items() if v}
    assert [one.is_full for one in found.refunds[:-1]] == [False] * (len(found.refunds) - 1) or not found.refunds
    if found.refunds:
        assert found.refunds[-1].is_full is (sum(returned.values()) >= total)
    assert [one.at for one in found.refunds] == sorted(one.at for one in found.refunds)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("id", "meta", "customer", "contact", "relationships", "included", "payment", "anonymized", "shipping_address",
          "attributes", "name", "email", "data")  # fmt: skip


@relaxed
@given(
    stream=st.sampled_from(["orders", "customers", "account_members", "products"]),
    record=st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_no_record_is_too_strange_to_be_read(stream: str, record: dict[str, Any]) -> None:
    """It is an entity, nothing, or unreadable with a reason; its neighbour is read all the same."""
    good = {"id": "good", "name": "A B", "meta": {"display_price": {"with_tax": {"amount": 1, "currency": "EUR"}},
            "timestamps": {"created_at": "2026-03-01T12:00:00Z"}, "created_at": "2026-03-01T12:00:00Z"},
            "attributes": {"sku": "s"}}  # fmt: skip
    source = open_offline(None, SourceContext(), {})

    async def read() -> Any:
        return await source.read(stream, [json.dumps(record).encode(), json.dumps(good).encode()])

    first, (second,) = asyncio.run(read())
    assert not isinstance(second, Unreadable)
    assert len(first) == 1
    if isinstance(first[0], Order):
        assert first[0].id
