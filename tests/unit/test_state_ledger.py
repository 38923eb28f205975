"""The ledger's rows: what they cost, what a look-up reads, and that a changed byte is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from state_builders import entry, partitions, spec, write_connection

from cdi_cli.clock import Instant
from cdi_cli.errors import StateError
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import LedgerEntry, Settlement
from cdi_cli.state.ledger import _search, _spans, day_of, ms_of
from cdi_cli.state.store import SqliteStore


@pytest.fixture
def store(tmp_path: Path):
    """A store with one job and one run, numbered 1."""
    with open_store(tmp_path / "state" / "state.db") as opened:
        opened.start_run(opened.create_job(spec(), partitions()).id)
        yield opened


def deliver(store: SqliteStore, *entries: LedgerEntry) -> None:
    """Settle deliveries."""
    store.settle(1, [Settlement(0, delivered=entries)])


def rows(store: SqliteStore) -> int:
    """How many rows the ledger has."""
    return int(write_connection(store).execute("SELECT count(*) FROM ledger").fetchone()[0])


def look_up(store: SqliteStore, *entries: LedgerEntry) -> dict[bytes, bytes]:
    """Ask for these entries' keys."""
    return store.delivered("commercetools", "segment", "order", {one.key: one.created_at for one in entries})


def test_one_row_per_settlement_family_and_day(store: SqliteStore) -> None:
    """Entries of one day share a row; midnight UTC divides."""
    times = ("2026-01-01T00:00:00.000Z", "2026-01-01T23:59:59.999Z", "2026-01-02T00:00:00.000Z")
    deliver(store, *(entry(number, created_at=at) for number, at in enumerate(times)))
    assert rows(store) == 2

    deliver(store, entry(9, created_at=times[0]), entry(10, family="cart", created_at=times[0]))
    assert rows(store) == 4
    assert store.tally(1) == (5, 0)


def test_instants_are_filed_by_day_and_millisecond() -> None:
    """The whole range of years works, and the last millisecond of a day is its last."""
    assert (day_of("0001-01-01T00:00:00.000Z"), ms_of("0001-01-01T00:00:00.000Z")) == (1, 0)
    assert day_of("9999-12-31T23:59:59.999Z") == 3_652_059
    assert ms_of("2026-06-30T23:59:59.999Z") == 86_399_999
    assert day_of("2026-03-01T00:00:00.000Z") - day_of("2024-02-29T00:00:00.000Z") == 731


def test_keys_far_apart_are_looked_up_apart() -> None:
    """Ten minutes without a key end a span, so that the rows in between are not read."""
    times = {
        b"a": "2026-01-01T10:00:00.000Z",
        b"b": "2026-01-01T10:09:59.999Z",
        b"c": "2026-01-01T10:20:00.000Z",
        b"d": "2026-01-02T00:00:00.000Z",
    }
    found = [
        (day, first, last, wanted) for day, first, last, wanted in _spans({key: Instant(at) for key, at in times.items()})
    ]
    day = day_of("2026-01-01")

    assert found == [
        (day, 36_000_000, 36_599_999, {b"a", b"b"}),
        (day, 37_200_000, 37_200_000, {b"c"}),
        (day + 1, 0, 0, {b"d"}),
    ]


def test_a_key_is_found_only_where_an_entry_begins() -> None:
    """The same sixteen bytes across the border of two entries are not that key."""
    key, content = bytes(range(16)), b"contents"
    shifted = b"\xff" * 8 + key + b"\xff" * 24
    blob = shifted + key + content

    assert len(shifted) == 48
    assert _search(blob, key) == content
    assert _search(shifted, key) is None


@pytest.mark.parametrize("asked", [1, 4, 5, 40])
def test_few_and_many_keys_are_found_alike(store: SqliteStore, asked: int) -> None:
    """Both ways of searching a row give the last content."""
    at = "2026-01-05T10:00:00.000Z"
    deliver(store, *(entry(number, created_at=at, content=1) for number in range(100)))
    deliver(store, *(entry(number, created_at=at, content=2) for number in range(0, 100, 2)))
    wanted = [entry(number, created_at=at) for number in range(30, 30 + asked)]
    absent = entry(1000, created_at=at)

    assert look_up(store, *wanted, absent) == {
        one.key: (2 - number % 2).to_bytes(8, "big") for number, one in enumerate(wanted, 30)
    }


def test_an_event_is_not_found_under_another_day(store: SqliteStore) -> None:
    """The creation time is part of where an entry is filed."""
    deliver(store, entry(1, created_at="2026-01-05T10:00:00.000Z"))

    assert look_up(store, entry(1, created_at="2026-01-06T10:00:00.000Z")) == {}


def test_a_wide_old_row_does_not_hide_a_later_one(store: SqliteStore) -> None:
    """Two spans of one day may read the same rows: each key still gets its last content."""
    early, late = "2026-01-05T01:00:00.000Z", "2026-01-05T22:00:00.000Z"
    deliver(store, entry(1, created_at=early, content=1), entry(2, created_at=late, content=1))
    deliver(store, entry(1, created_at=early, content=2))

    found = look_up(store, entry(1, created_at=early), entry(2, created_at=late))
    assert found == {entry(1).key: (2).to_bytes(8, "big"), entry(2).key: (1).to_bytes(8, "big")}


def test_looking_up_what_was_never_near_reads_no_row(store: SqliteStore) -> None:
    """Where no row overlaps, the index alone answers: damaged rows elsewhere are not even read."""
    deliver(store, entry(1, created_at="2026-01-05T10:00:00.000Z"))
    write_connection(store).execute("UPDATE ledger SET entries = zeroblob(24)")

    assert look_up(store, entry(2, created_at="2026-01-05T09:59:59.999Z")) == {}
    assert look_up(store, entry(2, created_at="2026-01-05T10:00:00.001Z")) == {}


@pytest.mark.parametrize(
    "change", ["entries = zeroblob(24)", "crc = crc + 1", "first_ms = first_ms - 1", "last_ms = last_ms + 1"]
)
def test_a_changed_row_is_refused(store: SqliteStore, change: str) -> None:
    """Each row carries a checksum over its entries and its place."""
    one = entry(1, created_at="2026-01-05T10:00:00.000Z")
    deliver(store, one)
    write_connection(store).execute(f"UPDATE ledger SET {change}")

    with pytest.raises(StateError, match="ledger row 1 does not match its checksum"):
        look_up(store, one)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ("partitions SET cursor = 'c7'", "partition 0 of job 1 does not match"),
        ("partitions SET cursor = NULL", "partition 0 of job 1 does not match"),
        ("partitions SET is_done = 1", "partition 0 of job 1 does not match"),
        ("partitions SET until = '2026-02-02T00:00:00.000Z'", "partition 0 of job 1 does not match"),
        ("jobs SET fingerprint = 'beef'", "job 1 does not match"),
    ],
)
def test_a_changed_cursor_or_job_is_refused(store: SqliteStore, change: str, match: str) -> None:
    """A wrong cursor would skip or repeat data without a trace."""
    store.settle(1, [Settlement(0, cursor=Cursor("c8"))])
    write_connection(store).execute(f"UPDATE {change}")

    with pytest.raises(StateError, match=match):
        (store.find_job("shop", "segment"), store.partitions(1))
    if "partitions" in change:
        with pytest.raises(StateError, match=match):
            store.settle(1, [Settlement(0, cursor=Cursor("c9"))])
