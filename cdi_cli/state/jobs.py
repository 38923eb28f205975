"""Jobs, partitions and runs as rows.

A backfill ends when its partitions do; a sync never ends: each of its streams has one partition, whose window moves on. A
job's own row and each partition's row carry a checksum over everything that decides what is read next: a wrong cursor
would skip or repeat data without a trace, so a row that does not match its checksum is refused.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import StateError
from cdi_cli.sources import Cursor
from cdi_cli.state._base import Job, JobSpec, Partition, RunRow
from cdi_cli.state.failures import damaged
from cdi_cli.state.lock import is_alive
from cdi_cli.state.schema import checksum, storable

SYNC = "sync"
RUNNING = "running"
KILLED = "killed"

JOBS = """
SELECT id, status, started_at, ended_at, crc, kind, pipeline, source, destination, streams, since, until, asked, fingerprint,
  plan_version, server_started_at
FROM jobs WHERE pipeline = ? AND destination = ? AND kind = ? ORDER BY id
"""
NEWEST_JOB = JOBS + "DESC LIMIT 1"
_PARTITION = "SELECT number, stream, since, until, expected, cursor, is_done, crc, origin FROM partitions WHERE job_id = ? "
PARTITIONS = _PARTITION + "ORDER BY id"
_ONE_PARTITION = _PARTITION + "AND number = ?"
_OF_STREAM = _PARTITION + "AND stream = ? ORDER BY id"
RUNS = """
SELECT runs.id, job_id, pid, runs.started_at, runs.ended_at, runs.status, exit_code, runs.plan_version, lag_seconds, message,
  host, jobs.id, jobs.status, jobs.started_at, jobs.ended_at, crc, kind, pipeline, source, destination, streams, since,
  until, asked, fingerprint, jobs.plan_version, server_started_at
FROM runs JOIN jobs ON jobs.id = job_id
WHERE (:pipeline IS NULL OR pipeline = :pipeline) AND (:destination IS NULL OR destination = :destination)
  AND (:kind IS NULL OR kind = :kind)
ORDER BY runs.id DESC LIMIT :limit
"""
_RUN_COLUMNS = 11
LAST_GOOD_RUN = "SELECT max(ended_at) FROM runs WHERE exit_code = 0"


def job_of(row: Sequence[Any], path: Path) -> Job:
    """The job of a row of `JOBS`; raises StateError when it is damaged."""
    number, status, started_at, ended_at, crc, *spec = row
    if checksum(number, *spec) != crc:
        raise damaged(f"job {number} does not match its checksum", path)
    kind, pipeline, source, destination, streams, since, until, asked, fingerprint, plan_version, server_started_at = spec
    return Job(
        id=number,
        spec=JobSpec(
            pipeline=pipeline,
            source=source,
            destination=destination,
            streams=tuple(json.loads(streams)),
            window=Window(Instant(since), Instant(until)),
            asked=asked,
            fingerprint=fingerprint,
            plan_version=plan_version,
            server_started_at=Instant(server_started_at),
            kind=kind,
        ),
        status=status,
        started_at=Instant(started_at),
        ended_at=Instant(ended_at) if ended_at is not None else None,
    )


def insert_job(db: sqlite3.Connection, spec: JobSpec, partitions: Iterable[Partition], now: Instant) -> int:
    """Store a job and its partitions, abandon the open one of its kind before it; returns the job's number."""
    db.execute(
        "UPDATE jobs SET status = 'abandoned', ended_at = ? "
        "WHERE pipeline = ? AND destination = ? AND kind = ? AND status = 'open'",
        (now, spec.pipeline, spec.destination, spec.kind),
    )
    (last,) = db.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()
    number = int(last) + 1
    values = (
        spec.kind,
        spec.pipeline,
        spec.source,
        spec.destination,
        json.dumps(spec.streams),
        spec.window.since,
        spec.window.until,
        spec.asked,
        spec.fingerprint,
        spec.plan_version,
        spec.server_started_at,
    )
    db.execute(
        "INSERT INTO jobs (id, status, started_at, crc, kind, pipeline, source, destination, streams, since, until, asked, "
        "fingerprint, plan_version, server_started_at) VALUES (?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (number, now, checksum(number, *values), *values),
    )
    for partition in partitions:
        _insert_partition(db, number, partition)
    return number


def _insert_partition(db: sqlite3.Connection, job_id: int, partition: Partition) -> None:
    db.execute(
        "INSERT INTO partitions (job_id, number, stream, since, until, expected, cursor, is_done, origin, crc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (job_id, *_row_of(partition), partition.origin, _crc(job_id, partition)),
    )


def _crc(job_id: int, partition: Partition) -> int:
    """The checksum of a partition; what has no origin has the checksum that schema 1 gave it."""
    return checksum(job_id, *_row_of(partition), *([partition.origin] if partition.origin is not None else []))


def _row_of(partition: Partition) -> tuple[str | int | None, ...]:
    window = partition.window
    return (
        partition.number,
        partition.stream,
        window.since,
        window.until,
        partition.expected,
        partition.cursor,
        int(partition.is_done),
    )


def partition_of(row: Sequence[Any], job_id: int, path: Path) -> Partition:
    """The partition of a row of `PARTITIONS`; raises StateError naming it when it is damaged."""
    number, stream, since, until, expected, cursor, is_done, crc, origin = row
    values = (number, stream, since, until, expected, cursor, is_done, *([origin] if origin is not None else []))
    if checksum(job_id, *values) != crc:
        raise damaged(f"partition {number} of job {job_id} does not match its checksum", path)
    return Partition(
        number=number,
        stream=stream,
        window=Window(Instant(since), Instant(until)),
        cursor=Cursor(cursor) if cursor is not None else None,
        is_done=bool(is_done),
        expected=expected,
        origin=Instant(origin) if origin is not None else None,
    )


def read_partition(db: sqlite3.Connection, job_id: int, number: int, path: Path) -> Partition:
    """One partition; raises StateError when it is missing or damaged."""
    row = db.execute(_ONE_PARTITION, (job_id, number)).fetchone()
    if row is None:
        raise StateError(f"the checkpoint file has no partition {number} of job {job_id}", where=str(path))
    return partition_of(row, job_id, path)


def write_progress(db: sqlite3.Connection, job_id: int, partition: Partition) -> None:
    """Store the window, the cursor and the end of a partition, with the checksum of the whole row."""
    window = partition.window
    db.execute(
        "UPDATE partitions SET since = ?, until = ?, cursor = ?, is_done = ?, crc = ? WHERE job_id = ? AND number = ?",
        (
            window.since,
            window.until,
            partition.cursor,
            int(partition.is_done),
            _crc(job_id, partition),
            job_id,
            partition.number,
        ),
    )


def open_window(
    db: sqlite3.Connection, job_id: int, stream: str, window: Window, origin: Instant | None, path: Path
) -> Partition:
    """Give a stream of a sync its next window, or its first; raises StateError when something would be left out."""
    row = db.execute("SELECT kind FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if row != (SYNC,):
        raise StateError(f"the checkpoint file has no sync job {job_id}", where=str(path))
    rows = db.execute(_OF_STREAM, (job_id, stream)).fetchall()
    if not rows:
        (number,) = db.execute("SELECT coalesce(max(number) + 1, 0) FROM partitions WHERE job_id = ?", (job_id,)).fetchone()
        made = Partition(number, stream, window, origin=origin)
        _insert_partition(db, job_id, made)
        return made
    before = partition_of(rows[0], job_id, path)
    if not before.is_done:
        raise StateError(
            f"the window of {stream} up to {before.window.until} is not done: no window can follow it", where=str(path)
        )
    if window.since > before.window.until:
        raise StateError(
            f"the next window of {stream} starts at {window.since}, after {before.window.until} where the last one ended",
            where=str(path),
        )
    after = replace(before, window=window, cursor=None, is_done=False, expected=None)
    write_progress(db, job_id, after)
    return after


def insert_run(db: sqlite3.Connection, job_id: int, plan_version: str | None, now: Instant) -> int | None:
    """Store that this process works on a job from now on; returns the run's number, None when there is no such job."""
    done = db.execute(
        "INSERT INTO runs (job_id, pid, host, started_at, status, plan_version) "
        "SELECT id, ?, ?, ?, ?, coalesce(?, plan_version) FROM jobs WHERE id = ?",
        (os.getpid(), socket.gethostname(), now, RUNNING, plan_version, job_id),
    )
    return done.lastrowid if done.rowcount == 1 else None


def finish_run(
    db: sqlite3.Connection,
    run_id: int,
    *,
    status: str,
    exit_code: int,
    lag_seconds: float | None,
    message: str | None,
    now: Instant,
) -> bool:
    """Store how a run ended, and that its job is done when no partition is left; False when there is no such run.

    A sync has always something left: it is never done.
    """
    found = db.execute(
        "UPDATE runs SET ended_at = ?, status = ?, exit_code = ?, lag_seconds = ?, message = ? WHERE id = ?",
        (now, status, exit_code, lag_seconds, storable(message), run_id),
    )
    db.execute(
        "UPDATE jobs SET status = 'done', ended_at = ? "
        "WHERE status = 'open' AND kind <> ? AND id = (SELECT job_id FROM runs WHERE id = ?) "
        "AND NOT EXISTS (SELECT 1 FROM partitions WHERE job_id = jobs.id AND is_done = 0)",
        (now, SYNC, run_id),
    )
    return found.rowcount == 1


def mark_killed(db: sqlite3.Connection) -> None:
    """Every run that still counts as running was killed: the caller holds the lock, so none can be alive."""
    db.execute("UPDATE runs SET status = ? WHERE status = ?", (KILLED, RUNNING))


def run_of(row: Sequence[Any], path: Path) -> tuple[RunRow, Job]:
    """The run and its job of a row of `RUNS`; one that is "running" without a living process shows as "killed"."""
    number, job_id, pid, started_at, ended_at, status, exit_code, plan_version, lag, message, host = row[:_RUN_COLUMNS]
    try:
        if status == RUNNING and not is_alive(pid, host):
            status = KILLED
    except (TypeError, OverflowError) as error:
        raise damaged(f"run {number} cannot be read", path) from error
    run = RunRow(
        id=number,
        job_id=job_id,
        pid=pid,
        started_at=Instant(started_at),
        ended_at=Instant(ended_at) if ended_at is not None else None,
        status=status,
        exit_code=exit_code,
        plan_version=plan_version,
        lag_seconds=lag,
        message=message,
    )
    return run, job_of(row[_RUN_COLUMNS:], path)
