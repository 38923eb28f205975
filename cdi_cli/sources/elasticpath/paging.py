"""Where a walk stands, and what it says so with: places, the cursor, and what every walk owes the pipeline.

Records come in the order of `(time, id)`, whatever the store's own order among equal times is: it promises none. A cursor is
`{"at":"2026-01-01T00:00:00.000Z","id":"..."}`, the place of the last record; an empty id stands for the start of that
instant. Offsets are never part of it (sheet "elasticpath", section 2.2: at most 10,000, and rows move).
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Protocol

import msgspec

from cdi_cli.clock import Instant, Window, parse_instant
from cdi_cli.errors import ProtocolError
from cdi_cli.sources._base import Cursor, Page

TIME_FIELDS = {"created": "created_at", "modified": "updated_at", "reconcile": "created_at"}
OFFSET_MAX = 10_000
"""From here on Elastic Path refuses to go on."""
REREADS_MAX = 3
"""How often rows that move while they are read are read again before it is believed that they cannot be."""
HINT = "restart this job with `--restart`; nothing that was delivered is delivered again"
IGNORES = "something between us and the store ignores `filter`, `sort` or `page`"
_ID = re.compile(r"[^\x00-\x1f\x7f]{0,256}")


class UnsettledError(ProtocolError):
    """The rows of a window moved each time that they were read."""


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """A record's place in the order of reading."""

    at: Instant
    id: str


class Row(msgspec.Struct, frozen=True, order=True):
    """A row as served, with its place."""

    place: Position
    record: bytes


class Rows(msgspec.Struct, frozen=True):
    """Rows of one request in the order in which they were served; `total` is what the store says of all that there are."""

    rows: list[Row]
    total: int | None


class Fetch(Protocol):
    """Asks for a page of the rows of a window by offset; raises what `Client.get` raises."""

    async def __call__(self, window: Window, offset: int) -> Rows:
        """At most as many rows as a page holds."""
        ...


Pages = AsyncIterator[Page]


def cursor_of(position: Position) -> Cursor:
    """The position as text that `position_of` reads."""
    return Cursor(msgspec.json.encode(position).decode())


def position_of(cursor: Cursor, window: Window) -> Position:
    """The position that a cursor holds; raises ProtocolError for a text that we did not write for this window."""
    try:
        position = msgspec.json.decode(cursor, type=Position)
        is_ours = parse_instant(position.at) == position.at and _ID.fullmatch(position.id) is not None
    except (ValueError, TypeError):
        is_ours = False
    if not is_ours:
        raise ProtocolError("the saved cursor is not one of the Elastic Path source", hint=HINT)
    if position.at not in window:
        raise ProtocolError(f"the saved cursor is outside its window: {window.since} .. {window.until}", hint=HINT)
    return position


def start_of(window: Window, cursor: Cursor | None) -> Position:
    """Where reading goes on."""
    return Position(window.since, "") if cursor is None else position_of(cursor, window)


def placer(field: str, within: Sequence[str]) -> Callable[[bytes], Position]:
    """Reads a row's place: its `id`, and the time `field`, which lies within `within` or, in older records, elsewhere.

    It raises ProtocolError for a row without them, as reading could not go on after it.
    """
    names = [tuple(within), ("meta", "timestamps"), ("meta",), ("timestamps",), ()]
    paths = list(dict.fromkeys(names))
    decode = msgspec.json.Decoder(_Place).decode

    def place(record: bytes) -> Position:
        try:
            told = msgspec.to_builtins(decode(record))
        except (ValueError, RecursionError):
            told = _leniently(record)
        identifier = told.get("id")
        at = next((time for path in paths if (time := _at(told, path, field)) is not None), None)
        if at is None or not isinstance(identifier, str) or not identifier or not _ID.fullmatch(identifier):
            raise ProtocolError(f"Elastic Path served a row without a readable `{field}` and `id`")
        return Position(at, identifier)

    return place


class _Times(msgspec.Struct):
    created_at: Any = None
    updated_at: Any = None


class _Meta(msgspec.Struct):
    timestamps: _Times | None = None
    created_at: Any = None
    updated_at: Any = None


class _Place(msgspec.Struct):
    """Times and id of any record."""

    id: str = ""
    meta: _Meta | None = None
    timestamps: _Times | None = None
    created_at: Any = None
    updated_at: Any = None


def _leniently(record: bytes) -> dict[str, Any]:
    """Times and id of a row that msgspec will not decode; nothing where it has none."""
    try:
        found = json.loads(record)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _at(told: Any, path: tuple[str, ...], field: str) -> Instant | None:
    for name in (*path, field):
        told = told.get(name) if isinstance(told, dict) else None
    if not isinstance(told, str):
        return None
    try:
        return parse_instant(told)
    except ValueError:
        return None


def in_pages(rows: Iterable[Row], after: Position, size: int) -> list[list[Row]]:
    """The rows behind a place, each once, in the order of reading, in parts of at most `size`."""
    once = {row.place.id: row for row in rows}
    left = sorted((row for row in once.values() if row.place > after), key=lambda row: row.place)
    return [left[start : start + size] for start in range(0, len(left), size)]


def page_of(rows: Sequence[Row], after: Position, *, is_last: bool) -> Page:
    """A page of these rows; one without any keeps the place."""
    return Page([row.record for row in rows], cursor_of(rows[-1].place if rows else after), is_last)


async def read_all(fetch: Fetch, window: Window, first: Rows | None = None, *, rows_max: int = OFFSET_MAX) -> list[Row]:
    """All rows of a window by offset, as they stand at one time: read again where they moved meanwhile.

    `first` is what was served at offset 0. Raises ProtocolError where more than `rows_max` are there, where the store serves
    the same rows whatever the offset; UnsettledError where they never stand still.
    """
    for _ in range(REREADS_MAX):
        rows, totals = await _read_once(fetch, window, first or await fetch(window, 0), rows_max)
        distinct = {row.place.id for row in rows}
        # A row that leaves takes the place of the next one with it, which the next offset then passes over.
        if len(distinct) == len(rows) and len(totals) == 1 and max(totals) <= len(rows):
            return rows
        first = None
    raise UnsettledError(
        f"Elastic Path serves other rows each time for {window.since} .. {window.until}",
        hint="run again when fewer records change at once",
    )


async def _read_once(fetch: Fetch, window: Window, part: Rows, rows_max: int) -> tuple[list[Row], set[int]]:
    """The rows, and all that the store said of how many there are (-1: nothing)."""
    rows = list(part.rows)
    totals = {-1 if part.total is None else part.total}
    while part.rows and (part.total is None or len(rows) < part.total):
        if len(rows) >= rows_max:
            raise ProtocolError(
                f"more than {rows_max} records have the same time: {window.since} .. {window.until}",
                hint="Elastic Path serves no more than 10,000 records by offset; ask its support for their export",
            )
        before = [row.place.id for row in part.rows]
        part = await fetch(window, len(rows))
        if part.rows and [row.place.id for row in part.rows] == before:
            raise ProtocolError(f"Elastic Path served the same page twice at {window.since}", hint=IGNORES)
        rows += part.rows
        totals.add(-1 if part.total is None else part.total)
    return rows, totals
