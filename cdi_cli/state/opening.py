"""Opening the checkpoint file: what is checked, in which order, before anything may be written to it.

For writing: folder, lock, header, schema, integrity check, migration of an older schema, sign in (epoch + 1). For reading:
header and schema only; a file of an older schema is read as a migrated copy in memory. Nothing here ever repairs, replaces
or empties a file: what cannot be used is refused with the reason, and stays as it is.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.errors import StateError
from cdi_cli.state.connection import Reader, Writer, connect
from cdi_cli.state.failures import FAILURES, damaged, translate, translate_os
from cdi_cli.state.files import check_file, prepare_folder
from cdi_cli.state.jobs import LAST_GOOD_RUN, mark_killed
from cdi_cli.state.lock import acquire, read_holder
from cdi_cli.state.migration import migrate
from cdi_cli.state.schema import SCHEMA_VERSION, check_header, check_version, create
from cdi_cli.state.store import SqliteStore

CHECK_SECONDS_MAX = 0.5
"""Time for SQLite's integrity check after an orderly close: about a gigabyte that is in the page cache."""
CHECK_AFTER_CRASH_SECONDS_MAX = 10.0


def open_for_writing(path: Path, clock: Clock, wait_seconds: float = 0.0) -> SqliteStore:
    """The store at `path`, made if it is missing, locked; raises LockedError or StateError.

    `wait_seconds`: how long to wait for another process that holds it.
    """
    real = _resolved(path)
    prepare_folder(real.parent)
    with ExitStack() as undo:
        try:
            lock = acquire(real, wait_seconds)
            undo.callback(lock.release)
            if not os.path.lexists(real):
                create(real)
            check_file(real)
            check_header(real)
            write_db = connect(real, read_only=False)
            undo.callback(write_db.close)
            migrate(write_db, _check(write_db, real, clock))
            epoch = _sign_in(write_db, clock)
            read_db = connect(real, read_only=True)
        except FAILURES as error:
            raise _with_last_good_run(translate(error, real), real) from error
        except OSError as error:
            raise translate_os(error, real) from error
        undo.pop_all()
    return SqliteStore(Reader(read_db, real), Writer(write_db, real, epoch), real, clock, lock.release)


def open_for_reading(path: Path) -> SqliteStore:
    """The store at `path` without a lock, for looking only; raises StateError, also when there is no file."""
    real = _resolved(path)
    if not real.exists():
        raise StateError("there is no checkpoint file yet", where=str(real), hint="run `cdi backfill` first")
    try:
        check_header(real)
        db = _connect_for_reading(real)
        try:
            if (version := check_version(db, real)) != SCHEMA_VERSION:
                db = _migrated_copy(db, version)
        except BaseException:
            db.close()
            raise
    except FAILURES as error:
        raise _with_last_good_run(translate(error, real), real) from error
    except OSError as error:
        raise translate_os(error, real) from error
    return SqliteStore(Reader(db, real), None, real, SYSTEM_CLOCK, lambda: None)


def _resolved(path: Path) -> Path:
    """The path without symbolic links: two names of one file must be one lock."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # the second is what a loop of links raises before Python 3.13
        raise StateError(
            "the checkpoint path leads nowhere",
            where=str(path),
            hint="check its symbolic links, or name another `state:` path",
        ) from None


def _connect_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that reads; on a medium that cannot be written to, where nobody writes, one without SQLite's locks."""
    try:
        db = connect(path, read_only=True)
        db.execute("SELECT 1 FROM writer").fetchall()
    except sqlite3.OperationalError:
        wal = Path(f"{path}-wal")
        if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
            raise
        return connect(path, read_only=True, immutable=True)
    return db


def _migrated_copy(db: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """The file as it would be after a migration, in memory; takes as much of it as the file is large. Closes `db`."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        with closing(db):
            db.backup(copy)
        migrate(copy, version)
        copy.execute("PRAGMA query_only=ON")
    except BaseException:
        copy.close()
        raise
    return copy


def _check(db: sqlite3.Connection, path: Path, clock: Clock) -> int:
    """Refuse a file that cannot be used; returns its schema."""
    version = check_version(db, path)
    (journal,) = db.execute("PRAGMA journal_mode").fetchone()
    if journal != "wal":
        raise StateError(
            "the checkpoint file cannot be used on this file system: it has no shared memory for SQLite's log",
            where=str(path),
            hint="name a `state:` path on a local disk",
        )
    seconds_max = CHECK_SECONDS_MAX if read_holder(db).is_clean else CHECK_AFTER_CRASH_SECONDS_MAX
    if not is_sound(db, seconds_max, clock.monotonic):
        raise _with_last_good_run(damaged("SQLite's integrity check failed", path), path)
    return version


def is_sound(db: sqlite3.Connection, seconds_max: float, monotonic: Callable[[], float] = time.monotonic) -> bool:
    """Whether SQLite's integrity check finds nothing wrong in the time given; a large file is checked as far as that gets.

    Raises sqlite3.Error when the check itself cannot go on.
    """
    deadline = monotonic() + seconds_max
    db.set_progress_handler(lambda: monotonic() > deadline, 10_000)
    try:
        (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return True
    finally:
        db.set_progress_handler(None, 0)
    return bool(verdict == "ok")


def _sign_in(db: sqlite3.Connection, clock: Clock) -> int:
    """Become the writer: from here on no other process can settle. Returns the epoch."""
    db.execute("BEGIN IMMEDIATE")
    db.execute(
        "UPDATE writer SET epoch = epoch + 1, pid = ?, host = ?, started_at = ?, is_clean = 0 WHERE id = 1",
        (os.getpid(), socket.gethostname(), clock.instant()),
    )
    mark_killed(db)
    epoch = read_holder(db).epoch
    db.execute("COMMIT")
    return epoch


def _with_last_good_run(error: StateError, path: Path) -> StateError:
    """The error with the end of the last good run in its message, if the file can still tell."""
    try:
        db = connect(path, read_only=True)
        try:
            (ended_at,) = db.execute(LAST_GOOD_RUN).fetchone()
        finally:
            db.close()
    except FAILURES:
        return error
    if not ended_at:
        return error
    return StateError(f"{error.message}; the last good run ended at {ended_at}", where=error.where, hint=error.hint)
