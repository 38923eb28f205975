"""The way of the data, for one partition: pages -> entities -> events -> batches -> outcomes -> checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cdi_cli.errors import ProtocolError
from cdi_cli.pipeline.breaker import Breaker
from cdi_cli.pipeline.deliver import Deliverer, cut
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.items import Outgoing, Withheld, add_counts
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.settle import OpenPage, Settler
from cdi_cli.sources import Source
from cdi_cli.state._base import Partition

LOG = logging.getLogger("cdi.pipeline")
GROUP_RECORDS = 50
"""Records held as objects at once: few enough to stay in the processor's caches, enough for look-ups in batches."""


@dataclass(slots=True)
class Budget:
    """How much a run may still pull: records (`--limit`) and time until `deadline`, on the monotonic clock; None: no end."""

    records: int | None = None
    deadline: float | None = None
    monotonic: Callable[[], float] = time.monotonic

    def is_spent(self) -> bool:
        """Whether nothing may be pulled any more."""
        return self.records == 0 or (self.deadline is not None and self.monotonic() >= self.deadline)

    def take(self, wanted: int) -> int:
        """Take up to `wanted`; returns how many were left to take."""
        if self.records is None:
            return wanted
        taken = min(wanted, self.records)
        self.records -= taken
        return taken


@dataclass(frozen=True, slots=True)
class Flow:
    """All that the work on a partition needs, opened once per run; `by`: the time that its windows are of.

    `stamp`: what tells apart the ids of events that say again what was said before, see `EventBuilder.build`.
    """

    source: Source
    issuer: Issuer
    deliverer: Deliverer
    settler: Settler
    progress: Progress
    budget: Budget
    breaker: Breaker = field(default_factory=Breaker)
    by: Literal["created", "modified", "reconcile"] = "created"
    on_issued: Callable[[Sequence[Outgoing]], None] = field(default=lambda _items: None)
    on_withheld: Callable[[Sequence[Withheld]], None] = field(default=lambda _events: None)
    stamp: Callable[[Partition], str] = field(default=lambda _partition: "")


async def run_partition(flow: Flow, partition: Partition) -> None:
    """Read a partition from its cursor to its end; returns when all of it is on its way, not yet when all is settled."""
    stream = partition.stream
    if flow.budget.is_spent():
        return
    stamp = flow.stamp(partition)
    flow.progress.pulled[stream] += 0  # a stream without records has its line in the books, too
    has_ended = False
    async for page in flow.source.pages(stream, partition.window, partition.cursor, by=flow.by):
        records = page.records[: flow.budget.take(len(page.records))]
        is_whole = len(records) == len(page.records)
        opened = OpenPage(partition.number, stream, page.cursor, page.is_last, pulled=len(records))
        await flow.settler.open_page(opened)
        flow.progress.pages += 1
        outgoing: list[Outgoing] = []
        doubtful: list[Outgoing] = []
        for group in groups(records, GROUP_RECORDS):
            readings = await flow.source.read(stream, group)
            issue = flow.issuer.issue(stream, group, readings, stamp=stamp)
            add_counts(opened.counts, issue.counts)
            opened.dead += issue.dead
            opened.departed += issue.departed
            opened.resolved += issue.resolved
            outgoing += issue.outgoing
            doubtful += issue.doubtful
            # Counted together: a look-up that fails, or Ctrl-C, may end the page between two groups.
            flow.progress.pulled[stream] += len(group)
            flow.progress.issued[stream] += issue.total()
            flow.progress.warnings.update(issue.warnings)
            if issue.withheld:
                flow.on_withheld(issue.withheld)
            # What a rule holds back is held back on purpose: no reason to stop.
            bad = [(letter.reason, letter.detail) for letter in issue.dead if letter.stage != "route"]
            flow.breaker.note(issue.total(), len(bad), bad)
            flow.breaker.check()
        LOG.debug("page read", extra={"partition": partition.number, "stream": stream, "records": len(records)})
        flow.on_issued(outgoing)
        for batch in cut(doubtful, flow.issuer.destination.limits) if doubtful else ():
            await flow.deliverer.send(opened, batch, is_doubtful=True)
        for batch in cut(outgoing, flow.issuer.destination.limits) if outgoing else ():
            await flow.deliverer.send(opened, batch)
        if not is_whole:
            return
        flow.settler.page_read(opened)
        has_ended = page.is_last
        if not has_ended and flow.budget.is_spent():
            return
    if not has_ended:
        raise ProtocolError(
            f"{stream}: the source ended {partition.window.since} .. {partition.window.until} without a last page",
            hint="run the same command again: it goes on where it stopped",
        )


def groups(records: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    """Consecutive groups of at most `size` records."""
    for start in range(0, len(records), size):
        yield records[start : start + size]
