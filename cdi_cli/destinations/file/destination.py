"""Writing events to files: one thread writes, so that a run that is given up never leaves two writers at one file."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import ACCEPTED, DestinationContext, Limits, Outcome, PartialDeliveryError, Rejected
from cdi_cli.destinations.file.encode import LINE_BYTES_MAX, group_of, id_of, ids_in, line_of
from cdi_cli.destinations.file.lines import read_lines
from cdi_cli.destinations.file.parts import PART, Parts, files_of, is_compressed, left_behind, make_folder, translate
from cdi_cli.destinations.file.settings import FileSettings
from cdi_cli.errors import CdiError, StoppedError
from cdi_cli.events import Event
from cdi_cli.http import gzip

T = TypeVar("T")
BATCH_EVENTS = 1_000
BATCH_BYTES = 4_000_000


class FileDestination:
    """An open file destination; nothing on the disk is touched before something is written or looked for."""

    def __init__(self, settings: FileSettings, context: DestinationContext, *, clock: Clock = SYSTEM_CLOCK) -> None:
        del context  # a file does nothing with what it is told, so history and news are the same to it
        self._settings = settings
        self._parts = Parts(settings.folder, settings.format, clock.now())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cdi-file")
        self._is_open = True
        self.limits = Limits(
            batch_events=BATCH_EVENTS,
            batch_bytes=BATCH_BYTES,
            event_bytes=LINE_BYTES_MAX,
            overhead_bytes=len(b"\n"),
            events_per_second=settings.events_per_second,
            in_flight=2,
        )

    def encode(self, event: Event) -> bytes | Rejected:
        """The event's line, or why it cannot be one."""
        return line_of(event)

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Write the lines; each is on the disk, or the error says that it is not."""
        return await self._do(lambda: self._write(events)) if events else []

    def _write(self, events: Sequence[bytes]) -> list[Outcome]:
        self._parts.begin()
        groups: dict[str, list[int]] = {}
        for number, line in enumerate(events):
            groups.setdefault(group_of(line, self._settings.per), []).append(number)
        outcomes: list[Outcome | None] = [None] * len(events)
        for group, numbers in groups.items():
            data = b"".join([events[number] + b"\n" for number in numbers])
            try:
                self._parts.append(group, gzip(data) if self._settings.format == "jsonl.gz" else data)
            except StoppedError as error:
                if any(outcomes):
                    raise PartialDeliveryError(error, outcomes) from error
                raise
            for number in numbers:
                outcomes[number] = ACCEPTED
        return [ACCEPTED] * len(events)

    async def confirm(self, events: Sequence[Event]) -> list[bool | None]:
        """Whether each event has a line in some file of the folder."""
        return await self._do(lambda: self._look_for(events))

    def _look_for(self, events: Sequence[Event]) -> list[bool | None]:
        # First cut what a killed run left to what is whole: half a line must not be found.
        self._parts.begin()
        wanted = [id_of(event) for event in events]
        missing = set(wanted)
        path = self._settings.folder
        try:
            for path in files_of(self._settings.folder):
                if not missing:
                    break
                missing.difference_update(ids_in(read_lines(path, is_gzip=is_compressed(path))))
        except OSError as error:
            raise translate(error, path) from error
        return [each not in missing for each in wanted]

    async def check(self) -> list[Check]:
        """Whether the folder is there or can be made, is ours, and has room; writes nothing."""
        return await self._do(self._check) if self._is_open else []

    def _check(self) -> list[Check]:
        folder, name = self._settings.folder, "file folder"
        try:
            nearest = _nearest(folder)
            if nearest == folder:
                make_folder(folder)  # it is there: only looks who may write to it
            if not os.access(nearest, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")
            free = shutil.disk_usage(nearest).free
            unfinished = left_behind(folder) if nearest == folder else 0
        except CdiError as error:
            return [Check(name, False, f"`{folder}`: {error.message}", error.hint)]
        except OSError as error:
            hint = "name another `folder` for the destination, or let this user write there"
            return [Check(name, False, f"`{folder}` cannot be written: {error.strerror}", hint)]
        found = "can be written" if nearest == folder else "will be made"
        checks = [Check(name, True, f"`{folder}` {found}; {free / 1e9:,.1f} GB are free")]
        if unfinished:
            detail = f"{unfinished} `*{PART}` of runs that were killed: the next run that writes finishes them"
            checks.append(Check("file leftovers", True, detail))
        return checks

    async def close(self) -> None:
        """Give the files their names; raises StoppedError for one that cannot be renamed."""
        if self._is_open:
            self._is_open = False
            try:
                await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._parts.finish))
            finally:
                self._thread.shutdown(wait=False)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _nearest(folder: Path) -> Path:
    """The folder itself, or what is there of the way to it; raises OSError where a file is in the way."""
    nearest = next((each for each in (folder, *folder.parents) if os.path.lexists(each)), Path("/"))
    if not nearest.is_dir():
        raise NotADirectoryError(20, "Not a directory")
    return nearest
