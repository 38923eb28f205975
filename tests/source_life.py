"""A real source against its simulator, test doubles behind it, and a real checkpoint file: one shop's life.

The shop's clock goes with this machine's, moved by what a test advances; this machine's clock shows what the shop's does.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import jobs
from doubles import FakeDestination

from cdi_cli.clock import Clock, Instant
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.reconcile import run_reconcile
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.sync import SyncRequest
from cdi_cli.sandbox import SandboxThread
from cdi_cli.sources import SourceSpec
from cdi_cli.state import open_store

SINCE = Instant("2020-01-01T00:00:00.000Z")
REQUEST = SyncRequest(rate=1e9)


class SourceLife(ABC):
    """A running shop, one destination, one checkpoint file; `changes` are fields of what is opened."""

    source_spec: ClassVar[SourceSpec]
    streams: ClassVar[tuple[str, ...]]

    def __init__(self, sandbox: SandboxThread, folder: Path) -> None:
        self.sandbox = sandbox
        self.state = folder / "state.db"
        self.destination = FakeDestination()
        self.changes: dict[str, Any] = {
            "source_spec": self.source_spec,
            "streams": self.streams,
            "settle_seconds": 0,
            "overlap_seconds": 600,
        }
        self.source_options: dict[str, Any] = {}
        self.monotonic: Callable[[], float] = time.monotonic

    @abstractmethod
    def open(self) -> Any:
        """The real source, open, with `source_options`."""

    @abstractmethod
    def change(self, change: dict[str, Any]) -> Any:
        """Carry out one change in the shop, and return what became of it."""

    @property
    def clock(self) -> Clock:
        """This machine's clock, which goes with the shop's."""
        return Clock(now=lambda: datetime.now(UTC) + self._ahead(), monotonic=self.monotonic)

    def _ahead(self) -> timedelta:
        return self.sandbox.clock.now() - datetime.now(UTC)

    def mutate(self, **change: Any) -> Any:
        """One change in the shop, a little later than all that was before; a little later still it can be read."""
        self.sandbox.clock.advance(5)
        made = self.change(change)
        self.sandbox.clock.advance(5)
        return made

    async def backfill(self) -> Any:
        """A backfill of everything."""
        request = jobs.Request(SINCE, None, "all", rate=1e9)
        return await self._run(jobs.run_backfill, request)

    async def sync(self, request: SyncRequest = REQUEST) -> Any:
        """A delta sync."""
        return await self._run(jobs.run_sync, request)

    async def reconcile(self, request: SyncRequest = REQUEST, **changes: Any) -> Any:
        """A reconciliation."""
        return await self._run(run_reconcile, request, **changes)

    async def _run(self, run: Callable[..., Any], request: Any, **changes: Any) -> Any:
        source = self.open()
        try:
            with open_store(self.state, clock=self.clock) as store:
                opened = jobs.opened(source, self.destination, **(self.changes | changes))
                return await run(opened, store, request, Progress(), Stop(), clock=self.clock)
        finally:
            await source.close()

    def sent(self, after: int = 0) -> list[dict[str, Any]]:
        """What the destination has accepted since it had accepted so many."""
        return self.destination.accepted[after:]

    def names(self, after: int = 0) -> Counter[str]:
        """How many of each event that were."""
        return Counter(event.get("event") or event["type"] for event in self.sent(after))
