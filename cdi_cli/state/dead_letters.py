"""Dead letters as rows: record and event compressed (zlib), the explanation bounded in length.

zlib's own Adler-32 makes damage to a record or event visible.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cdi_cli.clock import Instant
from cdi_cli.state._base import DeadLetter, StoredDeadLetter
from cdi_cli.state.failures import damaged

DETAIL_CHARACTERS_MAX = 500
VIOLATIONS_MAX = 50
_LEVEL = 1  # three times as fast as the default level on orders, for a tenth more bytes

_STORED = """
SELECT letters.id, pipeline, source, destination, plan_version, run_id, at, stream, reason, detail, entity_id, event_name,
  event_id, violations, record, event
FROM dead_letters AS letters JOIN runs ON runs.id = run_id JOIN jobs ON jobs.id = job_id
"""
ONE = _STORED + "WHERE letters.id = ?"
NEWEST = (
    _STORED + "WHERE (:reason IS NULL OR reason = :reason) AND (:event_name IS NULL OR event_name = :event_name) "
    "AND (:run_id IS NULL OR run_id = :run_id) ORDER BY letters.id DESC LIMIT :limit"
)
REASONS = (
    # By number: `event` in GROUP BY would be the column of that name, which is another for every row.
    "SELECT stream, coalesce(event_name, ''), reason, count(*) FROM dead_letters GROUP BY 1, 2, 3"
)
OF_RUN = "SELECT count(*) FROM dead_letters WHERE run_id = :run AND id > (SELECT letters_after FROM runs WHERE id = :run)"


def write(db: sqlite3.Connection, run_id: int, letters: Iterable[DeadLetter], now: Instant) -> None:
    """Store dead letters of one run."""
    db.executemany(
        "INSERT INTO dead_letters (run_id, at, stream, reason, detail, entity_id, event_name, event_id, violations, record, "
        "event) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((run_id, now, *_row_of(letter)) for letter in letters),
    )


def _row_of(letter: DeadLetter) -> tuple[Any, ...]:
    violations = [[_text(part) for part in violation] for violation in letter.violations[:VIOLATIONS_MAX]]
    return (
        letter.stream,
        letter.reason,
        _text(letter.detail),
        _text(letter.entity_id),
        letter.event_name,
        _text(letter.event_id),
        json.dumps(violations),
        zlib.compress(letter.record, _LEVEL) if letter.record is not None else None,
        zlib.compress(letter.event, _LEVEL) if letter.event is not None else None,
    )


def _text(text: str | None) -> str | None:
    """Bounded, and storable: what a broken record says may hold half a surrogate pair, which no file can."""
    if text is None:
        return None
    text = text if len(text) <= DETAIL_CHARACTERS_MAX else text[: DETAIL_CHARACTERS_MAX - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def letter_of(row: Sequence[Any], path: Path) -> StoredDeadLetter:
    """The dead letter of a row of `ONE` or `NEWEST`; raises StateError when it is damaged."""
    number, pipeline, source, destination, plan_version, run_id, at, *parts = row
    stream, reason, detail, entity_id, event_name, event_id, violations, record, event = parts
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
    )
