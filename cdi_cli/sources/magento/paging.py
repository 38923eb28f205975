"""Keyset paging over `(time, entity_id)`: groups, the cursor's text, how many rows to ask for, what a page may not do.

Page numbers lose rows while rows change (sheet "magento", headline 1), so `currentPage` is always 1 and each page starts
behind the last row of the one before. "Later, or as late with a greater id" is said in groups of which each must hold:

    time >= T   and   (time > T or entity_id > ID)   and   time < UNTIL        sorted by time, entity_id

so that rows of one second, however many, are read once each. A cursor is `{"at":"2026-01-01T00:00:00.000Z","id":7}`; id 0
stands for the start of that instant.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

import msgspec

from cdi_cli.clock import Instant, Window, parse_instant
from cdi_cli.errors import ProtocolError
from cdi_cli.sources._base import Cursor
from cdi_cli.sources.magento.search import Filter, Group, instant_of, none_of, sql_time

TIME_FIELDS = {"created": "created_at", "modified": "updated_at", "reconcile": "created_at"}
PAGE_BYTES_TARGET = 4_000_000
_HINT = "restart this job with `--restart`; nothing that was delivered is delivered again"
_CACHE_HINT = "something between us and the shop answers from a cache, or an extension ignores `searchCriteria`"


class Envelope(msgspec.Struct, frozen=True):
    """A page as served; an empty one may hold null for its items. Records stay undecoded."""

    items: list[msgspec.Raw] | None
    total_count: int | None = None


class Total(msgspec.Struct, frozen=True):
    """The envelope of a count."""

    total_count: int


def lenient_envelope(body: bytes) -> Envelope | None:
    """A page that msgspec cannot split because a text in it is no Unicode (half a surrogate pair); None if it is no page.

    Its records are written anew one by one, so that the spoilt one fails alone when it is decoded.
    """
    try:
        page = json.loads(body, parse_constant=_no_constant)
        rows = [msgspec.Raw(json.dumps(row, separators=(",", ":")).encode()) for row in page["items"] or ()]
        total = page.get("total_count")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return Envelope(rows, total if isinstance(total, int) else None)


def _no_constant(name: str) -> float:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row's place in the order of reading."""

    at: Instant
    id: int


def cursor_of(position: Position) -> Cursor:
    """The position as text that `position_of` reads."""
    return Cursor(msgspec.json.encode(position).decode())


def position_of(cursor: Cursor, window: Window) -> Position:
    """The position that a cursor holds; raises ProtocolError for a text that we did not write for this window."""
    try:
        position = msgspec.json.decode(cursor, type=Position)
        is_ours = parse_instant(position.at) == position.at and position.id >= 0
    except (ValueError, TypeError):
        is_ours = False
    if not is_ours:
        raise ProtocolError("the saved cursor is not one of the Magento source", hint=_HINT)
    if position.at not in window:
        raise ProtocolError(f"the saved cursor is outside its window: {window.since} .. {window.until}", hint=_HINT)
    return position


def keyset(field: str, id_field: str, window: Window, after: Position | None, without: Collection[int] = ()) -> list[Group]:
    """The groups for the rows of a window that come after a position; `without` are ids that are left out."""
    at = sql_time(window.since if after is None else after.at)
    groups: list[Group] = [(Filter(field, "gteq", at),), (Filter(field, "lt", sql_time(window.until)),)]
    if after is not None and after.id:
        groups.append((Filter(field, "gt", at), Filter(id_field, "gt", str(after.id))))
    if without:
        groups.append(none_of(id_field, sorted(without)))
    return groups


class _Row(msgspec.Struct):
    """Times and ids of any record."""

    created_at: str | None = None
    updated_at: str | None = None
    entity_id: int | None = None
    id: int | None = None


_decode_row = msgspec.json.Decoder(_Row).decode


def place_of(record: bytes | msgspec.Raw, field: str, record_id: str) -> Position:
    """Where a served row stands; raises ProtocolError for a row without time or id, as reading could not go on after it."""
    try:
        row = _decode_row(record)
    except ValueError:
        row = _lenient_row(bytes(record))
    served_at, identifier = getattr(row, field), getattr(row, record_id)
    try:
        at = instant_of(served_at or "", field)
    except ValueError:
        at = None
    if at is None or not isinstance(identifier, int) or identifier <= 0:
        raise ProtocolError(f"Magento served a row without a readable `{field}` and `{record_id}`")
    return Position(at, identifier)


def _lenient_row(record: bytes) -> _Row:
    """Time and id of a row that msgspec will not decode; nothing where it has none."""
    try:
        found = json.loads(record)
        times = [found.get(name) for name in ("created_at", "updated_at")]
        ids = [found.get(name) for name in ("entity_id", "id")]
    except (ValueError, AttributeError, RecursionError):
        return _Row()
    created, updated = (time if isinstance(time, str) else None for time in times)
    entity_id, identifier = (one if isinstance(one, int) and not isinstance(one, bool) else None for one in ids)
    return _Row(created, updated, entity_id, identifier)


class Walk:
    """Where a walk over one window stands; refuses pages that would make it run in circles, backwards or out of bounds.

    Every row is looked at: a server that does not understand a date serves the whole table, without a word.
    """

    def __init__(self, by: str, id_field: str, record_id: str, window: Window, cursor: Cursor | None) -> None:
        self.field = TIME_FIELDS[by]
        self.window = window
        self.position = None if cursor is None else position_of(cursor, window)
        self._id_field = id_field
        self._record_id = record_id

    @property
    def sort(self) -> tuple[str, str]:
        """The fields to sort by."""
        return self.field, self._id_field

    @property
    def cursor(self) -> Cursor:
        """The cursor of what was read so far."""
        return cursor_of(self.position or Position(self.window.since, 0))

    def groups(self, without: Collection[int] = ()) -> list[Group]:
        """What to ask for: the rows after the position."""
        return keyset(self.field, self._id_field, self.window, self.position, without)

    def advance(self, rows: Sequence[bytes | msgspec.Raw]) -> None:
        """Go behind the rows of a page; raises ProtocolError for one that is out of order, repeated or out of bounds."""
        before = self.position
        for row in rows:
            place = place_of(row, self.field, self._record_id)
            if place.at not in self.window:
                raise ProtocolError(
                    f"Magento served a row outside {self.window.since} .. {self.window.until} by `{self.field}`",
                    hint="something between us and the shop, or an extension, ignores `searchCriteria`",
                )
            if before is not None and (place.at, place.id) <= (before.at, before.id):
                raise ProtocolError(
                    f"Magento served rows again, or out of order by `{self.field}`, at {place.at}", hint=_CACHE_HINT
                )
            before = place
        self.position = before


class PageSize:
    """How many rows to ask for, so that a page holds about `bytes_target` decoded bytes.

    Falls at once to what fits, is halved when the server cannot serve a page, and doubles at most from page to page.
    """

    def __init__(self, rows_max: int, bytes_target: int = PAGE_BYTES_TARGET) -> None:
        self._rows_max = rows_max
        self._bytes_target = bytes_target
        self.rows = rows_max

    def observe(self, rows: int, size_bytes: int) -> None:
        """Learn from a page that arrived."""
        if rows and size_bytes:
            fitting = max(1, self._bytes_target * rows // size_bytes)
            self.rows = min(self._rows_max, fitting, self.rows * 2)

    def shrink(self, failed: int) -> None:
        """Learn that a page of `failed` rows could not be served."""
        self.rows = max(1, min(self.rows, failed // 2))

    def cap(self, rows_max: int) -> None:
        """Learn that the server allows no more rows than these, ever."""
        self._rows_max = max(1, min(self._rows_max, rows_max))
        self.rows = min(self.rows, self._rows_max)
