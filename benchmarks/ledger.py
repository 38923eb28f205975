"""`python -m benchmarks.ledger [EVENTS]`: what the ledger costs in bytes and in look-ups, before and after compaction.

Look-ups are groups of 50 keys, as the pipeline asks: `in a row`: of entities created one after the other, as a backfill that
is repeated asks; `anywhere`: of entities of any day, as a sync asks. Half of the groups ask for what is not there.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path

from cdi_cli.clock import Instant, Window
from cdi_cli.state import open_store
from cdi_cli.state._base import JobSpec, LedgerEntry, Partition, Settlement
from cdi_cli.state.store import SqliteStore

DAYS = 365
START = date(2025, 1, 1)
GROUP = 50
BATCH = 250
WINDOW = Window(Instant("2025-01-01T00:00:00.000Z"), Instant("2026-01-01T00:00:00.000Z"))
SPEC = JobSpec("p", "s", "d", ("orders",), WINDOW, "", "", "1", WINDOW.until)
When = Callable[[int], Instant]


def over_the_year(events: int) -> When:
    """Entities created evenly over a year, in the order of their numbers."""
    days = [(START + timedelta(days=number)).isoformat() for number in range(DAYS)]

    def when(number: int) -> Instant:
        ms = number * DAYS * 86_400_000 // events
        day, rest = divmod(ms, 86_400_000)
        hour, rest = divmod(rest, 3_600_000)
        minute, rest = divmod(rest, 60_000)
        return Instant(f"{days[day]}T{hour:02d}:{minute:02d}:{rest // 1000:02d}.{rest % 1000:03d}Z")

    return when


def at_once(_number: int) -> Instant:
    """Entities imported in one millisecond."""
    return Instant("2025-06-01T12:00:00.000Z")


def entry(number: int, when: When, content: int = 0) -> LedgerEntry:
    """The entry of a numbered event."""
    return LedgerEntry("order", when(number), blake2b(b"%d" % number, digest_size=16).digest(), content.to_bytes(8, "big"))


def run_of(store: SqliteStore) -> int:
    """A new run."""
    return store.start_run(store.create_job(SPEC, [Partition(0, "orders", WINDOW)]).id)


def write(store: SqliteStore, batches: Iterator[tuple[LedgerEntry, ...]], at_a_time: int = 8) -> None:
    """Settle batches, some in one transaction, as a run does."""
    run = run_of(store)
    waiting: list[Settlement] = []
    for batch in batches:
        waiting.append(Settlement(0, delivered=batch))
        if len(waiting) == at_a_time:
            store.settle(run, waiting)
            waiting = []
    store.settle(run, waiting)
    store.end_run(run, status="done", exit_code=0)


def backfill(store: SqliteStore, events: int, when: When) -> None:
    """Batches of 250 in order of creation."""
    write(
        store,
        (
            tuple(entry(number, when) for number in range(first, min(first + BATCH, events)))
            for first in range(0, events, BATCH)
        ),
    )


def dribble(store: SqliteStore, events: int, count: int, when: When) -> None:
    """A sync's rows of one entry: later deliveries of some of the events."""
    chosen = random.Random(1).sample(range(events), count)
    write(store, ((entry(number, when, content=1),) for number in chosen), at_a_time=200)


def look_up(store: SqliteStore, events: int, when: When, *, is_in_a_row: bool, groups: int = 400) -> float:
    """Median over the groups of microseconds per key; half of the groups ask for keys that are not there."""
    chance = random.Random(2)
    seconds = []
    for number in range(groups):
        first = chance.randrange(events - GROUP)
        numbers = range(first, first + GROUP) if is_in_a_row else [chance.randrange(events) for _ in range(GROUP)]
        shift = 0 if number % 2 else events  # the same times, other keys
        keys = {entry(each + shift, lambda _, at=each: when(at)).key: when(each) for each in numbers}  # type: ignore[misc]
        started = time.perf_counter()
        found = store.delivered("s", "d", "order", keys)
        seconds.append(time.perf_counter() - started)
        if len(found) != (0 if shift else len(keys)):
            raise SystemExit(f"wrong answer: {len(found)} of {len(keys)}")
    return sorted(seconds)[len(seconds) // 2] / GROUP * 1e6


def figures(name: str, store: SqliteStore, events: int, when: When) -> None:
    """One line of the table."""
    size = store.ledger_size()
    used = _used_bytes(store.path)
    row, any_ = (look_up(store, events, when, is_in_a_row=one) for one in (True, False))
    print(
        f"| {name} | {size.entries:,} | {size.rows:,} | {size.size_bytes / size.entries:.1f} | {used / size.entries:.1f} | "
        f"{row:.1f} | {any_:.1f} |",
        flush=True,
    )


def _used_bytes(path: Path) -> int:
    """Bytes of the file that are in use."""
    with closing(sqlite3.connect(path)) as db:
        pages, free, page = (
            int(db.execute(f"PRAGMA {one}").fetchone()[0]) for one in ("page_count", "freelist_count", "page_size")
        )
    return (pages - free) * page


def compact(store: SqliteStore) -> None:
    """Compact to the end, in portions of two seconds as a sync does, and say what each took."""
    started, portions, saved = time.perf_counter(), 0, 0
    while True:
        before = time.perf_counter()
        fewer = store.compact(seconds_max=2.0)
        saved += fewer
        portions += 1
        if time.perf_counter() - before < 2.0:
            break
    print(f"compaction: {saved:,} rows saved in {time.perf_counter() - started:.1f} s, {portions} portions", flush=True)


def case(name: str, events: int, when: When, small: int) -> None:
    """A backfill, a year of small syncs on top, and compaction."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "state" / "s.db") as store:
        started = time.perf_counter()
        backfill(store, events, when)
        print(f"writing: {(time.perf_counter() - started) / events * 1e6:.1f} us an event")
        figures(f"{name}: backfill", store, events, when)
        if small:
            dribble(store, events, small, when)
            figures(f"{name}: and {small:,} rows of one entry", store, events, when)
        compact(store)
        figures(f"{name}: compacted", store, events, when)
        started = time.perf_counter()
        store.compact(seconds_max=2.0)
        print(f"compaction with nothing to do: {(time.perf_counter() - started) * 1e3:.0f} ms")
        keys = [entry(number, when).key for number in range(0, events, events // 20)]
        started = time.perf_counter()
        found = len(store.trace(keys))
        print(f"trace of {len(keys)} keys: {found} deliveries in {time.perf_counter() - started:.2f} s", flush=True)


def main() -> None:
    """All cases for so many events."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    columns = ("ledger", "entries", "rows", "bytes/entry", "of the file", "us/key in a row", "us/key anywhere")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    case("over a year", events, over_the_year(events), events // 5)
    case("in one millisecond", min(events, 1_000_000), at_once, events // 100)


if __name__ == "__main__":
    main()
