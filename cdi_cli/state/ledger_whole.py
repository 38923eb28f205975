"""What goes through the whole ledger, row by row in bounded memory: tracing keys, striking them, forgetting, its size."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Set
from pathlib import Path
from typing import NamedTuple

from cdi_cli.clock import Instant
from cdi_cli.state import ledger, ledger_packed
from cdi_cli.state._base import LedgerSize, Trace
from cdi_cli.state.ledger_packed import ENTRY, ENTRY_BYTES, KEY_BYTES, Packed
from cdi_cli.state.ledger_scopes import forgotten_before, note_forgotten, own_scope

_ROW_BYTES = 27
"""Bytes of a row beside its BLOBs: header, number, scope, day, times and checksum; measured on rows of one entry."""
_SIZES = """
SELECT coalesce(sum(entries), 0), coalesce(sum(rows), 0), coalesce(sum(size), 0) FROM (
  SELECT sum(length(entries)) AS entries, count(*) AS rows, sum(length(entries)) AS size FROM ledger
  UNION ALL
  SELECT sum(length(entries)), count(*), sum(length(entries) + length(runs) + length(first_key)) FROM ledger_packed
)
"""
_OLD = (
    "FROM ledger_packed WHERE scope_id = ? AND day < ?",
    "FROM ledger WHERE scope_id = ? AND day < ?",
)


class _Found(NamedTuple):
    run_id: int
    is_fresh: bool
    row: int
    place: int
    scope: int
    key: bytes
    content: bytes


def trace(db: sqlite3.Connection, path: Path, keys: Set[bytes]) -> list[Trace]:
    """Every delivery of these keys that the ledger still knows, oldest first; raises StateError for a damaged row.

    Of a key that was delivered again, packing keeps the last.
    """
    if not keys:
        return []
    found = sorted([*_in_packed(db, path, keys), *_in_rows(db, path, keys)])
    scopes = {number: names for number, *names in db.execute("SELECT id, source, destination FROM ledger_scopes")}
    runs: dict[int, tuple[str, str]] = {}
    for number in {one.run_id for one in found}:
        runs[number] = db.execute("SELECT started_at, plan_version FROM runs WHERE id = ?", (number,)).fetchone()
    traces = []
    for one in found:
        source, destination = scopes[one.scope]
        started_at, plan_version = runs[one.run_id]
        traces.append(Trace(one.key, one.content, source, destination, one.run_id, Instant(started_at), plan_version))
    return traces


def _in_packed(db: sqlite3.Connection, path: Path, keys: Set[bytes]) -> Iterator[_Found]:
    ordered = sorted(keys)
    for scope, day, row in _packed_rows(db):
        ledger_packed.verify(row, scope, day, path)
        last_key = row.entries[-ENTRY_BYTES:][:KEY_BYTES]
        if bisect_left(ordered, row.first_key) < bisect_right(ordered, last_key):
            for place, one in enumerate(ledger_packed.deliveries(row)):
                if one.key in keys:
                    yield _Found(one.run_id, False, row.id, place, scope, one.key, one.content)


def _in_rows(db: sqlite3.Connection, path: Path, keys: Set[bytes]) -> Iterator[_Found]:
    for number, scope, run_id, entries in _rows(db, path):
        if ledger.pick(entries, keys):
            for place, (key, content) in enumerate(ENTRY.iter_unpack(entries)):
                if key in keys:
                    yield _Found(run_id, True, number, place, scope, key, content)


def _packed_rows(db: sqlite3.Connection) -> Iterator[tuple[int, int, Packed]]:
    for scope, day, *row in db.execute(ledger_packed.ALL_PLACED):
        yield scope, day, Packed(*row)


def _rows(db: sqlite3.Connection, path: Path) -> Iterator[tuple[int, int, int, bytes]]:
    """(number, scope, run, entries) of the rows that are not packed."""
    statement = "SELECT id, first_ms, last_ms, crc, entries, scope_id, day, run_id FROM ledger"
    for *row, scope, day, run_id in db.execute(statement):
        yield row[0], scope, run_id, ledger.verified(tuple(row), scope, day, path)


def strike(db: sqlite3.Connection, path: Path, keys: Set[bytes]) -> int:
    """Take these keys out of every row; returns how many entries went. Raises StateError for a damaged row."""
    gone = 0
    # The rows to be changed are found first: a table is not changed while it is being read.
    for place in {(one.is_fresh, one.row) for one in (*_in_packed(db, path, keys), *_in_rows(db, path, keys))}:
        gone += _strike_row(db, keys, *place)
    return gone


def _strike_row(db: sqlite3.Connection, keys: Set[bytes], is_fresh: bool, number: int) -> int:
    if not is_fresh:
        scope, day, *values = db.execute(ledger_packed.ONE_PLACED, (number,)).fetchone()
        row = Packed(*values)
        kept = [one for one in ledger_packed.deliveries(row) if one.key not in keys]
        ledger_packed.replace(db, scope, day, number, kept)
        return len(row.entries) // ENTRY_BYTES - len(kept)
    scope, day, first_ms, last_ms, entries = db.execute(
        "SELECT scope_id, day, first_ms, last_ms, entries FROM ledger WHERE id = ?", (number,)
    ).fetchone()
    rest = b"".join([key + content for key, content in ENTRY.iter_unpack(entries) if key not in keys])
    if rest:
        crc = ledger.crc_of((scope, day, first_ms, last_ms), rest)
        db.execute("UPDATE ledger SET crc = ?, entries = ? WHERE id = ?", (crc, rest, number))
    else:
        db.execute("DELETE FROM ledger WHERE id = ?", (number,))
    return (len(entries) - len(rest)) // ENTRY_BYTES


def forget(db: sqlite3.Connection, path: Path, source: str, destination: str, family: str, before: Instant) -> int:
    """Drop a scope's entries of entities created on days before that of an instant; returns how many went.

    The day itself stays whole, since its rows do not say which entry was when.
    """
    scope = own_scope(db, source, destination, family)
    which = (scope, ledger.day_of(before))
    gone = 0
    for old in _OLD:
        gone += int(db.execute(f"SELECT coalesce(sum(length(entries)), 0) {old}", which).fetchone()[0])
        db.execute(f"DELETE {old}", which)
    last = forgotten_before(db, path, source, destination, family)
    if last is None or last < before:
        note_forgotten(db, scope, before)
    return gone // ENTRY_BYTES


def size(db: sqlite3.Connection) -> LedgerSize:
    """Entries, rows, and the bytes of the rows."""
    entries_bytes, rows, size_bytes = db.execute(_SIZES).fetchone()
    return LedgerSize(entries_bytes // ENTRY_BYTES, rows, size_bytes + rows * _ROW_BYTES)
