"""The walk over a list that is filtered and sorted by time (sheet "elasticpath", section 2.2, "Keyset recipe").

Each request asks for the rows from the last time on, from offset 0. Rows of one time stand in no order that is promised and
may be cut by the end of a page, so those of the page's last time are left to the next request. Where a whole page has one
time, all rows of that time are read by offset, the only use of one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

from cdi_cli.clock import Instant, Window, shift
from cdi_cli.errors import ProtocolError
from cdi_cli.sources._base import Page
from cdi_cli.sources.elasticpath.paging import IGNORES, Fetch, Position, Row, Rows, in_pages, page_of, read_all

_TICK = timedelta(milliseconds=1)


class UnsortedError(ProtocolError):
    """The store serves rows in another order than was asked for; the pages given by then are good."""


async def keyset_pages(fetch: Fetch, window: Window, position: Position, size: int) -> AsyncIterator[Page]:
    """The pages of a window behind a place; raises UnsortedError where the store's order is not ascending."""
    since: Instant = position.at
    held: list[Row] | None = None
    while True:
        rest = Window(since, window.until)
        served = await fetch(rest, 0)
        if not _is_as_asked(served, rest):
            if held is not None:
                yield page_of(held, position, is_last=False)
            raise UnsortedError("Elastic Path serves rows in another order than was asked for", hint=IGNORES)
        is_last = _is_all(served, size)
        complete, since = await _complete(fetch, rest, served, is_last=is_last)
        is_last = is_last or not since < window.until
        parts = in_pages([row for row in complete if row.place.at in window], position, size)
        # A page is only given when it is known whether another one comes: the last one must say so.
        for part in parts:
            if held is not None:
                yield page_of(held, position, is_last=False)
            held = part
            position = part[-1].place
        if is_last:
            yield page_of(held or [], position, is_last=True)
            return


def _is_all(served: Rows, size: int) -> bool:
    """Whether nothing comes behind these rows; a store that says how many there are is believed only where it is more."""
    if not served.rows:
        return True
    if served.total is not None and served.total > len(served.rows):
        return False
    return len(served.rows) != size or served.total is not None


async def _complete(fetch: Fetch, window: Window, served: Rows, *, is_last: bool) -> tuple[list[Row], Instant]:
    """The rows of which no other of the same time is missing, and the time from which to go on."""
    if is_last:
        return served.rows, window.until
    last = served.rows[-1].place.at
    if last > window.since:
        return [row for row in served.rows if row.place.at < last], last
    # The whole page has the time that was asked from: another request from there would bring the same rows.
    after = shift(window.since, _TICK)
    if not after < window.until:
        return await read_all(fetch, window, served), window.until
    return await read_all(fetch, Window(window.since, after)), after


def _is_as_asked(served: Rows, window: Window) -> bool:
    """Whether rows are inside their window and in ascending order: only then does the last one tell where to go on."""
    times = [row.place.at for row in served.rows]
    return all(at in window for at in times) and all(first <= then for first, then in pairwise(times))
