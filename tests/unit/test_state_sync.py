"""Sync jobs: one per pipeline and destination, whose windows follow each other without a gap; and what runs remember."""

from __future__ import annotations

from pathlib import Path

import pytest
from state_builders import partitions, spec, write_connection

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import StateError
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import Partition, Settlement
from cdi_cli.state.store import SqliteStore

TIMES = [Instant(f"2026-03-01T{hour:02d}:00:00.000Z") for hour in range(24)]


def window(since: int, until: int) -> Window:
    """From one hour of a day to another."""
    return Window(TIMES[since], TIMES[until])


@pytest.fixture
def store(tmp_path: Path):
    """An empty store."""
    with open_store(tmp_path / "state" / "state.db") as opened:
        yield opened


def begin(store: SqliteStore) -> tuple[int, int]:
    """A sync job and a run of it."""
    job = store.create_job(spec(kind="sync"), [])
    return job.id, store.start_run(job.id)


def finish(store: SqliteStore, run: int, number: int = 0) -> None:
    """End the present window of a partition."""
    store.settle(run, [Settlement(number, Cursor("end"), is_done=True, pulled=1)])


def test_kinds_are_apart(store: SqliteStore) -> None:
    """A new job takes the place of the open one of its own kind only, and each kind has its newest."""
    sync = store.create_job(spec(kind="sync"), [])
    backfill = store.create_job(spec(), partitions())
    replay = store.create_job(spec(kind="replay"), partitions(1))
    again = store.create_job(spec(), partitions())

    assert store.find_job("shop", "segment") == again
    assert store.find_job("shop", "segment", "sync") == sync
    assert store.find_job("shop", "segment", "replay") == replay
    assert [(job.id, job.status) for job in store.jobs("shop", "segment")] == [
        (backfill.id, "abandoned"),
        (again.id, "open"),
    ]
    assert store.jobs("shop", "insider", "sync") == []


def test_a_stream_gets_its_partition_with_its_first_window(store: SqliteStore) -> None:
    """Streams are numbered as they come, and keep the origin they began with."""
    job, run = begin(store)
    first = store.open_window(job, "orders", window(0, 2), origin=TIMES[1])
    second = store.open_window(job, "customers", window(3, 4))

    assert first == Partition(0, "orders", window(0, 2), origin=TIMES[1])
    assert second == Partition(1, "customers", window(3, 4))
    finish(store, run)
    after = store.open_window(job, "orders", window(1, 5), origin=TIMES[4])
    assert after == Partition(0, "orders", window(1, 5), origin=TIMES[1])
    assert store.partitions(job) == [after, second]


def test_a_window_waits_for_the_one_before(store: SqliteStore) -> None:
    """While a window is not done, none follows it: a cursor in the middle of it is kept."""
    job, run = begin(store)
    store.open_window(job, "orders", window(0, 2))
    store.settle(run, [Settlement(0, Cursor("middle"))])

    with pytest.raises(StateError, match="orders up to 2026-03-01T02:00:00"):
        store.open_window(job, "orders", window(1, 3))
    assert store.partitions(job) == [Partition(0, "orders", window(0, 2), Cursor("middle"))]


def test_no_gap_between_windows(store: SqliteStore) -> None:
    """A window may begin where the last one ended, or before, and never after."""
    job, run = begin(store)
    store.open_window(job, "orders", window(0, 2))
    finish(store, run)

    with pytest.raises(StateError, match="starts at 2026-03-01T03:00:00"):
        store.open_window(job, "orders", window(3, 4))
    assert store.open_window(job, "orders", window(2, 4)).window == window(2, 4)


def test_only_a_sync_has_moving_windows(store: SqliteStore) -> None:
    """A backfill's partitions are fixed."""
    job = store.create_job(spec(), partitions())
    for number in (job.id, 99):
        with pytest.raises(StateError, match=f"no sync job {number}"):
            store.open_window(number, "orders", window(0, 1))


def test_a_sync_is_never_done(store: SqliteStore) -> None:
    """Its partitions may all be done: the job stays open, also across an orderly end."""
    job, run = begin(store)
    store.open_window(job, "orders", window(0, 2))
    finish(store, run)
    store.end_run(run, status="done", exit_code=0)
    path = store.path
    store.close()

    with open_store(path) as again:
        found = again.find_job("shop", "segment", "sync")
        assert found is not None
        assert (found.id, found.status) == (job, "open")
        assert again.partitions(job) == [Partition(0, "orders", window(0, 2), Cursor("end"), is_done=True)]


@pytest.mark.parametrize(
    "change", ["origin = NULL", f"origin = '{TIMES[2]}'", f"until = '{TIMES[9]}'", "is_done = 1", "cursor = 'x'"]
)
def test_a_changed_window_is_refused(store: SqliteStore, change: str) -> None:
    """A wrong watermark would leave out what changed, so a row that does not match its checksum is not read."""
    job, _ = begin(store)
    store.open_window(job, "orders", window(0, 2), origin=TIMES[1])
    write_connection(store).execute(f"UPDATE partitions SET {change}")

    with pytest.raises(StateError, match="partition 0 of job 1 does not match its checksum"):
        store.partitions(job)
    with pytest.raises(StateError, match="partition 0 of job 1 does not match its checksum"):
        store.open_window(job, "orders", window(2, 3))


def test_runs_remember_their_plan_lag_and_message(store: SqliteStore) -> None:
    """A run has the job's plan unless it says otherwise; a long message is cut."""
    job, run = begin(store)
    store.end_run(run, status="done", exit_code=0, lag_seconds=12.5)
    other = store.start_run(job, plan_version="9.0.0")
    store.end_run(other, status="stopped", exit_code=3, message="x" * 1000 + "\ud800")
    (last, _), (first, _) = store.runs()

    assert (first.plan_version, first.lag_seconds, first.message) == ("3", 12.5, None)
    assert (last.plan_version, last.lag_seconds) == ("9.0.0", None)
    assert last.message == "x" * 499 + "…"


def test_runs_are_found_by_what_they_worked_on(store: SqliteStore) -> None:
    """Pipeline, destination and kind narrow the list; the limit counts what is left."""
    jobs = [spec(), spec(kind="sync"), spec("shop", "insider", kind="sync"), spec("outlet", kind="sync")]
    for one in jobs:
        store.start_run(store.create_job(one, []).id)

    def ids(limit: int = 20, **wanted: str) -> list[int]:
        return [run.id for run, _ in store.runs(limit, **wanted)]  # type: ignore[arg-type]

    assert ids() == [4, 3, 2, 1]
    assert (ids(kind="sync"), ids(2, kind="sync"), ids(kind="replay")) == ([4, 3, 2], [4, 3], [])
    assert (ids(pipeline="shop"), ids(pipeline="shop", destination="segment"), ids(destination="insider")) == (
        [3, 2, 1],
        [2, 1],
        [3],
    )
