"""A small story for a checkpoint file: written by any version of `cdi`, kept in `golden/state/`, read by all later ones.

    python tests/state_golden.py FOLDER PREFIX      with the `cdi_cli` of the version to be kept first on PYTHONPATH

writes `PREFIX-done.db` (a backfill that ended, after a stop; a second pipeline), `PREFIX-open.db` (one that was killed
between two pages) and, from schema 2 on, `PREFIX-sync.db`. No machine and no process is named in them.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cdi_cli.clock import Clock, Instant, Window
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import CountKey, DeadLetter, JobSpec, LedgerEntry, Partition, Settlement
from cdi_cli.state.schema import SCHEMA_VERSION
from cdi_cli.state.store import SqliteStore

WINDOW = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2026-02-01T00:00:00.000Z"))
START = datetime(2026, 2, 1, 12, tzinfo=UTC)
SPEC = JobSpec(
    "main", "shop", "segment", ("customers", "orders"), WINDOW, "--since 2026-01-01", "f00d", "1.4.0", WINDOW.until
)
COMPLETED: CountKey = ("orders", "Order Completed", "delivered", "")
REJECTED: CountKey = ("orders", "Order Completed", "rejected", "plan_violation")
UNREADABLE: CountKey = ("orders", "", "rejected", "unreadable_record")


class Ticking:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self._ticks = 0

    def now(self) -> datetime:
        """The next second."""
        self._ticks += 1
        return START + timedelta(seconds=self._ticks)


def entry(number: int, *, family: str = "order", content: int = 0) -> LedgerEntry:
    """A delivered event of an entity that was created on a day of January."""
    at = Instant(f"2026-01-{number % 28 + 1:02d}T{number % 24:02d}:30:00.{number % 1000:03d}Z")
    return LedgerEntry(family, at, number.to_bytes(16, "big"), content.to_bytes(8, "big"))


def refused(event_id: str | None, entity_id: str, reason: str = "plan_violation") -> DeadLetter:
    """A dead letter of an order, or of a record that could not be read where there is no event id."""
    if event_id is None:
        return DeadLetter("orders", "unreadable_record", "it has no id", entity_id=entity_id, record=b'{"total":1}')
    return DeadLetter(
        stream="orders",
        reason=reason,
        detail="revenue is missing",
        entity_id=entity_id,
        event_name="Order Completed",
        event_id=event_id,
        violations=(("revenue", "required", "revenue is missing"),),
        record=b'{"id":"' + entity_id.encode() + b'"}',
        event=b'{"type":"track"}',
    )


def _first_page(store: SqliteStore, run: int, number: int) -> None:
    delivered = tuple(entry(each) for each in range(100 * number, 100 * number + 3))
    store.settle(run, [Settlement(1, Cursor(f"c{number}"), pulled=3, delivered=delivered, counts={COMPLETED: 3})])


def done_backfill(store: SqliteStore) -> None:
    """A backfill that stopped once and then ended, with two letters of one event; a second pipeline's job without a run."""
    job = store.create_job(SPEC, [Partition(0, "customers", WINDOW, expected=1), Partition(1, "orders", WINDOW)])
    run = store.start_run(job.id)
    store.settle(run, [Settlement(0, Cursor("x"), is_done=True, pulled=1, delivered=(entry(7, family="customer"),))])
    _first_page(store, run, 1)
    dead = (refused("cdi:acme:shop:order:o-1:order-completed", "o-1"), refused(None, "o-2"))
    store.settle(run, [Settlement(1, dead=dead, counts={REJECTED: 1, UNREADABLE: 1})])
    store.end_run(run, status="stopped", exit_code=3)
    run = store.start_run(job.id)
    _first_page(store, run, 2)
    again = (refused("cdi:acme:shop:order:o-1:order-completed", "o-1", "too_large"),)
    updated = (refused("cdi:acme:shop:order:o-3:order-updated:4-00112233445566ff", "o-3"),)
    last = Settlement(1, Cursor("end"), is_done=True, delivered=(entry(100, content=9),), dead=again + updated)
    store.settle(run, [last])
    store.end_run(run, status="done", exit_code=1)
    store.create_job(replace(SPEC, pipeline="outlet"), [Partition(0, "orders", WINDOW)])


def open_backfill(store: SqliteStore) -> None:
    """A backfill that was killed after its first page."""
    job = store.create_job(SPEC, [Partition(0, "customers", WINDOW, expected=1), Partition(1, "orders", WINDOW)])
    run = store.start_run(job.id)
    _first_page(store, run, 1)
    store.settle(
        run, [Settlement(1, dead=(refused("cdi:acme:shop:order:o-1:order-completed", "o-1"),), counts={REJECTED: 1})]
    )


def sync(store: SqliteStore) -> None:
    """Two syncs after a backfill, the second stopped in its window; packed rows, letters in places, people who left."""
    from cdi_cli.state._base import Departure

    open_backfill(store)
    store.end_run(1, status="interrupted", exit_code=130)
    job = store.create_job(replace(SPEC, kind="sync", asked="sync", fingerprint=""), [])
    run = store.start_run(job.id, plan_version="1.5.0")
    store.open_window(job.id, "orders", Window(WINDOW.since, WINDOW.until), origin=WINDOW.since)
    for number in range(28, 28 * 21, 28):
        store.settle(run, [Settlement(0, delivered=(entry(number),), counts={COMPLETED: 1})])
    letter = replace(refused("cdi:acme:shop:order:o-1:order-completed", "o-1"), place=PLACE, digest=b"8 bytes.")
    gone = Departure("c-1", WINDOW.until, (b"a hashed name...",))
    store.settle(run, [Settlement(0, Cursor("end"), is_done=True, pulled=22, dead=(letter, letter), departed=(gone,))])
    store.end_run(run, status="done", exit_code=0, lag_seconds=60.5)
    store.compact(seconds_max=10)
    store.forget("shop", "segment", "cart", WINDOW.since)
    run = store.start_run(job.id)
    store.open_window(job.id, "orders", Window(WINDOW.since, Instant("2026-02-02T00:00:00.000Z")))
    store.settle(run, [Settlement(0, Cursor("middle"), delivered=(entry(28, content=3),), counts={COMPLETED: 1})])
    store.end_run(run, status="stopped", exit_code=3, lag_seconds=300.0, message="the shop did not answer")


PLACE = b"a letter's place"
STORIES = {"done": done_backfill, "open": open_backfill, **({"sync": sync} if SCHEMA_VERSION >= 2 else {})}


def neutral(path: Path) -> None:
    """No machine and no process is named in the file, and it takes no more room than it needs."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE runs SET host = 'a-machine', pid = 1")
        db.execute("UPDATE writer SET host = 'a-machine', pid = 1")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("VACUUM")


def main() -> None:
    """Write every story with the `cdi_cli` that is imported."""
    folder, prefix = Path(sys.argv[1]), sys.argv[2]
    for name, story in STORIES.items():
        path = folder / f"{prefix}-{name}.db"
        path.unlink(missing_ok=True)
        with open_store(path, clock=Clock(now=Ticking().now)) as store:
            story(store)
        neutral(path)
        Path(f"{path}.lock").unlink(missing_ok=True)
        sys.stdout.write(f"{path.name}: schema {SCHEMA_VERSION}, {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
