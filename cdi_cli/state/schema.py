"""What is in the checkpoint file, and how a new one comes to be.

SQLite, WAL, `application_id` "cdi1", `user_version` = SCHEMA_VERSION. Tables:

    writer         one row: who writes (epoch, pid, host, since), and whether the last writer closed in order
    jobs           one backfill or replay each; one sync for ever
    partitions     the slices of a job with their cursors; of a sync, one per stream with its present window
    runs           one process each; `entries_gone`, `letters_gone`: what it wrote that was packed or taken out since
    counts         (run, stream, event, outcome, reason) -> number
    pulled         (run, stream) -> records settled
    ledger_scopes  (source, destination, family) -> a small number, and up to when its ledger was forgotten
    ledger         delivered events as they were settled, many to a row; see `ledger.py`
    ledger_packed  the same put together by `compact`; see `ledger_packed.py`
    dead_letters   one row for each place in the queue; see `dead_letters.py`
    erased         hashed names of people about whom nothing is sent; see `people.py`
    departures     customers deleted in their source
    intents        what is being sent and has no outcome yet; see `intents.py`

`crc` columns protect what SQLite's pages, which have no checksum, do not. A new file is built under another name and moved
into place whole, so that a file of zero bytes is never one of ours. Older schemas are brought here by `migration.py`.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from zlib import crc32

from cdi_cli.errors import StateError
from cdi_cli.state import intents
from cdi_cli.state.failures import RESTORE, damaged
from cdi_cli.state.files import make_private_file, sync_folder

APPLICATION_ID = int.from_bytes(b"cdi1", "big")
SCHEMA_VERSION = 2
OLDEST_VERSION = 1
TEXT_CHARACTERS_MAX = 500

_RUNS = """
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs, pid INTEGER NOT NULL, host TEXT NOT NULL,
  started_at TEXT NOT NULL, ended_at TEXT, status TEXT NOT NULL, exit_code INTEGER, plan_version TEXT NOT NULL,
  lag_seconds REAL, message TEXT, entries_gone INTEGER NOT NULL DEFAULT 0, letters_gone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_job ON runs (job_id);
"""
_LETTERS = """
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, destination TEXT NOT NULL, place BLOB, digest BLOB NOT NULL,
  stage TEXT NOT NULL, run_id INTEGER NOT NULL REFERENCES runs, written INTEGER NOT NULL, at TEXT NOT NULL,
  first_at TEXT NOT NULL, times INTEGER NOT NULL, times_in_run INTEGER NOT NULL, stream TEXT NOT NULL, reason TEXT NOT NULL,
  detail TEXT NOT NULL, entity_id TEXT, event_name TEXT, event_id TEXT, violations TEXT NOT NULL, record BLOB, event BLOB,
  UNIQUE (place, source, destination)
);
CREATE INDEX dead_letters_by_reason ON dead_letters (stream, event_name, reason);
CREATE INDEX dead_letters_by_run ON dead_letters (run_id);
CREATE INDEX dead_letters_by_writing ON dead_letters (written);
CREATE TRIGGER dead_letter_left AFTER DELETE ON dead_letters BEGIN
  UPDATE runs SET letters_gone = letters_gone + old.times_in_run WHERE id = old.run_id;
END;
CREATE TRIGGER dead_letter_replaced AFTER UPDATE OF run_id ON dead_letters WHEN old.run_id <> new.run_id BEGIN
  UPDATE runs SET letters_gone = letters_gone + old.times_in_run WHERE id = old.run_id;
END;
"""
_ADDED = """
CREATE INDEX ledger_by_run ON ledger (run_id);
CREATE TRIGGER ledger_row_left AFTER DELETE ON ledger BEGIN
  UPDATE runs SET entries_gone = entries_gone + length(old.entries) / 24 WHERE id = old.run_id;
END;
CREATE TRIGGER ledger_row_struck AFTER UPDATE OF entries ON ledger BEGIN
  UPDATE runs SET entries_gone = entries_gone + (length(old.entries) - length(new.entries)) / 24 WHERE id = old.run_id;
END;
CREATE TABLE ledger_packed (
  id INTEGER PRIMARY KEY, scope_id INTEGER NOT NULL REFERENCES ledger_scopes, day INTEGER NOT NULL, first_key BLOB NOT NULL,
  crc INTEGER NOT NULL, entries BLOB NOT NULL, runs BLOB NOT NULL
);
CREATE UNIQUE INDEX ledger_packed_by_key ON ledger_packed (scope_id, day, first_key);
CREATE TABLE erased (
  source TEXT NOT NULL, subject BLOB NOT NULL, at TEXT NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (source, subject)
) WITHOUT ROWID;
CREATE TABLE departures (
  id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, name BLOB NOT NULL, entity_id TEXT, at TEXT NOT NULL,
  subjects BLOB NOT NULL, noted_at TEXT NOT NULL, crc INTEGER NOT NULL, UNIQUE (source, name)
);
"""
ADDED_IN_2 = _ADDED + intents.TABLE
REMADE_IN_2 = _RUNS + _LETTERS
_TABLES = f"""
CREATE TABLE writer (
  id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, pid INTEGER, host TEXT, started_at TEXT,
  is_clean INTEGER NOT NULL
);
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, pipeline TEXT NOT NULL, source TEXT NOT NULL, destination TEXT NOT NULL,
  streams TEXT NOT NULL, since TEXT NOT NULL, until TEXT NOT NULL, asked TEXT NOT NULL, fingerprint TEXT NOT NULL,
  plan_version TEXT NOT NULL, server_started_at TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'done', 'abandoned')), started_at TEXT NOT NULL, ended_at TEXT,
  crc INTEGER NOT NULL
);
CREATE INDEX jobs_by_pipeline ON jobs (pipeline, destination);
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs, number INTEGER NOT NULL, stream TEXT NOT NULL,
  since TEXT NOT NULL, until TEXT NOT NULL, expected INTEGER, cursor TEXT, is_done INTEGER NOT NULL, crc INTEGER NOT NULL,
  origin TEXT, UNIQUE (job_id, number)
);
{_RUNS}
CREATE TABLE counts (
  run_id INTEGER NOT NULL REFERENCES runs, stream TEXT NOT NULL, event TEXT NOT NULL, outcome TEXT NOT NULL,
  reason TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (run_id, stream, event, outcome, reason)
) WITHOUT ROWID;
CREATE TABLE pulled (
  run_id INTEGER NOT NULL REFERENCES runs, stream TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (run_id, stream)
) WITHOUT ROWID;
CREATE TABLE ledger_scopes (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, destination TEXT NOT NULL, family TEXT NOT NULL, forgotten_before TEXT,
  crc INTEGER, UNIQUE (source, destination, family)
);
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY, scope_id INTEGER NOT NULL REFERENCES ledger_scopes, run_id INTEGER NOT NULL REFERENCES runs,
  day INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, crc INTEGER NOT NULL, entries BLOB NOT NULL
);
CREATE INDEX ledger_by_time ON ledger (scope_id, day, last_ms, first_ms);
{_LETTERS}
{ADDED_IN_2}
INSERT INTO writer (id, epoch, is_clean) VALUES (1, 0, 1);
"""  # noqa: S608 - constants only


def create(path: Path) -> None:
    """Make a new checkpoint file at `path`, mode 0600, whole or not at all; the caller holds the lock.

    Raises StateError when the log of a lost file lies there: it may hold what was delivered, and would be read as the new
    file's own.
    """
    for companion in (f"{path}-wal", f"{path}-journal"):
        if os.path.lexists(companion) and Path(companion).stat().st_size:
            raise StateError(
                "the checkpoint file is missing but its log is there",
                where=companion,
                hint=f"put the file back beside its log, {RESTORE}",
            )
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    make_private_file(new)
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            db.executescript(
                f"PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA application_id={APPLICATION_ID}; BEGIN; {_TABLES} "
                f"PRAGMA user_version={SCHEMA_VERSION}; COMMIT"
            )
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def check_header(path: Path) -> None:
    """Refuse, before anything of it may change, a file that is not a checkpoint file; raises StateError, sqlite3.Error.

    The header is read through SQLite, as if nothing could ever change: closing a file of our own would drop the locks that
    other connections of this process hold on it (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    if not path.stat().st_size:
        raise damaged("it is empty", path)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as db:
        (application,) = db.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise StateError("this is another program's SQLite file", where=str(path), hint="name another `state:` path")


def check_version(db: sqlite3.Connection, path: Path) -> int:
    """The file's schema; refuses one that this version does not know. Raises StateError."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise StateError(
            f"the checkpoint file was written by a newer `cdi` (schema {version}, this one knows {SCHEMA_VERSION})",
            where=str(path),
            hint="upgrade `cdi`, or name another `state:` path",
        )
    if version < OLDEST_VERSION:
        raise damaged(f"it has no schema {SCHEMA_VERSION} but {version}", path)
    return version


def checksum(*values: str | int | None) -> int:
    """CRC-32 of some column values, the same on every machine; types and borders between values count."""
    return crc32(
        repr([value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value for value in values]).encode()
    )


def storable(text: str | None) -> str | None:
    """Bounded, and storable: what a broken record says may hold half a surrogate pair, which no file can."""
    if text is None:
        return None
    text = text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
