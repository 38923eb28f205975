"""Who is erased, and who left the source: kept as hashes, and as an id only while a deletion request has to be made.

A name that is erased is never taken out again. A departure keeps a hash of the customer's id when it is closed, so that the
same record, read again in the overlap of two syncs, is no news. Every row carries a checksum: with a wrong byte data about
somebody would be sent again, or somebody else's would be deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zlib import crc32

from cdi_cli.clock import Instant
from cdi_cli.state._base import Departure, StoredDeparture
from cdi_cli.state.failures import damaged
from cdi_cli.state.schema import checksum, storable

SUBJECT_BYTES = 16
ERASED = "SELECT subject, at, crc FROM erased WHERE source = ?"
_OPEN = "SELECT id, source, entity_id, at, subjects, noted_at, name, crc FROM departures WHERE entity_id IS NOT NULL "
WAITING = _OPEN + "ORDER BY id"
_ONE_WAITING = _OPEN + "AND id = ?"


def erase(db: sqlite3.Connection, source: str, subjects: Iterable[bytes], now: Instant) -> None:
    """Remember hashed names for ever; raises ValueError for one of the wrong size."""
    names = list(subjects)
    if any(len(name) != SUBJECT_BYTES for name in names):
        msg = f"the hashed name of a person has {SUBJECT_BYTES} bytes"
        raise ValueError(msg)
    db.executemany(
        "INSERT INTO erased (source, subject, at, crc) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ((source, name, now, crc32(name, checksum(source, now))) for name in names),
    )


def subject_of(row: Sequence[Any], source: str, path: Path) -> bytes:
    """The hashed name of a row of `ERASED`; raises StateError when it is damaged."""
    subject, at, crc = row
    if crc32(subject, checksum(source, at)) != crc:
        raise damaged("the name of someone who was erased does not match its checksum", path)
    return bytes(subject)


def note(db: sqlite3.Connection, source: str, departed: Iterable[Departure], now: Instant) -> None:
    """Remember customers whom the source deleted: nothing is sent about them, and their deletion requests wait."""
    for one in departed:
        erase(db, source, one.subjects, now)
        name = blake2b(f"departure:{one.entity_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        values = (source, name, storable(one.entity_id), one.at, b"".join(one.subjects), now)
        db.execute(
            "INSERT INTO departures (source, name, entity_id, at, subjects, noted_at, crc) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            (*values, _crc(*values)),
        )


def _crc(source: str, name: bytes, entity_id: str | None, at: str, subjects: bytes, noted_at: str) -> int:
    return crc32(subjects, crc32(name, checksum(source, entity_id, at, noted_at)))


def departure_of(row: Sequence[Any], path: Path) -> StoredDeparture:
    """The departure of a row of `WAITING`; raises StateError when it is damaged."""
    number, source, entity_id, at, subjects, noted_at, name, crc = row
    if _crc(source, name, entity_id, at, subjects, noted_at) != crc:
        raise damaged(f"departure {number} does not match its checksum", path)
    names = tuple(subjects[place : place + SUBJECT_BYTES] for place in range(0, len(subjects), SUBJECT_BYTES))
    return StoredDeparture(number, source, Departure(entity_id, Instant(at), names), Instant(noted_at))


def close(db: sqlite3.Connection, numbers: Iterable[int], path: Path) -> None:
    """Forget whose departures these were; unknown numbers, and those closed before, are passed over."""
    for number in numbers:
        row = db.execute(_ONE_WAITING, (number,)).fetchone()
        if row is None:
            continue
        departure_of(row, path)
        _, source, _, at, subjects, noted_at, name, _ = row
        db.execute(
            "UPDATE departures SET entity_id = NULL, crc = ? WHERE id = ?",
            (_crc(source, name, None, at, subjects, noted_at), number),
        )
