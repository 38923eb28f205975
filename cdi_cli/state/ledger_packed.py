"""Packed rows of the ledger: what many settlements delivered of the entities of one UTC day, each key once, sorted by key.

The rows of a (scope, day) divide its keys among them: a row holds those from its `first_key` up to the next row's, at most
256. So a look-up seeks one row of at most 6 KB and bisects it, however many entities were created that day or in that
millisecond. `entries` are 24 bytes each as in `ledger.py`. `runs` says which run each came of: the numbers of the runs that
occur (little-endian u32), and unless there is only one, a byte for each entry that says which.
"""

from __future__ import annotations

import sqlite3
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from cdi_cli.state.failures import damaged
from cdi_cli.state.schema import checksum

KEY_BYTES = 16
CONTENT_BYTES = 8
ENTRY_BYTES = KEY_BYTES + CONTENT_BYTES
ENTRY = struct.Struct(f"{KEY_BYTES}s{CONTENT_BYTES}s")
ENTRIES_MAX = 256
"""Entries in a row. One byte tells their runs apart, and most rows fill one page and a part of another, which rows share.

With 128, a row has a page for itself: 44 bytes of the file an entry instead of 26, and look-ups are no quicker.
"""
ENTRIES_NEW = 192
"""Entries in a row that is made: with room for what comes later."""
_RUN_BYTES = 4


class Packed(NamedTuple):
    """A row as it is stored."""

    id: int
    first_key: bytes
    crc: int
    entries: bytes
    runs: bytes


class Delivery(NamedTuple):
    """One entry taken apart."""

    key: bytes
    content: bytes
    run_id: int


_COLUMNS = "id, first_key, crc, entries, runs"
ONE = f"SELECT {_COLUMNS} FROM ledger_packed WHERE id = ?"  # noqa: S608 - constants only
ONE_PLACED = f"SELECT scope_id, day, {_COLUMNS} FROM ledger_packed WHERE id = ?"  # noqa: S608 - constants only
ALL_PLACED = f"SELECT scope_id, day, {_COLUMNS} FROM ledger_packed"  # noqa: S608 - constants only
_SEEK = (
    f"SELECT {_COLUMNS} FROM ledger_packed WHERE scope_id = ? AND day = ? "  # noqa: S608 - constants only
    "AND first_key <= ? ORDER BY first_key DESC LIMIT 1"
)


def look_up(db: sqlite3.Connection, path: Path, scope: int, day: int, wanted: Iterable[bytes]) -> dict[bytes, bytes]:
    """Which keys are in the packed rows of a day, with their content; raises StateError for a damaged row."""
    found: dict[bytes, bytes] = {}
    row: Packed | None = None
    for key in sorted(wanted, reverse=True):
        if row is None or key < row.first_key:
            row = _seek(db, scope, day, key)
            if row is None:
                break  # no row begins at or before this key, nor before any smaller one
            verify(row, scope, day, path)
        place = position(row.entries, key)
        if place is not None:
            found[key] = row.entries[place + KEY_BYTES : place + ENTRY_BYTES]
    return found


def _seek(db: sqlite3.Connection, scope: int, day: int, key: bytes) -> Packed | None:
    row = db.execute(_SEEK, (scope, day, key)).fetchone()
    return None if row is None else Packed(*row)


def position(entries: bytes, key: bytes) -> int | None:
    """Where the entry of a key begins in sorted entries."""
    number = bisect_left(
        range(len(entries) // ENTRY_BYTES),
        key,
        key=lambda place: entries[place * ENTRY_BYTES : place * ENTRY_BYTES + KEY_BYTES],
    )
    place = number * ENTRY_BYTES
    return place if entries[place : place + KEY_BYTES] == key else None


def verify(row: Packed, scope: int, day: int, path: Path) -> None:
    """Raise StateError when a row does not match its checksum."""
    if _crc(scope, day, row.first_key, row.entries, row.runs) != row.crc:
        raise damaged(f"packed ledger row {row.id} does not match its checksum", path)


def _crc(scope: int, day: int, first_key: bytes, entries: bytes, runs: bytes) -> int:
    return crc32(runs, crc32(entries, crc32(first_key, checksum(scope, day))))


def deliveries(row: Packed) -> Iterator[Delivery]:
    """The entries of a row, by key."""
    runs = runs_of(row)
    for number, (key, content) in enumerate(ENTRY.iter_unpack(row.entries)):
        yield Delivery(key, content, runs[number])


def runs_of(row: Packed) -> Sequence[int]:
    """The run of each entry of a row."""
    count = len(row.entries) // ENTRY_BYTES
    if len(row.runs) == _RUN_BYTES:
        return struct.unpack("<I", row.runs) * count
    distinct = (len(row.runs) - count) // _RUN_BYTES
    numbers = struct.unpack_from(f"<{distinct}I", row.runs)
    return [numbers[which] for which in row.runs[distinct * _RUN_BYTES :]]


def cut(sorted_deliveries: Sequence[Delivery]) -> list[Sequence[Delivery]]:
    """Sorted deliveries in as many rows as they need; what fits into one row stays one."""
    count = len(sorted_deliveries)
    if count <= ENTRIES_MAX:
        return [sorted_deliveries]
    rows = -(-count // ENTRIES_NEW)
    borders = [count * number // rows for number in range(rows + 1)]
    return [sorted_deliveries[first:end] for first, end in pairwise(borders)]


def _values(scope: int, day: int, part: Sequence[Delivery]) -> tuple[bytes, int, bytes, bytes]:
    first_key = part[0].key
    entries = b"".join([one.key + one.content for one in part])
    numbers = sorted({one.run_id for one in part})
    runs = struct.pack(f"<{len(numbers)}I", *numbers)
    if len(numbers) > 1:
        which = {number: place for place, number in enumerate(numbers)}
        runs += bytes([which[one.run_id] for one in part])
    return first_key, _crc(scope, day, first_key, entries, runs), entries, runs


def insert(db: sqlite3.Connection, scope: int, day: int, part: Sequence[Delivery]) -> None:
    """Store a new row."""
    db.execute(
        "INSERT INTO ledger_packed (scope_id, day, first_key, crc, entries, runs) VALUES (?, ?, ?, ?, ?, ?)",
        (scope, day, *_values(scope, day, part)),
    )


def replace(db: sqlite3.Connection, scope: int, day: int, number: int, part: Sequence[Delivery]) -> None:
    """Store other entries in a row; a row without entries goes."""
    if not part:
        db.execute("DELETE FROM ledger_packed WHERE id = ?", (number,))
        return
    db.execute(
        "UPDATE ledger_packed SET first_key = ?, crc = ?, entries = ?, runs = ? WHERE id = ?",
        (*_values(scope, day, part), number),
    )
