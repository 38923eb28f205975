"""The ledger: which events were delivered, and with which content, in as few bytes and as few rows as will do.

One row holds what one settlement delivered of one family for entities created on one UTC day: a BLOB of 24-byte entries
(16 bytes key, 8 bytes content) with the first and last creation time in it (milliseconds of the day). A row per event with
a random key costs ten times as much (sheet "libraries", item 5); here a look-up goes by creation time, which every event
has and which never changes, so it reads only rows that can hold the key. Rows are never changed; a later row wins.

`compact` puts the rows of a day together (`ledger_packed.py`). It takes the oldest first, so whatever is packed is older
than what is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import date
from itertools import groupby
from pathlib import Path
from zlib import crc32

from cdi_cli.clock import Instant
from cdi_cli.state import ledger_packed
from cdi_cli.state._base import LedgerEntry
from cdi_cli.state.failures import damaged
from cdi_cli.state.ledger_packed import CONTENT_BYTES, ENTRY, ENTRY_BYTES, KEY_BYTES
from cdi_cli.state.ledger_scopes import find_scope, own_scope
from cdi_cli.state.schema import checksum

_GAP_MS_MAX = 600_000
"""Keys whose entities were created further apart are looked up apart, so that the rows between them are not read."""
_FEW_KEYS = 4
ROWS_ACROSS_MAX = 64
"""Rows across a new row's time from which its day is packed: entities imported in one millisecond fill thousands of rows.

Packing seldom makes look-ups slow, packing often writes the same rows again: with a million of them both cost the same here.
"""


def day_of(instant: str) -> int:
    """The UTC day of an instant, as the proleptic Gregorian ordinal (1 January of year 1 is day 1)."""
    return date.fromisoformat(instant[:10]).toordinal()


def ms_of(instant: str) -> int:
    """Milliseconds since the start of an instant's UTC day."""
    return int(instant[11:13]) * 3_600_000 + int(instant[14:16]) * 60_000 + int(instant[17:19]) * 1000 + int(instant[20:23])


def write(
    db: sqlite3.Connection, run_id: int, source: str, destination: str, delivered: Iterable[LedgerEntry]
) -> set[tuple[int, int]]:
    """Store what one settlement delivered; returns (scope, day) of days that are crowded now.

    Raises ValueError for a key or content of the wrong size.
    """
    crowded: set[tuple[int, int]] = set()
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
        place = (own_scope(db, source, destination, family), day_of(first), ms_of(first), ms_of(last))
        db.execute(
            "INSERT INTO ledger (run_id, scope_id, day, first_ms, last_ms, crc, entries) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run_id, *place, crc_of(place, blob), blob),
        )
        if is_crowded(db, *place):
            crowded.add(place[:2])
    return crowded


def is_crowded(db: sqlite3.Connection, scope: int, day: int, first_ms: int, last_ms: int) -> bool:
    """Whether a look-up in this time would read more than `ROWS_ACROSS_MAX` rows."""
    row: tuple[int] = db.execute(
        "SELECT count(*) FROM ledger WHERE scope_id = ? AND day = ? AND last_ms >= ? AND first_ms <= ?",
        (scope, day, first_ms, last_ms),
    ).fetchone()
    return row[0] > ROWS_ACROSS_MAX


def crc_of(place: tuple[int, int, int, int], entries: bytes) -> int:
    """The checksum of a row; `place` is its scope, day, and first and last millisecond."""
    return crc32(entries, checksum(*place))


def look_up(
    db: sqlite3.Connection, path: Path, source: str, destination: str, family: str, keys: Mapping[bytes, Instant]
) -> dict[bytes, bytes]:
    """Which keys were delivered, with the content of the last delivery; raises StateError for a damaged row."""
    scope = find_scope(db, source, destination, family)
    if scope is None:
        return {}
    spans = list(_spans(keys))
    found: dict[bytes, bytes] = {}
    for day, group in groupby(spans, key=lambda span: span[0]):
        found.update(ledger_packed.look_up(db, path, scope, day, set().union(*(wanted for *_, wanted in group))))
    for day, first_ms, last_ms, wanted in spans:
        rows = db.execute(
            "SELECT id, first_ms, last_ms, crc, entries FROM ledger "
            "WHERE scope_id = ? AND day = ? AND last_ms >= ? AND first_ms <= ?",
            (scope, day, first_ms, last_ms),
        ).fetchall()
        for row in sorted(rows):
            found.update(pick(verified(row, scope, day, path), wanted))
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


def verified(row: tuple[int, int, int, int, bytes], scope: int, day: int, path: Path) -> bytes:
    """The entries of a row (id, first_ms, last_ms, crc, entries); raises StateError when it is damaged."""
    number, first_ms, last_ms, crc, blob = row
    if crc_of((scope, day, first_ms, last_ms), blob) != crc:
        raise damaged(f"ledger row {number} does not match its checksum", path)
    return blob


def pick(blob: bytes, wanted: Set[bytes]) -> dict[bytes, bytes]:
    """The wanted entries of a row; of a key that stands there twice the last."""
    if len(wanted) > _FEW_KEYS:
        # One pass in C over all entries beats a search for each of many keys.
        entries = dict(ENTRY.iter_unpack(blob))
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
    """How many entries a run wrote: from the size of its rows, and of those that were packed or struck since."""
    row: tuple[int, int] | None = db.execute(
        "SELECT entries_gone, (SELECT coalesce(sum(length(entries)), 0) FROM ledger WHERE run_id = runs.id) "
        "FROM runs WHERE id = ?",
        (run_id,),
    ).fetchone()
    return 0 if row is None else row[0] + row[1] // ENTRY_BYTES
