"""A sample of a stream: records spread over a window of time, in proportion to how many each part of it holds.

The window is cut into parts of equal length; where the source can count, a part gives as many records as its share. Of
each part only the first pages are read. Reading everything gives the exact answer and takes as long as a backfill's pulling.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from cdi_cli.clock import Window, instant_from_datetime, to_datetime
from cdi_cli.sources import Source

PARTS = 16
PART_MIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the window, and how many of its records are wanted (None: all)."""

    window: Window
    wanted: int | None


async def plan_sample(source: Source, stream: str, window: Window, wanted: int | None) -> tuple[list[Part], int | None]:
    """The parts to read, and how many records the window holds (None: the source cannot count). `wanted` None: all.

    Raises what `Source.count` raises.
    """
    total = await source.count(stream, window)
    if wanted is None or (total is not None and total <= wanted):
        return [Part(window, None)], total
    parts = cut(window, min(PARTS, wanted))
    if total is None:
        return [Part(part, ceil(wanted / len(parts))) for part in parts], None
    counts = [await source.count(stream, part) or 0 for part in parts]
    return [
        Part(part, ceil(wanted * count / max(1, sum(counts)))) for part, count in zip(parts, counts, strict=True) if count
    ], total


def cut(window: Window, number: int) -> list[Window]:
    """Consecutive windows of equal length that together are `window`: `number` of them, fewer for a short one."""
    since, until = to_datetime(window.since), to_datetime(window.until)
    number = max(1, min(number, (until - since) // PART_MIN))
    edges = [instant_from_datetime(since + (until - since) * step / number) for step in range(1, number)]
    bounds = [window.since, *edges, window.until]
    return [Window(start, end) for start, end in itertools.pairwise(bounds)]


async def read_sample(source: Source, stream: str, parts: Sequence[Part]) -> AsyncIterator[Sequence[bytes]]:
    """The records of the parts, a page's worth at a time; raises what `Source.pages` raises."""
    for part in parts:
        left = part.wanted
        async for page in source.pages(stream, part.window, None):
            chosen = evenly(page.records, left) if left is not None else page.records
            if chosen:
                yield chosen
            if left is not None:
                left -= len(chosen)
                if left <= 0:
                    break


def evenly(records: Sequence[bytes], wanted: int) -> Sequence[bytes]:
    """At most `wanted` records, evenly spread over all."""
    if len(records) <= wanted:
        return records
    return [records[index * len(records) // wanted] for index in range(wanted)]
