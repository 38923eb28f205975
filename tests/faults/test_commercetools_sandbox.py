"""The commercetools source against the sandbox: an independent judge of paging, faults and permissions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Order, add
from cdi_cli.errors import ScopeError
from cdi_cli.http import RetryPolicy
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.thread import SandboxThread
from cdi_cli.sources import SourceContext, Unreadable
from cdi_cli.sources.commercetools import CommercetoolsSettings
from cdi_cli.sources.commercetools.source import CommercetoolsSource

NOW = Instant("2026-06-01T00:00:00.000Z")
ALL = Window(Instant("2020-01-01T00:00:00.000Z"), Instant("2026-12-31T00:00:00.000Z"))
QUICK = RetryPolicy(attempts=4, wait_initial_seconds=0.001, wait_max_seconds=0.005, retry_after_max_seconds=0.01)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxThread]:
    """A shop of 400 orders, three of which are poison; options by indirect parameter."""
    options = {"orders": 400, "poison": 3, "now": NOW} | getattr(request, "param", {})
    with SandboxThread(SandboxOptions(**options)) as running:
        yield running


@asynccontextmanager
async def opened(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> AsyncIterator[CommercetoolsSource]:
    monkeypatch.setenv("CT_SECRET", sandbox.options.client_secret)
    settings = CommercetoolsSettings.model_validate(
        {
            "project_key": sandbox.options.project_key,
            "api_url": f"{sandbox.url}/commercetools/api",
            "auth_url": f"{sandbox.url}/commercetools/auth",
            "client_id": sandbox.options.client_id,
            "client_secret": "${CT_SECRET}",
        }
        | changes
    )
    source = CommercetoolsSource(settings, SourceContext(run_id="r"), retry=QUICK)
    try:
        yield source
    finally:
        await source.close()


async def ids_of(source: CommercetoolsSource, stream: str = "orders", by: str = "created") -> list[str]:
    return [json.loads(record)["id"] async for page in source.pages(stream, ALL, None, by=by) for record in page.records]


@pytest.mark.parametrize("by", ["created", "modified"])
async def test_every_record_of_every_stream_is_read_once(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Ids sort in binary order there, and pages of 37 end anywhere: nothing is skipped or served twice."""
    async with opened(sandbox, monkeypatch, page_size=37) as source:
        for stream in ("customers", "carts", "orders", "payments", "products"):
            found = await ids_of(source, stream, by)
            assert len(found) == len(set(found)) == sandbox.shop.count(stream)


async def test_orders_become_entities_whose_amounts_add_up(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the poison orders are read; for each, total = revenue + shipping + tax; some have refunds."""
    async with opened(sandbox, monkeypatch) as source:
        readings = [
            reading
            async for page in source.pages("orders", ALL, None)
            for start in range(0, len(page.records), 100)
            for readings in await source.read("orders", page.records[start : start + 100])
            for reading in readings
        ]
    orders = [reading for reading in readings if isinstance(reading, Order)]
    assert (len(orders), sum(isinstance(reading, Unreadable) for reading in readings)) == (397, 3)
    for order in orders:
        parts = [part for part in (order.shipping, order.tax) if part is not None]
        assert add(order.revenue, *parts).decimal() == order.total.decimal()
    assert any(order.refunds for order in orders)
    assert any(" > " in (line.category or "") for order in orders for line in order.lines)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=503, match="/orders", times=3),
        Fault(kind="status", status=429, match="/orders", times=2, headers={"Retry-After": "1"}),
        Fault(kind="status", status=504, match="/orders", times=2),
        Fault(kind="reset_before_body", match="/orders", times=2),
        Fault(kind="reset_mid_body", match="/orders", times=2),
        Fault(kind="truncate", match="/orders", times=2),
        Fault(kind="html200", match="/orders", times=2),
        Fault(kind="broken_json", match="/orders", times=2),
        Fault(kind="bad_gzip", match="/orders", times=2),
        Fault(kind="html200", match="/oauth/token", times=1),
        Fault(kind="status", status=503, match="/oauth/token", times=1),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.match.strip('/').replace('/', '.')}",
)
async def test_no_fault_loses_or_repeats_a_row(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """Whatever happens to an answer on its way, every order arrives once."""
    sandbox.faults.add(fault)
    fault.seen = fault.fired = 0
    async with opened(sandbox, monkeypatch, page_size=100) as source:
        found = await ids_of(source)
    assert len(found) == len(set(found)) == 400
    assert fault.fired == fault.times


async def test_revoked_and_expired_tokens_are_replaced(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that end in the middle of a walk, by revocation and by age, lose no row."""
    found: list[str] = []
    async with opened(sandbox, monkeypatch, page_size=100) as source:
        async for page in source.pages("orders", ALL, None):
            found += [json.loads(record)["id"] for record in page.records]
            if len(found) == 100:
                sandbox.tokens.revoke_all()
            if len(found) == 200:
                sandbox.clock.advance(200_000)
    assert len(found) == len(set(found)) == 400
    assert sum("/oauth/token" in request.path for request in sandbox.requests) == 3


async def test_orders_that_change_while_they_are_read_are_not_lost(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that move to the end by a change are read in creation windows once, wherever they were."""
    everyone = [document["id"] for document in sandbox.shop.documents("orders")]
    found: list[str] = []
    async with opened(sandbox, monkeypatch, page_size=50) as source:
        async for page in source.pages("orders", ALL, None):
            found += [json.loads(record)["id"] for record in page.records]
            sandbox.shop.update("orders", everyone[len(found) % 400], {"orderState": "Confirmed"})
    assert sorted(found) == sorted(everyone)


@pytest.mark.parametrize("sandbox", [{"scopes": ("view_customers",)}], indirect=True)
async def test_missing_scope_stops_its_stream_only(sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `view_orders` customers can still be read; the error and the check name the scope."""
    async with opened(sandbox, monkeypatch) as source:
        assert len(await ids_of(source, "customers")) == sandbox.shop.count("customers")
        with pytest.raises(ScopeError, match="view_orders:sandbox"):
            await ids_of(source)
        by_name = {check.name: check for check in await source.check()}
    assert by_name["scope of customers"].is_ok
    assert not by_name["scope of orders"].is_ok


async def test_a_product_id_that_is_none_costs_its_own_category_only(
    sandbox: SandboxThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API refuses a list of ids for the sake of one; the others are asked for again without it."""
    async with opened(sandbox, monkeypatch) as source:
        page = await anext(source.pages("orders", ALL, None))
        records = [json.loads(record) for record in page.records[:20]]
        records[0]["lineItems"][0]["productId"] = "not-a-uuid"

        readings = await source.read("orders", [json.dumps(record).encode() for record in records])

    orders = [reading[0] for reading in readings if isinstance(reading[0], Order)]
    assert len(orders) >= 17
    assert orders[0].lines[0].category is None
    assert any(line.category for order in orders[1:] for line in order.lines)
