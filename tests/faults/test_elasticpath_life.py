"""Elastic Path's backfills, syncs and reconciliations, source and all, against the sandbox: what is news, and sent once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticpath_life import ElasticPathLife, elasticpath_life

from cdi_cli.errors import ExitCode
from cdi_cli.events import LifecycleSettings
from cdi_cli.pipeline.report import exit_code
from cdi_cli.sandbox.elasticpath.store import Store


@pytest.fixture
def life(tmp_path: Path) -> Iterator[ElasticPathLife]:
    """A store of sixty orders."""
    with elasticpath_life(tmp_path) as running:
        yield running


def of_order(events: list[dict[str, Any]], order: str) -> list[str]:
    """The names of the events about an order, known by its id."""
    return [event["event"] for event in events if f":order:{order}:" in event["messageId"]]


def refunded(events: list[dict[str, Any]]) -> list[float]:
    """What each refund says went back."""
    return [event["properties"]["refund_amount"] for event in events if event.get("event") == "Order Refunded"]


async def test_totals_are_the_stores_own_books_at_every_step(tmp_path: Path) -> None:
    """After a backfill, after partial refunds that a sync sees, after those that only reconciling finds: all currencies."""
    with elasticpath_life(tmp_path, orders=300) as life:
        first, _ = await life.backfill()
        after_backfill = (life.told(), life.books())

        orders = life.paid_orders()
        for order in orders[:20]:
            life.mutate(do="refund", order=order.id, amount=7)
        for order in orders[:10]:
            life.mutate(do="refund", order=order.id, amount=5)
        second, _ = await life.sync()
        after_sync = (life.told(), life.books())

        life.sandbox.elasticpath.switch(refund_moves=False)
        for order in orders[5:30]:
            life.mutate(do="refund", order=order.id, amount=3)
        third, _ = await life.sync()
        missed = (life.told(), life.books())
        fourth, _ = await life.reconcile()
        after_reconciling = (life.told(), life.books())
        before = len(life.sent())
        fifth, _ = await life.reconcile()

    assert after_backfill[0] == after_backfill[1]
    assert {"EUR", "JPY", "KWD"} <= after_backfill[1]["sales"].keys()
    assert after_sync[0] == after_sync[1] != after_backfill[1]
    assert missed[0] != missed[1]
    assert after_reconciling[0] == after_reconciling[1]
    assert len(life.sent()) == before
    assert [report.books.errors for report in (first, second, third, fourth, fifth)] == [()] * 5
    assert exit_code(fifth.books, None, kind="reconcile") is ExitCode.OK


async def test_a_partial_refund_after_a_sync_is_sent_by_the_next_one_once(life: ElasticPathLife) -> None:
    """By what went back since: the store keeps only the sum of it."""
    await life.backfill()
    order = next(one for one in life.paid_orders() if one.basket.market.currency == "EUR")
    sums = []
    for amount in (150, 250):
        before = len(life.sent())
        life.mutate(do="refund", order=order.id, amount=amount)
        await life.sync()
        sums.append(refunded(life.sent(before)))
    before = len(life.sent())
    await life.sync()
    await life.reconcile()

    assert sums == [[1.5], [2.5]]
    assert life.sent(before) == []


async def test_an_order_is_a_checkout_until_it_is_paid(life: ElasticPathLife) -> None:
    """Placed: Checkout Started; authorized: nothing more; captured, and so paid: Order Completed; sent: Order Fulfilled."""
    await life.backfill()
    order = life.mutate(do="place")["id"]
    told = []
    for action in ("", "authorise", "capture", "ship"):
        before = len(life.sent())
        if action:
            life.mutate(do=action, order=order)
        await life.sync()
        told.append(of_order(life.sent(before), order))

    assert told == [[], [], ["Order Completed"], ["Order Fulfilled"]]
    started = [event for event in life.sent() if event.get("properties", {}).get("checkout_id") == order]
    assert [event["event"] for event in started] == ["Checkout Started", "Order Completed"]


@pytest.mark.parametrize(
    ("switch", "expected"),
    [
        (LifecycleSettings("paid", checkout_started="authorized"), [[], ["Checkout Started"], ["Order Completed"], []]),
        (LifecycleSettings("fulfilled", checkout_started="created"), [["Checkout Started"], [], [], ["Order Completed"]]),
    ],
)
async def test_the_switches_say_which_status_drives_which_event(
    life: ElasticPathLife, switch: LifecycleSettings, expected: list[list[str]]
) -> None:
    """As in the vendor's own integration: created or authorized, paid or fulfilled."""
    life.changes["lifecycle"] = switch
    await life.backfill()
    order = life.mutate(do="place")["id"]
    told = []
    for action in ("", "authorise", "capture", "ship"):
        before = len(life.sent())
        if action:
            life.mutate(do=action, order=order)
        await life.sync()
        about = [event for event in life.sent(before) if event.get("properties", {}).get("checkout_id") == order]
        told.append([event["event"] for event in about])

    assert told == expected


async def test_cancelling_gives_nothing_back(life: ElasticPathLife) -> None:
    """Order Cancelled when it is cancelled, Order Refunded when the money goes: two events, neither without its cause."""
    await life.backfill()
    order = life.paid_orders()[0].id
    told = []
    for change in ({"do": "cancel"}, {"do": "refund"}):
        before = len(life.sent())
        life.mutate(**change, order=order)
        await life.sync()
        told.append([name for name in of_order(life.sent(before), order) if name != "Order Updated"])

    assert told == [["Order Cancelled"], ["Order Refunded"]]


async def test_who_was_anonymised_is_not_spoken_of(life: ElasticPathLife) -> None:
    """The change shows in the delta, with `**` for names and addresses: no profile is overwritten by it."""
    await life.backfill()
    person = next(row.id for row in life.sandbox.elasticpath.store.rows("customers") if "**" not in str(row.document()))
    order = next(one.id for one in life.paid_orders() if one.shipping == "fulfilled")
    before = len(life.sent())
    life.mutate(do="forget", customer=person)
    life.mutate(do="anonymise", order=order)

    report, _ = await life.sync()

    assert life.sent(before) == []
    reasons = {(stream, reason): count for (stream, _, reason), count in report.books.reasons.items()}
    assert reasons["customers", "anonymized"] >= 1
    assert reasons["orders", "anonymized"] >= 1
    assert not any("**" in str(event) for event in life.sent())


async def test_a_change_that_becomes_visible_late_is_found_by_the_next_sync(life: ElasticPathLife) -> None:
    """Stamped before a sync and visible after it: the overlap reads back far enough, and nothing is said twice."""
    await life.backfill()
    order = life.paid_orders()[0].id
    before = len(life.sent())
    life.mutate(do="refund", order=order, amount=2, hold=True)
    life.sandbox.clock.advance(60)
    await life.sync()
    hidden = life.sent(before)

    life.sandbox.elasticpath.store.release()
    life.sandbox.clock.advance(5)
    await life.sync()
    seen = refunded(life.sent(before))
    await life.sync()

    assert hidden == []
    assert len(seen) == 1
    assert refunded(life.sent(before)) == seen


@pytest.mark.parametrize("sorts", [True, False])
async def test_what_changes_while_it_is_read_is_told_once(life: ElasticPathLife, sorts: bool) -> None:
    """Orders move to the end of the list under the eyes of a sync: none is lost, none told twice, and the books close."""
    await life.backfill()
    placed = [life.mutate(do="place")["id"] for _ in range(40)]
    life.sandbox.elasticpath.switch(sorts=sorts)
    life.source_options = {"page_size": 10}
    left = list(placed[:25])

    def touch(_store: Store, kind: str) -> None:
        if kind == "orders" and left:
            life.sandbox.clock.advance(1)
            life.sandbox.elasticpath.mutate({"do": "pay", "order": left.pop()})

    life.sandbox.elasticpath.store.before_list(touch)
    first, error = await life.sync()
    paid = set(placed[:25]) - set(left)
    left.clear()
    life.sandbox.clock.advance(5)
    second, _ = await life.sync()

    assert len(paid) > 5
    assert (error, first.books.errors, second.books.errors) == (None, (), ())
    told = [(e["event"], e["properties"]["checkout_id"]) for e in life.sent() if "checkout_id" in e.get("properties", {})]
    assert len(told) == len(set(told))
    assert {order for name, order in told if name == "Checkout Started"} >= set(placed)
    assert {order for name, order in told if name == "Order Completed"} >= paid


async def test_an_import_of_one_instant_is_read_whole(life: ElasticPathLife) -> None:
    """More orders with one `updated_at` than a page holds; old ones, so that they are no purchases of today."""
    await life.backfill()
    life.source_options = {"page_size": 10}
    life.sandbox.clock.advance(5)
    life.sandbox.elasticpath.mutate({"do": "import", "count": 45})
    life.sandbox.clock.advance(5)

    report, _ = await life.sync()

    lines = {line.stream: line for line in report.books.streams}
    assert lines["orders"].pulled >= 45
    assert report.books.errors == ()
