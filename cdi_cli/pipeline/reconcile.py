"""A reconciliation: read once more what was created in scope, for what changes without its modification time telling it.

A newsletter subscription ends, a price changes, and no delta sync can see it. This reads the streams that are so
(`Stream.by_reconcile`) whole, and the ledger decides what is new. It is a job with partitions, as a backfill is: done when
all of them are, and taken up again where a run was killed or its time was over. Its window, once made, stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window
from cdi_cli.errors import CdiError, ConfigError
from cdi_cli.logs import run_context
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.partition import Budget
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.slices import plan_partitions
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.sync import SyncRequest, scope_of
from cdi_cli.pipeline.work import (
    Hooks,
    close_run,
    make_flow,
    rare_garbage_collection,
    refuse_skew,
    report_of,
    stamp_of,
    unless_stopped,
    work_through,
)
from cdi_cli.state._base import Job, Store

LOG = logging.getLogger("cdi.pipeline")


async def run_reconcile(
    opened: Opened,
    store: Store,
    request: SyncRequest,
    progress: Progress,
    stop: Stop,
    hooks: Hooks | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Report, CdiError | None]:
    """Run a reconciliation to its end, its time limit, an error or a signal; returns its report and what stopped it.

    Raises ConfigError, LockedError, StoppedError or InterruptedRunError only before anything was sent.
    """
    started = clock.monotonic()
    hooks = hooks or Hooks()
    opened.follow(progress)
    job, is_resumed = await unless_stopped(_find_or_make(opened, store, request, clock), stop)
    hooks.on_job(job, is_resumed)
    run_id = store.start_run(job.id, plan_version=opened.plan.version)
    about = opened.about(job, run_id)
    LOG.info("reconcile resumed" if is_resumed else "reconcile started", extra=about)
    deadline = None if request.duration_seconds is None else started + request.duration_seconds
    flow = make_flow(
        opened,
        store,
        run_id,
        progress,
        rate=request.rate,
        budget=Budget(deadline=deadline, monotonic=clock.monotonic),
        scope=scope_of(opened, store, store.find_job(opened.pipeline, opened.destination_name, "sync")),
        hooks=hooks,
        by="reconcile",
        stamp=stamp_of(opened.source_spec, lambda _partition: job.spec.window.until),
    )
    left = [partition for partition in store.partitions(job.id) if not partition.is_done]
    turns = [(stream, list(group)) for stream, group in groupby(left, key=lambda partition: partition.stream)]
    with run_context(run_id=run_id), rare_garbage_collection():
        outcome = await work_through(flow, turns, 1, stop)
    remaining = sum(not partition.is_done for partition in store.partitions(job.id))
    worked = close_run(store, run_id, progress, outcome, kind="reconcile", is_rest=remaining > 0, about=about)
    seconds = clock.monotonic() - started
    report = report_of(opened, job, run_id, worked, progress, seconds=seconds, remaining=remaining, is_resumed=is_resumed)
    return report, worked.error


async def _find_or_make(opened: Opened, store: Store, request: SyncRequest, clock: Clock) -> tuple[Job, bool]:
    """The unfinished job of the same streams, start and plan; else a new one, in the place of an unfinished other."""
    streams = _streams(opened, request)
    since = _since(opened, store, request, streams)
    server_now = await opened.source.server_now()
    refuse_skew(server_now, clock)
    asked = "reconcile" if request.since is None else f"reconcile --since {request.since}"
    job = store.find_job(opened.pipeline, opened.destination_name, "reconcile")
    if job is not None and job.status == "open":
        spec = job.spec
        # Of one that began under another plan only the rest would be read by this one.
        if (spec.streams, spec.asked, spec.fingerprint) == (
            streams,
            asked,
            opened.fingerprint,
        ) and spec.window.since <= since:
            return job, True
    if not since < server_now:
        raise ConfigError("the reconciliation would start in the future", hint="`--since` must be in the past")
    window = Window(since, server_now)
    spec = opened.job_spec(streams, window, server_now, kind="reconcile", asked=asked)
    return store.create_job(spec, await plan_partitions(opened.source, streams, window, workers=1)), False


def _streams(opened: Opened, request: SyncRequest) -> tuple[str, ...]:
    """The streams to read, in order; raises ConfigError where none of those that are asked for needs it."""
    silent = [stream.name for stream in opened.source_spec.streams if stream.by_reconcile]
    chosen = tuple(name for name in silent if name in (request.streams or opened.streams))
    if chosen:
        return chosen
    title, listed = opened.source_spec.title, ", ".join(f"`{name}`" for name in silent)
    raise ConfigError(
        f"there is nothing to reconcile from {opened.source_name} to {opened.destination_name}",
        hint=f"of {title} these streams need it: {listed}"
        if silent
        else f"every change in {title} shows in its modification time, so `cdi sync` alone sends all of them",
    )


def _since(opened: Opened, store: Store, request: SyncRequest, streams: Sequence[str]) -> Instant:
    """The earliest creation that was ever asked for: where backfills start, and where the sync began."""
    family = {stream.name: stream.family for stream in opened.source_spec.streams}
    families = {family[name] for name in streams}
    scope = scope_of(opened, store, store.find_job(opened.pipeline, opened.destination_name, "sync"))
    starts = [window.since for name in families for window in scope.windows.get(name, ())]
    starts += [scope.origins[name] for name in families if name in scope.origins]
    starts += [request.since] if request.since is not None else []
    if not starts:
        raise ConfigError(
            f"nothing says how far back {', '.join(streams)} must be reconciled to {opened.destination_name}",
            hint="run `cdi backfill` or `cdi sync` first, or name a start: `cdi sync --reconcile --since 2024-01-01`",
        )
    return min(starts)
