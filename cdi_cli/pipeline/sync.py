"""A delta sync: read what changed since the last one, send what is new in it, and move each stream's watermark.

One job for ever, one partition per stream. Its window is one of modification times, `[watermark - overlap, server now -
settle delay)`; it is frozen until everything in it is settled, over as many runs as that takes, and only then followed by
the next. So the watermark (the end of the last window that is done) never passes an event that is neither delivered nor in
the dead letters, and rows of one timestamp are drained by the cursor inside the window, however many they are.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window, shift, to_datetime
from cdi_cli.errors import CdiError, ConfigError
from cdi_cli.logs import run_context
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.partition import Budget, Flow
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.scope import Scope
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.work import (
    Hooks,
    Turn,
    close_run,
    make_flow,
    rare_garbage_collection,
    refuse_skew,
    stamp_of,
    unless_stopped,
    work_through,
)
from cdi_cli.state._base import Job, Partition, Store

LOG = logging.getLogger("cdi.pipeline")
FORGETTABLE = ("order", "cart")
"""Families whose ledger entries may be dropped with age; a customer's last profile is always kept."""
COMPACT_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What `cdi sync` was asked for. `since`: where the first sync starts when there was no backfill, and how far back
    (by creation) a reconciliation reads beyond what was asked for before.

    `duration_seconds`: stop in order after that long; the next run goes on. `rate`: events per second, None for the
    destination's own.
    """

    since: Instant | None = None
    streams: tuple[str, ...] = ()
    duration_seconds: float | None = None
    rate: float | None = None


def watermark(partition: Partition) -> Instant:
    """Everything that changed before this instant is settled."""
    return partition.window.until if partition.is_done else partition.window.since


async def run_sync(
    opened: Opened,
    store: Store,
    request: SyncRequest,
    progress: Progress,
    stop: Stop,
    hooks: Hooks | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Report, CdiError | None]:
    """Run one delta sync to its end, its time limit, an error or a signal; returns its report and what stopped it.

    Raises ConfigError, LockedError, StoppedError or InterruptedRunError only before anything was sent.
    """
    started = clock.monotonic()
    hooks = hooks or Hooks()
    opened.follow(progress)
    server_now = await unless_stopped(opened.source.server_now(), stop)
    refuse_skew(server_now, clock)
    streams = tuple(name for name in opened.source_spec.names if name in (request.streams or opened.streams))
    job, starts = _job(opened, store, request, streams, server_now)
    hooks.on_job(job, True)
    _open_windows(opened, store, job, starts, streams, server_now)
    run_id = store.start_run(job.id, plan_version=opened.plan.version)
    about = opened.about(job, run_id)
    LOG.info("sync started", extra=about)
    budget = Budget(monotonic=clock.monotonic)
    scope = scope_of(opened, store, job)
    stamp = stamp_of(opened.source_spec, lambda partition: partition.window.until)
    options: dict[str, Any] = {"rate": request.rate, "budget": budget, "scope": scope, "hooks": hooks, "stamp": stamp}
    flow = make_flow(opened, store, run_id, progress, by="modified", **options)
    deadline = None if request.duration_seconds is None else started + request.duration_seconds
    with run_context(run_id=run_id), rare_garbage_collection():
        outcome = await work_through(flow, _turns(flow, store, job, streams, deadline), 1, stop)
    _forget(opened, store, server_now, outcome[0])
    behind = _of(store, job, streams)

    def lag_seconds() -> float | None:
        now = to_datetime(server_now) + timedelta(seconds=clock.monotonic() - started)
        return max(((now - to_datetime(watermark(each))).total_seconds() for each in behind), default=None)

    unfinished = [each for each in behind if not each.is_done]
    worked = close_run(
        store, run_id, progress, outcome, kind="sync", is_rest=bool(unfinished), about=about, lag_seconds=lag_seconds
    )
    report = Report(
        pipeline=opened.pipeline,
        destination=opened.destination_name,
        job_id=job.id,
        run_id=run_id,
        since=min((each.window.since for each in behind), default=job.spec.window.since),
        until=min((watermark(each) for each in behind), default=job.spec.window.since),
        status=worked.status,
        books=worked.books,
        elapsed_seconds=clock.monotonic() - started,
        retries=progress.retries,
        waited_seconds=progress.waited_seconds,
        requests=progress.requests,
        pages=progress.pages,
        remaining=len(unfinished),
        is_resumed=True,
        warnings=dict(progress.warnings),
        problems=worked.problems,
        kind="sync",
        lag_seconds=lag_seconds(),
    )
    return report, worked.error


def _job(
    opened: Opened, store: Store, request: SyncRequest, streams: Sequence[str], server_now: Instant
) -> tuple[Job, dict[str, Instant]]:
    """The one sync job, made at the first run, and where each stream that has no window yet starts."""
    job = store.find_job(opened.pipeline, opened.destination_name, "sync")
    known = {partition.stream for partition in store.partitions(job.id)} if job is not None else set()
    starts = {name: _start(opened, store, request, name) for name in streams if name not in known}
    if late := [name for name, start in starts.items() if start > server_now]:
        raise ConfigError(f"the sync of {late[0]} would start in the future", hint="`--since` must be in the past")
    if job is not None:
        return job, starts
    since = min(starts.values())
    spec = opened.job_spec(
        tuple(streams),
        Window(since, max(server_now, shift(since, timedelta(milliseconds=1)))),
        server_now,
        kind="sync",
        asked="sync",
        fingerprint="",
    )
    return store.create_job(spec, []), starts


def _start(opened: Opened, store: Store, request: SyncRequest, stream: str) -> Instant:
    """Where a stream's first window starts: where the first backfill of its family began to read, or ended if earlier."""
    family = {one.name: one.family for one in opened.source_spec.streams}
    found = [
        min(job.spec.server_started_at, job.spec.window.until)
        for job in store.jobs(opened.pipeline, opened.destination_name, "backfill")
        if job.status != "abandoned" and family[stream] in {family.get(name) for name in job.spec.streams}
    ]
    if found:
        return min(found)
    if request.since is not None:
        return request.since
    raise ConfigError(
        f"nothing says where the first sync of {stream} to {opened.destination_name} starts",
        hint="run `cdi backfill` first, and it starts where that began; or name a start: `cdi sync --since today`",
    )


def _open_windows(
    opened: Opened,
    store: Store,
    job: Job,
    starts: dict[str, Instant],
    streams: Sequence[str],
    server_now: Instant,
) -> None:
    """Give every stream whose last window is done its next one, where time has moved on enough for one."""
    until = shift(server_now, timedelta(seconds=-opened.settle_seconds))
    overlap = timedelta(seconds=-opened.overlap_seconds)
    partitions = {partition.stream: partition for partition in store.partitions(job.id)}
    for stream in streams:
        before = partitions.get(stream)
        if before is None:
            # What was stamped before the backfill read, and became visible after it, is in nobody's window but this one.
            start = shift(starts[stream], timedelta(seconds=-opened.settle_seconds) + overlap)
            if until > start:
                store.open_window(job.id, stream, Window(start, until), origin=starts[stream])
        elif before.is_done and until > before.window.until:
            store.open_window(job.id, stream, Window(shift(before.window.until, overlap), until))


def _turns(flow: Flow, store: Store, job: Job, streams: Sequence[str], deadline: float | None) -> Iterator[Turn]:
    """Streams in order, until every window is done or the time is over; each gets a fair share of what time is left.

    A stream that makes no headway (its permission is missing) is not asked again.
    """
    stuck: set[str] = set()
    while True:
        open_ones = [each for each in _of(store, job, streams) if not each.is_done and each.stream not in stuck]
        if not open_ones:
            return
        for number, partition in enumerate(open_ones):
            if deadline is not None:
                left = deadline - flow.budget.monotonic()
                if left <= 0:
                    return
                flow.budget.deadline = flow.budget.monotonic() + left / (len(open_ones) - number)
            yield partition.stream, [partition]
            after = _of(store, job, (partition.stream,))[0]
            if after == partition:
                stuck.add(partition.stream)


def _of(store: Store, job: Job, streams: Sequence[str]) -> list[Partition]:
    """The partitions of these streams, in the streams' order."""
    found = {partition.stream: partition for partition in store.partitions(job.id)}
    return [found[name] for name in streams if name in found]


def scope_of(opened: Opened, store: Store, job: Job | None) -> Scope:
    """What is news to this sync: everything since it began, and whatever was backfilled; None: one that never ran."""
    family = {stream.name: stream.family for stream in opened.source_spec.streams}
    origins: dict[str, Instant] = {}
    windows: dict[str, tuple[Window, ...]] = {}
    for partition in store.partitions(job.id) if job is not None else ():
        if partition.origin is not None and partition.stream in family:
            name = family[partition.stream]
            origins[name] = min(origins.get(name, partition.origin), partition.origin)
    for backfill in store.jobs(opened.pipeline, opened.destination_name, "backfill"):
        if backfill.status != "abandoned":
            for each in {family[name] for name in backfill.spec.streams if name in family}:
                windows[each] = (*windows.get(each, ()), backfill.spec.window)
    forgotten = {
        each: store.forgotten_before(opened.source_name, opened.destination_name, each) for each in set(family.values())
    }
    return Scope(origins, windows, forgotten.get)


def _forget(opened: Opened, store: Store, server_now: Instant, error: CdiError | None) -> None:
    """Drop what the retention lets go."""
    if opened.keep_seconds is None or error is not None:
        return
    before = shift(server_now, timedelta(seconds=-opened.keep_seconds))
    for family in FORGETTABLE:
        store.forget(opened.source_name, opened.destination_name, family, before)
