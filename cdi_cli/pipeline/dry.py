"""The dry run: everything but the sending and the remembering.

Pages are really pulled, mapped, checked, encoded and cut into batches; the ledger is asked what was delivered before, if
there is one; nothing is sent and nothing is written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Instant
from cdi_cli.destinations import ACCEPTED, Destination, Filtered, Outcome, Rejected
from cdi_cli.events import Event
from cdi_cli.pipeline.items import Outgoing, add_counts
from cdi_cli.state._base import Counts, Job, JobKind, JobSpec, KnownLetter, LedgerEntry, Partition, Settlement, Store


class DryDestination:
    """A destination that encodes for real and accepts everything without sending it."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self.limits = replace(destination.limits, events_per_second=float("inf"))

    async def check(self) -> list[Check]:
        """The real destination's checks."""
        return await self._destination.check()

    def encode(self, event: Event) -> bytes | Rejected | Filtered:
        """The real destination's encoding."""
        return self._destination.encode(event)

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Accept every event, sending none."""
        return [ACCEPTED] * len(events)

    async def confirm(self, events: Sequence[Event]) -> list[bool | None]:
        """Nothing is looked for: nothing is sent."""
        return [False] * len(events)

    async def close(self) -> None:
        """Close the real destination."""
        await self._destination.close()


class DryStore:
    """The part of a store that a backfill uses, in memory; `ledger` is a real store opened for reading, if there is one."""

    def __init__(self, ledger: Store | None) -> None:
        self._ledger = ledger
        self._partitions: dict[int, Partition] = {}
        self._counts: Counts = {}
        self._pulled: dict[str, int] = {}
        self._entries = 0
        self._letters = 0

    def find_job(self, _pipeline: str, _destination: str, _kind: JobKind = "backfill") -> Job | None:
        """None: a dry run always looks at the whole window."""
        return None

    def jobs(self, _pipeline: str, _destination: str, _kind: JobKind = "backfill") -> list[Job]:
        """None, either."""
        return []

    def create_job(self, spec: JobSpec, partitions: Sequence[Partition]) -> Job:
        """A job that exists only in memory, numbered 0."""
        self._partitions = {partition.number: partition for partition in partitions}
        return Job(0, spec, "open", SYSTEM_CLOCK.instant())

    def partitions(self, _job_id: int) -> list[Partition]:
        """The partitions as they stand."""
        return list(self._partitions.values())

    def start_run(self, _job_id: int, *, plan_version: str | None = None) -> int:  # noqa: ARG002 - the contract's
        """Always 0."""
        return 0

    def end_run(
        self, _run_id: int, *, status: str, exit_code: int, lag_seconds: float | None = None, message: str | None = None
    ) -> None:
        """Nothing to record."""

    def letters(self, source: str, destination: str, places: Iterable[bytes]) -> Mapping[bytes, KnownLetter]:
        """What the real queue holds; nothing where there is none."""
        return self._ledger.letters(source, destination, places) if self._ledger else {}

    def doubts(self, source: str, destination: str, places: Iterable[bytes]) -> Mapping[bytes, LedgerEntry]:
        """What is in doubt there; nothing where there is no checkpoint file."""
        return self._ledger.doubts(source, destination, places) if self._ledger else {}

    def doubts_age_seconds(self, _source: str, _destination: str) -> float | None:
        """Nothing: a dry run sends nothing twice, and so waits for nothing."""
        return None

    def forgotten_before(self, source: str, destination: str, family: str) -> Instant | None:
        """What the real ledger has forgotten; nothing where there is none."""
        return self._ledger.forgotten_before(source, destination, family) if self._ledger else None

    def erased(self, source: str) -> frozenset[bytes]:
        """Whom the real store knows as erased; nobody where there is none."""
        return self._ledger.erased(source) if self._ledger else frozenset()

    def settle(self, _run_id: int, settlements: Iterable[Settlement]) -> None:
        """Count what a real store would write."""
        for settlement in settlements:
            add_counts(self._counts, settlement.counts)
            self._entries += len(settlement.delivered)
            self._letters += len(settlement.dead)
            partition = self._partitions[settlement.partition]
            if settlement.cursor is not None:
                self._pulled[partition.stream] = self._pulled.get(partition.stream, 0) + settlement.pulled
                self._partitions[partition.number] = replace(partition, cursor=settlement.cursor, is_done=settlement.is_done)

    def delivered(self, source: str, destination: str, family: str, keys: Mapping[bytes, Instant]) -> Mapping[bytes, bytes]:
        """What the real ledger says; nothing where there is none."""
        return self._ledger.delivered(source, destination, family, keys) if self._ledger else {}

    def counts(self, *, run_id: int | None = None, job_id: int | None = None) -> Counts:
        """Everything counted so far."""
        del run_id, job_id
        return self._counts

    def pulled(self, *, run_id: int | None = None, job_id: int | None = None) -> dict[str, int]:
        """Records settled so far, by stream."""
        del run_id, job_id
        return self._pulled

    def tally(self, _run_id: int) -> tuple[int, int]:
        """How many ledger entries and dead letters a real store would hold."""
        return self._entries, self._letters


class DistinctCounter:
    """Counts distinct texts in bounded memory: exact up to `size`, beyond that within about 1/sqrt(size) (KMV sketch)."""

    def __init__(self, size: int = 65_536) -> None:
        self._size = size
        self._seen: set[int] = set()
        self._smallest: list[int] = []

    def add(self, text: str) -> None:
        """Count a text, once."""
        value = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
        if not self._smallest:
            self._seen.add(value)
            if len(self._seen) > self._size:
                self._smallest = sorted(self._seen)[: self._size]
                self._seen.clear()
        elif value < self._smallest[-1]:
            place = bisect_left(self._smallest, value)
            if self._smallest[place] != value:
                self._smallest.insert(place, value)
                self._smallest.pop()

    @property
    def is_exact(self) -> bool:
        """Whether the count is exact."""
        return not self._smallest

    def count(self) -> int:
        """How many distinct texts were added."""
        if not self._smallest:
            return len(self._seen)
        return round((self._size - 1) * 2**64 / self._smallest[-1])


class UserCounter:
    """Counts the people that events belong to: what Segment bills as monthly tracked users."""

    def __init__(self) -> None:
        self._people = DistinctCounter()

    def see(self, items: Sequence[Outgoing]) -> None:
        """Count the people of these events."""
        for item in items:
            event = item.event
            self._people.add(f"u:{event.user_id}" if event.user_id else f"a:{event.anonymous_id}")

    @property
    def is_exact(self) -> bool:
        """Whether the count is exact."""
        return self._people.is_exact

    def count(self) -> int:
        """How many people."""
        return self._people.count()
