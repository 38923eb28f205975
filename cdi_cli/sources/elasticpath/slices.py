"""The walk over a list that is filtered by time and in no order: slices of time, small enough to be read whole.

A slice that holds too many rows, or whose rows will not stand still, is halved; behind it the next one is tried twice as
long. Its rows are read by offset, counted, read again where they moved meanwhile, and sorted here. Used for lists that
cannot be sorted, for a store that does not sort as it was asked, and where filters go by whole days (sheet "elasticpath",
sections 2.1 and 2.2).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from cdi_cli.clock import Instant, Window, shift, to_datetime
from cdi_cli.sources._base import Page
from cdi_cli.sources.elasticpath.filters import start_of_day
from cdi_cli.sources.elasticpath.paging import OFFSET_MAX, Fetch, Position, Row, UnsettledError, in_pages, page_of, read_all

ROWS_MAX = 1000
_TICK = timedelta(milliseconds=1)
_DAY = timedelta(days=1)


async def slice_pages(
    fetch: Fetch, window: Window, position: Position, size: int, *, by_days: bool = False
) -> AsyncIterator[Page]:
    """The pages of a window behind a place; `by_days`: filters tell no less than days apart.

    Raises ProtocolError where one tick of time holds more rows than can be read by offset.
    """
    held: list[Row] | None = None
    since: Instant = position.at
    width = to_datetime(window.until) - to_datetime(since)
    while since < window.until:
        rows, since, width = await _slice(fetch, Window(since, window.until), width, by_days=by_days)
        for part in in_pages([row for row in rows if row.place.at in window], position, size):
            if held is not None:
                yield page_of(held, position, is_last=False)
            held = part
            position = part[-1].place
    yield page_of(held or [], position, is_last=True)


async def _slice(fetch: Fetch, rest: Window, width: timedelta, *, by_days: bool) -> tuple[list[Row], Instant, timedelta]:
    """The rows of the next slice, where it ends, and how wide the one after should be."""
    while True:
        window = Window(rest.since, _end_of(rest, width, by_days=by_days))
        first = await fetch(window, 0)
        is_small = first.total <= ROWS_MAX if first.total is not None else len(first.rows) < ROWS_MAX
        is_divisible = _is_divisible(window, by_days=by_days)
        if is_small or not is_divisible:
            try:
                rows = await read_all(fetch, window, first, rows_max=OFFSET_MAX)
            except UnsettledError:
                if not is_divisible:
                    raise
            else:
                inside = [row for row in rows if row.place.at in window]
                return inside, window.until, width * 2 if len(rows) * 4 < ROWS_MAX else width
        width = (to_datetime(window.until) - to_datetime(window.since)) / 2


def _end_of(rest: Window, width: timedelta, *, by_days: bool) -> Instant:
    """Where a slice of about that width ends: at midnight where filters go by days, and never behind the window."""
    longest = to_datetime(rest.until) - to_datetime(rest.since)
    if width >= longest:
        return rest.until
    end = shift(rest.since, max(width, _TICK))
    if by_days:
        end = max(start_of_day(end), shift(start_of_day(rest.since), _DAY))
    return min(end, rest.until)


def _is_divisible(window: Window, *, by_days: bool) -> bool:
    if by_days:
        return shift(start_of_day(window.since), _DAY) < window.until
    return shift(window.since, _TICK) < window.until
