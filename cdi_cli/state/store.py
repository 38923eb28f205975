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
from typing import Self, cast

from cdi_cli.clock import Clock, Instant
from cdi_cli.errors import CdiError, StateError
from cdi_cli.state import counters, dead_letters, jobs, ledger
from cdi_cli.state._base import Counts, Job, JobSpec, Partition, RunRow, Settlement, StoredDeadLetter
from cdi_cli.state.connection import Reader, Writer


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

    def find_job(self, pipeline: str, destination: str) -> Job | None:
        """The newest job of a pipeline into a destination, whatever its status."""
        rows = self._reader.rows(jobs.NEWEST_JOB, (pipeline, destination))
        return jobs.job_of(rows[0], self.path) if rows else None

    def create_job(self, spec: JobSpec, partitions: Sequence[Partition]) -> Job:
        """Store a new job with its partitions; an open job of the same pipeline and destination becomes abandoned."""
        now = self._clock.instant()
        with self._transaction() as db:
            number = jobs.insert_job(db, spec, partitions, now)
        return Job(id=number, spec=spec, status="open", started_at=now)

    def partitions(self, job_id: int) -> list[Partition]:
        """All partitions of a job, in the order they were planned."""
        return [jobs.partition_of(row, job_id, self.path) for row in self._reader.rows(jobs.PARTITIONS, (job_id,))]

    def start_run(self, job_id: int) -> int:
        """Record that this process works on a job now; returns the run's id."""
        with self._transaction() as db:
            number = jobs.insert_run(db, job_id, self._clock.instant())
            if number is None:
                raise StateError(f"the checkpoint file has no job {job_id}", where=str(self.path))
            return number

    def end_run(self, run_id: int, *, status: str, exit_code: int) -> None:
        """Record how the run ended; the job is done when all its partitions are."""
        with self._transaction() as db:
            if not jobs.finish_run(db, run_id, status=status, exit_code=exit_code, now=self._clock.instant()):
                raise self._no_run(run_id)

    def settle(self, run_id: int, settlements: Iterable[Settlement]) -> None:
        """Write everything of several settlements in one durable transaction."""
        counts: Counts = {}
        pulled: dict[str, int] = {}
        now = self._clock.instant()
        with self._transaction() as db:
            job_id, source, destination = self._origin(db, run_id)
            for settlement in settlements:
                before = jobs.read_partition(db, job_id, settlement.partition, self.path)
                if settlement.cursor is not None or settlement.is_done:
                    cursor = before.cursor if settlement.cursor is None else settlement.cursor
                    after = replace(before, cursor=cursor, is_done=before.is_done or settlement.is_done)
                    jobs.write_progress(db, job_id, after)
                ledger.write(db, run_id, source, destination, settlement.delivered)
                dead_letters.write(db, run_id, settlement.dead, now)
                for place, number in settlement.counts.items():
                    counts[place] = counts.get(place, 0) + number
                if settlement.pulled:
                    pulled[before.stream] = pulled.get(before.stream, 0) + settlement.pulled
            counters.write(db, run_id, counts, pulled)

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

    def counts(self, *, run_id: int | None = None, job_id: int | None = None) -> Counts:
        """The settled outcomes of one run or of a whole job; of everything when neither is named."""
        rows = self._reader.rows(counters.COUNTS, {"run_id": run_id, "job_id": job_id})
        return {(stream, event, outcome, reason): number for stream, event, outcome, reason, number in rows}

    def pulled(self, *, run_id: int | None = None, job_id: int | None = None) -> dict[str, int]:
        """Records settled, by stream, of one run or of a whole job; of everything when neither is named."""
        return dict(self._reader.rows(counters.PULLED, {"run_id": run_id, "job_id": job_id}))

    def tally(self, run_id: int) -> tuple[int, int]:
        """How many ledger entries and dead letters the file holds of one run, counted from the rows themselves."""
        with self._reader.use() as db:
            (letters,) = db.execute(dead_letters.OF_RUN, {"run": run_id}).fetchone()
            return ledger.entries_of_run(db, run_id), int(letters)

    def dead_letters(
        self, *, reason: str | None = None, event_name: str | None = None, run_id: int | None = None, limit: int = 100
    ) -> list[StoredDeadLetter]:
        """Dead letters, newest first."""
        wanted = {"reason": reason, "event_name": event_name, "run_id": run_id, "limit": limit}
        return [dead_letters.letter_of(row, self.path) for row in self._reader.rows(dead_letters.NEWEST, wanted)]

    def dead_letter(self, number: int) -> StoredDeadLetter | None:
        """One dead letter by its number."""
        rows = self._reader.rows(dead_letters.ONE, (number,))
        return dead_letters.letter_of(rows[0], self.path) if rows else None

    def dead_letter_reasons(self) -> dict[tuple[str, str, str], int]:
        """(stream, event name or "", reason) -> how many are in the queue."""
        return {(stream, event, reason): number for stream, event, reason, number in self._reader.rows(dead_letters.REASONS)}

    def runs(self, limit: int = 20) -> list[tuple[RunRow, Job]]:
        """The last runs with their jobs, newest first."""
        return [jobs.run_of(row, self.path) for row in self._reader.rows(jobs.RUNS, (limit,))]
