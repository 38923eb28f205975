"""The Elastic Path source against the sandbox: an independent judge of paging, switches, faults and normalisation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Customer, Order, Product
from cdi_cli.http import RetryPolicy
from cdi_cli.sandbox.elasticpath.basket import DONATION, HANDLING, SHIPPING
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.thread import SandboxThread
from cdi_cli.sources import ConsentField, Nothing, Reading, SourceContext, Unreadable
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.source import ElasticPathSource

NOW = Instant("2026-06-01T00:00:00.000Z")
ALL = Window(Instant("2020-01-01T00:00:00.000Z"), Instant("2026-12-31T00:00:00.000Z"))
QUICK = RetryPolicy(attempts=8, wait_initial_seconds=0.001, wait_max_seconds=0.005, retry_after_max_seconds=0.01)
STREAMS = {"customers": "customers", "account_members": "account-members", "orders": "orders", "products": "products"}
"""The streams, and what the store calls them."""


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxThread]:
    """A store of 300 orders; options by indirect parameter."""
    options = {"sources": ("elasticpath",), "orders": 300, "now": NOW} | getattr(request, "param", {})
    with SandboxThread(SandboxOptions(**options)) as running:
        yield running


@asynccontextmanager
async def opened(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> AsyncIterator[ElasticPathSource]:
    """A source that reads the sandbox."""
    monkeypatch.setenv("EP_SECRET", sandbox.options.elasticpath.client_secret)
    values = {
        "base_url": f"{sandbox.url}/elasticpath", "client_id": sandbox.options.elasticpath.client_id,
        "client_secret": "${EP_SECRET}", "rate": 100, "shipping_skus": [SHIPPING],
    }  # fmt: skip
    context = SourceContext(run_id="r", consent={"Ads": ConsentField("marketing_consent")})
    source = ElasticPathSource(ElasticPathSettings.model_validate(values | changes), context, retry=QUICK)
    # The pace is tried elsewhere: here it would only be waited for.
    source._client._pace.turn = _at_once  # type: ignore[method-assign]
    try:
        yield source
    finally:
        await source.close()


async def _at_once() -> None:
    """No waiting."""


async def records_of(source: ElasticPathSource, stream: str = "orders", by: str = "created") -> list[bytes]:
    """The records of a stream, in reading order."""
    return [bytes(record) async for page in source.pages(stream, ALL, None, by=by) for record in page.records]


async def ids_of(source: ElasticPathSource, stream: str = "orders", by: str = "created") -> list[str]:
    """The ids of a stream, in reading order."""
    return [json.loads(record)["id"] for record in await records_of(source, stream, by)]


async def readings_of(source: ElasticPathSource, stream: str = "orders") -> list[Reading]:
    """All readings of a stream."""
    records = await records_of(source, stream)
    groups = [records[start : start + 50] for start in range(0, len(records), 50)]
    return [reading for group in groups for found in await source.read(stream, group) for reading in found]


@pytest.mark.parametrize("by", ["created", "modified"])
@pytest.mark.parametrize("switches", [{}, {"new_filters": False}, {"sorts": False}, {"new_filters": False, "sorts": False}])
async def test_every_record_is_read_once_however_the_store_behaves(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, switches: dict[str, bool], by: str
) -> None:
    """Filters of either parser, sorted or not: nothing is skipped or comes twice."""
    sandbox.elasticpath.switch(**switches)
    async with opened(sandbox, monkeypatch, page_size=37) as source:
        for stream, kind in STREAMS.items():
            found = await ids_of(source, stream, by)
            assert len(found) == len(set(found)) == sandbox.elasticpath.store.count(kind)


@pytest.mark.parametrize("sandbox", [{"orders": 1200}], indirect=True)
async def test_every_order_reconciles_to_the_smallest_unit(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products and fees with shipping and tax are the total; sales and refunds are what the store's own books say."""
    async with opened(sandbox, monkeypatch, fee_skus=[HANDLING, DONATION]) as source:
        readings = await readings_of(source)
    orders = [reading for reading in readings if isinstance(reading, Order)]
    hidden = [reading for reading in readings if reading == Nothing("anonymized")]
    assert len(orders) + len(hidden) == len(readings) == 1200
    assert hidden
    sales: Counter[str] = Counter()
    refunds: Counter[str] = Counter()
    for order in orders:
        assert order.shipping is not None
        assert order.tax is not None
        lines = sum((line.total.decimal() for line in order.lines), Decimal(0))
        without_tax = order.total.decimal() - order.tax.decimal()
        assert order.revenue.decimal() + order.shipping.decimal() == without_tax
        listed = sum((line.price.decimal() * line.quantity for line in order.lines), Decimal(0))
        taken = sum((line.discount.decimal() for line in order.lines if line.discount is not None), Decimal(0))
        # A custom line of an older order has a promotion taken off beside it, not off itself.
        assert listed - taken == lines
        sales[order.currency] += order.total.minor if order.is_paid else 0
        for refund in order.refunds:
            refunds[order.currency] += refund.amount.minor
            assert refund.amount.decimal() <= order.total.decimal()
        assert not order.refunds or order.refunds[-1].is_full is (order.payment_state == "refunded")
    books = sandbox.elasticpath.books()
    for told, name in ((sales, "sales"), (refunds, "refunds")):
        expected = {code: Decimal(part["amount"]) for code, part in books[name].items()}
        digits = {order.currency: order.total.digits for order in orders}
        assert {code: Decimal(minor).scaleb(-digits[code]) for code, minor in told.items() if minor} == expected
    assert digits == {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0, "KWD": 3}
    assert {order.payment_state for order in orders} >= {"paid", "unpaid", "refunded", "authorized"}
    assert any(order.business_unit_name for order in orders)
    assert any(order.customer_id is None for order in orders)
    assert {line.kind for order in orders for line in order.lines} == {"product", "fee"}
    assert not any(line.sku == SHIPPING for order in orders for line in order.lines)


async def test_customers_products_and_members_are_read(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consent from a flow field, prices of the books, names of both parts; who was anonymised says nothing."""
    sandbox.elasticpath.store.release()
    async with opened(sandbox, monkeypatch) as source:
        books = [row.id for row in sandbox.elasticpath.store.rows("pricebooks")]
    async with opened(sandbox, monkeypatch, price_books=books) as source:
        customers = await readings_of(source, "customers")
        members = await readings_of(source, "account_members")
        products = await readings_of(source, "products")
    people = [one for one in customers if isinstance(one, Customer)]
    assert {one.consent.categories["Ads"] for one in people} == {"granted", "denied", "unknown"} or len(people) < 20
    assert all(isinstance(one, Customer | Nothing) for one in (*customers, *members))
    assert members
    assert all(isinstance(one, Product) for one in products)
    assert {one.is_published for one in products if isinstance(one, Product)} == {True, False}
    assert any(len(one.prices) > 1 for one in products if isinstance(one, Product))
    assert any(one.images for one in products if isinstance(one, Product))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=429, match="/v2/orders", times=60, share=0.3),
        Fault(kind="status", status=500, match="/v2/orders", times=60, share=0.3),
        Fault(kind="status", status=503, match="/transactions", times=60, share=0.3),
        Fault(kind="reset_mid_body", match="/v2/orders?", times=5, share=0.5),
        Fault(kind="truncate", match="/v2/orders?", times=5, share=0.5),
        Fault(kind="html200", match="/v2/orders?", times=5, share=0.5),
        Fault(kind="broken_json", match="/v2/orders?", times=5, share=0.5),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_faults_on_the_way_lose_nothing(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Failures, resets, half answers and pages for people: all that the store has is read all the same."""
    sandbox.faults.add(fault)
    async with opened(sandbox, monkeypatch, page_size=50) as source:
        readings = await readings_of(source)
    assert len(readings) == 300
    assert not any(isinstance(reading, Unreadable) for reading in readings)
    assert fault.fired > 0


@pytest.mark.parametrize("is_object", [True, False])
async def test_tokens_that_end_mid_run_are_renewed(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, is_object: bool
) -> None:
    """Whatever the shape of the 401."""
    sandbox.elasticpath.switch(error_object=is_object)
    async with opened(sandbox, monkeypatch, page_size=40) as source:
        seen = 0
        async for page in source.pages("orders", ALL, None):
            seen += len(page.records)
            sandbox.elasticpath.office.revoke_all()
    assert seen == 300


async def test_a_poisoned_order_fails_alone(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text where its total should be: told by path and type, the others are read."""
    async with opened(sandbox, monkeypatch) as source:
        wanted = (await ids_of(source))[5]
        sandbox.elasticpath.mutate({"do": "poison", "order": wanted})
        readings = await readings_of(source)
    bad = [reading for reading in readings if isinstance(reading, Unreadable)]
    assert [reading.record_id for reading in bad] == [wanted]
    assert len(readings) == 300


@pytest.mark.parametrize("moves", [True, False])
async def test_a_partial_refund_is_seen_by_change_or_by_reconciling(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    """Where it does not move its order, only a reading of everything finds it."""
    sandbox.elasticpath.switch(refund_moves=moves)
    async with opened(sandbox, monkeypatch) as source:
        orders = [one for one in await readings_of(source) if isinstance(one, Order)]
        chosen = next(one for one in orders if one.payment_state == "paid" and not one.refunds and one.state != "cancelled")
        before = sandbox.clock.instant()
        sandbox.clock.advance(600)
        sandbox.elasticpath.mutate({"do": "refund", "order": chosen.id, "amount": 2})
        sandbox.clock.advance(600)
        window = Window(before, sandbox.clock.instant())
        changed = [record async for page in source.pages("orders", window, None, by="modified") for record in page.records]
        reconciled = [record async for page in source.pages("orders", ALL, None, by="reconcile") for record in page.records]
        (found,) = [
            one for (one,) in await source.read("orders", reconciled) if isinstance(one, Order) and one.id == chosen.id
        ]
    assert [json.loads(record)["id"] for record in changed] == ([chosen.id] if moves else [])
    assert [(one.id.split(":")[0], one.amount.minor) for one in found.refunds] == [(chosen.id, 2)]
    assert found.payment_state == "paid"


@pytest.mark.parametrize("sandbox", [{"elasticpath": ElasticPathOptions(requests_per_second=25)}], indirect=True)
async def test_a_development_store_s_limit_is_kept_by_our_own_pace(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the default rate nothing is ever refused."""
    monkeypatch.setenv("EP_SECRET", sandbox.options.elasticpath.client_secret)
    values = {
        "base_url": f"{sandbox.url}/elasticpath", "client_id": sandbox.options.elasticpath.client_id,
        "client_secret": "${EP_SECRET}",
    }  # fmt: skip
    source = ElasticPathSource(ElasticPathSettings.model_validate(values), SourceContext(), retry=QUICK)
    try:
        assert len(await ids_of(source)) == 300
    finally:
        await source.close()
    assert sandbox.elasticpath.bucket.refused == 0
