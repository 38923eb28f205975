"""Which walk reads a window, in which dialect, and what the store was found to do otherwise than it says.

What is found out once holds for the rest of the run: a dialect that the store does not read is not tried again, and a list
that it does not sort is read in slices.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from cdi_cli.clock import Window
from cdi_cli.errors import ProtocolError, RefusedError
from cdi_cli.sources._base import Cursor, Page
from cdi_cli.sources.elasticpath.client import Ask, Client, FilterRefusedError, Params
from cdi_cli.sources.elasticpath.descending import descending_pages
from cdi_cli.sources.elasticpath.envelope import Composer, Envelope
from cdi_cli.sources.elasticpath.filters import CATALOGUE_DIALECTS, DIALECTS, Dialect, between, is_exact
from cdi_cli.sources.elasticpath.keyset import UnsortedError, keyset_pages
from cdi_cli.sources.elasticpath.paging import IGNORES, TIME_FIELDS, Row, Rows, placer, start_of
from cdi_cli.sources.elasticpath.slices import slice_pages
from cdi_cli.sources.elasticpath.streams import LISTINGS, Listing


class Pager:
    """Reads the windows of one stream."""

    def __init__(self, client: Client, composer: Composer, stream: str, page_size: int) -> None:
        self._client = client
        self._composer = composer
        self._stream = stream
        self._listing: Listing = LISTINGS[stream]
        self._size = page_size
        self._dialects = CATALOGUE_DIALECTS if self._listing.walk == "slices" else DIALECTS
        self._is_settled = False
        self._sorts: dict[str, bool] = {}

    @property
    def dialect(self) -> Dialect:
        """The dialect that is written now."""
        return self._dialects[0]

    async def pages(self, window: Window, cursor: Cursor | None, by: str) -> AsyncIterator[Page]:
        """The pages of a window, by "created", "modified" or "reconcile"; raises what `Client.get` raises, ProtocolError."""
        position = start_of(window, cursor)
        field = TIME_FIELDS[by]
        if self._listing.walk == "descending":
            fetch = _Fetch(self, field, sort="-updated_at", is_filtered=False)
            async for page in descending_pages(fetch, window, position, self._size, is_whole=field == "created_at"):
                yield page
            return
        # A dialect may be found out to be unreadable at the first request only, before any page was given.
        await self.settle_dialect(field, window)
        is_exactly = self._listing.walk == "keyset" and is_exact(self.dialect)
        if is_exactly and await self.sorts_by(field, Window(position.at, window.until)):
            try:
                async for page in keyset_pages(_Fetch(self, field, sort=field), window, position, self._size):
                    cursor = page.cursor
                    yield page
            except UnsortedError:
                self._sorts[field] = False
                position = start_of(window, cursor)
            else:
                return
        by_days = not is_exact(self.dialect)
        async for page in slice_pages(_Fetch(self, field), window, position, self._size, by_days=by_days):
            yield page

    async def count(self, window: Window) -> int | None:
        """How many records were created in a window; None where the store cannot say exactly."""
        if self._listing.walk == "descending":
            return None
        await self.settle_dialect("created_at", window)
        if not is_exact(self.dialect):
            return None
        envelope = await self._ask(self.params("created_at", window, limit=1), "count")
        return envelope.total

    async def sorts_by(self, field: str, window: Window) -> bool | None:
        """Whether the store sorts a window as it is asked, by its two ends; None where both have one time, or nothing is.

        One page in the right order does not tell: the default order may begin with rows of one time. Raises as `Client.get`.
        """
        if field not in self._sorts:
            try:
                ends = [await self.rows(field, window, 0, sort=sort, limit=1) for sort in (field, f"-{field}")]
            except RefusedError as refused:
                if refused.status != 400:
                    raise
                self._sorts[field] = False  # the list cannot be sorted by this field
                return False
            first, last = ([row.place.at for row in end.rows[:1]] for end in ends)
            if first == last:
                return None
            self._sorts[field] = first < last
        return self._sorts[field]

    async def settle_dialect(self, field: str, window: Window) -> None:
        """Find a dialect that the store reads, at the first window that is read.

        Raises RefusedError where it reads none.
        """
        while not self._is_settled:
            try:
                await self._ask(self.params(field, window, limit=1), "filter")
            except RefusedError as refused:
                if refused.status != 400 or len(self._dialects) == 1:
                    raise _unreadable_filter(refused) from None
                self._dialects = self._dialects[1:]
            else:
                self._is_settled = True

    def params(self, field: str, window: Window | None, *, offset: int = 0, limit: int, sort: str = "") -> Params:
        """The query of a request, but for what is to come along."""
        named = [("filter", between(field, window, self.dialect))] if window is not None else []
        if sort:
            named.append(("sort", sort))
        return [*named, ("page[limit]", str(limit)), ("page[offset]", str(offset))]

    async def rows(
        self,
        field: str,
        window: Window,
        offset: int,
        *,
        sort: str = "",
        is_filtered: bool = True,
        limit: int | None = None,
    ) -> Rows:
        """The rows of one request, as records with their places; with a `limit` without what belongs to them."""
        is_probe = limit is not None  # of which the places are wanted alone
        asked = limit if limit is not None else self._size
        params = [*self.params(field, window if is_filtered else None, offset=offset, limit=asked, sort=sort)]
        if self._listing.include and not is_probe:
            params.append(("include", ",".join(self._listing.include)))
        envelope = await self._ask(params, "page")
        place = placer(field, self._listing.times_in)
        records = self._composer.records(self._stream, self._listing, envelope.data or (), envelope.included)
        rows = [Row(place(record), record) for record in records]
        if is_filtered and is_exact(self.dialect) and len(rows) >= self._size > 1:
            inside = sum(row.place.at in window for row in rows)
            if 2 * inside < len(rows):
                raise ProtocolError(
                    f"Elastic Path served rows outside {window.since} .. {window.until} by `{field}`", hint=IGNORES
                )
        return Rows(rows, envelope.total)

    async def _ask(self, params: Params, purpose: str) -> Envelope:
        return await self._client.get(Ask(self._listing.path, f"Elastic Path {self._stream} {purpose}", params), Envelope)


class _Fetch:
    """Asks a pager for the rows of windows, by one field and in one order."""

    def __init__(self, pager: Pager, field: str, *, sort: str = "", is_filtered: bool = True) -> None:
        self._pager = pager
        self._field = field
        self._sort = sort
        self._is_filtered = is_filtered

    async def __call__(self, window: Window, offset: int) -> Rows:
        """At most as many rows as a page holds."""
        return await self._pager.rows(self._field, window, offset, sort=self._sort, is_filtered=self._is_filtered)


def _unreadable_filter(refused: RefusedError) -> RefusedError:
    if not isinstance(refused, FilterRefusedError):
        return refused
    return RefusedError(
        refused.message,
        status=refused.status,
        where=refused.where,
        hint="the store reads no filter by time that is known; run `cdi check`, and tell the vendor's support",
    )
