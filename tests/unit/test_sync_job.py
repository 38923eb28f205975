"""Delta syncs on test doubles: where each starts, what it sends, and what it leaves for the next."""

from __future__ import annotations

from pathlib import Path

import jobs
import pytest
from sync_shop import NOON, Life, later, names, placed

from cdi_cli.clock import parse_instant
from cdi_cli.commerce import Money, Refund, Shipment
from cdi_cli.errors import ConfigError, ExitCode, TransientError
from cdi_cli.events import customer_subject
from cdi_cli.pipeline.report import exit_code
from cdi_cli.pipeline.sync import SyncRequest
from cdi_cli.state import open_store


async def test_a_sync_after_a_backfill_sends_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    """Orders placed since the backfill are sent; those of the backfill are not sent again."""
    life = Life(tmp_path / "state.db", jobs.shop(30))
    await life.backfill()
    before = len(life.destination.accepted)
    life.put(placed(900, later(3)))

    report, error = await life.sync(later(10))

    assert (error, report.status, report.books.errors) == (None, "done", ())
    assert [event["event"] for event in life.destination.accepted[before:]] == ["Order Completed"]


async def test_a_sync_that_finds_nothing_sends_nothing(tmp_path: Path) -> None:
    """The overlap is read again and recognised: not one event leaves, and the watermark moves on."""
    life = Life(tmp_path / "state.db", jobs.shop(30))
    await life.backfill()
    life.put(placed(900, later(3)))
    await life.sync(later(10))
    before = len(life.destination.accepted)

    report, _ = await life.sync(later(12))

    assert len(life.destination.accepted) == before
    assert (report.until, exit_code(report.books, None, kind="sync")) == (later(11), ExitCode.OK)


async def test_without_a_backfill_the_first_sync_needs_a_start(tmp_path: Path) -> None:
    """Nothing is guessed: the error names both ways."""
    life = Life(tmp_path / "state.db", [])

    with pytest.raises(ConfigError, match="nothing says where the first sync of orders to target starts") as caught:
        await life.sync(NOON)

    assert "cdi backfill" in (caught.value.hint or "")
    assert "--since" in (caught.value.hint or "")


async def test_since_starts_the_first_sync_and_does_not_matter_later(tmp_path: Path) -> None:
    """The watermark goes on from the last sync, whatever the command line still says."""
    life = Life(tmp_path / "state.db", [placed(1, later(-60)), placed(2, later(-20))])
    request = SyncRequest(since=later(-30), rate=1e9)

    await life.sync(NOON, request=request)
    report, _ = await life.sync(later(30), request=request)

    assert [event["messageId"].split(":")[4] for event in life.destination.accepted] == ["order-2"]
    assert report.since == later(-6)


async def test_an_old_order_touched_today_is_not_a_new_purchase(tmp_path: Path) -> None:
    """First sight of an order from before everything that was asked for is counted, not sent."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, parse_instant("2020-05-05T00:00:00.000Z"), updated_at=later(2)))

    report, _ = await life.sync(later(10))

    assert life.destination.accepted == []
    assert report.books.reasons == {("orders", "filtered", "before_first_sight"): 1}


async def test_lifecycle_by_difference(tmp_path: Path) -> None:
    """Paid, partially refunded twice, then cancelled, seen at four times: exactly these events, each once."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    first, second = Refund("r1", Money(100, "EUR"), later(12)), Refund("r2", Money(150, "EUR"), later(22))
    states = [
        placed(1, later(1)),
        placed(1, later(1), updated_at=later(12), refunds=(first,)),
        placed(1, later(1), updated_at=later(22), refunds=(first, second)),
        placed(1, later(1), updated_at=later(32), refunds=(first, second), is_cancelled=True),
    ]
    for number, state in enumerate(states):
        life.put(state)
        await life.sync(later(10 * number + 5))
        await life.sync(later(10 * number + 7))

    assert names(life.destination) == {"Order Completed": 1, "Order Refunded": 2, "Order Cancelled": 1}
    assert len({event["messageId"] for event in life.destination.accepted}) == 4


async def test_the_same_life_seen_only_at_its_end(tmp_path: Path) -> None:
    """One sync after all of it sends the same four events."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    refunds = tuple(Refund(f"r{number}", Money(100, "EUR"), later(12)) for number in (1, 2))
    life.put(placed(1, later(1), updated_at=later(32), refunds=refunds, is_cancelled=True))

    await life.sync(later(40))
    await life.sync(later(45))

    assert names(life.destination) == {"Order Completed": 1, "Order Refunded": 2, "Order Cancelled": 1}


async def test_a_change_without_relevance_sends_nothing(tmp_path: Path) -> None:
    """A record whose mapped content is the same makes no event, though it was modified."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, later(1)))
    await life.sync(later(10))
    life.put(placed(1, later(1), updated_at=later(20), version=7))

    report, _ = await life.sync(later(30))

    assert names(life.destination) == {"Order Completed": 1}
    assert report.books.total("pulled") == 1


async def test_a_shipment_of_the_whole_order_covers_its_parcels(tmp_path: Path) -> None:
    """An order first known as shipped, whose parcel becomes known later, is fulfilled once."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, later(1), shipments=(Shipment(None, later(1)),)))
    await life.sync(later(10))
    life.put(placed(1, later(1), updated_at=later(12), shipments=(Shipment("parcel-1", later(12)),)))

    await life.sync(later(20))

    assert names(life.destination)["Order Fulfilled"] == 1


async def test_a_burst_of_one_timestamp_is_drained_over_several_runs(tmp_path: Path) -> None:
    """More rows of one instant than fit in a run: none is skipped, and no run reads the same page for ever."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    for number in range(300):
        life.put(placed(number, later(1)))
    ticks = iter(range(10**6))
    runs = []
    for number in range(60):
        report, error = await life.sync(
            later(10 + number), request=SyncRequest(duration_seconds=6, rate=1e9), monotonic=lambda: float(next(ticks))
        )
        assert error is None
        assert not report.books.errors
        runs.append(report)
        if report.status == "done":
            break

    assert len(runs) > 3
    assert {report.status for report in runs[:-1]} == {"limited"}
    assert len({report.since for report in runs}) == 1, "the window stays as it is until it is drained"
    assert names(life.destination) == {"Order Completed": 300}


async def test_a_destination_that_is_down_keeps_its_watermark(tmp_path: Path) -> None:
    """Nothing passes: the next run sends what could not be sent."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, later(1)))

    def down(_number: int, _events: list[bytes]) -> None:
        raise TransientError("no answer", where="target")

    life.destination.script = down
    report, error = await life.sync(later(10))
    life.destination.script = lambda _number, _events: None
    again, _ = await life.sync(later(20))

    assert isinstance(error, TransientError)
    assert report.status == "stopped"
    assert names(life.destination) == {"Order Completed": 1}
    assert again.status == "done"
    assert again.since == report.since


async def test_an_erased_person_gets_nothing_any_more(tmp_path: Path) -> None:
    """Though the source still has the order, nothing about them is sent."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    with open_store(life.state) as store:
        store.erase("shop", [customer_subject("customer-1")])
    life.put(placed(1, later(1)))
    life.put(placed(2, later(1)))

    report, _ = await life.sync(later(10))

    assert [event["userId"] for event in life.destination.accepted] == ["customer-2"]
    assert report.books.reasons == {("orders", "filtered", "erased"): 1}


async def test_a_row_that_becomes_visible_late_is_found_in_the_overlap(tmp_path: Path) -> None:
    """Stamped before the last sync's end, committed after it: the next one still sees it."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    await life.sync(later(10))
    life.put(placed(1, later(8)))

    await life.sync(later(12))

    assert names(life.destination) == {"Order Completed": 1}


async def test_retention_forgets_old_orders_and_never_sends_them_again(tmp_path: Path) -> None:
    """What the ledger has let go counts as sent, whatever happens to the order."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()
    life.put(placed(1, later(1)))
    await life.sync(later(10))
    month = 60 * 24 * 30
    await life.sync(later(month), keep_seconds=86_400)
    life.put(placed(1, later(1), updated_at=later(month + 10), is_cancelled=True))

    report, _ = await life.sync(later(month + 20), keep_seconds=86_400)

    assert names(life.destination) == {"Order Completed": 1}
    assert report.books.reasons == {("orders", "filtered", "beyond_retention"): 2}


async def test_the_lag_says_how_far_behind_the_slowest_stream_is(tmp_path: Path) -> None:
    """After a sync in order it is the settle delay; after one that stopped, the time since the window's start."""
    life = Life(tmp_path / "state.db", [])
    await life.backfill()

    report, _ = await life.sync(later(10), settle_seconds=60)

    assert report.lag_seconds == pytest.approx(60, abs=5)


async def test_a_backfill_does_not_send_again_what_the_ledger_has_forgotten(tmp_path: Path) -> None:
    """Beyond the retention a second backfill counts the orders and leaves them."""
    life = Life(tmp_path / "state.db", [placed(1, jobs.SINCE)])
    await life.backfill()
    await life.sync(later(60 * 24 * 30), keep_seconds=86_400)

    report, _ = await life.backfill()

    assert names(life.destination) == {"Order Completed": 1}
    assert report.books.reasons == {("orders", "filtered", "beyond_retention"): 1}
