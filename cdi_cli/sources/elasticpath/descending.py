"""The walk over a list that has no filter by time: the latest change first, down to where the window begins.

By creation it is read whole, as its order says nothing then (sheet "elasticpath", sections 2.3 and 5.16). What is read is
turned round and given in the order of time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

from cdi_cli.clock import Window
from cdi_cli.errors import ProtocolError
from cdi_cli.sources._base import Page
from cdi_cli.sources.elasticpath.paging import IGNORES, OFFSET_MAX, Fetch, Position, Row, in_pages, page_of


async def descending_pages(
    fetch: Fetch, window: Window, position: Position, size: int, *, is_whole: bool
) -> AsyncIterator[Page]:
    """The pages of a window behind a place; `is_whole`: rows of any time may be anywhere in the list.

    Raises ProtocolError where more rows would have to be read than can be by offset.
    """
    rows = await _rows(fetch, window, is_whole=is_whole)
    parts = in_pages([row for row in rows if row.place.at in window], position, size)
    for number, part in enumerate(parts, 1):
        yield page_of(part, position, is_last=number == len(parts))
        position = part[-1].place
    if not parts:
        yield page_of([], position, is_last=True)


async def _rows(fetch: Fetch, window: Window, *, is_whole: bool) -> list[Row]:
    """The rows down to the start of the window; a row that moves meanwhile comes twice, never not at all."""
    rows: list[Row] = []
    seen: set[str] = set()
    offset = 0
    while True:
        served = await fetch(window, offset)
        times = [row.place.at for row in (*rows[-1:], *served.rows)]
        is_whole = is_whole or any(later > earlier for earlier, later in pairwise(times))
        fresh = [row for row in served.rows if row.place.id not in seen]
        if served.rows and not fresh:
            raise ProtocolError("Elastic Path served the same page twice", hint=IGNORES)
        rows += fresh
        seen.update(row.place.id for row in fresh)
        offset += len(served.rows)
        is_below = not is_whole and any(row.place.at < window.since for row in served.rows)
        if not served.rows or is_below or (served.total is not None and served.total <= offset):
            return rows
        if offset >= OFFSET_MAX:
            raise ProtocolError(
                f"the list has more than {OFFSET_MAX} records, and no filter by time",
                hint="Elastic Path serves no more of it; leave the stream out",
            )
