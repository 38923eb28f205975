"""Settling: what became of batches and pages is written in groups, and a partition's cursor follows the low-water mark.

A page is *complete* when reading it has ended and all its batches are settled; the cursor of a partition moves to the end
of the longest complete prefix of its pages. Whatever a page came to besides its batches (filtered, rejected, duplicate) is
written with the cursor that moves past it, so a page that is read again after a crash counts once.

One transaction at a time: while one is written, further outcomes queue up and go into the next (group commit).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from cdi_cli.pipeline.items import add_counts
from cdi_cli.pipeline.progress import Progress
from cdi_cli.sources import Cursor
from cdi_cli.state._base import Counts, DeadLetter, Departure, LedgerEntry, Settlement, Store

LOG = logging.getLogger("cdi.pipeline")
OPEN_PAGES_MAX = 8
"""Pages of one partition that may wait for their batches; reading stops there until the oldest is settled."""


@dataclass(slots=True)
class OpenPage:
    """A page being worked on. `waiting` counts its unsettled batches, `is_read` that no further batch will come."""

    partition: int
    stream: str
    cursor: Cursor
    is_last: bool
    pulled: int
    waiting: int = 0
    is_read: bool = False
    counts: Counts = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    departed: list[Departure] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing of this page is outstanding."""
        return self.is_read and self.waiting == 0


@dataclass(slots=True)
class _Note:
    """One thing to be written, and who waits for it."""

    settlement: Settlement
    stream: str
    written: asyncio.Future[None]


class Settler:
    """Writes settlements for one run; `run()` is its task, the other methods are called by the pipeline."""

    def __init__(self, store: Store, run_id: int, progress: Progress) -> None:
        self._store = store
        self._run_id = run_id
        self._progress = progress
        self._pages: dict[int, deque[OpenPage]] = {}
        self._notes: list[_Note] = []
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()
        self._is_closing = False
        self.failure: BaseException | None = None

    async def open_page(self, page: OpenPage) -> None:
        """Take in the next page of a partition; waits while too many of it are open."""
        self._raise_failure()
        pages = self._pages.setdefault(page.partition, deque())
        while len(pages) >= OPEN_PAGES_MAX:
            self._moved.clear()
            await self._moved.wait()
            self._raise_failure()
        pages.append(page)

    def page_read(self, page: OpenPage) -> None:
        """No further batch of this page will come."""
        page.is_read = True
        self._advance(page.partition)

    async def batch(
        self,
        page: OpenPage,
        delivered: list[LedgerEntry],
        dead: list[DeadLetter],
        counts: Counts,
        withdrawn: Sequence[bytes] = (),
    ) -> None:
        """Settle one batch of a page; returns when it is durably written, raises StateError when it could not be."""
        page.waiting -= 1
        settlement = Settlement(
            page.partition, delivered=tuple(delivered), dead=tuple(dead), counts=counts, withdrawn=tuple(withdrawn)
        )
        written = self._note(settlement, page.stream)
        self._advance(page.partition)
        await written

    async def intend(self, page: OpenPage, entries: list[LedgerEntry]) -> None:
        """Note durably what is about to be sent; raises StateError when it could not be written."""
        await self._note(Settlement(page.partition, intended=tuple(entries)), page.stream)

    def part(self, page: OpenPage, delivered: list[LedgerEntry], counts: Counts) -> None:
        """Remember what was accepted of a batch that failed otherwise; the page stays open for the rest. Nobody waits."""
        self._note(Settlement(page.partition, delivered=tuple(delivered), counts=counts), page.stream)

    def _advance(self, partition: int) -> None:
        """Move the cursor past the longest complete prefix of the partition's pages."""
        pages = self._pages[partition]
        counts: Counts = {}
        dead: list[DeadLetter] = []
        departed: list[Departure] = []
        resolved: list[int] = []
        pulled, last = 0, None
        while pages and pages[0].is_complete:
            last = pages.popleft()
            pulled += last.pulled
            add_counts(counts, last.counts)
            dead.extend(last.dead)
            departed.extend(last.departed)
            resolved.extend(last.resolved)
        if last is not None:
            self._note(
                Settlement(
                    partition,
                    cursor=last.cursor,
                    is_done=last.is_last,
                    pulled=pulled,
                    dead=tuple(dead),
                    counts=counts,
                    resolved=tuple(resolved),
                    departed=tuple(departed),
                ),
                last.stream,
            )

    def _note(self, settlement: Settlement, stream: str) -> asyncio.Future[None]:
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.failure is not None:
            written.set_exception(self.failure)
        else:
            self._notes.append(_Note(settlement, stream, written))
            self._wake.set()
        # A page's own settlement has no waiter; `failure` reports what went wrong there.
        written.add_done_callback(lambda future: future.cancelled() or future.exception())
        return written

    async def run(self) -> None:
        """Write what has gathered, again and again, until `close()` or until the store fails. Never cancel this task."""
        while not (self._is_closing and not self._notes):
            await self._wake.wait()
            self._wake.clear()
            if not await self._write():
                return

    def close(self) -> None:
        """Let `run()` end once everything that has gathered is written."""
        self._is_closing = True
        self._wake.set()

    async def _write(self) -> bool:
        notes, self._notes = self._notes, []
        if not notes:
            return True
        merged = merge([note.settlement for note in notes])
        try:
            await asyncio.to_thread(self._store.settle, self._run_id, merged)
        except BaseException as error:  # noqa: BLE001 - handed to everyone who waits
            self.failure = error
            # What gathered during the write will not be written either.
            for note in (*notes, *self._notes):
                if not note.written.done():
                    note.written.set_exception(error)
            self._notes = []
            self._moved.set()
            return False
        for note in notes:
            self._tell(note)
        self._moved.set()
        return True

    def _tell(self, note: _Note) -> None:
        if not note.written.done():
            note.written.set_result(None)
        for letter in note.settlement.dead:
            LOG.warning("dead letter", extra={"stream": letter.stream, "reason": letter.reason, "entity": letter.entity_id})
        for (stream, event, outcome, _), number in note.settlement.counts.items():
            self._progress.settled[stream, outcome] += number
            if outcome == "delivered":
                self._progress.events[event] += number

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure


def merge(settlements: list[Settlement]) -> list[Settlement]:
    """The same settlements with those of one partition made one: fewer rows, the same meaning."""
    ordered = sorted(settlements, key=lambda settlement: settlement.partition)
    return [_merged(number, list(group)) for number, group in groupby(ordered, key=lambda one: one.partition)]


def _merged(partition: int, group: list[Settlement]) -> Settlement:
    if len(group) == 1:
        return group[0]
    counts: Counts = {}
    for settlement in group:
        add_counts(counts, settlement.counts)
    moved = [settlement for settlement in group if settlement.cursor is not None]
    return Settlement(
        partition,
        cursor=moved[-1].cursor if moved else None,
        is_done=any(settlement.is_done for settlement in group),
        pulled=sum(settlement.pulled for settlement in group),
        delivered=tuple(entry for settlement in group for entry in settlement.delivered),
        dead=tuple(letter for settlement in group for letter in settlement.dead),
        counts=counts,
        resolved=tuple(number for settlement in group for number in settlement.resolved),
        departed=tuple(departure for settlement in group for departure in settlement.departed),
        intended=tuple(entry for settlement in group for entry in settlement.intended),
        withdrawn=tuple(key for settlement in group for key in settlement.withdrawn),
    )
