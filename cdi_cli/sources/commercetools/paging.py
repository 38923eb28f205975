"""Keyset paging over `(time, id)`: predicates, the cursor's text, how many rows to ask for, and what a page may not do.

The rules are those of sheet "commercetools", section 2:

- `where=(createdAt > "T" or (createdAt = "T" and id > "ID")) and createdAt < "UNTIL"`, sorted by both, `withTotal=false`;
- the cursor is the last row as served: ids sort by their binary form, so the greatest id as text is not the last one;
- the end is a page with fewer rows than were asked for.

A cursor is `{"at":"2026-01-01T00:00:00.000Z","id":"..."}`; an empty id stands for the start of that instant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import msgspec

from cdi_cli.clock import Instant, Window, parse_instant
from cdi_cli.errors import ProtocolError
from cdi_cli.sources._base import Cursor

TIME_FIELDS = {"created": "createdAt", "modified": "lastModifiedAt"}
PAGE_BYTES_TARGET = 4_000_000
"""Half of what sheet "commercetools" advises: four pages at once stay under 150 MB of memory, and cost no more time."""
_ID = re.compile(r'[^"\\\x00-\x1f\x7f]{0,256}')
_HINT = "restart this job with `--restart`; nothing that was delivered is delivered again"


class Envelope(msgspec.Struct, frozen=True):
    """A page as served; `limit` is what the server made of ours. Records stay undecoded."""

    results: list[msgspec.Raw]
    limit: int = 0


def lenient_envelope(body: bytes) -> Envelope | None:
    """A page that msgspec cannot split because a text in it is no Unicode (half a surrogate pair); None if it is no page.

    Its records are written anew one by one, so that the spoilt one fails alone when it is decoded.
    """
    try:
        page = json.loads(body, parse_constant=_no_constant)
        rows = [msgspec.Raw(json.dumps(row, separators=(",", ":")).encode()) for row in page["results"]]
        return Envelope(rows, page["limit"] if isinstance(page.get("limit"), int) else 0)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _no_constant(name: str) -> float:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


class Total(msgspec.Struct, frozen=True):
    """The envelope of a count."""

    total: int


class Position(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row's place in the order of reading."""

    at: Instant
    id: str


class _Created(msgspec.Struct, frozen=True, rename="camel"):
    created_at: str
    id: str


class _Modified(msgspec.Struct, frozen=True, rename="camel"):
    last_modified_at: str
    id: str


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
        raise ProtocolError("the saved cursor is not one of the commercetools source", hint=_HINT)
    if position.at not in window:
        raise ProtocolError(f"the saved cursor is outside its window: {window.since} .. {window.until}", hint=_HINT)
    return position


def predicate(by: str, window: Window, after: Position | None) -> str:
    """The `where` clause for the rows of a window that come after a position; `by` is "created" or "modified"."""
    field = TIME_FIELDS[by]
    if after is None:
        start = f'{field} >= "{window.since}"'
    elif not after.id:
        start = f'{field} >= "{after.at}"'
    else:
        start = f'({field} > "{after.at}" or ({field} = "{after.at}" and id > "{after.id}"))'
    return f'{start} and {field} < "{window.until}"'


def page_params(by: str, window: Window, after: Position | None, limit: int) -> list[tuple[str, str]]:
    """The query parameters of one page."""
    return [
        ("where", predicate(by, window, after)),
        ("sort", f"{TIME_FIELDS[by]} asc"),
        ("sort", "id asc"),
        ("limit", str(limit)),
        ("withTotal", "false"),
    ]


def place_of(record: bytes | msgspec.Raw, by: str) -> Position:
    """Where a served row stands; raises ProtocolError for a row without time or id, as reading could not go on after it."""
    try:
        if by == "created":
            created = msgspec.json.decode(record, type=_Created)
            served_at, identifier = created.created_at, created.id
        else:
            modified = msgspec.json.decode(record, type=_Modified)
            served_at, identifier = modified.last_modified_at, modified.id
    except ValueError:
        served_at, identifier = _lenient_place(bytes(record), TIME_FIELDS[by])
    try:
        at = parse_instant(served_at)
    except ValueError:
        raise ProtocolError(f"commercetools served a row without a readable `{TIME_FIELDS[by]}` and `id`") from None
    if not identifier or _ID.fullmatch(identifier) is None:
        raise ProtocolError("commercetools served a row whose `id` cannot be asked for")
    return Position(at, identifier)


def _lenient_place(record: bytes, field: str) -> tuple[str, str]:
    """Time and id of a row that msgspec will not decode; empty texts where it has none."""
    try:
        row = json.loads(record)
        place = (row[field], row["id"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return "", ""
    return place if all(isinstance(part, str) for part in place) else ("", "")


class Walk:
    """Where a walk over one window stands; refuses pages that would make it run in circles or backwards.

    Only the first and the last row of a page are looked at: all rows together would cost as much as reading them.
    """

    def __init__(self, by: str, window: Window, cursor: Cursor | None) -> None:
        self.by = by
        self.window = window
        self.position = None if cursor is None else position_of(cursor, window)
        self._ends: tuple[Position, Position, int] | None = None

    def advance(self, rows: Sequence[bytes | msgspec.Raw]) -> Position:
        """The position after a page; raises ProtocolError for a page that is out of order, repeated or out of bounds."""
        before = self.position
        if not rows:
            return before or Position(self.window.since, "")
        first, last = place_of(rows[0], self.by), place_of(rows[-1], self.by)
        ends = (first, last, len(rows))
        field = TIME_FIELDS[self.by]
        if ends == self._ends or (before is not None and before.id and last == before):
            raise ProtocolError(
                f"commercetools served the same page twice: paging by `{field}` is in a loop at {last.at}",
                hint="something between us and the API answers from a cache, or ignores `where`",
            )
        if last.at < first.at or (before is not None and first.at < before.at):
            raise ProtocolError(
                f"commercetools served rows that go back in time by `{field}`: {last.at} after {first.at}"
                if last.at < first.at
                else f"commercetools served rows that go back in time by `{field}`: {first.at} after {before and before.at}",
                hint="something between us and the API ignores `sort` or `where`",
            )
        if first.at not in self.window or last.at not in self.window:
            raise ProtocolError(
                f"commercetools served rows outside {self.window.since} .. {self.window.until} by `{field}`",
                hint="something between us and the API ignores `where`",
            )
        self._ends, self.position = ends, last
        return last


class PageSize:
    """How many rows to ask for, so that a page holds about `bytes_target` decoded bytes.

    Falls at once to what fits, is halved when the server cannot serve a page, and grows by a quarter a page.
    """

    def __init__(self, rows_max: int, bytes_target: int = PAGE_BYTES_TARGET) -> None:
        self._rows_max = rows_max
        self._bytes_target = bytes_target
        self.rows = rows_max

    def observe(self, rows: int, size_bytes: int) -> None:
        """Learn from a page that arrived."""
        if rows and size_bytes:
            fitting = max(1, self._bytes_target * rows // size_bytes)
            self.rows = min(self._rows_max, fitting, self.rows + max(1, self.rows // 4))

    def shrink(self, failed: int) -> None:
        """Learn that a page of `failed` rows could not be served."""
        self.rows = max(1, min(self.rows, failed // 2))
