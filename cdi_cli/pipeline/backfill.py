"""A backfill: find or make the job, work on its partitions, settle everything, and report.

The job is fixed when it is made: its window ends at the source's clock then at the latest, its partitions are stored, and
the fingerprint of plan and mapping with them. A later run of the same job goes on where the checkpoint says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window
from cdi_cli.errors import CdiError, ConfigError
from cdi_cli.logs import run_context
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.partition import Budget
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.scope import EARLIEST, Scope
from cdi_cli.pipeline.slices import plan_partitions
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.work import (
    Hooks,
    close_run,
    make_flow,
    rare_garbage_collection,
    refuse_skew,
    report_of,
    unless_stopped,
    work_through,
)
from cdi_cli.state._base import Job, Partition, Store

LOG = logging.getLogger("cdi.pipeline")


@dataclass(frozen=True, slots=True)
class Request:
    """What `cdi backfill` was asked for. `since` may be None only when a job is resumed; `until` None is the source's now.

    `asked` is the window in the user's own words. `mode`: "auto" goes on with an unfinished job of the same words.
    `rate`: events per second, None for the destination's own. `limit`: records to pull at most.
    """

    since: Instant | None
    until: Instant | None
    asked: str
    streams: tuple[str, ...] = ()
    mode: Literal["auto", "resume", "restart"] = "auto"
    workers: int = 4
    rate: float | None = None
    limit: int | None = None


async def find_or_make_job(opened: Opened, store: Store, request: Request, clock: Clock) -> tuple[Job, bool]:
    """The job to work on, and whether it had been begun before; raises ConfigError for a request that fits no job."""
    job = store.find_job(opened.pipeline, opened.destination_name)
    is_open = job is not None and job.status == "open"
    if request.mode != "restart" and job is not None and is_open:
        if _is_resumed(job, opened, request) if request.mode == "resume" else _is_same(job, opened, request):
            _refuse_changed(job, opened)
            refuse_skew(await opened.source.server_now(), clock)
            return job, True
        raise ConfigError(
            f"an unfinished backfill of {job.spec.window.since} .. {job.spec.window.until} exists (`{job.spec.asked}`)",
            hint="add `--resume` to finish it, or `--restart` to drop it and begin this one"
            if request.mode != "resume"
            else "give `--resume` without another window or other streams, or `--restart` to drop it and begin this one",
        )
    if request.mode == "resume":
        raise ConfigError("there is no unfinished backfill to resume", hint="start one with `--since`")
    return await _make_job(opened, store, request, clock), False


def _is_same(job: Job, opened: Opened, request: Request) -> bool:
    return job.spec.asked == request.asked and job.spec.streams == _streams(opened, request)


def _is_resumed(job: Job, opened: Opened, request: Request) -> bool:
    """Whether `--resume` means this job: what else the command line says of window and streams must be the job's own."""
    is_window_named = request.since is not None or request.until is not None
    is_other_window = is_window_named and request.asked != job.spec.asked
    is_other_choice = bool(request.streams) and _streams(opened, request) != job.spec.streams
    return not is_other_window and not is_other_choice


def _refuse_changed(job: Job, opened: Opened) -> None:
    if job.spec.fingerprint != opened.fingerprint:
        raise ConfigError(
            "the tracking plan or the settings that shape events changed since this backfill began "
            f"(plan {job.spec.plan_version} then, {opened.plan.version} now)",
            hint="undo the change, or add `--restart`: what was delivered is sent again only where its content changed",
        )


def _streams(opened: Opened, request: Request) -> tuple[str, ...]:
    wanted = request.streams or opened.streams
    return tuple(name for name in opened.source_spec.names if name in wanted)


async def _make_job(opened: Opened, store: Store, request: Request, clock: Clock) -> Job:
    if request.since is None:
        raise ConfigError("a new backfill needs a start", hint="add `--since`, for example `--since 2024-01-01`")
    server_now = await opened.source.server_now()
    refuse_skew(server_now, clock)
    until = min(request.until or server_now, server_now)
    if not request.since < until:
        raise ConfigError(
            f"the window ends before it starts: {request.since} .. {until}",
            hint="`--since` must be earlier than `--until` and than the source's clock",
        )
    window = Window(request.since, until)
    streams = _streams(opened, request)
    spec = opened.job_spec(streams, window, server_now, kind="backfill", asked=request.asked)
    partitions = await plan_partitions(opened.source, streams, window, workers=request.workers)
    return store.create_job(spec, partitions)


async def run_backfill(
    opened: Opened,
    store: Store,
    request: Request,
    progress: Progress,
    stop: Stop,
    hooks: Hooks | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Report, CdiError | None]:
    """Run a backfill to its end, its limit, an error or a signal; returns its report and what stopped it, if anything.

    Raises ConfigError, LockedError, StoppedError or InterruptedRunError only before anything was sent.
    """
    hooks = hooks or Hooks()
    opened.follow(progress)
    job, is_resumed = await unless_stopped(find_or_make_job(opened, store, request, clock), stop)
    hooks.on_job(job, is_resumed)
    partitions = store.partitions(job.id)
    _expect(progress, partitions)
    run_id, started = store.start_run(job.id), time.monotonic()
    about = opened.about(job, run_id)
    LOG.info("backfill resumed" if is_resumed else "backfill started", extra={**about, "partitions": len(partitions)})
    flow = make_flow(
        opened,
        store,
        run_id,
        progress,
        rate=request.rate,
        budget=Budget(request.limit),
        hooks=hooks,
        scope=_scope(opened, store),
    )
    turns = [
        (stream, [partition for partition in group if not partition.is_done])
        for stream, group in groupby(partitions, key=lambda partition: partition.stream)
    ]
    with run_context(run_id=run_id), rare_garbage_collection():
        outcome = await work_through(flow, turns, request.workers, stop)
    remaining = sum(not partition.is_done for partition in store.partitions(job.id))
    worked = close_run(store, run_id, progress, outcome, kind="backfill", is_rest=remaining > 0, about=about)
    seconds = time.monotonic() - started
    report = report_of(opened, job, run_id, worked, progress, seconds=seconds, remaining=remaining, is_resumed=is_resumed)
    return report, worked.error


def _scope(opened: Opened, store: Store) -> Scope | None:
    """Everything is in scope but what the ledger has forgotten: nobody knows whether that was sent."""
    families = {stream.family for stream in opened.source_spec.streams}
    forgotten = {each: store.forgotten_before(opened.source_name, opened.destination_name, each) for each in families}
    if not any(forgotten.values()):
        return None
    return Scope(dict.fromkeys(families, EARLIEST), forgotten_before=forgotten.get)


def _expect(progress: Progress, partitions: Sequence[Partition]) -> None:
    for partition in partitions:
        if partition.is_done:
            progress.already[partition.stream] += partition.expected or 0
        known = progress.expected.get(partition.stream, 0)
        total = None if known is None or partition.expected is None else known + partition.expected
        progress.expected[partition.stream] = total
