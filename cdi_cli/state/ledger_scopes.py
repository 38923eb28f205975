"""The scopes of the ledger: one for each source, destination and family, and up to when each was forgotten."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cdi_cli.clock import Instant
from cdi_cli.state.failures import damaged
from cdi_cli.state.schema import checksum

_OF = "FROM ledger_scopes WHERE source = ? AND destination = ? AND family = ?"


def find_scope(db: sqlite3.Connection, source: str, destination: str, family: str) -> int | None:
    """The number of a scope, None while nothing was filed in it."""
    row = db.execute(f"SELECT id {_OF}", (source, destination, family)).fetchone()
    return None if row is None else int(row[0])


def own_scope(db: sqlite3.Connection, source: str, destination: str, family: str) -> int:
    """The number of a scope, made where there was none."""
    scope = find_scope(db, source, destination, family)
    if scope is None:
        scope = db.execute(
            "INSERT INTO ledger_scopes (source, destination, family) VALUES (?, ?, ?)", (source, destination, family)
        ).lastrowid
        assert scope is not None
    return scope


def forgotten_before(db: sqlite3.Connection, path: Path, source: str, destination: str, family: str) -> Instant | None:
    """Up to which creation time a scope was forgotten; raises StateError when that is damaged."""
    row = db.execute(f"SELECT id, forgotten_before, crc {_OF}", (source, destination, family)).fetchone()
    if row is None or row[1:] == (None, None):
        return None
    number, before, crc = row
    if checksum(number, before) != crc:
        raise damaged(f"ledger scope {number} does not match its checksum", path)
    return Instant(before)


def note_forgotten(db: sqlite3.Connection, scope: int, before: Instant) -> None:
    """Remember that a scope was forgotten up to an instant."""
    db.execute(
        "UPDATE ledger_scopes SET forgotten_before = ?, crc = ? WHERE id = ?", (before, checksum(scope, before), scope)
    )
