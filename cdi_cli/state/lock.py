"""One writer: an OS lock on `<file>.lock`, and the writer row that says who holds it.

The kernel frees the lock when its holder dies, so there is no stale lock and no clock in it. The lock file itself stays
empty (older versions of the lock library truncate it on every attempt); the holder's pid and start stand in the checkpoint
file. An epoch in the same row fences a writer whose lock was lost (lock file deleted, network file system): see
`connection.py`.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from cdi_cli.errors import LockedError
from cdi_cli.state.failures import FAILURES

_PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.05, 1.0
_HOLDER_TRIES = 5
_HOLDER_WAIT_SECONDS = 0.04


@dataclass(frozen=True, slots=True)
class Holder:
    """Who writes a checkpoint file, as its writer row tells; `is_clean`: it closed the file in order."""

    epoch: int
    pid: int | None
    host: str | None
    started_at: str | None
    is_clean: bool


def acquire(path: Path, wait_seconds: float = 0.0) -> BaseFileLock:
    """The lock of a checkpoint file; waits for it for so long, asking again after growing pauses.

    Raises LockedError naming the holder when it stays taken, OSError when it cannot be had at all.
    """
    lock = FileLock(f"{path}.lock", mode=0o600, thread_local=False)
    deadline = time.monotonic() + wait_seconds
    pause = _PAUSE_SECONDS_MIN
    while True:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            left = deadline - time.monotonic()
            if left <= 0:
                raise locked(path, _find_holder(path)) from None
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, _PAUSE_SECONDS_MAX)
        else:
            return lock


def locked(path: Path, holder: Holder | None) -> LockedError:
    """The error that says who holds the file."""
    who = "another `cdi`" if holder is None else f"process {holder.pid}"
    since = "" if holder is None else f", started at {holder.started_at}"
    if holder is not None and holder.host != socket.gethostname():
        who += f" on host {holder.host}"
    return LockedError(
        f"the checkpoint file is in use: {who}{since}",
        where=str(path),
        hint="wait until it has ended, or stop it: everything it settled is kept",
    )


def read_holder(db: sqlite3.Connection) -> Holder:
    """The writer row; raises sqlite3.Error."""
    row = db.execute("SELECT epoch, pid, host, started_at, is_clean FROM writer WHERE id = 1").fetchone()
    if row is None:
        msg = "the writer row is missing"
        raise sqlite3.DatabaseError(msg)
    epoch, pid, host, started_at, is_clean = row
    return Holder(epoch, pid, host, started_at, bool(is_clean))


def is_alive(pid: int, host: str) -> bool:
    """Whether a process may still run; one on another host counts as alive, since nothing here can tell."""
    if host != socket.gethostname() or pid == os.getpid() or os.name != "posix":
        return True  # on Windows `os.kill` would end the process instead of asking
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _find_holder(path: Path) -> Holder | None:
    """Who holds a taken lock, None if the file does not say; a holder that has just started gets a moment to sign."""
    for _ in range(_HOLDER_TRIES):
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
                holder = read_holder(db)
        except FAILURES:
            holder = None
        if holder and not holder.is_clean and holder.pid and holder.host and is_alive(holder.pid, holder.host):
            return holder
        time.sleep(_HOLDER_WAIT_SECONDS)
    return None
