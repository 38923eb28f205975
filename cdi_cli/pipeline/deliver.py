"""Delivery: batches leave paced and a few at a time; a refused batch is halved down to the event that spoils it.

A batch keeps its place in flight until its outcome is durably settled, so a crash can repeat at most the batches in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cdi_cli.destinations import Destination, Limits, Outcome, Rejected
from cdi_cli.errors import RefusedError
from cdi_cli.pipeline.breaker import Breaker
from cdi_cli.pipeline.items import Outgoing, add_counts
from cdi_cli.pipeline.pace import Pacer
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.settle import OpenPage, Settler
from cdi_cli.state._base import CountKey, Counts, DeadLetter, LedgerEntry

CONTENT_REFUSALS = frozenset({400, 413, 415, 422})
"""Statuses that concern what a batch holds; any other refusal concerns the account or the address and stops the run."""
ALL_BAD_MIN = 10
"""When a batch of at least so many events is refused down to the last one, the fault is not in the events."""


def cut(outgoing: Sequence[Outgoing], limits: Limits) -> list[list[Outgoing]]:
    """Consecutive batches within the limits: as few as count and bytes allow, and about equally full."""
    total_bytes = sum(len(item.encoded) + 1 for item in outgoing)
    room_bytes = limits.batch_bytes - limits.overhead_bytes
    batches_min = max(-(-len(outgoing) // limits.batch_events), -(-total_bytes // room_bytes), 1)
    events_max = min(-(-len(outgoing) // batches_min), limits.batch_events)
    batches: list[list[Outgoing]] = []
    size = 0
    for item in outgoing:
        weight = len(item.encoded) + 1
        if not batches or len(batches[-1]) >= events_max or size + weight > room_bytes:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += weight
    return batches


class Deliverer:
    """Sends the batches of one run; `send()` returns once a place in flight is free, the rest happens in the background."""

    def __init__(
        self,
        destination: Destination,
        settler: Settler,
        pacer: Pacer,
        progress: Progress,
        letter: Callable[[str, Outgoing, Rejected], DeadLetter],
        on_settled: Callable[[Sequence[Outgoing]], None] = lambda _items: None,
        breaker: Breaker | None = None,
    ) -> None:
        self._destination = destination
        self._settler = settler
        self._pacer = pacer
        self._progress = progress
        self._letter = letter
        self._on_settled = on_settled
        self._breaker = breaker or Breaker()
        self._places = asyncio.Semaphore(destination.limits.in_flight)
        self._tasks: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()

    async def send(self, page: OpenPage, batch: list[Outgoing]) -> None:
        """Start delivering a batch; waits for the pace and for a free place, raises what an earlier batch failed with."""
        await self._places.acquire()
        try:
            self._raise_failure()
            await self._pacer.admit(len(batch))
            self._raise_failure()
        except BaseException:
            self._places.release()
            raise
        page.waiting += 1
        task = asyncio.create_task(self._deliver(page, batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until everything in flight is settled or has failed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def abandon(self) -> None:
        """Give up what is in flight; it stays unsettled and is sent again, with the same ids, by the next run."""
        for task in self._tasks:
            task.cancel()

    async def _deliver(self, page: OpenPage, batch: list[Outgoing]) -> None:
        try:
            if changes := [item.entry() for item in batch if item.is_change]:
                await self._settler.intend(page, changes)
            outcomes = await self._outcomes(page, batch)
            await self._settle(page, batch, outcomes)
            self._on_settled(batch)
            self._pacer.went_well()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again by `send` and by the run
            self.failure = self.failure or error
            self.failed.set()
        finally:
            self._places.release()

    async def _outcomes(self, page: OpenPage, batch: list[Outgoing]) -> list[Outcome]:
        """One outcome per event, halving what is refused as a whole."""
        outcomes: list[Outcome] = []
        try:
            refusal = await self._attempt(batch, outcomes)
        except BaseException:
            self._keep_accepted(page, batch, outcomes)
            raise
        if refusal and len(batch) >= ALL_BAD_MIN and all(isinstance(outcome, Rejected) for outcome in outcomes):
            raise RefusedError(
                f"every one of {len(batch)} events was refused: {refusal.message}",
                status=refusal.status,
                where=refusal.where,
                hint="the fault is likely in the settings or the destination, not in the events; see `cdi check`",
            ) from refusal
        return outcomes

    async def _attempt(self, batch: list[Outgoing], outcomes: list[Outcome]) -> RefusedError | None:
        """Send a batch, and its halves where it is refused for what it holds; adds to `outcomes`, returns the refusal."""
        self._progress.requests += 1
        try:
            outcomes += await self._destination.send([item.encoded for item in batch])
        except RefusedError as error:
            if error.status not in CONTENT_REFUSALS:
                raise
            refusal = error
        else:
            return None
        if len(batch) == 1:
            outcomes.append(Rejected("destination_refused", f"HTTP {refusal.status}: {refusal.message}"))
        else:
            middle = len(batch) // 2
            await self._attempt(batch[:middle], outcomes)
            await self._attempt(batch[middle:], outcomes)
        return refusal

    def _keep_accepted(self, page: OpenPage, batch: list[Outgoing], outcomes: list[Outcome]) -> None:
        """Remember what was accepted before a later part failed, so that the next run does not send it again."""
        accepted = [item for item, outcome in zip(batch, outcomes, strict=False) if not isinstance(outcome, Rejected)]
        if not accepted:
            return
        counts: Counts = {}
        for item in accepted:
            add_counts(counts, {(page.stream, item.event.name, "delivered", ""): 1})
        self._settler.part(page, [item.entry() for item in accepted], counts)

    async def _settle(self, page: OpenPage, batch: list[Outgoing], outcomes: list[Outcome]) -> None:
        delivered: list[LedgerEntry] = []
        dead: list[DeadLetter] = []
        counts: Counts = {}
        withdrawn: list[bytes] = []
        for item, outcome in zip(batch, outcomes, strict=True):
            key: CountKey = (page.stream, item.event.name, "delivered", "")
            if isinstance(outcome, Rejected):
                dead.append(self._letter(page.stream, item, outcome))
                key = (page.stream, item.event.name, "rejected", outcome.reason)
                withdrawn += [item.event.key] if item.is_change else []
            else:
                delivered.append(item.entry())
            counts[key] = counts.get(key, 0) + 1
        self._breaker.note(0, len(dead))
        await self._settler.batch(page, delivered, dead, counts, withdrawn)

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure
