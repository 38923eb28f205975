"""A folder that the file destination writes to, and what a reader finds in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cdi_cli.destinations import DestinationContext
from cdi_cli.destinations.file import FileSettings
from cdi_cli.destinations.file.destination import FileDestination
from cdi_cli.events import Event


@asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[FileDestination]:
    """An open file destination; its files have their names when the block ends."""
    destination = FileDestination(FileSettings(folder=folder, **settings), DestinationContext())
    try:
        yield destination
    finally:
        await destination.close()


def lines(*events: Event) -> list[bytes]:
    """The events as lines."""
    from cdi_cli.destinations.file.encode import line_of

    found = [line_of(each) for each in events]
    assert all(isinstance(each, bytes) for each in found), found
    return [each for each in found if isinstance(each, bytes)]


def names(folder: Path) -> list[str]:
    """Every file of the folder, with its sub-folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def messages(folder: Path) -> list[dict[str, Any]]:
    """All lines of finished files, as a reader of `*.jsonl` and `*.jsonl.gz` takes them."""
    found: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("*.jsonl")) + sorted(folder.rglob("*.jsonl.gz")):
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        assert text.endswith("\n"), path
        found += [json.loads(line) for line in text.split("\n")[:-1]]
    return found


def ids(folder: Path) -> list[str]:
    """The ids of all lines of finished files."""
    return [str(message["messageId"]) for message in messages(folder)]


def id_list(events: Sequence[Event]) -> list[str]:
    """The ids of events."""
    return [event.id for event in events]
