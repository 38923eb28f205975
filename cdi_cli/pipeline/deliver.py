"""Delivery: batches leave paced and a few at a time; a refused batch is halved down to the event that spoils it.

A batch keeps its place in flight until its outcome is durably settled, so a crash can repeat at most the batches in flight.

A destination that cannot recognise a repeat is sent nothing blindly: what is about to be sent is noted first (`intents`),
and an event of which it is unknown whether it arrived is looked for there. What is there counts as delivered, what is not is
sent, and where nobody can tell the event waits in the dead letters for a person to decide.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from cdi_cli.destinations import (
    ACCEPTED,
    Accepted,
    Destination,
    Limits,
    Outcome,
    PartialDeliveryError,
    Rejected,
    Unknown,
)
from cdi_cli.errors import CdiError, LostAnswerError, RefusedError, StoppedError
from cdi_cli.pipeline.breaker import Breaker
from cdi_cli.pipeline.items import Outgoing, add_counts
from cdi_cli.pipeline.pace import Pacer
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.settle import OpenPage, Settler
from cdi_cli.state._base import IN_DOUBT, CountKey, Counts, DeadLetter, LedgerEntry

CONTENT_REFUSALS = frozenset({400, 413, 415, 422})
"""Statuses that concern what a batch holds; any other refusal concerns the account or the address and stops the run."""
Found = tuple[Outgoing, Outcome]
"""An event and what became of it."""
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


def _in_doubt(outcome: Outcome) -> Outcome:
    """What is unknown for good waits for a person's decision."""
    return Rejected(IN_DOUBT, outcome.detail) if isinstance(outcome, Unknown) else outcome


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
        *,
        is_idempotent: bool = True,
        confirm_after_seconds: float = 0.0,
        look_after_seconds: float = 0.0,
    ) -> None:
        """`look_after_seconds`: how long from now what an earlier run was sending may not be found yet."""
        self._destination = destination
        self._settler = settler
        self._pacer = pacer
        self._progress = progress
        self._letter = letter
        self._on_settled = on_settled
        self._breaker = breaker or Breaker()
        self._is_idempotent = is_idempotent
        self._confirm_after_seconds = confirm_after_seconds
        self._looks_from = time.monotonic() + look_after_seconds
        self._places = asyncio.Semaphore(destination.limits.in_flight)
        self._tasks: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()

    async def send(self, page: OpenPage, batch: list[Outgoing], *, is_doubtful: bool = False) -> None:
        """Start delivering a batch; waits for the pace and for a free place, raises what an earlier batch failed with.

        `is_doubtful`: an earlier run may have sent these events; they are looked for first.
        """
        await self._places.acquire()
        try:
            self._raise_failure()
            await self._pacer.admit(len(batch))
            self._raise_failure()
        except BaseException:
            self._places.release()
            raise
        page.waiting += 1
        task = asyncio.create_task(self._deliver(page, batch, is_doubtful=is_doubtful))
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

    async def _deliver(self, page: OpenPage, batch: list[Outgoing], *, is_doubtful: bool) -> None:
        try:
            if not self._is_idempotent:
                found = await self._outcomes_once(page, batch, is_doubtful=is_doubtful)
            else:
                if changes := [item.entry() for item in batch if item.is_change]:
                    await self._settler.intend(page, changes)
                found = await self._outcomes(page, batch)
            await self._settle(page, found)
            self._on_settled(batch)
            self._pacer.went_well()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - raised again by `send` and by the run
            self.failure = self.failure or error
            self.failed.set()
        finally:
            self._places.release()

    async def _outcomes_once(self, page: OpenPage, batch: list[Outgoing], *, is_doubtful: bool) -> list[Found]:
        """Each event with its outcome, of a destination where a repeat does harm."""
        known: list[Found] = []
        if is_doubtful:
            await self._wait_to_look(self._looks_from - time.monotonic())
            known, batch = await self._look_for(batch)
        try:
            if batch:
                await self._settler.intend(page, [item.entry() for item in batch])
                found = await self._outcomes(page, batch)
                unknown = [item for item, outcome in found if isinstance(outcome, Unknown)]
                known += [(item, outcome) for item, outcome in found if not isinstance(outcome, Unknown)]
                known += await self._cleared(page, unknown) if unknown else []
        except BaseException:
            self._keep_accepted(page, known)
            raise
        return known

    async def _cleared(self, page: OpenPage, unknown: list[Outgoing]) -> list[Found]:
        """What became of events whose answer was lost: they are looked for, and sent once more where they are not there."""
        await self._wait_to_look(self._confirm_after_seconds)
        known, missing = await self._look_for(unknown)
        again = await self._outcomes(page, missing) if missing else []
        return known + [(item, _in_doubt(outcome)) for item, outcome in again]

    async def _wait_to_look(self, seconds: float) -> None:
        """Give what may have arrived the time that it takes until it can be found: what is not found is sent again."""
        if seconds > 0:
            self._progress.waited_to_look(seconds)
            await asyncio.sleep(seconds)

    async def _look_for(self, batch: list[Outgoing]) -> tuple[list[Found], list[Outgoing]]:
        """What is certain of events in doubt: those that are there, or that nobody can tell of; and those to be sent."""
        found: list[Found] = []
        missing: list[Outgoing] = []
        there = await self._destination.confirm([item.known_there for item in batch])
        for item, is_there in zip(batch, there, strict=True):
            if is_there is None:
                found.append((item, _in_doubt(Unknown("it may have arrived before the answer was lost"))))
            elif is_there:
                found.append((item, ACCEPTED))
            else:
                missing.append(item)
        return found, missing

    async def _outcomes(self, page: OpenPage, batch: list[Outgoing]) -> list[Found]:
        """Each event with its outcome, halving what is refused as a whole."""
        found: list[Found] = []
        try:
            refusal = await self._attempt(batch, found)
        except BaseException as error:
            self._keep_accepted(page, found)
            if isinstance(error, CdiError) and not isinstance(error, LostAnswerError):
                self._take_back(page, batch, found)
            raise
        if refusal and len(batch) >= ALL_BAD_MIN and all(isinstance(outcome, Rejected) for _, outcome in found):
            self._take_back(page, batch, found)
            raise RefusedError(
                f"every one of {len(batch)} events was refused: {refusal.message}",
                status=refusal.status,
                where=refusal.where,
                hint="the fault is likely in the settings or the destination, not in the events; see `cdi check`",
            ) from refusal
        return found

    async def _attempt(self, batch: list[Outgoing], found: list[Found]) -> RefusedError | None:
        """Send a batch, and its halves where it is refused for what it holds; adds to `found`, returns the refusal."""
        self._progress.requests += 1
        failure: StoppedError
        try:
            found += zip(batch, await self._destination.send([item.encoded for item in batch]), strict=True)
        except RefusedError as error:
            failure = error
        except PartialDeliveryError as partial:
            failure = partial.cause
            pairs = list(zip(batch, partial.outcomes, strict=True))
            found += [(item, outcome) for item, outcome in pairs if outcome is not None]
            batch = [item for item, outcome in pairs if outcome is None]
        else:
            return None
        if not isinstance(failure, RefusedError) or failure.status not in CONTENT_REFUSALS:
            raise failure
        if len(batch) == 1:
            found.append((batch[0], Rejected("destination_refused", f"HTTP {failure.status}: {failure.message}")))
        else:
            middle = len(batch) // 2
            await self._attempt(batch[:middle], found)
            await self._attempt(batch[middle:], found)
        return failure

    def _take_back(self, page: OpenPage, batch: Sequence[Outgoing], found: Sequence[Found]) -> None:
        """Nothing of this batch went out but what has an outcome: the next run need not look for the rest."""
        if not self._is_idempotent:
            undecided = {item.event.key for item, outcome in found if isinstance(outcome, Unknown)}
            self._settler.withdraw(page, [item.event.key for item in batch if item.event.key not in undecided])

    def _keep_accepted(self, page: OpenPage, found: Sequence[Found]) -> None:
        """Remember what was accepted before another part failed, so that the next run does not send it again."""
        accepted = [item for item, outcome in found if isinstance(outcome, Accepted)]
        if not accepted:
            return
        counts: Counts = {}
        for item in accepted:
            add_counts(counts, {(page.stream, item.event.name, "delivered", ""): 1})
        self._settler.part(page, [item.entry() for item in accepted], counts)

    async def _settle(self, page: OpenPage, found: Sequence[Found]) -> None:
        delivered: list[LedgerEntry] = []
        dead: list[DeadLetter] = []
        counts: Counts = {}
        withdrawn: list[bytes] = []
        for item, outcome in found:
            key: CountKey = (page.stream, item.event.name, "delivered", "")
            if isinstance(outcome, Rejected):
                dead.append(self._letter(page.stream, item, outcome))
                key = (page.stream, item.event.name, "rejected", outcome.reason)
                withdrawn += [item.event.key] if item.is_change else []
            else:
                delivered.append(item.entry())
            counts[key] = counts.get(key, 0) + 1
        self._breaker.note(0, len(dead))
        if not self._is_idempotent:
            # What is in doubt stays noted: whoever decides about its letter needs to know what the ledger would get.
            withdrawn = [letter.place for letter in dead if letter.reason != IN_DOUBT]
        await self._settler.batch(page, delivered, dead, counts, withdrawn)

    def _raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure
