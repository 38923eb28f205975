"""The work of a run, whatever its kind: flows, streams in turn, stopping, and closing the books.

A backfill, a delta sync and a replay differ in which partitions they take up; how these are worked on is the same.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from cdi_cli.clock import Clock, Instant, to_datetime
from cdi_cli.errors import CdiError, ConfigError, InterruptedRunError, LockedError, ScopeError, StateError, StoppedError
from cdi_cli.pipeline import engines
from cdi_cli.pipeline.breaker import Breaker
from cdi_cli.pipeline.deliver import Deliverer
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.items import Outgoing, Withheld
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.pace import Pacer
from cdi_cli.pipeline.partition import Budget, Flow, run_partition
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Books, Report, Stored, close_books, exit_code
from cdi_cli.pipeline.scope import Scope
from cdi_cli.pipeline.settle import Settler
from cdi_cli.pipeline.stop import Stop
from cdi_cli.secrets import REDACTOR
from cdi_cli.sources import SourceSpec
from cdi_cli.state._base import OUTCOMES, Job, JobKind, KnownLetter, Partition, Store

LOG = logging.getLogger("cdi.pipeline")
T = TypeVar("T")
SKEW_SECONDS_MAX = 300.0
"""Segment moves every timestamp by the sender's clock error (sheet "Segment", section 3, Time): beyond this, refuse."""
MESSAGE_CHARACTERS_MAX = 300
Turn = tuple[str, Sequence[Partition]]
"""A stream and its partitions that are worked on side by side."""


@dataclass(slots=True)
class Hooks:
    """What a caller may watch: the job once it is known, events as they are issued, and those that may not be sent."""

    on_job: Callable[[Job, bool], None] = field(default=lambda _job, _is_resumed: None)
    on_issued: Callable[[Sequence[Outgoing]], None] = field(default=lambda _items: None)
    on_withheld: Callable[[Sequence[Withheld]], None] = field(default=lambda _events: None)


def make_flow(
    opened: Opened,
    store: Store,
    run_id: int,
    progress: Progress,
    *,
    rate: float | None = None,
    budget: Budget | None = None,
    scope: Scope | None = None,
    hooks: Hooks | None = None,
    by: Literal["created", "modified", "reconcile"] = "created",
    stamp: Callable[[Partition], str] = lambda _partition: "",
    letters: Callable[[Iterable[bytes]], Mapping[bytes, KnownLetter]] | None = None,
    remade: Callable[[Issuer], Issuer] = lambda issuer: issuer,
) -> Flow:
    """Everything that the work on partitions shares; `letters` is what the queue holds (None: as the store says).

    `remade` makes of the issuer one of another kind.
    """
    source, destination = opened.source_name, opened.destination_name
    issuer = Issuer(
        plan=opened.plan,
        builder=opened.builder,
        lifecycle=opened.lifecycle,
        destination=opened.destination,
        require_consent=opened.require_consent,
        delivered=lambda family, keys: store.delivered(source, destination, family, keys),
        scrub=opened.source.scrub,
        routes=opened.routes,
        rules=opened.rules,
        contacts=opened.contacts,
        scope=scope,
        doubts=lambda keys: store.doubts(source, destination, keys),
        is_idempotent=opened.is_idempotent,
        letters=letters or (lambda places: store.letters(source, destination, places)),
        erased=set(store.erased(source)),
    )
    issuer = remade(issuer)
    settler = Settler(store, run_id, progress)
    limits = opened.destination.limits
    pacer = Pacer(rate or limits.events_per_second, ramp_up_seconds=limits.ramp_up_seconds)
    opened.on_wait.append(pacer.pause)
    opened.on_pace.append(pacer.ease)
    breaker = Breaker(opened.breaker.rejected_share_max, opened.breaker.rejected_min)
    deliverer = Deliverer(
        opened.destination,
        settler,
        pacer,
        progress,
        lambda stream, item, rejected: issuer.letter(stream, item.event, item.record, rejected, "send"),
        issuer.settled,
        breaker,
        is_idempotent=opened.is_idempotent,
        confirm_after_seconds=opened.confirm_after_seconds,
        look_after_seconds=_look_after_seconds(opened, store),
    )
    hooks = hooks or Hooks()
    return Flow(
        opened.source,
        issuer,
        deliverer,
        settler,
        progress,
        budget or Budget(),
        breaker,
        by,
        hooks.on_issued,
        hooks.on_withheld,
        stamp,
    )


def _look_after_seconds(opened: Opened, store: Store) -> float:
    """How long what an earlier run was sending when it ended may still be on its way to where it can be found."""
    if opened.is_idempotent or not opened.confirm_after_seconds:
        return 0.0
    age_seconds = store.doubts_age_seconds(opened.source_name, opened.destination_name)
    if age_seconds is None:
        return 0.0
    return min(max(opened.confirm_after_seconds - age_seconds, 0.0), opened.confirm_after_seconds)


def stamp_of(spec: SourceSpec, until: Callable[[Partition], Instant]) -> Callable[[Partition], str]:
    """What tells apart ids of a source whose records change without a change of their modification time.

    A consent that is given, withdrawn and given again is then three events, not the first one twice. It is the end of the
    window that is read, which a killed run finds again as it was: what that repeats has the same id.
    """
    if not spec.has_silent_changes:
        return lambda _partition: ""
    return lambda partition: "".join(filter(str.isdigit, until(partition)))


@dataclass(frozen=True, slots=True)
class Worked:
    """What the work of a run came to: what stopped it, streams that were left out, its status, and its books."""

    error: CdiError | None
    problems: tuple[str, ...]
    status: str
    books: Books


async def work_through(flow: Flow, turns: Iterable[Turn], workers: int, stop: Stop) -> tuple[CdiError | None, list[str]]:
    """Work stream by stream; a stream whose permission is missing is skipped and named, the others go on.

    The next turn is asked for when everything of the one before is settled.
    """
    settling = asyncio.create_task(flow.settler.run())
    problems: list[str] = []
    error: CdiError | None = None
    try:
        for stream, partitions in turns:
            flow.progress.stream = stream
            try:
                await _until_stopped(flow, stop, engines.run(partitions, lambda one: run_partition(flow, one), workers))
            except ScopeError as missing:
                error = error or missing
                problems.append(f"{stream}: {missing.message}{f' ({missing.hint})' if missing.hint else ''}")
            # The next stream's events must not overtake this one's: profiles before orders.
            await _until_stopped(flow, stop, flow.deliverer.drain())
            if flow.deliverer.failure is not None:
                raise flow.deliverer.failure
            flow.breaker.check()
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


def close_run(
    store: Store,
    run_id: int,
    progress: Progress,
    outcome: tuple[CdiError | None, list[str]],
    *,
    kind: JobKind,
    is_rest: bool,
    about: Mapping[str, Any],
    lag_seconds: Callable[[], float | None] = lambda: None,
) -> Worked:
    """Close the books of a run and record how it ended; `is_rest` tells that something is left for the next run."""
    error, problems = outcome
    status = status_of(error, is_rest=is_rest)
    books = close_books(progress, _stored(store, run_id), is_finished=status == "done")
    try:
        store.end_run(
            run_id,
            status=status,
            exit_code=exit_code(books, error, kind=kind),
            lag_seconds=lag_seconds(),
            message=REDACTOR(error.message)[:MESSAGE_CHARACTERS_MAX] if error is not None else None,
        )
    except (StateError, LockedError) as failure:
        if error is None:
            error, status = failure, "stopped"
    outcomes = {name: books.total(name) for name in ("pulled", "issued", *OUTCOMES, "pending")}
    level = logging.INFO if error is None and not books.errors else logging.ERROR
    why = {"error": error.message} if error else {}
    LOG.log(level, "%s %s", kind, status, extra={**about, **outcomes, **why, "books_close": not books.errors})
    return Worked(error, tuple(problems), status, books)


def report_of(
    opened: Opened,
    job: Job,
    run_id: int,
    worked: Worked,
    progress: Progress,
    *,
    seconds: float,
    remaining: int,
    is_resumed: bool,
) -> Report:
    """The report of a run of a job that ends with its partitions."""
    return Report(
        pipeline=opened.pipeline,
        destination=opened.destination_name,
        job_id=job.id,
        run_id=run_id,
        since=job.spec.window.since,
        until=job.spec.window.until,
        status=worked.status,
        books=worked.books,
        elapsed_seconds=seconds,
        retries=progress.retries,
        waited_seconds=progress.waited_seconds,
        requests=progress.requests,
        pages=progress.pages,
        remaining=remaining,
        is_resumed=is_resumed,
        warnings=dict(progress.warnings),
        problems=worked.problems,
        kind=job.spec.kind,
    )


def status_of(error: CdiError | None, *, is_rest: bool) -> str:
    """How a run ended, in one word."""
    if isinstance(error, InterruptedRunError):
        return "interrupted"
    if error is not None:
        return "stopped"
    return "limited" if is_rest else "done"


def _stored(store: Store, run_id: int) -> Stored:
    ledger_entries, dead_letters = store.tally(run_id)
    return Stored(store.counts(run_id=run_id), store.pulled(run_id=run_id), ledger_entries, dead_letters)


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


def refuse_skew(server_now: Instant, clock: Clock) -> None:
    """Raise ConfigError when this machine's clock is more than five minutes from the source's."""
    skew = (clock.now() - to_datetime(server_now)).total_seconds()
    if abs(skew) > SKEW_SECONDS_MAX:
        word = "ahead of" if skew > 0 else "behind"
        raise ConfigError(
            f"this machine's clock is {abs(skew) / 60:.0f} minutes {word} the source's",
            hint="set the clock (NTP); destinations shift every event's time by this error",
        )


async def unless_stopped(work: Awaitable[T], stop: Stop) -> T:
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
