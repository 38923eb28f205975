"""The contract of the checkpoint store: what a run remembers, and that it remembers it all at once.

A *job* is one backfill of one pipeline into one destination: its window is frozen, its partitions are fixed. A *run* is one
process working on a job. Everything that settling a batch changes (cursor, ledger, dead letters, counters) is written by
`settle` in one transaction: after a crash either all of it is there or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cdi_cli.clock import Instant, Window
from cdi_cli.sources import Cursor

OutcomeName = Literal["delivered", "filtered", "rejected", "duplicate"]
OUTCOMES: tuple[OutcomeName, ...] = ("delivered", "filtered", "rejected", "duplicate")


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job is. `fingerprint` hashes plan, mapping and the settings that shape events: a job never mixes two.

    `asked` is the window as the user wrote it (`--since 90d --until yesterday`): the same words mean the same job while it
    is unfinished. `server_started_at` is the source's clock when the job began: the first sync starts there.
    """

    pipeline: str
    source: str
    destination: str
    streams: tuple[str, ...]
    window: Window
    asked: str
    fingerprint: str
    plan_version: str
    server_started_at: Instant


@dataclass(frozen=True, slots=True)
class Partition:
    """A slice of a job: one stream, one half-open window; `cursor` is where reading goes on, `is_done` that it ended.

    `expected` is the count the source gave when the job was planned, for progress only.
    """

    number: int
    stream: str
    window: Window
    cursor: Cursor | None = None
    is_done: bool = False
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job; `status` is "open" until every partition is done, then "done"; "abandoned" after `--restart`."""

    id: int
    spec: JobSpec
    status: Literal["open", "done", "abandoned"]
    started_at: Instant
    ended_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """An event that was delivered: 16-byte key of its id, 8-byte digest of its content, and where it is filed."""

    family: str
    created_at: Instant
    key: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record or event that could not be delivered, with all that is needed to explain and replay it.

    `record` is the scrubbed source record, `event` the Segment-spec message as JSON (None when no event was made).
    `violations` are (path, rule, sentence). `detail` holds no personal data; `record` and `event` may.
    """

    stream: str
    reason: str
    detail: str
    entity_id: str | None = None
    event_name: str | None = None
    event_id: str | None = None
    violations: tuple[tuple[str, str, str], ...] = ()
    record: bytes | None = None
    event: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter as the store gives it back: with its number, and which job, run and plan version it came of."""

    id: int
    letter: DeadLetter
    pipeline: str
    source: str
    destination: str
    plan_version: str
    run_id: int
    at: Instant


CountKey = tuple[str, str, OutcomeName, str]
"""(stream, event name or "", outcome, reason or "")."""

Counts = dict[CountKey, int]
"""What is counted, and how many of it."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one batch, or one page without a batch, came to.

    `cursor`: where the partition goes on, set only when every page before it is settled. `pulled` counts the records of
    the pages that `cursor` moves past.
    """

    partition: int
    cursor: Cursor | None = None
    is_done: bool = False
    pulled: int = 0
    delivered: tuple[LedgerEntry, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as `cdi status` shows it; `status` "running" without a live process means that it was killed."""

    id: int
    job_id: int
    pid: int
    started_at: Instant
    ended_at: Instant | None
    status: str
    exit_code: int | None


class Store(Protocol):
    """An open checkpoint file. One writer at a time holds it; raises StateError for any I/O error, and never repairs.

    All methods may be called from any one thread at a time.
    """

    def find_job(self, pipeline: str, destination: str) -> Job | None:
        """The newest job of a pipeline into a destination, whatever its status."""
        ...

    def create_job(self, spec: JobSpec, partitions: Sequence[Partition]) -> Job:
        """Store a new job with its partitions; an open job of the same pipeline and destination becomes abandoned."""
        ...

    def partitions(self, job_id: int) -> list[Partition]:
        """All partitions of a job, in the order they were planned."""
        ...

    def start_run(self, job_id: int) -> int:
        """Record that this process works on a job now; returns the run's id."""
        ...

    def end_run(self, run_id: int, *, status: str, exit_code: int) -> None:
        """Record how the run ended; the job is done when all its partitions are."""
        ...

    def settle(self, run_id: int, settlements: Iterable[Settlement]) -> None:
        """Write everything of several settlements in one durable transaction.

        Raises StateError when it cannot be written, and LockedError when another process has taken over the file.
        """
        ...

    def delivered(self, source: str, destination: str, family: str, keys: Mapping[bytes, Instant]) -> dict[bytes, bytes]:
        """Which of these event keys (with their entity's creation time) were delivered, with the content they had."""
        ...

    def counts(self, *, run_id: int | None = None, job_id: int | None = None) -> Counts:
        """The settled outcomes of one run or of a whole job."""
        ...

    def pulled(self, *, run_id: int | None = None, job_id: int | None = None) -> dict[str, int]:
        """Records settled, by stream, of one run or of a whole job."""
        ...

    def tally(self, run_id: int) -> tuple[int, int]:
        """How many ledger entries and dead letters the file holds of one run, counted from the rows themselves."""
        ...

    def dead_letters(
        self, *, reason: str | None = None, event_name: str | None = None, run_id: int | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """Dead letters, newest first."""
        ...

    def dead_letter(self, number: int) -> StoredDeadLetter | None:
        """One dead letter by its number."""
        ...

    def dead_letter_reasons(self) -> dict[tuple[str, str, str], int]:
        """(stream, event name or "", reason) -> how many are in the queue."""
        ...

    def runs(self, limit: int = 20) -> list[tuple[RunRow, Job]]:
        """The last runs with their jobs, newest first."""
        ...

    def close(self) -> None:
        """Close the file and release the lock."""
        ...
