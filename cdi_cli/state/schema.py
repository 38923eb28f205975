"""What is in the checkpoint file, and how a new one comes to be.

SQLite, WAL, `application_id` "cdi1", `user_version` = SCHEMA_VERSION. Tables:

    writer         one row: who writes (epoch, pid, host, since), and whether the last writer closed in order
    jobs           one backfill each; `kind` leaves room for other kinds of work
    partitions     the slices of a job with their cursors
    runs           one process each; `ledger_after`, `letters_after`: the last row numbers when the run began
    counts         (run, stream, event, outcome, reason) -> number
    pulled         (run, stream) -> records settled
    ledger_scopes  (source, destination, family) -> a small number
    ledger         delivered events, many to a row; see `ledger.py`
    dead_letters   one row each; see `dead_letters.py`

`crc` columns protect what SQLite's pages, which have no checksum, do not. A new file is built under another name and moved
into place whole, so that a file of zero bytes is never one of ours.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from zlib import crc32

from cdi_cli.errors import StateError
from cdi_cli.state.failures import RESTORE, damaged
from cdi_cli.state.files import make_private_file, sync_folder

APPLICATION_ID = int.from_bytes(b"cdi1", "big")
SCHEMA_VERSION = 1

_TABLES = """
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
  UNIQUE (job_id, number)
);
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, job_id INTEGER NOT NULL REFERENCES jobs, pid INTEGER NOT NULL, host TEXT NOT NULL,
  started_at TEXT NOT NULL, ended_at TEXT, status TEXT NOT NULL, exit_code INTEGER,
  ledger_after INTEGER NOT NULL, letters_after INTEGER NOT NULL
);
CREATE INDEX runs_by_job ON runs (job_id);
CREATE TABLE counts (
  run_id INTEGER NOT NULL REFERENCES runs, stream TEXT NOT NULL, event TEXT NOT NULL, outcome TEXT NOT NULL,
  reason TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (run_id, stream, event, outcome, reason)
) WITHOUT ROWID;
CREATE TABLE pulled (
  run_id INTEGER NOT NULL REFERENCES runs, stream TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (run_id, stream)
) WITHOUT ROWID;
CREATE TABLE ledger_scopes (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, destination TEXT NOT NULL, family TEXT NOT NULL,
  UNIQUE (source, destination, family)
);
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY, scope_id INTEGER NOT NULL REFERENCES ledger_scopes, run_id INTEGER NOT NULL REFERENCES runs,
  day INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, crc INTEGER NOT NULL, entries BLOB NOT NULL
);
CREATE INDEX ledger_by_time ON ledger (scope_id, day, last_ms, first_ms);
CREATE TABLE dead_letters (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL REFERENCES runs, at TEXT NOT NULL, stream TEXT NOT NULL,
  reason TEXT NOT NULL, detail TEXT NOT NULL, entity_id TEXT, event_name TEXT, event_id TEXT, violations TEXT NOT NULL,
  record BLOB, event BLOB
);
CREATE INDEX dead_letters_by_reason ON dead_letters (stream, event_name, reason);
INSERT INTO writer (id, epoch, is_clean) VALUES (1, 0, 1);
"""


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


def check_version(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a file whose schema this version does not know; raises StateError."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StateError(
            f"the checkpoint file was written by a newer `cdi` (schema {version}, this one knows {SCHEMA_VERSION})",
            where=str(path),
            hint="upgrade `cdi`, or name another `state:` path",
        )
    if version != SCHEMA_VERSION:
        raise damaged(f"it has no schema {SCHEMA_VERSION} but {version}", path)


def checksum(*values: str | int | None) -> int:
    """CRC-32 of some column values, the same on every machine; types and borders between values count."""
    return crc32(
        repr([value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value for value in values]).encode()
    )
