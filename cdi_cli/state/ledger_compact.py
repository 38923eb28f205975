"""Compaction: many small rows of a day become few packed ones.

A delta sync writes a row for every settlement, family and day, often of a single entry: 90 bytes an event instead of 25, and
a look-up on such a day walks over all of them. A million entities created in one millisecond are another case: every row
overlaps every look-up. Days of either kind are packed, the fullest first; a day whose rows are large and lie side by side,
as a backfill leaves it, is as good as it can be and stays.

One step takes the oldest rows of one day, merges them into the day's packed rows and deletes them, in one transaction: a
later delivery of a key replaces an earlier one, and what is packed stays older than what is not. Nothing is remembered
between steps. What a run wrote stays known: rows that are packed are counted in `runs.entries_gone` by a trigger.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

from cdi_cli.state import ledger, ledger_packed
from cdi_cli.state.ledger_packed import ENTRY, ENTRY_BYTES, Delivery, Packed

ROWS_MIN = 8
"""Rows of a day below which packing it gains nothing that could be measured."""
ENTRIES_FEW = 64
"""Entries in the average row of a day below which its rows are small."""
DEPTH_MAX = 8
"""Rows that one look-up may read on a day before it is packed."""
STEP_ENTRIES = 65_536
"""Entries that one step takes: about 15 MB of memory and a tenth of a second."""


def candidates(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """(scope, day) of days that may be worth packing, the one with most rows first."""
    crowded = db.execute(
        "SELECT scope_id, day, count(*) FROM ledger GROUP BY scope_id, day HAVING count(*) >= ? ORDER BY count(*) DESC",
        (ROWS_MIN,),
    ).fetchall()
    return [(scope, day) for scope, day, _ in crowded]


def is_worth_it(db: sqlite3.Connection, scope: int, day: int) -> bool:
    """Whether packing makes a day smaller, or its look-ups quicker."""
    (average,) = db.execute(
        "SELECT avg(length(entries)) FROM ledger WHERE scope_id = ? AND day = ?", (scope, day)
    ).fetchone()
    return average is not None and (average < ENTRIES_FEW * ENTRY_BYTES or _depth(db, scope, day) > DEPTH_MAX)


def _depth(db: sqlite3.Connection, scope: int, day: int) -> int:
    """How many rows of a day cover the same millisecond, at most."""
    spans = db.execute("SELECT first_ms, last_ms FROM ledger WHERE scope_id = ? AND day = ?", (scope, day)).fetchall()
    borders = sorted([(first, -1) for first, _ in spans] + [(last, 1) for _, last in spans])
    depth = deepest = 0
    for _, border in borders:
        depth -= border
        deepest = max(deepest, depth)
    return deepest


def step(db: sqlite3.Connection, path: Path, scope: int, day: int) -> tuple[int, bool]:
    """Pack the oldest rows of a day: (rows saved, whether rows are left); raises StateError for a damaged row."""
    taken: list[int] = []
    newest: dict[bytes, Delivery] = {}
    ids = db.execute(
        "SELECT id FROM ledger WHERE scope_id = ? AND day = ? ORDER BY id LIMIT ?", (scope, day, STEP_ENTRIES)
    ).fetchall()
    size = 0
    for (number,) in ids:
        if size >= STEP_ENTRIES:
            break
        row = db.execute("SELECT id, first_ms, last_ms, crc, entries, run_id FROM ledger WHERE id = ?", (number,)).fetchone()
        entries = ledger.verified(row[:5], scope, day, path)
        newest.update((key, Delivery(key, content, row[5])) for key, content in ENTRY.iter_unpack(entries))
        taken.append(number)
        size += len(entries) // ENTRY_BYTES
    made = _merge(db, path, scope, day, sorted(newest.values())) if newest else 0
    db.executemany("DELETE FROM ledger WHERE id = ?", ((number,) for number in taken))
    return len(taken) - made, len(taken) < len(ids) or len(ids) == STEP_ENTRIES


def _merge(db: sqlite3.Connection, path: Path, scope: int, day: int, newer: list[Delivery]) -> int:
    """Put sorted deliveries into the packed rows of their day; returns how many rows came new."""
    made = 0
    for number, part in list(_shares(db, scope, day, newer)):
        if number is None:
            rows = ledger_packed.cut(part)
        else:
            row = Packed(*db.execute(ledger_packed.ONE, (number,)).fetchone())
            ledger_packed.verify(row, scope, day, path)
            merged = {one.key: one for one in ledger_packed.deliveries(row)}
            merged.update((one.key, one) for one in part)
            first, *rows = ledger_packed.cut(sorted(merged.values()))
            ledger_packed.replace(db, scope, day, number, first)
        for each in rows:
            ledger_packed.insert(db, scope, day, each)
        made += len(rows)
    return made


def _shares(
    db: sqlite3.Connection, scope: int, day: int, newer: list[Delivery]
) -> Iterator[tuple[int | None, list[Delivery]]]:
    """Which packed row takes which of these deliveries; None: there is none yet."""
    rows = db.execute(
        "SELECT first_key, id FROM ledger_packed WHERE scope_id = ? AND day = ? ORDER BY first_key", (scope, day)
    ).fetchall()
    if not rows:
        yield None, newer
        return
    first = 0
    for place, (_, number) in enumerate(rows):
        # The first row takes everything before the second: its first key may become a smaller one.
        end = bisect_left(newer, rows[place + 1][0], key=_before) if place + 1 < len(rows) else len(newer)
        if end > first:
            yield number, newer[first:end]
        first = end


def _before(one: Delivery) -> bytes:
    return one.key
