"""The real Magento source against its simulator, test doubles behind it, and a real checkpoint file: one shop's life.

The shop's clock goes with this machine's, moved by what a test advances; this machine's clock shows what the shop's does.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jobs
from doubles import FakeDestination

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.reconcile import run_reconcile
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.sync import SyncRequest
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sources import ConsentField, SourceContext
from cdi_cli.sources.magento import SOURCE, MagentoSettings
from cdi_cli.sources.magento.source import MagentoSource
from cdi_cli.state import open_store

SINCE = Instant("2020-01-01T00:00:00.000Z")
TOKEN_VARIABLE = "MAGENTO_LIFE_TOKEN"
CONSENT = {"email": ConsentField("extension_attributes.is_subscribed")}
STREAMS = ("customers", "orders", "creditmemos", "carts")
REQUEST = SyncRequest(rate=1e9)


def source_of(url: str, token: str, *, consent: bool = True, with_paid_at: bool = False, **changes: Any) -> MagentoSource:
    """The real source, open, with the integration's token."""
    os.environ[TOKEN_VARIABLE] = token
    values = {"base_url": f"{url}/magento", "access_token": f"${{{TOKEN_VARIABLE}}}", "page_size": 40, **changes}
    context = SourceContext(run_id="life", consent=CONSENT if consent else {}, with_paid_at=with_paid_at)
    return MagentoSource(MagentoSettings.model_validate(values), context)


class MagentoLife:
    """A running shop, one destination, one checkpoint file; `changes` are fields of what is opened."""

    def __init__(self, sandbox: SandboxThread, folder: Path) -> None:
        self.sandbox = sandbox
        self.state = folder / "state.db"
        self.destination = FakeDestination()
        self.changes: dict[str, Any] = {
            "source_spec": SOURCE,
            "streams": STREAMS,
            "settle_seconds": 0,
            "overlap_seconds": 600,
        }
        self.source_options: dict[str, Any] = {}
        self.monotonic: Callable[[], float] = time.monotonic

    @property
    def clock(self) -> Clock:
        """This machine's clock, which goes with the shop's."""
        return Clock(now=lambda: datetime.now(UTC) + self._ahead(), monotonic=self.monotonic)

    def _ahead(self) -> timedelta:
        return self.sandbox.clock.now() - datetime.now(UTC)

    def mutate(self, **change: Any) -> Any:
        """One change in the shop, a little later than all that was before; a little later still it can be read."""
        self.sandbox.clock.advance(5)
        made = self.sandbox.magento.mutate(change)
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
        source = source_of(self.sandbox.url, self.sandbox.options.magento.access_token, **self.source_options)
        try:
            with open_store(self.state, clock=self.clock) as store:
                opened = jobs.opened(source, self.destination, **(self.changes | changes))  # type: ignore[arg-type]
                return await run(opened, store, request, Progress(), Stop(), clock=self.clock)
        finally:
            await source.close()

    def sent(self, after: int = 0) -> list[dict[str, Any]]:
        """What the destination has accepted since it had accepted so many."""
        return self.destination.accepted[after:]

    def names(self, after: int = 0) -> Counter[str]:
        """How many of each event that were."""
        return Counter(event.get("event") or event["type"] for event in self.sent(after))


@contextmanager
def magento_life(folder: Path, orders: int = 60) -> Iterator[MagentoLife]:
    """A small shop whose data ends now."""
    with SandboxThread(SandboxOptions(sources=("magento",), orders=orders, now=SYSTEM_CLOCK.instant())) as sandbox:
        yield MagentoLife(sandbox, folder)
