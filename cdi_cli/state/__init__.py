"""The checkpoint file: what was read, delivered and refused, kept durably in one SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cdi_cli.clock import SYSTEM_CLOCK, Clock

if TYPE_CHECKING:
    from cdi_cli.state.store import SqliteStore

__all__ = ["open_store"]


def open_store(
    path: Path, *, clock: Clock = SYSTEM_CLOCK, read_only: bool = False, wait_seconds: float = 0.0
) -> SqliteStore:
    """Open the checkpoint file at `path`, made new if there is none; close it with `close()` or a `with` block.

    A store opened for writing holds the OS lock; with `read_only` it takes no lock, may be opened while a run works, and
    needs the file to exist. Raises LockedError when another process holds it, and still does after `wait_seconds`;
    StateError for everything else.
    """
    from cdi_cli.state.opening import open_for_reading, open_for_writing  # imports sqlite3 only when it is needed

    return open_for_reading(path) if read_only else open_for_writing(path, clock, wait_seconds)
