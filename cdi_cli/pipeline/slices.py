"""Slicing: a creation window is cut into partitions of about equal count, where the source can count cheaply."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from cdi_cli.clock import Instant, Window, instant_from_datetime, to_datetime
from cdi_cli.errors import ScopeError
from cdi_cli.sources import Source
from cdi_cli.state._base import Partition

RECORDS_MIN = 1_000
"""A slice of fewer records is not worth the requests that cut it."""
SLICES_MAX = 512
"""Slices of one stream; counting is a request per slice, so it has to end somewhere."""
SPAN_MIN = timedelta(minutes=1)
COUNTS_AT_ONCE = 4


def halve(window: Window) -> tuple[Window, Window] | None:
    """The two halves of a window, or None for one that is too short to be cut."""
    since, until = to_datetime(window.since), to_datetime(window.until)
    if until - since < 2 * SPAN_MIN:
        return None
    middle: Instant = instant_from_datetime(since + (until - since) / 2)
    return Window(window.since, middle), Window(middle, window.until)


async def slice_window(source: Source, stream: str, window: Window, *, workers: int) -> list[tuple[Window, int | None]]:
    """Consecutive windows that together are `window`, each with its count (None: the source cannot count).

    Counts may be capped by the source, so a slice is cut again as long as its own count is too large. A stream that may not
    be read is one slice: reading it says which permission is missing, while the others are read.
    """
    try:
        total = await source.count(stream, window)
    except ScopeError:
        total = None
    if total is None:
        return [(window, None)]
    slices: list[tuple[Window, int | None]] = [(window, total)]
    records_max = max(RECORDS_MIN, -(-total // (2 * workers)))
    places = asyncio.Semaphore(COUNTS_AT_ONCE)

    async def cut(part: tuple[Window, int | None]) -> list[tuple[Window, int | None]]:
        halves = halve(part[0]) if part[1] is not None and part[1] > records_max else None
        if halves is None:
            return [part]
        async with places:
            first = await source.count(stream, halves[0])
            second = await source.count(stream, halves[1])
        return [(halves[0], first), (halves[1], second)]

    while len(slices) < SLICES_MAX:
        finer = [part for parts in await asyncio.gather(*map(cut, slices)) for part in parts]
        if len(finer) == len(slices):
            break
        slices = finer
    return slices


async def plan_partitions(source: Source, streams: Sequence[str], window: Window, *, workers: int) -> list[Partition]:
    """The partitions of a backfill, in the order of the streams and of time."""
    partitions: list[Partition] = []
    for stream in streams:
        for part, expected in await slice_window(source, stream, window, workers=workers):
            partitions.append(Partition(len(partitions), stream, part, expected=expected))
    return partitions
