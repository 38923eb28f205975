"""How commands that only look open the checkpoint file: without its lock, so that they work beside a running backfill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdi_cli.state.store import SqliteStore


@contextmanager
def open_reader(config: Path | None) -> Iterator[SqliteStore | None]:
    """The project's checkpoint file opened for reading; None when there is none yet."""
    from cdi_cli.cli.options import open_project
    from cdi_cli.state import open_store

    path = open_project(config).settings.state
    if not path.exists():
        yield None
        return
    with open_store(path, read_only=True) as store:
        yield store
