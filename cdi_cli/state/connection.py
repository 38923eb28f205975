"""Connections to the checkpoint file: one that reads, one that writes, each safe to call from several threads.

Readers see what is committed and never wait for the writer (WAL). Every write is one transaction that first checks the
writer's epoch: a process that lost its lock cannot settle. After a write has failed, nothing more is written by this
process: the kernel may have dropped what it could not write, and would report success next time
(https://wiki.postgresql.org/wiki/Fsync_Errors).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cdi_cli.errors import CdiError
from cdi_cli.state.failures import FAILURES, translate
from cdi_cli.state.lock import locked, read_holder

_BUSY_TIMEOUT_SECONDS = 5.0
_READ_PRAGMAS = ("query_only=ON", "wal_autocheckpoint=0")
_WRITE_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "fullfsync=ON",  # macOS: fsync alone leaves data in the drive's cache
    "checkpoint_fullfsync=ON",
    "foreign_keys=ON",
    "secure_delete=ON",  # what is erased or replaced does not stay in the file's unused bytes
)


def connect(path: Path, *, read_only: bool, immutable: bool = False) -> sqlite3.Connection:
    """A connection to a file that exists; never makes one. Raises sqlite3.Error."""
    options = "mode=ro&immutable=1" if immutable else "mode=ro" if read_only else "mode=rw"
    db = sqlite3.connect(
        f"{path.as_uri()}?{options}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_TIMEOUT_SECONDS,
    )
    try:
        for pragma in ("trusted_schema=OFF", "cell_size_check=ON", *(_READ_PRAGMAS if read_only else _WRITE_PRAGMAS)):
            db.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        db.close()
        raise
    return db


class Reader:
    """Reads the committed state."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._guard = threading.Lock()

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; every error of SQLite becomes a StateError."""
        with self._guard:
            try:
                yield self._db
            except FAILURES as error:
                raise translate(error, self._path) from error

    def rows(self, statement: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """All rows of a query; raises StateError."""
        with self.use() as db:
            return db.execute(statement, values).fetchall()

    def close(self) -> None:
        """Close the connection; a second time does nothing."""
        self._db.close()


class Writer:
    """Writes transactions for as long as nothing goes wrong; `epoch` is the number it signed in with."""

    def __init__(self, db: sqlite3.Connection, path: Path, epoch: int) -> None:
        self._db = db
        self._path = path
        self._epoch = epoch
        self._guard = threading.Lock()
        self._failure: CdiError | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction: committed when the block ends, undone when it raises.

        Raises StateError when it could not be written (and ever after), LockedError when another process took over.
        """
        with self._guard:
            if self._failure is not None:
                raise _again(self._failure)
            try:
                self._db.execute("BEGIN IMMEDIATE")
                self._check_epoch()
                yield self._db
                self._db.execute("COMMIT")
            except FAILURES as error:
                self._undo()
                self._failure = translate(error, self._path)
                raise self._failure from error
            except BaseException:
                self._undo()
                raise

    def _check_epoch(self) -> None:
        holder = read_holder(self._db)
        if holder.epoch != self._epoch:
            self._failure = locked(self._path, holder)
            raise self._failure

    def _undo(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except FAILURES:
            # What was not committed is undone when the file is next opened.
            pass

    def close(self) -> None:
        """Sign out, move the log into the main file, close; raises StateError when that fails.

        After a failed write only the connection is closed: the file then counts as not closed in order.
        """
        try:
            if self._failure is None:
                with self.transaction() as db:
                    db.execute("UPDATE writer SET is_clean = 1 WHERE id = 1")
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except FAILURES as error:
            raise translate(error, self._path) from error
        finally:
            self._db.close()


def _again(failure: CdiError) -> CdiError:
    """The same error anew, with its own traceback."""
    return type(failure)(failure.message, where=failure.where, hint=failure.hint)
