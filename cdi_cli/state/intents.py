"""Intents: what is about to be sent, written before it is sent, where not knowing its outcome would do harm.

That is what would change what the destination holds of something, and everything that goes to a destination which cannot
recognise a repeat. An intent leaves with the outcome of its event. One that is still there in a later run is a doubt: the
process died, or the answer was lost, between the sending and the outcome. It carries what the ledger would get.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice

from cdi_cli.clock import Instant
from cdi_cli.state._base import LedgerEntry

TABLE = """
CREATE TABLE intents (
  place BLOB NOT NULL, source TEXT NOT NULL, destination TEXT NOT NULL, family TEXT NOT NULL, created_at TEXT NOT NULL,
  content BLOB NOT NULL, run_id INTEGER NOT NULL REFERENCES runs, at TEXT NOT NULL,
  PRIMARY KEY (place, source, destination)
) WITHOUT ROWID;
"""
_AT_ONCE = 100


def is_empty(db: sqlite3.Connection) -> bool:
    """Whether nothing is on its way or in doubt: one step into a table without rows."""
    return db.execute("SELECT 1 FROM intents LIMIT 1").fetchone() is None


def write(
    db: sqlite3.Connection, run_id: int, source: str, destination: str, entries: Iterable[LedgerEntry], now: Instant
) -> None:
    """Note what is about to be sent."""
    db.executemany(
        "INSERT OR REPLACE INTO intents (place, source, destination, family, created_at, content, run_id, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ((one.key, source, destination, one.family, one.created_at, one.content, run_id, now) for one in entries),
    )


def leave(db: sqlite3.Connection, source: str, destination: str, places: Iterable[bytes]) -> None:
    """Take out what has an outcome now, or was never sent."""
    db.executemany(
        "DELETE FROM intents WHERE place = ? AND source = ? AND destination = ?",
        ((place, source, destination) for place in places),
    )


def of(db: sqlite3.Connection, source: str, destination: str, places: Iterable[bytes]) -> dict[bytes, LedgerEntry]:
    """Which of these places hold an intent, as the entry that the ledger would get."""
    found: dict[bytes, LedgerEntry] = {}
    if is_empty(db):
        return found
    for portion in _portions(places):
        rows = db.execute(
            f"SELECT place, family, created_at, content FROM intents WHERE place IN ({', '.join('?' * len(portion))}) "  # noqa: S608 - as many marks as values
            "AND source = ? AND destination = ?",
            (*portion, source, destination),
        )
        found.update((key, LedgerEntry(family, Instant(at), key, content)) for key, family, at, content in rows)
    return found


def last_at(db: sqlite3.Connection, source: str, destination: str) -> Instant | None:
    """When something was last about to be sent that has no outcome."""
    if is_empty(db):
        return None
    query = "SELECT max(at) FROM intents WHERE source = ? AND destination = ?"
    (at,) = db.execute(query, (source, destination)).fetchone()
    return Instant(at) if at is not None else None


def _portions(places: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(places)
    while portion := list(islice(rest, _AT_ONCE)):
        yield portion
