"""The ledger: which events were delivered, and with which content, in as few bytes and as few rows as will do.

One row holds what one settlement delivered of one family for entities created on one UTC day: a BLOB of 24-byte entries
(16 bytes key, 8 bytes content) with the first and last creation time in it (milliseconds of the day). A row per event with
a random key costs ten times as much (sheet "libraries", item 5); here a look-up goes by creation time, which every event
has and which never changes, so it reads only rows that can hold the key. Rows are never changed; a later row wins.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any
from zlib import crc32

from cdi_cli.clock import Instant
from cdi_cli.state._base import LedgerEntry
from cdi_cli.state.failures import damaged
from cdi_cli.state.schema import checksum

KEY_BYTES = 16
CONTENT_BYTES = 8
ENTRY_BYTES = KEY_BYTES + CONTENT_BYTES
_ENTRY = struct.Struct(f"{KEY_BYTES}s{CONTENT_BYTES}s")
_GAP_MS_MAX = 600_000
"""Keys whose entities were created further apart are looked up apart, so that the rows between them are not read."""
_FEW_KEYS = 4
_SCOPE = "SELECT id FROM ledger_scopes WHERE source = ? AND destination = ? AND family = ?"


def day_of(instant: str) -> int:
    """The UTC day of an instant, as the proleptic Gregorian ordinal (1 January of year 1 is day 1)."""
    return date.fromisoformat(instant[:10]).toordinal()


def ms_of(instant: str) -> int:
    """Milliseconds since the start of an instant's UTC day."""
    return int(instant[11:13]) * 3_600_000 + int(instant[14:16]) * 60_000 + int(instant[17:19]) * 1000 + int(instant[20:23])


def write(db: sqlite3.Connection, run_id: int, source: str, destination: str, delivered: Iterable[LedgerEntry]) -> None:
    """Store what one settlement delivered; raises ValueError for a key or content of the wrong size."""
    groups: dict[tuple[str, str], list[LedgerEntry]] = {}
    for entry in delivered:
        groups.setdefault((entry.family, entry.created_at[:10]), []).append(entry)
    for (family, _), entries in groups.items():
        times = [entry.created_at for entry in entries]
        first, last = min(times), max(times)
        if {(len(entry.key), len(entry.content)) for entry in entries} != {(KEY_BYTES, CONTENT_BYTES)}:
            msg = f"a ledger entry has {KEY_BYTES} bytes of key and {CONTENT_BYTES} of content"
            raise ValueError(msg)
        blob = b"".join([entry.key + entry.content for entry in entries])
        place = (_own_scope(db, source, destination, family), day_of(first), ms_of(first), ms_of(last))
        db.execute(
            "INSERT INTO ledger (run_id, scope_id, day, first_ms, last_ms, crc, entries) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run_id, *place, crc32(blob, checksum(*place)), blob),
        )


def _own_scope(db: sqlite3.Connection, source: str, destination: str, family: str) -> int:
    scope = _scope(db, source, destination, family)
    if scope is None:
        scope = db.execute(
            "INSERT INTO ledger_scopes (source, destination, family) VALUES (?, ?, ?)", (source, destination, family)
        ).lastrowid
        assert scope is not None
    return scope


def _scope(db: sqlite3.Connection, source: str, destination: str, family: str) -> int | None:
    row = db.execute(_SCOPE, (source, destination, family)).fetchone()
    return None if row is None else int(row[0])


def look_up(
    db: sqlite3.Connection, path: Path, source: str, destination: str, family: str, keys: Mapping[bytes, Instant]
) -> dict[bytes, bytes]:
    """Which keys were delivered, with the content of the last delivery; raises StateError for a damaged row."""
    scope = _scope(db, source, destination, family)
    found: dict[bytes, bytes] = {}
    if scope is None:
        return found
    for day, first_ms, last_ms, wanted in _spans(keys):
        rows = db.execute(
            "SELECT id, first_ms, last_ms, crc, entries FROM ledger "
            "WHERE scope_id = ? AND day = ? AND last_ms >= ? AND first_ms <= ?",
            (scope, day, first_ms, last_ms),
        ).fetchall()
        for row in sorted(rows):
            found.update(_pick(_verified(row, scope, day, path), wanted))
    return found


def _spans(keys: Mapping[bytes, Instant]) -> Iterator[tuple[int, int, int, set[bytes]]]:
    """(day, first and last millisecond, keys): keys whose entities were created close to each other."""
    ordered = sorted(zip(keys.values(), keys, strict=True))
    for text, group in groupby(ordered, key=lambda pair: pair[0][:10]):
        day = day_of(text)
        wanted: set[bytes] = set()
        first = last = -1
        for instant, key in group:
            ms = ms_of(instant)
            if wanted and ms - last > _GAP_MS_MAX:
                yield day, first, last, wanted
                wanted = set()
            if not wanted:
                first = ms
            last = ms
            wanted.add(key)
        yield day, first, last, wanted


def _verified(row: tuple[int, int, int, int, bytes], scope: int, day: int, path: Path) -> bytes:
    number, first_ms, last_ms, crc, blob = row
    if crc32(blob, checksum(scope, day, first_ms, last_ms)) != crc:
        raise damaged(f"ledger row {number} does not match its checksum", path)
    return blob


def _pick(blob: bytes, wanted: set[bytes]) -> dict[bytes, bytes]:
    """The wanted entries of a row; of a key that stands there twice the last."""
    if len(wanted) > _FEW_KEYS:
        # One pass in C over all entries beats a search for each of many keys.
        entries = dict(_ENTRY.iter_unpack(blob))
        return {key: entries[key] for key in entries.keys() & wanted}
    return {key: content for key in wanted if (content := _search(blob, key)) is not None}


def _search(blob: bytes, key: bytes) -> bytes | None:
    end = len(blob)
    while (place := blob.rfind(key, 0, end)) >= 0:
        if place % ENTRY_BYTES == 0:
            return blob[place + KEY_BYTES : place + ENTRY_BYTES]
        end = place + len(key) - 1
    return None


def entries_of_run(db: sqlite3.Connection, run_id: int) -> int:
    """How many entries a run wrote, from the size of its rows."""
    row: tuple[Any] = db.execute(
        "SELECT coalesce(sum(length(entries)), 0) FROM ledger WHERE run_id = :run "
        "AND id > (SELECT ledger_after FROM runs WHERE id = :run)",
        {"run": run_id},
    ).fetchone()
    return int(row[0]) // ENTRY_BYTES
