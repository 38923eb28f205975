"""What a review of the pipeline tried to break: queues behind a failed write, repeats in flight, stops at bad moments."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeDestination, FakeSource, order
from jobs import REQUEST, SPEC, backfill, resumed, shop

from cdi_cli.clock import Window
from cdi_cli.errors import (
    ConfigError,
    ExitCode,
    LockedError,
    ProtocolError,
    RefusedError,
    ScopeError,
    StateError,
    TransientError,
)
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Stored, close_books, exit_code
from cdi_cli.pipeline.settle import OpenPage, Settler
from cdi_cli.pipeline.stop import Stop
from cdi_cli.sources import Cursor, Page, Reading, Stream
from cdi_cli.state._base import Settlement

PATIENCE_SECONDS = 10.0


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the checkpoint file will be."""
    return tmp_path / "state.db"


class SlowDisk:
    """A store whose first write takes its time and then fails, or that fails only at the end of the run."""

    def __init__(self, store: Any, error: Exception, *, fails: str) -> None:
        self._store = store
        self._error = error
        self._fails = fails
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def settle(self, run_id: int, settlements: Iterable[Settlement]) -> None:
        """Fail once the test says so."""
        if self._fails != "settle":
            self._store.settle(run_id, settlements)
            return
        self.entered.set()
        self.go_on.wait(PATIENCE_SECONDS)
        raise self._error

    def end_run(self, run_id: int, **ended: Any) -> None:
        """Fail at the very end."""
        if self._fails == "end_run":
            raise self._error
        self._store.end_run(run_id, **ended)


def page_of(number: int) -> OpenPage:
    """A page whose reading has ended."""
    return OpenPage(0, "orders", Cursor(f"after-{number}"), False, pulled=1, waiting=1, is_read=True)


async def test_outcomes_that_queue_behind_a_failed_write_fail_too() -> None:
    """What gathered while the disk was failing is told, too: nobody waits for ever."""
    disk = SlowDisk(None, StateError("the disk is full"), fails="settle")
    settler = Settler(disk, 1, Progress())  # type: ignore[arg-type]
    running = asyncio.create_task(settler.run())
    first, second = page_of(1), page_of(2)
    await settler.open_page(first)
    await settler.open_page(second)
    one = asyncio.create_task(settler.batch(first, [], [], {}))
    await asyncio.to_thread(disk.entered.wait, PATIENCE_SECONDS)
    two = asyncio.create_task(settler.batch(second, [], [], {}))
    await asyncio.sleep(0)
    disk.go_on.set()

    outcomes = await asyncio.wait_for(asyncio.gather(one, two, return_exceptions=True), 2)

    assert [type(outcome) for outcome in outcomes] == [StateError, StateError]
    settler.close()
    await running


async def test_a_failed_write_for_a_batch_that_was_given_up_is_still_told() -> None:
    """A second Ctrl-C while the disk fails ends in the disk's error, not in a fault of ours."""
    disk = SlowDisk(None, StateError("the disk is full"), fails="settle")
    settler = Settler(disk, 1, Progress())  # type: ignore[arg-type]
    running = asyncio.create_task(settler.run())
    page = page_of(1)
    await settler.open_page(page)
    batch = asyncio.create_task(settler.batch(page, [], [], {}))
    await asyncio.to_thread(disk.entered.wait, PATIENCE_SECONDS)
    batch.cancel()
    await asyncio.gather(batch, return_exceptions=True)
    disk.go_on.set()

    settler.close()
    await asyncio.wait_for(running, 2)

    assert isinstance(settler.failure, StateError)


class Repeating(FakeSource):
    """Serves the same order again and again, as payments do that belong to one order: `rows` in pages of `page_size`."""

    async def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """All rows, each page after the other."""
        from msgspec.json import encode

        for start in range(0, len(self.orders), self.page_size):
            rows = self.orders[start : start + self.page_size]
            yield Page([encode(row) for row in rows], Cursor(f"{start:09d}"), start + self.page_size >= len(self.orders))

    async def count(self, stream: str, window: Window) -> int | None:
        """It cannot tell."""
        return None


@pytest.mark.parametrize("page_size", [1, 10, 200])
async def test_an_order_that_comes_twice_in_one_run_is_sent_once(state: Path, page_size: int) -> None:
    """Also when its first events are still on their way: two payments of one order stand on two pages."""
    rows = [order(1), *(order(number) for number in range(2, 120)), order(1)]
    if page_size == 1:
        rows = [order(1), order(1), order(1)]
    destination = FakeDestination(delay_seconds=0.02)

    report, _ = await backfill(state, Repeating(rows, page_size=page_size), destination)

    assert sorted(destination.ids) == sorted(set(destination.ids))
    assert report.books.errors == ()
    assert report.books.total("duplicate") == len(rows) - len(destination.ids)


async def test_a_changed_order_that_comes_twice_is_updated_once(state: Path) -> None:
    """Order Updated is deduped within a run like every other event."""
    await backfill(state, FakeSource([order(1)]), FakeDestination())
    changed = order(1, coupons=("MAY",))
    destination = FakeDestination()

    await backfill(state, Repeating([changed, changed]), destination)

    assert [message["event"] for message in destination.accepted] == ["Order Updated"]


async def test_an_outage_while_a_refused_batch_is_halved_repeats_nothing(state: Path) -> None:
    """The half that was accepted before the outage is remembered."""
    orders = [order(number) for number in range(8)]
    poison = "cdi:test:shop:order:order-7:order-completed"

    def refuse(number: int, events: list[bytes]) -> None:
        if number > 2:
            raise TransientError("no answer")
        if any(poison.encode() in event for event in events):
            raise RefusedError("bad request", status=400)

    first, second = FakeDestination(script=refuse), FakeDestination()
    stopped, error = await backfill(state, FakeSource(orders), first)
    await backfill(state, FakeSource(orders), second, request=resumed())

    assert isinstance(error, TransientError)
    assert len(first.accepted) == 4
    assert sorted(first.ids + second.ids) == sorted({*first.ids, *second.ids})
    assert len(first.ids + second.ids) == 8
    assert stopped.books.errors == ()
    assert stopped.books.total("delivered") == 4


async def test_the_books_close_when_a_run_stops_during_a_look_up(state: Path) -> None:
    """Records that were read but not yet turned into events are not held against the run."""
    stop = Stop()

    class Slow(FakeSource):
        async def read(self, stream: str, records: Any) -> list[list[Reading]]:
            stop.ask()
            await asyncio.sleep(PATIENCE_SECONDS)
            return []

    report, _ = await backfill(state, Slow([order(1)]), FakeDestination(), stop=stop)

    assert report.status == "interrupted"
    assert report.books.errors == ()


class OneForbidden(FakeSource):
    """A source whose credentials may not read carts, which shows already when they are counted."""

    async def count(self, stream: str, window: Window) -> int | None:
        """Refused for carts."""
        if stream == "carts":
            raise ScopeError("the client lacks the scope view_carts")
        return await super().count(stream, window)

    async def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """Refused for carts."""
        if stream == "carts":
            raise ScopeError("the client lacks the scope view_carts")
        async for page in super().pages(stream, window, cursor, by=by):
            yield page


async def test_a_stream_that_may_not_be_counted_does_not_stop_the_others(state: Path) -> None:
    """A missing scope is named once the stream is read; the other streams are delivered."""
    orders = [order(number) for number in range(5)]
    destination = FakeDestination()
    spec = replace(SPEC, streams=(Stream("carts", "cart"), Stream("orders", "order")))

    report, error = await backfill(state, OneForbidden(orders), destination, source_spec=spec, streams=("carts", "orders"))

    assert isinstance(error, ScopeError)
    assert len(report.problems) == 1
    assert len(destination.accepted) == 5


async def test_what_a_skipped_stream_had_not_sent_is_sent_by_the_next(state: Path) -> None:
    """A scope that is missed in the middle of a page: its events count as on their way no longer, nor are they repeated."""
    orders = [order(number) for number in range(60)]

    class HalfForbidden(FakeSource):
        async def read(self, stream: str, records: Any) -> list[list[Reading]]:
            if stream == "orders" and len(records) < 50:
                raise ScopeError("the client lacks the scope view_payments")
            return await super().read(stream, records)

    spec = replace(SPEC, streams=(Stream("orders", "order"), Stream("payments", "order")))
    options: dict[str, Any] = {"source_spec": spec, "streams": ("orders", "payments")}
    first, second = FakeDestination(), FakeDestination()

    report, error = await backfill(state, HalfForbidden(orders, page_size=60), first, **options)
    await backfill(state, FakeSource(orders, page_size=60), second, **options)

    assert isinstance(error, ScopeError)
    assert len(set(first.ids)) == len(first.ids) == 60
    assert report.books.errors == ()
    assert second.accepted == []


async def test_a_source_that_ends_without_a_last_page_is_not_a_success(state: Path) -> None:
    """Nothing says that the window was read to its end, so the run must not end with 0."""

    class Cut(FakeSource):
        async def pages(self, *arguments: Any, **options: Any) -> AsyncIterator[Page]:
            async for page in super().pages(*arguments, **options):
                yield replace(page, is_last=False)

    report, error = await backfill(state, Cut(shop(30)), FakeDestination())

    assert isinstance(error, ProtocolError)
    assert exit_code(report.books, error) is ExitCode.STOPPED


@pytest.mark.parametrize(
    "request_",
    [replace(resumed(), streams=("carts",)), replace(REQUEST, mode="resume", asked="another window")],
    ids=["streams", "window"],
)
async def test_resume_refuses_a_window_or_streams_of_another_job(state: Path, request_: Any) -> None:
    """What the command line says is never silently ignored."""
    spec = replace(SPEC, streams=(Stream("carts", "cart"), Stream("orders", "order")))
    await backfill(state, FakeSource(shop(30)), FakeDestination(), request=replace(REQUEST, limit=5))

    with pytest.raises(ConfigError, match="unfinished backfill"):
        await backfill(state, FakeSource(shop(30)), FakeDestination(), request=request_, source_spec=spec)


@pytest.mark.parametrize("kind", [LockedError, StateError])
async def test_a_run_whose_end_cannot_be_written_still_reports(state: Path, kind: type[Exception]) -> None:
    """Everything was sent: the report is kept, and the exit code tells the failure."""
    failure = kind("the checkpoint file is gone")
    destination = FakeDestination()

    report, error = await backfill(
        state, FakeSource(shop(30)), destination, wrap=lambda store: SlowDisk(store, failure, fails="end_run")
    )

    assert error is failure
    assert report.books.total("delivered") == len(destination.accepted) > 0


async def test_a_lost_lock_ends_in_a_report(state: Path) -> None:
    """Another process took the file over in the middle of a run: exit code 4, and the books of what was sent."""
    failure = LockedError("the checkpoint file is in use")

    class Lost(SlowDisk):
        def end_run(self, run_id: int, **ended: Any) -> None:
            raise LockedError("the checkpoint file is in use")

    def wrap(store: Any) -> Lost:
        disk = Lost(store, failure, fails="settle")
        disk.go_on.set()
        return disk

    report, error = await asyncio.wait_for(backfill(state, FakeSource(shop(60)), FakeDestination(), wrap=wrap), 5)

    assert error is failure
    assert exit_code(report.books, error) is ExitCode.LOCKED


def test_the_display_may_count_while_the_run_goes_on() -> None:
    """The display's thread reads the counters while the run adds streams and outcomes to them."""
    progress, ended, failures = Progress(), threading.Event(), []

    def watch() -> None:
        while not ended.is_set():
            try:
                progress.delivered()
            except RuntimeError as error:
                failures.append(error)
                return

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        for number in range(3_000):
            progress.settled[f"stream-{number}", "delivered"] += 1
            if failures:
                break
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(before)

    assert failures == []


async def test_an_interrupted_run_whose_checkpoint_could_not_be_written_says_so(state: Path) -> None:
    """Ctrl-C while the disk fails: the run must not claim that the checkpoint is saved."""
    stop, failure = Stop(), StateError("the disk is full")

    def wrap(store: Any) -> SlowDisk:
        disk = SlowDisk(store, failure, fails="settle")
        disk.go_on.set()
        return disk

    destination = FakeDestination(script=lambda number, _events: stop.ask() if number == 1 else None, delay_seconds=0.01)
    _, error = await backfill(state, FakeSource(shop(60)), destination, stop=stop, wrap=wrap)

    assert error is failure


async def test_a_stream_without_records_has_its_line_in_the_books(state: Path) -> None:
    """Nothing pulled is an answer, too."""
    report, error = await backfill(state, FakeSource([]), FakeDestination())

    assert error is None
    assert report.status == "done"
    assert [(line.stream, line.pulled, line.issued) for line in report.books.streams] == [("orders", 0, 0)]


def test_books_do_not_close_when_the_checkpoint_counts_other_records() -> None:
    """Records pulled and records that the cursors moved past are told by two sides, which must agree in the end."""
    progress = Progress()
    progress.pulled["orders"] = progress.issued["orders"] = 2
    counts: Any = {("orders", "", "filtered", "no_identity"): 2}

    agreeing = close_books(progress, Stored(counts, {"orders": 2}, 0, 0), is_finished=True)
    lost = close_books(progress, Stored(counts, {"orders": 1}, 0, 0), is_finished=True)
    unfinished = close_books(progress, Stored(counts, {"orders": 1}, 0, 0), is_finished=False)

    assert agreeing.errors == unfinished.errors == ()
    assert lost.errors == ("orders: 2 records were pulled, the checkpoint file counts 1",)
