"""Magento's delta syncs and reconciliations, source and all, against the sandbox: what is news, and that it is sent once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from magento_life import MagentoLife, magento_life

from cdi_cli.clock import shift, to_datetime
from cdi_cli.errors import ConfigError, ExitCode
from cdi_cli.events import LifecycleSettings
from cdi_cli.pipeline.report import exit_code
from cdi_cli.pipeline.sync import SyncRequest
from cdi_cli.sources import SourceSpec
from cdi_cli.state import open_store


@pytest.fixture
def life(tmp_path: Path) -> Iterator[MagentoLife]:
    """A shop of sixty orders."""
    with magento_life(tmp_path) as running:
        yield running


def paid_order(life: MagentoLife) -> dict[str, Any]:
    """An order all of which was paid and none of which went back."""
    for order in life.sandbox.magento.shop.documents("orders"):
        is_paid = order.get("total_paid", 0) >= order["grand_total"] > 0
        if order["state"] in ("processing", "complete") and is_paid and not order.get("total_refunded"):
            return dict(order)
    raise AssertionError("the shop has no such order")


def customer(life: MagentoLife, *, is_subscribed: bool) -> dict[str, Any]:
    """A customer of the first store view, with or without the newsletter."""
    rows = life.sandbox.magento.shop.rows("customers")
    return next(
        {"id": row.id}
        for row in rows
        if row.store_id == 1 and (1 in row.subscribed) is is_subscribed  # type: ignore[attr-defined]
    )


def consents(events: list[dict[str, Any]]) -> list[bool]:
    """What each event says about the newsletter."""
    return [event["context"]["consent"]["categoryPreferences"]["email"] for event in events]


async def test_a_refund_after_a_sync_is_sent_by_the_next_one_once(life: MagentoLife) -> None:
    """The credit memo and its order both tell of it; one event comes of them, and nothing more in the sync after that."""
    await life.backfill()
    await life.sync()
    before = len(life.destination.accepted)
    order = paid_order(life)
    life.mutate(do="refund", order=order["entity_id"])

    report, error = await life.sync()
    sent = life.names(before)
    again, _ = await life.sync()

    assert (error, report.status, report.books.errors) == (None, "done", ())
    assert sent["Order Refunded"] == 1
    assert set(sent) <= {"Order Refunded", "Order Updated"}
    lines = {line.stream: line for line in report.books.streams}
    assert lines["creditmemos"].pulled == 1
    assert lines["orders"].pulled >= 1
    assert life.names(before) == sent
    assert again.books.errors == ()


async def test_an_unsubscription_is_missed_by_a_sync_and_sent_by_reconciling_once(life: MagentoLife) -> None:
    """It bumps nothing: only reading again tells, and what it told is known from then on."""
    await life.backfill()
    person = customer(life, is_subscribed=True)
    life.mutate(do="unsubscribe", customer=person["id"])
    before = len(life.destination.accepted)

    await life.sync()
    missed = life.names(before)
    report, error = await life.reconcile()
    sent = life.sent(before)
    again, _ = await life.reconcile()

    assert missed == {}
    assert (error, report.kind, report.status, report.books.errors) == (None, "reconcile", "done", ())
    assert [(event["type"], event["userId"]) for event in sent] == [("identify", str(person["id"]))]
    assert consents(sent) == [False]
    assert len(life.sent(before)) == 1
    assert again.job_id != report.job_id
    assert exit_code(again.books, None, kind="reconcile") is ExitCode.OK


async def test_reconciling_when_nothing_changed_sends_nothing(life: MagentoLife) -> None:
    """Every customer is read and recognised."""
    await life.backfill()
    before = len(life.destination.accepted)

    report, _ = await life.reconcile()

    assert life.sent(before) == []
    assert report.books.total("pulled") == life.sandbox.magento.shop.count("customers")
    assert report.books.total("duplicate") == report.books.total("issued")


async def test_a_return_to_an_earlier_consent_is_an_event_of_its_own(life: MagentoLife) -> None:
    """Subscribed, not, again, and not again, with one and the same `updated_at`: each under an id of its own."""
    await life.backfill()
    person = customer(life, is_subscribed=True)
    before = len(life.destination.accepted)
    for action in ("unsubscribe", "subscribe", "unsubscribe"):
        life.mutate(do=action, customer=person["id"])
        await life.reconcile()

    sent = life.sent(before)
    told = [
        event for event in life.destination.accepted if event["type"] == "identify" and event["userId"] == str(person["id"])
    ]
    assert consents(sent) == [False, True, False]
    assert len({event["messageId"] for event in told}) == len(told) == 4


async def test_a_reconciliation_whose_time_was_over_goes_on(life: MagentoLife) -> None:
    """The next run takes up the same job behind the last page, and finishes it."""
    await life.backfill()
    people = [row.id for row in life.sandbox.magento.shop.rows("customers") if 1 in row.subscribed]  # type: ignore[attr-defined]
    for number in people:
        life.mutate(do="unsubscribe", customer=number, store=1)
    life.source_options = {"page_size": 5}
    before = len(life.destination.accepted)

    ticks = iter(range(10**6))
    life.monotonic = lambda: float(next(ticks))

    first, _ = await life.reconcile(SyncRequest(rate=1e9, duration_seconds=5))
    reports = [first]
    while reports[-1].status == "limited":
        reports.append((await life.reconcile(SyncRequest(rate=1e9, duration_seconds=5)))[0])

    assert len(reports) > 1
    assert len({report.job_id for report in reports}) == 1
    assert [report.status for report in reports] == ["limited"] * (len(reports) - 1) + ["done"]
    assert sum(report.books.total("pulled") for report in reports) == life.sandbox.magento.shop.count("customers")
    with open_store(life.state, clock=life.clock) as store:
        job = store.find_job("main", "target", "reconcile")
        assert job is not None
        assert (job.status, job.id) == ("done", first.job_id)
    assert all(count == 1 for count in Counter(event["messageId"] for event in life.sent(before)).values())


async def test_another_plan_begins_the_reconciliation_anew(life: MagentoLife) -> None:
    """What was left under the old plan is read under the new one, from the start."""
    await life.backfill()
    first, _ = await life.reconcile(SyncRequest(rate=1e9, duration_seconds=0.0))

    second, _ = await life.reconcile(fingerprint="e" * 64)

    assert first.status == "limited"
    assert second.status == "done"
    assert second.job_id != first.job_id


async def test_reconciling_needs_a_stream_that_needs_it(life: MagentoLife) -> None:
    """Nothing is read where every change can be seen, or where the streams are others."""
    await life.backfill()

    with pytest.raises(ConfigError, match="there is nothing to reconcile from shop to target") as caught:
        await life.reconcile(SyncRequest(streams=("orders",)))
    spec = SourceSpec("other", "Other", life.changes["source_spec"].settings, lambda *_: None, ())  # type: ignore[arg-type, return-value]
    with pytest.raises(ConfigError) as nothing:
        await life.reconcile(source_spec=spec)

    assert caught.value.hint == "of Magento / Adobe Commerce these streams need it: `customers`, `products`"
    assert (
        nothing.value.hint == "every change in Other shows in its modification time, so `cdi sync` alone sends all of them"
    )


async def test_reconciling_needs_to_know_how_far_back(life: MagentoLife) -> None:
    """Without backfill and sync it is asked for; from there on profiles are sent."""
    with pytest.raises(ConfigError, match="nothing says how far back customers must be reconciled"):
        await life.reconcile()

    report, _ = await life.reconcile(SyncRequest(since=shift(life.clock.instant(), timedelta(days=-3000)), rate=1e9))

    assert life.names() == {"identify": life.sandbox.magento.shop.count("customers")}
    assert report.books.reasons[("customers", "filtered", "before_first_sight")] == life.names()["identify"]


async def test_orders_go_by_the_consent_of_their_customer_as_it_is_now(life: MagentoLife) -> None:
    """Required consent lets through the orders of those who gave it, and nobody else's; a guest's is not known."""
    life.changes |= {"require_consent": ("email",), "streams": ("orders", "carts")}
    report, _ = await life.backfill()

    people = {row.id: row for row in life.sandbox.magento.shop.rows("customers")}
    given = {str(row.id) for row in people.values() if row.store_id in row.subscribed}  # type: ignore[attr-defined]
    buyers = {event["userId"] for event in life.sent()}
    assert buyers
    assert buyers <= given
    assert buyers >= {
        str(order["customer_id"])
        for order in life.sandbox.magento.shop.documents("orders")
        if str(order.get("customer_id")) in given and order["state"] != "canceled"
    }
    assert set(consents(life.sent())) == {True}
    assert any(reason == "consent:email" for _, _, reason in report.books.reasons)


async def test_a_purchase_is_news_when_it_is_paid(life: MagentoLife) -> None:
    """Placed before the sync began and paid after: with `order_completed: paid` it is completed then."""
    life.source_options = {"with_paid_at": True}
    life.changes |= {"lifecycle": LifecycleSettings("paid"), "streams": ("orders",)}
    order = life.mutate(do="place")
    life.sandbox.clock.advance(60)
    began = life.clock.instant()
    life.sandbox.clock.advance(60)
    await life.sync(SyncRequest(since=began, rate=1e9))
    before = life.names()
    life.mutate(do="invoice", order=order["entity_id"])

    await life.sync()
    sent = [event for event in life.sent() if event.get("event") == "Order Completed"]

    assert before["Order Completed"] == 0
    assert [event["messageId"].split(":")[4] for event in sent] == [str(order["entity_id"])]
    assert to_datetime(sent[0]["timestamp"]) < to_datetime(began)
