"""The checkpoint store on SQLite: the contract of `_base.Store`, one transaction to a method that writes.

`settle` may run in a worker thread while `delivered` and the other readers are called from another: reading has its own
connection and sees what is committed. Open one with `cdi_cli.state.open_store`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from cdi_cli.clock import Clock, Instant, Window, to_datetime
from cdi_cli.errors import CdiError, StateError
from cdi_cli.state import counters, dead_letters, intents, jobs, ledger, ledger_compact, ledger_scopes, ledger_whole, people
from cdi_cli.state._base import (
    Counts,
    Job,
    JobKind,
    JobSpec,
    KnownLetter,
    LedgerEntry,
    LedgerSize,
    LetterFilter,
    Partition,
    RunRow,
    Settlement,
    StoredDeadLetter,
    StoredDeparture,
    Trace,
)
from cdi_cli.state.connection import Reader, Writer

_ALL = LetterFilter()


class SqliteStore:
    """An open checkpoint file; see `_base.Store` for what each method promises."""

    def __init__(self, reader: Reader, writer: Writer | None, path: Path, clock: Clock, release: Callable[[], None]) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._release = release
        self._is_open = True
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except CdiError:
            # What went wrong first is the news; that closing fails too adds nothing.
            if error is None:
                raise

    def close(self) -> None:
        """Close the file in order and release the lock; a second call does nothing. Raises StateError."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._reader.close()
            if self._writer is not None:
                self._writer.close()
        finally:
            self._release()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise StateError("the checkpoint file was opened for reading only", where=str(self.path))
        with self._writer.transaction() as db:
            yield db

    def find_job(self, pipeline: str, destination: str, kind: JobKind = "backfill") -> Job | None:
        """The newest job of a kind of a pipeline into a destination, whatever its status."""
        rows = self._reader.rows(jobs.NEWEST_JOB, (pipeline, destination, kind))
        return jobs.job_of(rows[0], self.path) if rows else None

    def jobs(self, pipeline: str, destination: str, kind: JobKind = "backfill") -> list[Job]:
        """All jobs of a kind of a pipeline into a destination, oldest first."""
        return [jobs.job_of(row, self.path) for row in self._reader.rows(jobs.JOBS, (pipeline, destination, kind))]

    def create_job(self, spec: JobSpec, partitions: Sequence[Partition]) -> Job:
        """Store a new job with its partitions; an open job of the same pipeline, destination and kind becomes abandoned."""
        now = self._clock.instant()
        with self._transaction() as db:
            number = jobs.insert_job(db, spec, partitions, now)
        return Job(id=number, spec=spec, status="open", started_at=now)

    def partitions(self, job_id: int) -> list[Partition]:
        """All partitions of a job, in the order they were planned."""
        return [jobs.partition_of(row, job_id, self.path) for row in self._reader.rows(jobs.PARTITIONS, (job_id,))]

    def open_window(self, job_id: int, stream: str, window: Window, *, origin: Instant | None = None) -> Partition:
        """Give the stream's one partition of a sync job its next window, without a cursor; makes the partition if missing.

        Raises StateError while the window before it is not done, or when the next one starts after that ended.
        """
        with self._transaction() as db:
            return jobs.open_window(db, job_id, stream, window, origin, self.path)

    def start_run(self, job_id: int, *, plan_version: str | None = None) -> int:
        """Record that this process works on a job now, under a plan (None: the job's); returns the run's id."""
        with self._transaction() as db:
            number = jobs.insert_run(db, job_id, plan_version, self._clock.instant())
            if number is None:
                raise StateError(f"the checkpoint file has no job {job_id}", where=str(self.path))
            return number

    def end_run(
        self, run_id: int, *, status: str, exit_code: int, lag_seconds: float | None = None, message: str | None = None
    ) -> None:
        """Record how the run ended; a job other than a sync is done when all its partitions are."""
        ended: dict[str, Any] = {"status": status, "exit_code": exit_code, "lag_seconds": lag_seconds, "message": message}
        with self._transaction() as db:
            if not jobs.finish_run(db, run_id, **ended, now=self._clock.instant()):
                raise self._no_run(run_id)

    def settle(self, run_id: int, settlements: Iterable[Settlement]) -> None:
        """Write everything of several settlements in one durable transaction.

        Within a settlement what is delivered leaves the queue first: a letter that comes with it is what failed since. Days
        of the ledger that are crowded thereby are packed afterwards, each in a transaction of its own.
        """
        crowded: set[tuple[int, int]] = set()
        counts: Counts = {}
        pulled: dict[str, int] = {}
        now = self._clock.instant()
        with self._transaction() as db:
            job_id, source, destination = self._origin(db, run_id)
            has_letters = not dead_letters.is_empty(db)
            has_intents = not intents.is_empty(db)
            for settlement in settlements:
                before = jobs.read_partition(db, job_id, settlement.partition, self.path)
                if settlement.cursor is not None or settlement.is_done:
                    cursor = before.cursor if settlement.cursor is None else settlement.cursor
                    after = replace(before, cursor=cursor, is_done=before.is_done or settlement.is_done)
                    jobs.write_progress(db, job_id, after)
                crowded |= ledger.write(db, run_id, source, destination, settlement.delivered)
                if has_letters:
                    dead_letters.leave(db, source, destination, settlement.delivered)
                    dead_letters.drop(db, settlement.resolved)
                if settlement.dead:
                    dead_letters.write(db, run_id, source, destination, settlement.dead, now)
                    has_letters = True
                people.note(db, source, settlement.departed, now)
                if settlement.intended:
                    intents.write(db, run_id, source, destination, settlement.intended, now)
                    has_intents = True
                if has_intents:
                    intents.leave(db, source, destination, [entry.key for entry in settlement.delivered])
                    intents.leave(db, source, destination, settlement.withdrawn)
                for place, number in settlement.counts.items():
                    counts[place] = counts.get(place, 0) + number
                if settlement.pulled:
                    pulled[before.stream] = pulled.get(before.stream, 0) + settlement.pulled
            counters.write(db, run_id, counts, pulled)
        self._pack(crowded)

    def _origin(self, db: sqlite3.Connection, run_id: int) -> tuple[int, str, str]:
        """The job of a run, and where its events come from and go to."""
        row = db.execute(
            "SELECT jobs.id, source, destination FROM runs JOIN jobs ON jobs.id = job_id WHERE runs.id = ?", (run_id,)
        ).fetchone()
        if row is None:
            raise self._no_run(run_id)
        return cast("tuple[int, str, str]", row)

    def _no_run(self, run_id: int) -> StateError:
        return StateError(f"the checkpoint file has no run {run_id}", where=str(self.path))

    def delivered(self, source: str, destination: str, family: str, keys: Mapping[bytes, Instant]) -> dict[bytes, bytes]:
        """Which of these event keys (with their entity's creation time) were delivered, with the content they had."""
        with self._reader.use() as db:
            return ledger.look_up(db, self.path, source, destination, family, keys)

    def trace(self, keys: Iterable[bytes]) -> list[Trace]:
        """Every delivery of these keys to any destination, oldest first; of a key in a packed row only the last."""
        with self._reader.use() as db:
            return ledger_whole.trace(db, self.path, frozenset(keys))

    def strike(self, keys: Iterable[bytes]) -> int:
        """Take these keys out of the whole ledger (erasure); returns how many entries went."""
        with self._transaction() as db:
            return ledger_whole.strike(db, self.path, frozenset(keys))

    def forget(self, source: str, destination: str, family: str, before: Instant) -> int:
        """Drop the entries of entities created on days before that instant's, and remember the instant; how many went."""
        with self._transaction() as db:
            return ledger_whole.forget(db, self.path, source, destination, family, before)

    def forgotten_before(self, source: str, destination: str, family: str) -> Instant | None:
        """Up to which creation time the ledger of a family was dropped: what is older must not be taken for new."""
        with self._reader.use() as db:
            return ledger_scopes.forgotten_before(db, self.path, source, destination, family)

    def compact(self, *, seconds_max: float) -> int:
        """Put small ledger rows of one day together, for so long at most; returns how many rows that saved."""
        deadline = self._clock.monotonic() + seconds_max
        with self._reader.use() as db:
            days = ledger_compact.candidates(db)
        return self._pack(filter(self._is_worth_packing, days), deadline)

    def _is_worth_packing(self, day: tuple[int, int]) -> bool:
        with self._reader.use() as db:
            return ledger_compact.is_worth_it(db, *day)

    def _pack(self, days: Iterable[tuple[int, int]], deadline: float | None = None) -> int:
        """Pack these (scope, day), one step to a transaction; returns how many rows that saved."""
        saved = 0
        for scope, day in days:
            is_left = True
            while is_left:
                if deadline is not None and self._clock.monotonic() >= deadline:
                    return saved
                with self._transaction() as db:
                    fewer, is_left = ledger_compact.step(db, self.path, scope, day)
                saved += fewer
        return saved

    def ledger_size(self) -> LedgerSize:
        """How large the ledger is."""
        with self._reader.use() as db:
            return ledger_whole.size(db)

    def doubts(self, source: str, destination: str, places: Iterable[bytes]) -> dict[bytes, LedgerEntry]:
        """Which of these ledger keys were about to be sent, and have no outcome."""
        with self._reader.use() as db:
            return intents.of(db, source, destination, places)

    def doubts_age_seconds(self, source: str, destination: str) -> float | None:
        """How long ago something was last about to be sent that has no outcome; None when nothing is in doubt."""
        with self._reader.use() as db:
            at = intents.last_at(db, source, destination)
        return None if at is None else (self._clock.now() - to_datetime(at)).total_seconds()

    def settle_doubts(self, numbers: Iterable[int]) -> int:
        """Decide that the events of these dead letters, which are in doubt, did arrive; returns how many were in doubt."""
        settled = 0
        with self._transaction() as db:
            for row in dead_letters.in_doubt(db, numbers):
                number, run_id, source, destination, place = row
                found = intents.of(db, source, destination, [place])
                ledger.write(db, run_id, source, destination, found.values())
                intents.leave(db, source, destination, found)
                settled += dead_letters.drop(db, [number]) if found else 0
        return settled

    def letters(self, source: str, destination: str, places: Iterable[bytes]) -> dict[bytes, KnownLetter]:
        """Which of these places of the dead-letter queue are taken, and by what."""
        with self._reader.use() as db:
            return dead_letters.known(db, source, destination, places)

    def drop_letters(self, numbers: Iterable[int]) -> int:
        """Take dead letters out of the queue for good; returns how many there were."""
        with self._transaction() as db:
            return dead_letters.drop(db, numbers)

    def erased(self, source: str) -> frozenset[bytes]:
        """The hashed names of people of a source about whom nothing may be sent any more, departed customers included."""
        return frozenset(people.subject_of(row, source, self.path) for row in self._reader.rows(people.ERASED, (source,)))

    def erase(self, source: str, subjects: Sequence[bytes]) -> None:
        """Never send anything about this person again."""
        with self._transaction() as db:
            people.erase(db, source, subjects, self._clock.instant())

    def departures(self) -> list[StoredDeparture]:
        """Customers deleted in their source for whom the destinations' deletion requests were not made yet."""
        return [people.departure_of(row, self.path) for row in self._reader.rows(people.WAITING)]

    def close_departures(self, numbers: Iterable[int]) -> None:
        """The deletion requests of these were made: forget who it was (the hashed names stay)."""
        with self._transaction() as db:
            people.close(db, numbers, self.path)

    def counts(self, *, run_id: int | None = None, job_id: int | None = None) -> Counts:
        """The settled outcomes of one run or of a whole job; of everything when neither is named."""
        rows = self._reader.rows(counters.COUNTS, {"run_id": run_id, "job_id": job_id})
        return {(stream, event, outcome, reason): number for stream, event, outcome, reason, number in rows}

    def pulled(self, *, run_id: int | None = None, job_id: int | None = None) -> dict[str, int]:
        """Records settled, by stream, of one run or of a whole job; of everything when neither is named."""
        return dict(self._reader.rows(counters.PULLED, {"run_id": run_id, "job_id": job_id}))

    def tally(self, run_id: int) -> tuple[int, int]:
        """How many ledger entries and dead letters a run has written, counted from the rows themselves.

        What was packed, replaced, struck or taken out since is counted by the file's triggers as it goes.
        """
        with self._reader.use() as db:
            letters = db.execute(dead_letters.OF_RUN, (run_id,)).fetchone()
            return ledger.entries_of_run(db, run_id), int(letters[0]) if letters else 0

    def dead_letters(self, wanted: LetterFilter = _ALL, *, limit: int = 100) -> list[StoredDeadLetter]:
        """Dead letters, the last written first."""
        rows = self._reader.rows(dead_letters.NEWEST, {**dead_letters.values_of(wanted), "limit": limit})
        return [dead_letters.letter_of(row, self.path) for row in rows]

    def letter_numbers(self, wanted: LetterFilter = _ALL, *, limit: int | None = None) -> list[int]:
        """The numbers of what `dead_letters` would give, without reading records and events; `limit` None: all."""
        values = {**dead_letters.values_of(wanted), "limit": -1 if limit is None else limit}
        return [number for (number,) in self._reader.rows(dead_letters.NUMBERS, values)]

    def dead_letter(self, number: int) -> StoredDeadLetter | None:
        """One dead letter by its number."""
        rows = self._reader.rows(dead_letters.ONE, (number,))
        return dead_letters.letter_of(rows[0], self.path) if rows else None

    def dead_letter_reasons(self, wanted: LetterFilter = _ALL) -> dict[tuple[str, str, str], int]:
        """(stream, event name or "", reason) -> how many are in the queue."""
        rows = self._reader.rows(dead_letters.REASONS, dead_letters.values_of(wanted))
        return {(stream, event, reason): number for stream, event, reason, number in rows}

    def runs(
        self, limit: int = 20, *, pipeline: str | None = None, destination: str | None = None, kind: JobKind | None = None
    ) -> list[tuple[RunRow, Job]]:
        """The last runs with their jobs, newest first."""
        wanted = {"limit": limit, "pipeline": pipeline, "destination": destination, "kind": kind}
        return [jobs.run_of(row, self.path) for row in self._reader.rows(jobs.RUNS, wanted)]
