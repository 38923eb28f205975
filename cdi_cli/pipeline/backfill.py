"""A backfill: find or make the job, work on its partitions, settle everything, and report.

The job is fixed when it is made: its window ends at the source's clock then at the latest, its partitions are stored, and
the fingerprint of plan and mapping with them. A later run of the same job goes on where the checkpoint says.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, TypeVar

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window, to_datetime
from cdi_cli.errors import (
    CdiError,
    ConfigError,
    InterruptedRunError,
    LockedError,
    ScopeError,
    StateError,
    StoppedError,
)
from cdi_cli.pipeline import engines
from cdi_cli.pipeline.deliver import Deliverer
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.items import Outgoing
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.pace import Pacer
from cdi_cli.pipeline.partition import Budget, Flow, run_partition
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Books, Report, Stored, close_books, exit_code
from cdi_cli.pipeline.settle import Settler
from cdi_cli.pipeline.slices import plan_partitions
from cdi_cli.pipeline.stop import Stop
from cdi_cli.state._base import OUTCOMES, Job, JobSpec, Partition, Store

LOG = logging.getLogger("cdi.pipeline")
T = TypeVar("T")
SKEW_SECONDS_MAX = 300.0
"""Segment moves every timestamp by the sender's clock error (sheet "Segment", section 3, Time): beyond this, refuse."""


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


@dataclass(slots=True)
class Hooks:
    """What a caller may watch: the job once it is known, and events as they are issued."""

    on_job: Callable[[Job, bool], None] = field(default=lambda _job, _is_resumed: None)
    on_issued: Callable[[Sequence[Outgoing]], None] = field(default=lambda _items: None)


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
    spec = JobSpec(
        pipeline=opened.pipeline,
        source=opened.source_name,
        destination=opened.destination_name,
        streams=streams,
        window=window,
        asked=request.asked,
        fingerprint=opened.fingerprint,
        plan_version=opened.plan.version,
        server_started_at=server_now,
    )
    partitions = await plan_partitions(opened.source, streams, window, workers=request.workers)
    return store.create_job(spec, partitions)


def refuse_skew(server_now: Instant, clock: Clock) -> None:
    """Raise ConfigError when this machine's clock is more than five minutes from the source's."""
    skew = (clock.now() - to_datetime(server_now)).total_seconds()
    if abs(skew) > SKEW_SECONDS_MAX:
        word = "ahead of" if skew > 0 else "behind"
        raise ConfigError(
            f"this machine's clock is {abs(skew) / 60:.0f} minutes {word} the source's",
            hint="set the clock (NTP); destinations shift every event's time by this error",
        )


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
    opened.on_wait.append(progress.waited)
    opened.on_retry.append(progress.retried)
    job, is_resumed = await _unless_stopped(find_or_make_job(opened, store, request, clock), stop)
    hooks.on_job(job, is_resumed)
    partitions = store.partitions(job.id)
    _expect(progress, partitions)
    run_id = store.start_run(job.id)
    started = time.monotonic()
    about = {"pipeline": opened.pipeline, "destination": opened.destination_name, "job": job.id, "run": run_id}
    LOG.info("backfill resumed" if is_resumed else "backfill started", extra={**about, "partitions": len(partitions)})
    flow = make_flow(opened, store, run_id, request, progress, hooks)
    with rare_garbage_collection():
        error, problems = await _work(flow, partitions, request, stop)
    remaining = sum(not partition.is_done for partition in store.partitions(job.id))
    status = _status(error, remaining)
    stored = _stored(store, run_id)
    books = close_books(progress, stored, is_finished=status == "done")
    try:
        store.end_run(run_id, status=status, exit_code=exit_code(books, error))
    except (StateError, LockedError) as failure:
        if error is None:
            error, status = failure, "stopped"
    _log_end(about, status, books, error)
    report = Report(
        pipeline=opened.pipeline,
        destination=opened.destination_name,
        job_id=job.id,
        run_id=run_id,
        since=job.spec.window.since,
        until=job.spec.window.until,
        status=status,
        books=books,
        elapsed_seconds=time.monotonic() - started,
        retries=progress.retries,
        waited_seconds=progress.waited_seconds,
        requests=progress.requests,
        pages=progress.pages,
        remaining=remaining,
        is_resumed=is_resumed,
        warnings=dict(progress.warnings),
        problems=tuple(problems),
    )
    return report, error


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Collect garbage less often while records stream through: they make no cycles, each collection walks all modules."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _log_end(about: dict[str, Any], status: str, books: Books, error: CdiError | None) -> None:
    outcomes = {outcome: books.total(outcome) for outcome in ("pulled", "issued", *OUTCOMES, "pending")}
    level = logging.INFO if error is None and not books.errors else logging.ERROR
    why = {"error": error.message} if error else {}
    LOG.log(level, "backfill %s", status, extra={**about, **outcomes, **why, "books_close": not books.errors})


def _stored(store: Store, run_id: int) -> Stored:
    ledger_entries, dead_letters = store.tally(run_id)
    return Stored(store.counts(run_id=run_id), store.pulled(run_id=run_id), ledger_entries, dead_letters)


def _status(error: CdiError | None, remaining: int) -> str:
    if isinstance(error, InterruptedRunError):
        return "interrupted"
    if error is not None:
        return "stopped"
    return "limited" if remaining else "done"


def _expect(progress: Progress, partitions: Sequence[Partition]) -> None:
    for partition in partitions:
        if partition.is_done:
            progress.already[partition.stream] += partition.expected or 0
        known = progress.expected.get(partition.stream, 0)
        total = None if known is None or partition.expected is None else known + partition.expected
        progress.expected[partition.stream] = total


def make_flow(opened: Opened, store: Store, run_id: int, request: Request, progress: Progress, hooks: Hooks) -> Flow:
    """Everything that the work on partitions shares."""
    issuer = Issuer(
        plan=opened.plan,
        builder=opened.builder,
        lifecycle=opened.lifecycle,
        destination=opened.destination,
        require_consent=opened.require_consent,
        delivered=lambda family, keys: store.delivered(opened.source_name, opened.destination_name, family, keys),
        scrub=opened.source.scrub,
        routes=opened.routes,
    )
    settler = Settler(store, run_id, progress)
    limits = opened.destination.limits
    pacer = Pacer(request.rate or limits.events_per_second, ramp_up_seconds=limits.ramp_up_seconds)
    opened.on_wait.append(pacer.pause)
    opened.on_pace.append(pacer.ease)
    deliverer = Deliverer(
        opened.destination,
        settler,
        pacer,
        progress,
        lambda stream, item, rejected: issuer.letter(stream, item.event, item.record, rejected),
        issuer.settled,
    )
    return Flow(opened.source, issuer, deliverer, settler, progress, Budget(request.limit), hooks.on_issued)


async def _work(
    flow: Flow, partitions: Sequence[Partition], request: Request, stop: Stop
) -> tuple[CdiError | None, list[str]]:
    """Work stream by stream; a stream whose permission is missing is skipped and named, the others go on."""
    settling = asyncio.create_task(flow.settler.run())
    problems: list[str] = []
    error: CdiError | None = None
    try:
        for stream, group in groupby(partitions, key=lambda partition: partition.stream):
            waiting = [partition for partition in group if not partition.is_done]
            flow.progress.stream = stream
            try:
                await _until_stopped(flow, stop, engines.run(waiting, lambda one: run_partition(flow, one), request.workers))
            except ScopeError as missing:
                error = error or missing
                problems.append(f"{stream}: {missing.message}{f' ({missing.hint})' if missing.hint else ''}")
            # The next stream's events must not overtake this one's: profiles before orders.
            await _until_stopped(flow, stop, flow.deliverer.drain())
            if flow.deliverer.failure is not None:
                raise flow.deliverer.failure
            flow.issuer.on_their_way.clear()  # what a skipped stream had issued without sending it
    except CdiError as stopped:
        error = stopped
    finally:
        await _drain(flow, stop)
        flow.settler.close()
        await settling
    failure = flow.settler.failure or flow.deliverer.failure
    if failure is not None and not isinstance(failure, CdiError):
        raise failure
    if flow.settler.failure is not None:
        return failure, problems  # whatever ended the run: the checkpoint could not be written
    return error or failure, problems


async def _unless_stopped(work: Awaitable[T], stop: Stop) -> T:
    """The result of `work`, which is given up when a stop is asked for: asking the source may take minutes of retries."""
    task, asked = asyncio.ensure_future(work), asyncio.ensure_future(stop.asked.wait())
    try:
        await asyncio.wait([task, asked], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return await task
        error = stop.error()
        error.hint = "nothing was started: run the same command again"
        raise error
    finally:
        task.cancel()
        asked.cancel()
        await asyncio.gather(task, asked, return_exceptions=True)


async def _until_stopped(flow: Flow, stop: Stop, work: Awaitable[None]) -> None:
    """Run `work`, but end it when the run is asked to stop or a batch has failed for good."""
    task = asyncio.ensure_future(work)
    watch = [asyncio.ensure_future(event.wait()) for event in (stop.asked, flow.deliverer.failed)]
    try:
        await asyncio.wait([task, *watch], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        elif stop.asked.is_set():
            raise stop.error()
    finally:
        for one in (task, *watch):
            one.cancel()
        with suppress(asyncio.CancelledError, StoppedError):
            await task
        await asyncio.gather(*watch, return_exceptions=True)


async def _drain(flow: Flow, stop: Stop) -> None:
    """Let what is in flight be settled, unless the run is asked a second time to stop."""
    drain = asyncio.ensure_future(flow.deliverer.drain())
    forced = asyncio.ensure_future(stop.forced.wait())
    await asyncio.wait([drain, forced], return_when=asyncio.FIRST_COMPLETED)
    if not drain.done():
        flow.deliverer.abandon()
    forced.cancel()
    await asyncio.gather(drain, forced, return_exceptions=True)
