"""Replay: dead letters go the way of the data once more, with the plan and the settings as they are now.

A replay is a job of its own with one partition per stream, worked on as any other; its pages are the letters of the queue.
What is delivered leaves the queue in the transaction that the ledger learns of it; what is rejected again keeps its place
and number. A replay that is stopped leaves the rest in the queue; there is nothing to resume, the next one takes them up.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window, shift
from cdi_cli.errors import CdiError
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.partition import Flow
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.push_lines import PUSH_STREAM, scrub_line
from cdi_cli.pipeline.push_message import MessageReader
from cdi_cli.pipeline.replay_issue import LetterIssuer, LetterRecord
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.scope import Scope
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.sync import scope_of
from cdi_cli.pipeline.work import (
    Hooks,
    close_run,
    make_flow,
    rare_garbage_collection,
    refuse_skew,
    unless_stopped,
    work_through,
)
from cdi_cli.sources import Cursor, Departed, Nothing, Page, Reading, Source, SourceSpec, Unreadable
from cdi_cli.state._base import JobSpec, LetterFilter, Partition, Store, StoredDeadLetter

LOG = logging.getLogger("cdi.pipeline")
PAGE_LETTERS = 100
"""Dead letters that are read from the checkpoint file at once."""
CHUNK_NUMBERS = 1_000
"""Numbers that one question to the checkpoint file names."""
HISTORY = "history: "
"""What the words of a job that replays letters of a backfill begin with."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Which dead letters, by their numbers; `asked` says it in the user's own words.

    `rate`: events per second, None for the destination's own. `is_history`: a backfill left them.
    """

    numbers: tuple[int, ...]
    asked: str = ""
    rate: float | None = None
    is_history: bool = True


class LetterSource:
    """Dead letters of one pipeline and destination as the pages of a source; the real source reads their records.

    `missing`: how many of those that were asked for hold no record, which nothing can be made of.
    """

    def __init__(self, opened: Opened, store: Store, numbers: dict[str, list[int]]) -> None:
        self._source = opened.source
        self._spec = opened.source_spec
        self._store = store
        self._numbers = numbers
        self.missing = 0

    async def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """The letters of a stream, in the order in which they came; how they are windowed plays no part."""
        del window, cursor, by
        numbers = self._numbers[stream]
        for start in range(0, len(numbers), PAGE_LETTERS):
            chunk = numbers[start : start + PAGE_LETTERS]
            letters = self.take(chunk)
            is_last = start + PAGE_LETTERS >= len(numbers)
            yield Page([LetterRecord(stored) for stored in letters], Cursor(str(chunk[-1])), is_last)

    def take(self, numbers: Sequence[int]) -> list[StoredDeadLetter]:
        """The letters of these numbers that are still there and hold a record, lowest number first."""
        found = self._store.dead_letters(LetterFilter(numbers=tuple(numbers)), limit=len(numbers))
        kept = [stored for stored in found if stored.letter.record is not None]
        self.missing += len(found) - len(kept)
        return sorted(kept, key=lambda stored: stored.id)

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """The readings of each letter's record, see `read_letters`; none of a line, which is an event already."""
        if stream == PUSH_STREAM:
            return [[] for _ in records]
        return await read_letters(self._source, self._spec, stream, records)

    def scrub(self, stream: str, record: bytes) -> bytes | None:
        """A letter's record as it may be kept."""
        return scrub_line(record) if stream == PUSH_STREAM else self._source.scrub(stream, record)


async def read_letters(source: Source, spec: SourceSpec, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
    """The readings of each letter's record; raises what the source raises for a failed look-up.

    A letter's event may have been made of a record that its own stream only led to, as a payment leads to its order: where
    the stream finds no entity in it, the other streams of its family read it.
    """
    found = await source.read(stream, records)
    family = spec.stream(stream).family
    for other in (each.name for each in spec.streams if each.family == family and each.name != stream):
        lost = [number for number, record in enumerate(records) if _is_lost(record, found[number])]
        if not lost:
            break
        again = await source.read(other, [records[number] for number in lost])
        for number, readings in zip(lost, again, strict=True):
            if _has_entity(readings):
                found[number] = readings
    return found


def _is_lost(record: bytes, readings: Sequence[Reading]) -> bool:
    """Whether a letter came of an entity, and nothing of its record is one."""
    letter = record.stored.letter if isinstance(record, LetterRecord) else None
    return letter is not None and letter.event_name is not None and not _has_entity(readings)


def _has_entity(readings: Sequence[Reading]) -> bool:
    return any(not isinstance(each, Unreadable | Nothing | Departed) for each in readings)


async def run_replay(
    opened: Opened,
    store: Store,
    request: ReplayRequest,
    progress: Progress,
    stop: Stop,
    hooks: Hooks | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> tuple[Report, CdiError | None]:
    """Replay dead letters of one pipeline and destination; returns the report and what stopped it, if anything.

    Raises ConfigError, LockedError, StoppedError or InterruptedRunError only before anything was sent.
    """
    started = clock.monotonic()
    hooks = hooks or Hooks()
    opened.follow(progress)
    server_now = await unless_stopped(opened.source.server_now(), stop)
    refuse_skew(server_now, clock)
    numbers = by_stream(opened, store, request.numbers)
    window = _window(store, request.numbers, server_now)
    job = store.create_job(_spec(opened, request, tuple(numbers), window, server_now), _partitions(numbers, window))
    hooks.on_job(job, False)
    progress.expected.update({stream: len(listed) for stream, listed in numbers.items()})
    run_id = store.start_run(job.id, plan_version=opened.plan.version)
    about = opened.about(job, run_id)
    LOG.info("replay started", extra={**about, "letters": len(request.numbers)})
    source = LetterSource(opened, store, numbers)
    flow = letter_flow(opened, store, run_id, progress, source, rate=request.rate, hooks=hooks)
    turns = [(partition.stream, [partition]) for partition in store.partitions(job.id)]
    with rare_garbage_collection():
        outcome = await work_through(flow, turns, 1, stop)
    remaining = sum(not partition.is_done for partition in store.partitions(job.id))
    stranded = len(request.numbers) - sum(len(listed) for listed in numbers.values())
    outcome[1].extend(left_out(opened, missing=source.missing, stranded=stranded))
    worked = close_run(store, run_id, progress, outcome, kind="replay", is_rest=remaining > 0, about=about)
    report = Report(
        pipeline=opened.pipeline,
        destination=opened.destination_name,
        job_id=job.id,
        run_id=run_id,
        since=window.since,
        until=window.until,
        status=worked.status,
        books=worked.books,
        elapsed_seconds=clock.monotonic() - started,
        retries=progress.retries,
        waited_seconds=progress.waited_seconds,
        requests=progress.requests,
        pages=progress.pages,
        remaining=remaining,
        is_resumed=False,
        warnings=dict(progress.warnings),
        problems=worked.problems,
        kind="replay",
    )
    return report, worked.error


def left_out(opened: Opened, *, missing: int, stranded: int) -> list[str]:
    """What to say of letters that hold no record, and of those whose stream the source does not have (any more)."""
    told: list[str] = []
    if missing:
        held = "1 dead letter holds" if missing == 1 else f"{missing:,} dead letters hold"
        told.append(f"{held} no record and cannot be replayed: read it from its source again, or drop it")
    if stranded:
        came = "1 dead letter comes" if stranded == 1 else f"{stranded:,} dead letters come"
        told.append(f"{came} of a stream that `{opened.source_name}` does not have and cannot be replayed")
    return told


def letter_flow(
    opened: Opened,
    store: Store,
    run_id: int,
    progress: Progress,
    source: LetterSource,
    *,
    rate: float | None = None,
    hooks: Hooks | None = None,
) -> Flow:
    """A flow whose source is the queue. What lies in the queue is news here, whatever lies there."""
    scope = present_scope(opened, store)
    messages = MessageReader(opened.plan, opened.builder, opened.require_consent)
    flow = make_flow(
        opened,
        store,
        run_id,
        progress,
        rate=rate,
        scope=scope,
        hooks=hooks,
        letters=lambda _places: {},
        remade=lambda issuer: replace(LetterIssuer.of(issuer, messages), scrub=source.scrub),
    )
    return replace(flow, source=cast("Source", source))


def present_scope(opened: Opened, store: Store) -> Scope | None:
    """What is news of a record that could not be read before: as its delta sync sees it; everything where there is none."""
    job = store.find_job(opened.pipeline, opened.destination_name, "sync")
    return scope_of(opened, store, job) if job is not None else None


def by_stream(opened: Opened, store: Store, numbers: Sequence[int]) -> dict[str, list[int]]:
    """The numbers of each stream that the source has, in its reading order, lowest first; no stream without any.

    Pushed lines, which are of no source, come last.
    """
    listed: dict[str, list[int]] = {}
    for stream in (*opened.source_spec.names, PUSH_STREAM):
        found: list[int] = []
        for start in range(0, len(numbers), CHUNK_NUMBERS):
            wanted = LetterFilter(stream=stream, numbers=tuple(numbers[start : start + CHUNK_NUMBERS]))
            found += store.letter_numbers(wanted)
        if found:
            listed[stream] = sorted(found)
    return listed


def _partitions(numbers: dict[str, list[int]], window: Window) -> list[Partition]:
    return [
        Partition(number, stream, window, expected=len(listed)) for number, (stream, listed) in enumerate(numbers.items())
    ]


def _spec(opened: Opened, request: ReplayRequest, streams: tuple[str, ...], window: Window, server_now: Instant) -> JobSpec:
    return opened.job_spec(
        streams, window, server_now, kind="replay", asked=f"{HISTORY if request.is_history else ''}{request.asked}"
    )


def _window(store: Store, numbers: Sequence[int], server_now: Instant) -> Window:
    """From when the oldest of the letters came until now."""
    oldest = store.dead_letter(min(numbers))
    since = min(oldest.first_at, server_now) if oldest is not None else server_now
    return Window(since, shift(server_now, timedelta(milliseconds=1)))
