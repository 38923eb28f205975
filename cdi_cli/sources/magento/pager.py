"""The pages of a window: as many rows as the shop can serve at once, around the records that it cannot serve at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from cdi_cli.errors import TooLargeError
from cdi_cli.sources._base import Page
from cdi_cli.sources.magento.client import Ask, Client
from cdi_cli.sources.magento.paging import Envelope, PageSize, Walk
from cdi_cli.sources.magento.poison import find_poisoned, marker
from cdi_cli.sources.magento.refusals import PageSizeError, ServerFaultError, SlowAnswerError
from cdi_cli.sources.magento.search import Condition, Filter, Group, Params, criteria

POISONED_IN_A_ROW_MAX = 10
"""More records in a row that cannot be served than this, and it is the shop that is broken, not a record."""

AskOf = Callable[[Params, bool], Ask]
"""Makes the request for some parameters; the flag says whether less could be asked for."""


class Pager:
    """Reads one window of a list; `restrict` are groups that every request holds besides (the chosen store views)."""

    def __init__(
        self, client: Client, walk: Walk, size: PageSize, ask_of: AskOf, id_field: str, restrict: Sequence[Group] = ()
    ) -> None:
        self._client = client
        self._walk = walk
        self._size = size
        self._ask_of = ask_of
        self._id_field = id_field
        self._restrict = restrict
        self._skipped: list[int] = []
        self._suspects = 0

    async def pages(self) -> AsyncIterator[Page]:
        """Page by page; each that holds a record that cannot be served ends behind it, so that no cursor repeats it."""
        while True:
            markers: list[bytes] = []
            while True:
                try:
                    rows, is_last = await self._next()
                except ServerFaultError as fault:
                    markers.append(await self._skip(fault, len(markers)))
                    continue
                break
            self._walk.advance(rows)
            yield Page([*markers, *map(bytes, rows)], self._walk.cursor, is_last)
            if is_last:
                return

    async def _next(self) -> tuple[Sequence[bytes], bool]:
        """The next rows, in fewer at a time while the shop cannot serve so many, and whether they are the last.

        When it fails, the failing record is among the rows asked for: they are halved until it is the next one, and then
        ServerFaultError is raised.
        """
        while True:
            asked = min(self._size.rows, max(1, self._suspects // 2)) if self._suspects else self._size.rows
            try:
                envelope, size_bytes = await self._get(self._groups(), asked)
            except ServerFaultError:
                self._suspects = asked if asked > 1 else 0
                if asked == 1:
                    raise
            except PageSizeError as refused:
                if refused.rows_max >= asked:
                    raise
                self._size.cap(refused.rows_max)
            except (TooLargeError, SlowAnswerError):
                if asked == 1:
                    raise
                self._size.shrink(asked)
            else:
                rows = envelope.items or []
                if not self._suspects:
                    self._size.observe(len(rows), size_bytes)
                self._suspects = max(0, self._suspects - len(rows))
                total = envelope.total_count
                # A server that lowers the page size tells by its count that there is more; one that counts too much is
                # found out by an empty page.
                return rows, not rows or (len(rows) < asked if total is None else total <= len(rows))

    async def _get(self, groups: Sequence[Group], rows: int) -> tuple[Envelope, int]:
        params = criteria(groups, sort=self._walk.sort, page_size=rows)
        return await self._client.get(self._ask_of(params, rows > 1), Envelope)

    def _groups(self) -> list[Group]:
        return [*self._walk.groups(self._skipped), *self._restrict]

    async def _skip(self, fault: ServerFaultError, in_a_row: int) -> bytes:
        """What stands for the record that the shop fails on, which is left out from now on; raises the fault if none is."""
        if in_a_row >= POISONED_IN_A_ROW_MAX:
            raise fault
        groups = self._groups()

        async def fails(condition: Condition, identifier: int) -> bool:
            try:
                await self._get([*groups, (Filter(self._id_field, condition, str(identifier)),)], 1)
            except ServerFaultError:
                return True
            return False

        near = self._walk.position.id if self._walk.position is not None else 0
        poisoned = await find_poisoned(lambda identifier: fails("lteq", identifier), near)
        # Asked for alone it must fail too: a shop that only stumbled for a while is no reason to leave a record out.
        if poisoned is None or not await fails("eq", poisoned):
            raise fault
        self._skipped.append(poisoned)
        return marker(poisoned, fault.report_id)
