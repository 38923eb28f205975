"""The contract of the checkpoint store: what a run remembers, and that it remembers it all at once.

A *job* is work of one pipeline into one destination. A backfill's window is frozen and its partitions are fixed; a delta
sync is one job for ever, with one partition per stream whose window moves on; a reconciliation reads once more what was
created in a window, as a backfill does; a replay takes dead letters up again, a push a file. A *run* is one process working
on a job. Everything that settling a batch changes (cursor, ledger, dead letters, counters) is written by `settle` in one
transaction: after a crash either all of it is there or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cdi_cli.clock import Instant, Window
from cdi_cli.sources import Cursor
from cdi_cli.state._letters import (
    EVERY_LETTER,
)
from cdi_cli.state._letters import (
    DeadLetter as DeadLetter,
)
from cdi_cli.state._letters import (
    Departure as Departure,
)
from cdi_cli.state._letters import (
    KnownLetter as KnownLetter,
)
from cdi_cli.state._letters import (
    LetterFilter as LetterFilter,
)
from cdi_cli.state._letters import (
    Stage as Stage,
)
from cdi_cli.state._letters import (
    StoredDeadLetter as StoredDeadLetter,
)
from cdi_cli.state._letters import (
    StoredDeparture as StoredDeparture,
)

OutcomeName = Literal["delivered", "filtered", "rejected", "duplicate"]
OUTCOMES: tuple[OutcomeName, ...] = ("delivered", "filtered", "rejected", "duplicate")
JobKind = Literal["backfill", "sync", "reconcile", "replay", "push"]


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
    kind: JobKind = "backfill"


@dataclass(frozen=True, slots=True)
class Partition:
    """A slice of a job: one stream, one half-open window; `cursor` is where reading goes on, `is_done` that it ended.

    `expected` is the count the source gave when the job was planned, for progress only. Of a sync, the window is one of
    modification times: everything before `window.since`, and once it is done before `window.until`, is settled; `origin` is
    the instant from which on everything that happens is news to it.
    """

    number: int
    stream: str
    window: Window
    cursor: Cursor | None = None
    is_done: bool = False
    expected: int | None = None
    origin: Instant | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A stored job; `status` is "open" until every partition is done, then "done"; "abandoned" after `--restart`.

    A sync stays open for ever.
    """

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
class Trace:
    """One delivery as the ledger knows it: which key, with what content, in which run, when that was, under which plan."""

    key: bytes
    content: bytes
    source: str
    destination: str
    run_id: int
    run_started_at: Instant
    plan_version: str


@dataclass(frozen=True, slots=True)
class LedgerSize:
    """How large the ledger is: deliveries, the rows that hold them, and the bytes of these rows (index not counted)."""

    entries: int
    rows: int
    size_bytes: int


IN_DOUBT = "in_doubt"
"""The reason of letters whose event may or may not have arrived: nobody but a person can decide."""

CountKey = tuple[str, str, OutcomeName, str]
"""(stream, event name or "", outcome, reason or "")."""

Counts = dict[CountKey, int]
"""What is counted, and how many of it."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one batch, or one page without a batch, came to.

    `cursor`: where the partition goes on, set only when every page before it is settled. `pulled` counts the records of
    the pages that `cursor` moves past. `resolved`: numbers of dead letters that leave the queue with this; those whose
    event is among `delivered` leave it by themselves. `departed`: customers whom the source says it deleted.
    `intended`: what is about to be sent and would change what the destination holds, or that it could not recognise as a
    repeat; it stays noted until its key is among `delivered` or `withdrawn` (refused, or never sent).
    """

    partition: int
    cursor: Cursor | None = None
    is_done: bool = False
    pulled: int = 0
    delivered: tuple[LedgerEntry, ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    counts: Counts = field(default_factory=dict)
    resolved: tuple[int, ...] = ()
    departed: tuple[Departure, ...] = ()
    intended: tuple[LedgerEntry, ...] = ()
    withdrawn: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as `cdi runs` shows it; `status` "running" without a live process means that it was killed.

    `plan_version` is the plan that it ran under. `lag_seconds`: how far behind the source's clock the slowest stream was
    when a sync ended. `message`: what stopped it, without personal data.
    """

    id: int
    job_id: int
    pid: int
    started_at: Instant
    ended_at: Instant | None
    status: str
    exit_code: int | None
    plan_version: str = ""
    lag_seconds: float | None = None
    message: str | None = None


class Store(Protocol):
    """An open checkpoint file. One writer at a time holds it; raises StateError for any I/O error, and never repairs.

    All methods may be called from any one thread at a time.
    """

    def find_job(self, pipeline: str, destination: str, kind: JobKind = "backfill") -> Job | None:
        """The newest job of a kind of a pipeline into a destination, whatever its status."""
        ...

    def jobs(self, pipeline: str, destination: str, kind: JobKind = "backfill") -> list[Job]:
        """All jobs of a kind of a pipeline into a destination, oldest first."""
        ...

    def create_job(self, spec: JobSpec, partitions: Sequence[Partition]) -> Job:
        """Store a new job; an open one of the same pipeline, destination and kind (of pushes: and `asked`) is abandoned."""
        ...

    def partitions(self, job_id: int) -> list[Partition]:
        """All partitions of a job, in the order they were planned."""
        ...

    def open_window(self, job_id: int, stream: str, window: Window, *, origin: Instant | None = None) -> Partition:
        """Give the stream's one partition of a sync job its next window, without a cursor; makes the partition if missing.

        `origin` is stored when the partition is made, and kept from then on.

        Raises StateError while the window before it is not done, or when the next one starts after that ended, so that
        nothing between the two can be left out.
        """
        ...

    def start_run(self, job_id: int, *, plan_version: str | None = None) -> int:
        """Record that this process works on a job now, under a plan (None: the job's); returns the run's id."""
        ...

    def end_run(
        self, run_id: int, *, status: str, exit_code: int, lag_seconds: float | None = None, message: str | None = None
    ) -> None:
        """Record how the run ended; a job other than a sync is done when all its partitions are."""
        ...

    def settle(self, run_id: int, settlements: Iterable[Settlement]) -> None:
        """Write everything of several settlements in one durable transaction.

        Raises StateError when it cannot be written, and LockedError when another process has taken over the file.
        """
        ...

    def delivered(self, source: str, destination: str, family: str, keys: Mapping[bytes, Instant]) -> dict[bytes, bytes]:
        """Which of these event keys (with their entity's creation time) were delivered, with the content they had."""
        ...

    def trace(self, keys: Iterable[bytes]) -> list[Trace]:
        """Every delivery of these keys to any destination, oldest first, by looking through the whole ledger.

        Of a key that was delivered again to the same destination, `compact` keeps the last delivery only.
        """
        ...

    def strike(self, keys: Iterable[bytes]) -> int:
        """Take these keys out of the whole ledger (erasure); returns how many entries went."""
        ...

    def forget(self, source: str, destination: str, family: str, before: Instant) -> int:
        """Drop the entries of entities created before an instant, and remember that instant; returns how many went.

        Whole days go: those of the instant's own day stay until the next one.
        """
        ...

    def forgotten_before(self, source: str, destination: str, family: str) -> Instant | None:
        """Up to which creation time the ledger of a family was dropped: what is older must not be taken for new."""
        ...

    def compact(self, *, seconds_max: float) -> int:
        """Put small ledger rows of one day together, for so long at most; returns how many rows that saved.

        May be called at any time, also while a run is open; each step is a transaction of its own.
        """
        ...

    def ledger_size(self) -> LedgerSize:
        """How large the ledger is."""
        ...

    def doubts(self, source: str, destination: str, places: Iterable[bytes]) -> dict[bytes, LedgerEntry]:
        """Which of these ledger keys were about to be sent, and have no outcome: what was last held there is not known."""
        ...

    def doubts_age_seconds(self, source: str, destination: str) -> float | None:
        """How long ago something was last about to be sent that has no outcome; None when nothing is in doubt."""
        ...

    def settle_doubts(self, numbers: Iterable[int]) -> int:
        """Decide that the events of these dead letters, which are in doubt, did arrive: into the ledger, out of the queue.

        Returns how many were in doubt; any other letter is left alone.
        """
        ...

    def letters(self, source: str, destination: str, places: Iterable[bytes]) -> dict[bytes, KnownLetter]:
        """Which of these places of the dead-letter queue are taken, and by what."""
        ...

    def drop_letters(self, numbers: Iterable[int]) -> int:
        """Take dead letters out of the queue for good; returns how many there were."""
        ...

    def erased(self, source: str) -> frozenset[bytes]:
        """The hashed names of people of a source about whom nothing may be sent any more."""
        ...

    def erase(self, source: str, subjects: Sequence[bytes]) -> None:
        """Never send anything about this person again."""
        ...

    def departures(self) -> list[StoredDeparture]:
        """Customers deleted in their source for whom the destinations' deletion requests were not made yet."""
        ...

    def close_departures(self, numbers: Iterable[int]) -> None:
        """The deletion requests of these were made: forget who it was (the hashed names stay)."""
        ...

    def counts(self, *, run_id: int | None = None, job_id: int | None = None) -> Counts:
        """The settled outcomes of one run or of a whole job."""
        ...

    def pulled(self, *, run_id: int | None = None, job_id: int | None = None) -> dict[str, int]:
        """Records settled, by stream, of one run or of a whole job."""
        ...

    def tally(self, run_id: int) -> tuple[int, int]:
        """How many ledger entries and dead letters one run has written, counted from the rows themselves.

        Rows that were packed, replaced or taken out since are counted by the file's triggers as they go.
        """
        ...

    def dead_letters(self, wanted: LetterFilter = EVERY_LETTER, *, limit: int = 100) -> list[StoredDeadLetter]:
        """Dead letters, the last written first."""
        ...

    def letter_numbers(self, wanted: LetterFilter = EVERY_LETTER, *, limit: int | None = None) -> list[int]:
        """The numbers of what `dead_letters` would give, without reading records and events; `limit` None: all."""
        ...

    def dead_letter(self, number: int) -> StoredDeadLetter | None:
        """One dead letter by its number."""
        ...

    def dead_letter_reasons(self, wanted: LetterFilter = EVERY_LETTER) -> dict[tuple[str, str, str], int]:
        """(stream, event name or "", reason) -> how many are in the queue."""
        ...

    def runs(
        self, limit: int = 20, *, pipeline: str | None = None, destination: str | None = None, kind: JobKind | None = None
    ) -> list[tuple[RunRow, Job]]:
        """The last runs with their jobs, newest first."""
        ...

    def close(self) -> None:
        """Close the file and release the lock."""
        ...
