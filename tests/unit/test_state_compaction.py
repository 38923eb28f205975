"""Compaction: fewer rows, the same answers; and what goes through the whole ledger: tracing, striking, forgetting."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import count
from pathlib import Path

import pytest
from state_builders import entry, partitions, spec, write_connection

from cdi_cli.clock import Clock, Instant
from cdi_cli.errors import StateError
from cdi_cli.state import ledger_compact, ledger_packed, open_store
from cdi_cli.state._base import LedgerEntry, Settlement
from cdi_cli.state.store import SqliteStore

DAY = "2026-01-05"
NOON = f"{DAY}T12:00:00.000Z"


@pytest.fixture
def store(tmp_path: Path):
    """A store with one job."""
    with open_store(tmp_path / "state" / "state.db") as opened:
        opened.create_job(spec(), partitions())
        yield opened


def deliver(store: SqliteStore, batches: Iterable[Iterable[LedgerEntry]], plan: str = "3") -> int:
    """A run that settles these batches apart, and ends; returns its number."""
    run = store.start_run(1, plan_version=plan)
    store.settle(run, [Settlement(0, delivered=tuple(batch)) for batch in batches])
    store.end_run(run, status="done", exit_code=0)
    return run


def singly(entries: Iterable[LedgerEntry]) -> list[list[LedgerEntry]]:
    """Each entry in a row of its own, as a sync writes them."""
    return [[one] for one in entries]


def known(store: SqliteStore, entries: Iterable[LedgerEntry]) -> dict[bytes, int]:
    """What the ledger says of these entries' keys: the number in their content."""
    found = store.delivered("commercetools", "segment", "order", {one.key: one.created_at for one in entries})
    return {key: int.from_bytes(content, "big") for key, content in found.items()}


def rows(store: SqliteStore) -> tuple[int, int]:
    """Rows as they were settled, and packed rows."""
    db = write_connection(store)
    return tuple(int(db.execute(f"SELECT count(*) FROM {one}").fetchone()[0]) for one in ("ledger", "ledger_packed"))  # type: ignore[return-value]


def compact(store: SqliteStore) -> int:
    """Compact to the end."""
    return store.compact(seconds_max=60)


def test_small_rows_become_one(store: SqliteStore) -> None:
    """A day of single entries is one row, the last content of each key wins, and the answers are the same."""
    entries = [entry(number, created_at=f"{DAY}T{number % 24:02d}:00:00.000Z") for number in range(100)]
    deliver(store, singly(entries))
    deliver(store, singly(entry(number, content=7, created_at=entries[number].created_at) for number in range(0, 100, 3)))
    before = known(store, [*entries, entry(500, created_at=NOON)])

    assert rows(store) == (134, 0)
    assert compact(store) == 133
    assert rows(store) == (0, 1)
    assert known(store, [*entries, entry(500, created_at=NOON)]) == before
    assert (before[entry(3).key], before[entry(4).key], len(before)) == (7, 0, 100)
    assert store.ledger_size().entries == 100
    assert compact(store) == 0


def test_what_comes_later_wins_over_what_is_packed(store: SqliteStore) -> None:
    """A packed key that is delivered again has the new content, before and after it is packed, too."""
    entries = [entry(number, created_at=NOON) for number in range(600)]
    deliver(store, singly(entries))
    compact(store)
    for content in (1, 2):
        later = [entry(number, content=content, created_at=NOON) for number in range(0, 900, 2)]
        deliver(store, [later[first : first + 10] for first in range(0, len(later), 10)])
        wanted = {one.key: content for one in later} | {entry(number).key: 0 for number in range(1, 600, 2)}
        assert known(store, [*entries, *later]) == wanted
        compact(store)
        assert rows(store)[0] == 0
        assert known(store, [*entries, *later]) == wanted


def test_packed_rows_are_bounded_and_apart(store: SqliteStore) -> None:
    """However many entities were created at once, a row holds at most 256 entries, and no two rows share a range."""
    for portion in range(4):
        numbers = random.Random(portion).sample(range(2500), 900)
        batches = [[entry(number, created_at=NOON) for number in numbers[first : first + 90]] for first in range(0, 900, 90)]
        deliver(store, batches)
        compact(store)
    found = [
        ledger_packed.Packed(*row)
        for row in write_connection(store).execute("SELECT id, first_key, crc, entries, runs FROM ledger_packed ORDER BY 2")
    ]
    keys = [[one.key for one in ledger_packed.deliveries(row)] for row in found]
    everything = [key for row in keys for key in row]

    assert everything == sorted(set(everything))
    assert [row.first_key for row in found] == [row[0] for row in keys]
    assert max(len(row) for row in keys) <= 256
    assert min(len(row) for row in keys) >= 64
    assert len(known(store, [entry(number, created_at=NOON) for number in range(2500)])) == len(everything)


def test_large_rows_side_by_side_stay(store: SqliteStore) -> None:
    """What a backfill leaves is read as quickly as can be: one row for a look-up."""
    times = [f"{DAY}T{number // 60:02d}:{number % 60:02d}:00.000Z" for number in range(1200)]
    entries = [entry(number, created_at=at) for number, at in enumerate(times)]
    deliver(store, [entries[first : first + 100] for first in range(0, 1200, 100)])

    assert compact(store) == 0
    assert rows(store) == (12, 0)


def test_few_rows_stay(store: SqliteStore) -> None:
    """Days with seven rows are not worth a transaction, the eighth makes them so."""
    deliver(store, singly(entry(number, created_at=NOON) for number in range(7)))
    assert compact(store) == 0

    deliver(store, [[entry(7, created_at=NOON)]])
    assert compact(store) == 7


def test_the_tally_of_a_run_stays_right(store: SqliteStore) -> None:
    """Rows that are packed, struck or forgotten, and numbers of rows that come again, change nothing of what a run wrote."""
    first = deliver(store, singly(entry(number, created_at=NOON) for number in range(20)))
    run = store.start_run(1)
    store.settle(run, [Settlement(0, delivered=(entry(number, created_at=NOON),)) for number in range(15)])

    assert compact(store) == 34
    assert (store.tally(first), store.tally(run)) == ((20, 0), (15, 0))
    store.settle(run, [Settlement(0, delivered=(entry(1, created_at=NOON), entry(2, created_at=NOON)))])
    assert (rows(store), store.tally(run)) == ((1, 1), (17, 0))
    assert store.strike([entry(2).key]) == 2
    store.settle(run, [Settlement(0, delivered=(entry(3, created_at=NOON),))])
    assert store.forget("commercetools", "segment", "order", Instant("2027-01-01T00:00:00.000Z")) == 21
    assert (rows(store), store.tally(first), store.tally(run)) == ((0, 0), (20, 0), (18, 0))


def test_a_crowded_day_is_packed_at_once(store: SqliteStore) -> None:
    """Entities imported in one millisecond: no look-up reads more than 64 rows, also within the run that writes them."""
    run = store.start_run(1)
    most = 0
    for first in range(0, 6000, 10):
        store.settle(run, [Settlement(0, delivered=tuple(entry(first + one, created_at=NOON) for one in range(10)))])
        most = max(most, rows(store)[0])

    assert most == 64
    assert store.tally(run) == (6000, 0)
    assert len(known(store, [entry(number, created_at=NOON) for number in range(7000)])) == 6000


def test_time_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compaction ends when its time is over, and the next call goes on; each step is whole by itself."""
    monkeypatch.setattr(ledger_compact, "STEP_ENTRIES", 10)
    ticks = count()
    with open_store(tmp_path / "state" / "state.db", clock=Clock(monotonic=lambda: float(next(ticks)))) as store:
        store.create_job(spec(), partitions())
        entries = [entry(number, created_at=NOON) for number in range(35)]
        deliver(store, singly(entries))

        assert store.compact(seconds_max=2.5) == 19
        assert rows(store) == (15, 1)
        assert len(known(store, entries)) == 35
        assert store.compact(seconds_max=100) == 15
        assert rows(store) == (0, 1)
        assert len(known(store, entries)) == 35


@pytest.mark.parametrize("change", ["entries = zeroblob(240)", "runs = zeroblob(4)", "day = day + 1", "first_key = x'00'"])
def test_a_changed_packed_row_is_refused(store: SqliteStore, change: str) -> None:
    """Each packed row carries a checksum over its entries, its runs and its place."""
    deliver(store, singly(entry(number, created_at=NOON) for number in range(10)))
    compact(store)
    write_connection(store).execute(f"UPDATE ledger_packed SET {change}")
    asked = [entry(number, created_at=f"2026-01-0{5 + day}T12:00:00.000Z") for number in range(10) for day in (0, 1)]

    for day in ("2026-01-05", "2026-01-06"):
        wanted = [one for one in asked if one.created_at.startswith(day)]
        if change.startswith("day") == (day == "2026-01-06"):
            with pytest.raises(StateError, match="packed ledger row 1 does not match its checksum"):
                known(store, wanted)
    with pytest.raises(StateError, match="packed ledger row 1 does not match its checksum"):
        store.trace([entry(1).key])


def test_tracing_names_run_and_plan(store: SqliteStore) -> None:
    """A delivery is found with its run and plan, oldest first; packing keeps the last delivery of a key."""
    one = entry(1, created_at=NOON)
    first = deliver(store, [*singly(entry(number, created_at=NOON) for number in range(2, 40)), [one]], plan="1.0.0")
    second = deliver(store, [[entry(1, content=5, created_at=NOON)], [entry(400, family="cart")]], plan="2.0.0")
    keys = [one.key, entry(400).key, entry(999).key]

    def seen() -> list[tuple[bytes, int, int, str]]:
        return [(each.key, each.content[-1], each.run_id, each.plan_version) for each in store.trace(keys)]

    last = [(one.key, 5, second, "2.0.0"), (entry(400).key, 0, second, "2.0.0")]
    assert seen() == [(one.key, 0, first, "1.0.0"), *last]
    deliver(store, singly(entry(number, created_at=NOON) for number in range(40, 50)))
    compact(store)
    assert sorted(seen()) == sorted(last)
    assert {(each.source, each.destination) for each in store.trace(keys)} == {("commercetools", "segment")}
    started = {run.id: run.started_at for run, _ in store.runs()}
    assert store.trace([one.key])[0].run_started_at == started[second]
    assert store.trace([]) == []


@pytest.mark.parametrize("is_packed", [False, True])
def test_struck_keys_are_gone(store: SqliteStore, *, is_packed: bool) -> None:
    """Erased keys are in no row any more, whatever family or destination; all others stay, with their runs."""
    entries = [entry(number, created_at=NOON) for number in range(600)]
    deliver(store, singly(entries[:300]))
    second = deliver(store, singly(entries[300:]))
    deliver(store, [[entry(5, family="cart", created_at=NOON), entry(6, family="cart", created_at=NOON)]])
    if is_packed:
        compact(store)
    struck = [entry(number) for number in range(0, 600, 5)]

    assert store.strike(one.key for one in struck) == 120 + 1
    assert known(store, entries) == {one.key: 0 for number, one in enumerate(entries) if number % 5}
    assert store.trace([one.key for one in struck]) == []
    assert [each.run_id for each in store.trace([entry(599).key])] == [second]
    assert store.strike(one.key for one in struck) == 0
    assert store.strike(one.key for one in entries) == 480 + 1
    assert store.ledger_size().entries == 0


@pytest.mark.parametrize("is_packed", [False, True])
def test_forgetting_takes_whole_days(store: SqliteStore, *, is_packed: bool) -> None:
    """Days before that of the instant go, of that family alone; the instant is remembered and never moves back."""
    days = [f"2026-01-{day:02d}T12:00:00.000Z" for day in range(1, 11)]
    entries = [entry(10 * day + number, created_at=at) for day, at in enumerate(days) for number in range(10)]
    deliver(store, singly([*entries, entry(1, family="cart", created_at=days[0])]))
    if is_packed:
        compact(store)
    before, earlier = Instant("2026-01-05T18:00:00.000Z"), Instant("2026-01-03T00:00:00.000Z")
    where = ("commercetools", "segment", "order")

    assert store.forgotten_before(*where) is None
    assert store.forget(*where, before) == 40
    assert set(known(store, entries)) == {one.key for one in entries[40:]}
    assert store.forget(*where, earlier) == 0
    assert store.forgotten_before(*where) == before
    assert store.forgotten_before("commercetools", "segment", "cart") is None
    assert store.ledger_size().entries == 61
    assert store.forget("commercetools", "insider", "order", before) == 0
    assert store.forgotten_before("commercetools", "insider", "order") == before


def test_a_changed_mark_of_forgetting_is_refused(store: SqliteStore) -> None:
    """With a wrong instant old entities would be taken for new."""
    where = ("commercetools", "segment", "order")
    store.forget(*where, Instant(NOON))
    write_connection(store).execute("UPDATE ledger_scopes SET forgotten_before = '2025-01-01T00:00:00.000Z'")

    with pytest.raises(StateError, match="ledger scope 1 does not match its checksum"):
        store.forgotten_before(*where)
