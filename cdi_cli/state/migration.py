"""From the schemas of earlier versions to the present one: one transaction, by the writer, after the integrity check.

A reader does not change the file: it reads a migrated copy in memory. What is written here is as frozen as the files that it
reads; `tests/golden/state/` keeps one of each.

Schema 1 -> 2: runs know their plan; each dead letter gets its place, and of several in one place the newest is kept. Letters
of schema 1 do not say what they stand for exactly, so none is equal to a later one: the next run writes it anew.
"""

from __future__ import annotations

import re
import sqlite3
from hashlib import blake2b
from typing import Any

from cdi_cli.state.dead_letters import UPSERT
from cdi_cli.state.schema import ADDED_IN_2, REMADE_IN_2, SCHEMA_VERSION

_OF_CONTENT = re.compile(r"(cdi:.*):\d+-[0-9a-f]{16}")
"""The id of an event that repeats with its content ends in version and digest; its place is that of the id without them."""

_COPY_RUNS = """
INSERT INTO runs (id, job_id, pid, host, started_at, ended_at, status, exit_code, plan_version)
SELECT old.id, job_id, pid, host, old.started_at, old.ended_at, old.status, exit_code, plan_version
FROM runs_1 AS old JOIN jobs ON jobs.id = job_id
"""
_COPY_LETTERS = f"""
INSERT INTO dead_letters (id, source, destination, place, digest, stage, run_id, written, at, first_at, times, times_in_run,
  stream, reason, detail, entity_id, event_name, event_id, violations, record, event)
SELECT old.id, source, destination, place_in_1(old.id, stream, reason, entity_id, event_name, event_id), x'',
  CASE WHEN reason IN ('plan_violation', 'unplanned_event') THEN 'plan' WHEN event_id IS NULL THEN 'read' ELSE 'send' END,
  run_id, old.id, at, at, 1, 1, stream, reason, detail, entity_id, event_name, event_id, violations, record, event
FROM dead_letters_1 AS old JOIN runs ON runs.id = run_id JOIN jobs ON jobs.id = job_id
WHERE true ORDER BY old.id
{UPSERT}
"""  # noqa: S608 - constants only


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a file of an older schema to the present one, whole or not at all; raises sqlite3.Error."""
    if version == SCHEMA_VERSION:
        return
    db.create_function("place_in_1", 6, _place, deterministic=True)
    # Tables are made anew under their own names: references to them must neither hold it up nor follow the old ones.
    (is_strict,) = db.execute("PRAGMA foreign_keys").fetchone()
    db.execute("PRAGMA foreign_keys=OFF")
    db.execute("PRAGMA legacy_alter_table=ON")
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            _from_1_to_2(db)
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    finally:
        db.execute("PRAGMA legacy_alter_table=OFF")
        db.execute(f"PRAGMA foreign_keys={is_strict}")
        db.create_function("place_in_1", 6, None)


def _from_1_to_2(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE partitions ADD COLUMN origin TEXT")
    db.execute("ALTER TABLE ledger_scopes ADD COLUMN forgotten_before TEXT")
    db.execute("ALTER TABLE ledger_scopes ADD COLUMN crc INTEGER")
    for table, index in (("runs", "runs_by_job"), ("dead_letters", "dead_letters_by_reason")):
        db.execute(f"ALTER TABLE {table} RENAME TO {table}_1")
        db.execute(f"DROP INDEX {index}")
    for statement in _statements(REMADE_IN_2 + ADDED_IN_2):
        db.execute(statement)
    db.execute(_COPY_RUNS)
    db.execute(_COPY_LETTERS)
    db.execute("DROP TABLE dead_letters_1")
    db.execute("DROP TABLE runs_1")


def _statements(script: str) -> list[str]:
    """The statements of a script: `executescript` would end the transaction first."""
    statements = [""]
    for line in script.splitlines():
        statements[-1] += line + "\n"
        if sqlite3.complete_statement(statements[-1]):
            statements.append("")
    return [statement for statement in statements if statement.strip()]


def _place(number: int, *about: Any) -> bytes:
    """Where a letter of schema 1 belongs, from (stream, reason, entity id, event name, event id)."""
    stream, reason, entity_id, event_name, event_id = about
    if event_id is not None:
        by_content = _OF_CONTENT.fullmatch(event_id)
        name = by_content.group(1) if by_content else event_id
    elif entity_id is None:
        name = f"letter:{number}"
    elif reason == "unplanned_event":
        name = f"unplanned:{stream}:{event_name}:{entity_id}"
    else:
        name = f"record:{stream}:{entity_id}"
    return blake2b(name.encode(), digest_size=16).digest()
