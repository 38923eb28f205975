"""The dead-letter queue: one row for each place in it; record and event compressed (zlib), the explanation bounded.

A letter whose place is taken replaces what lies there and keeps its number; `times` counts the writes, `times_in_run` those
of the last run alone. A letter without a place stands for itself. What leaves the queue, or is taken over by another run, is
counted in `runs.letters_gone` by triggers, so that the writes of a run always equal the rows and that number. zlib's own
Adler-32 makes damage to a record or event visible.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from cdi_cli.clock import Instant
from cdi_cli.state._base import DeadLetter, KnownLetter, LedgerEntry, LetterFilter, StoredDeadLetter
from cdi_cli.state.failures import damaged
from cdi_cli.state.schema import storable

VIOLATIONS_MAX = 50
PLACE_BYTES = 16
DIGEST_BYTES = 8
_LEVEL = 1  # three times as fast as the default level on orders, for a tenth more bytes
_AT_ONCE = 100
"""Places in one statement."""

_JOINED = "FROM dead_letters AS letters JOIN runs ON runs.id = run_id JOIN jobs ON jobs.id = job_id "
_WANTED = """
WHERE (:pipeline IS NULL OR pipeline = :pipeline) AND (:destination IS NULL OR letters.destination = :destination)
  AND (:stream IS NULL OR stream = :stream) AND (:reason IS NULL OR reason = :reason)
  AND (:event_name IS NULL OR coalesce(event_name, '') = :event_name) AND (:entity_id IS NULL OR entity_id = :entity_id)
  AND (:run_id IS NULL OR run_id = :run_id) AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
  AND (:numbers IS NULL OR letters.id IN (SELECT value FROM json_each(:numbers)))
"""
_STORED = f"""
SELECT letters.id, pipeline, letters.source, letters.destination, runs.plan_version, run_id, at, first_at, times, stream,
  reason, detail, entity_id, event_name, event_id, violations, record, event, stage, place, digest
{_JOINED}
"""
ONE = _STORED + "WHERE letters.id = ?"
NEWEST = f"{_STORED} {_WANTED} ORDER BY written DESC LIMIT :limit"
NUMBERS = f"SELECT letters.id {_JOINED} {_WANTED} ORDER BY written DESC LIMIT :limit"
REASONS = (
    # By number: `event` in GROUP BY would be the column of that name, which is another for every row.
    f"SELECT stream, coalesce(event_name, ''), reason, count(*) {_JOINED} {_WANTED} GROUP BY 1, 2, 3"
)
OF_RUN = """
SELECT letters_gone + (SELECT coalesce(sum(times_in_run), 0) FROM dead_letters WHERE run_id = runs.id) FROM runs WHERE id = ?
"""
UPSERT = """
ON CONFLICT (place, source, destination) DO UPDATE SET
  times_in_run = CASE WHEN run_id = excluded.run_id THEN times_in_run + 1 ELSE 1 END, times = times + 1,
  run_id = excluded.run_id, written = excluded.written, at = excluded.at, digest = excluded.digest, stage = excluded.stage,
  stream = excluded.stream, reason = excluded.reason, detail = excluded.detail, entity_id = excluded.entity_id,
  event_name = excluded.event_name, event_id = excluded.event_id, violations = excluded.violations,
  record = excluded.record, event = excluded.event
"""
_INSERT = f"""
INSERT INTO dead_letters (source, destination, run_id, at, first_at, times, times_in_run, written, place, digest, stage,
  stream, reason, detail, entity_id, event_name, event_id, violations, record, event)
VALUES (?, ?, ?, ?, ?, 1, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) {UPSERT}
"""  # noqa: S608 - constants only


def is_empty(db: sqlite3.Connection) -> bool:
    """Whether the queue holds nothing at all: one step into a table without rows."""
    return db.execute("SELECT 1 FROM dead_letters LIMIT 1").fetchone() is None


def write(
    db: sqlite3.Connection, run_id: int, source: str, destination: str, letters: Iterable[DeadLetter], now: Instant
) -> None:
    """Put dead letters of one run into their places; raises ValueError for a place or digest of the wrong size."""
    (last,) = db.execute("SELECT coalesce(max(written), 0) FROM dead_letters").fetchone()
    db.executemany(
        _INSERT,
        (
            (source, destination, run_id, now, now, written, *_row_of(letter))
            for written, letter in enumerate(letters, int(last) + 1)
        ),
    )


def _row_of(letter: DeadLetter) -> tuple[Any, ...]:
    if len(letter.place) not in (0, PLACE_BYTES) or len(letter.digest) not in (0, DIGEST_BYTES):
        msg = f"a dead letter has {PLACE_BYTES} bytes of place and {DIGEST_BYTES} of digest, or none"
        raise ValueError(msg)
    violations = [[storable(part) for part in violation] for violation in letter.violations[:VIOLATIONS_MAX]]
    return (
        letter.place or None,
        letter.digest,
        letter.stage,
        letter.stream,
        letter.reason,
        storable(letter.detail),
        storable(letter.entity_id),
        letter.event_name,
        storable(letter.event_id),
        json.dumps(violations),
        zlib.compress(letter.record, _LEVEL) if letter.record is not None else None,
        zlib.compress(letter.event, _LEVEL) if letter.event is not None else None,
    )


def leave(db: sqlite3.Connection, source: str, destination: str, delivered: Iterable[LedgerEntry]) -> None:
    """Take out what lies in the places of events that are delivered now."""
    for places in _portions(entry.key for entry in delivered):
        db.execute(
            f"DELETE FROM dead_letters WHERE place IN ({_marks(places)}) AND source = ? AND destination = ?",  # noqa: S608 - as many marks as values
            (*places, source, destination),
        )


def drop(db: sqlite3.Connection, numbers: Iterable[int]) -> int:
    """Take letters out by their numbers; returns how many there were."""
    return db.executemany("DELETE FROM dead_letters WHERE id = ?", ((number,) for number in numbers)).rowcount


def known(db: sqlite3.Connection, source: str, destination: str, places: Iterable[bytes]) -> dict[bytes, KnownLetter]:
    """Which of these places are taken, and by what."""
    found: dict[bytes, KnownLetter] = {}
    if is_empty(db):
        return found
    for portion in _portions(places):
        rows = db.execute(
            f"SELECT place, id, digest, stage FROM dead_letters WHERE place IN ({_marks(portion)}) "  # noqa: S608 - as many marks as values
            "AND source = ? AND destination = ?",
            (*portion, source, destination),
        )
        found.update((place, KnownLetter(number, digest, stage)) for place, number, digest, stage in rows)
    return found


def _portions(places: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(places)
    while portion := list(islice(rest, _AT_ONCE)):
        yield portion


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def values_of(wanted: LetterFilter) -> dict[str, Any]:
    """The parameters of `NEWEST`, `NUMBERS` and `REASONS`."""
    return {
        "pipeline": wanted.pipeline,
        "destination": wanted.destination,
        "stream": wanted.stream,
        "reason": wanted.reason,
        "event_name": wanted.event_name,
        "entity_id": wanted.entity_id,
        "run_id": wanted.run_id,
        "since": wanted.since,
        "until": wanted.until,
        "numbers": json.dumps(wanted.numbers) if wanted.numbers is not None else None,
    }


def letter_of(row: Sequence[Any], path: Path) -> StoredDeadLetter:
    """The dead letter of a row of `ONE` or `NEWEST`; raises StateError when it is damaged."""
    number, pipeline, source, destination, plan_version, run_id, at, first_at, times, *parts = row
    stream, reason, detail, entity_id, event_name, event_id, violations, record, event, stage, place, digest = parts
    try:
        letter = DeadLetter(
            stream=stream,
            reason=reason,
            detail=detail,
            entity_id=entity_id,
            event_name=event_name,
            event_id=event_id,
            violations=tuple((where, rule, sentence) for where, rule, sentence in json.loads(violations)),
            record=zlib.decompress(record) if record is not None else None,
            event=zlib.decompress(event) if event is not None else None,
            stage=stage,
            place=place or b"",
            digest=digest,
        )
    except (ValueError, TypeError, zlib.error) as error:
        raise damaged(f"dead letter {number} cannot be read", path) from error
    return StoredDeadLetter(
        id=number,
        letter=letter,
        pipeline=pipeline,
        source=source,
        destination=destination,
        plan_version=plan_version,
        run_id=run_id,
        at=Instant(at),
        first_at=Instant(first_at),
        times=times,
    )
