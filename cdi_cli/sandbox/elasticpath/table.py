"""The records of one kind, the orders they are walked in, and lists over them.

A list with bounds on `created_at` or `updated_at` walks a presorted list from where these begin. Records that a sort does
not tell apart come by id, the same each time. Not safe for threads by itself: `Store` holds the lock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cdi_cli.sandbox.elasticpath.filters import Condition, Grammar, test_of
from cdi_cli.sandbox.elasticpath.money import Document


class Row(Protocol):
    """A record: its id, its times in milliseconds since 1970, its fields for filters and sorts, and how it is served."""

    @property
    def id(self) -> str:
        """The id."""
        ...

    @property
    def created(self) -> int:
        """When it was created."""
        ...

    @property
    def updated(self) -> int:
        """When the platform says that it last changed."""
        ...

    def field(self, name: str) -> Any:
        """The value of a field that filters and sorts know; None where the record has none."""
        ...

    def document(self) -> Document:
        """The record as it is served, made anew."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What the API knows about a collection.

    `sorts`: what it can be sorted by; empty where there is no `sort` parameter. `order`: the sort without one. `noun` is
    how a 404 calls it.
    """

    name: str
    noun: str
    grammar: Grammar
    sorts: frozenset[str]
    order: str


@dataclass(frozen=True, slots=True)
class Query:
    """A list as it was asked for: conditions, a sort with or without `-`, and the part of it that is wanted."""

    conditions: tuple[Condition, ...]
    sort: str
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a page, and how many there are in all."""

    rows: list[Row]
    total: int


_KEYS: dict[str, Callable[[Row], tuple[int, str]]] = {
    "created_at": lambda row: (row.created, row.id),
    "updated_at": lambda row: (row.updated, row.id),
}
_TIMES: dict[str, Callable[[Row], int]] = {
    "created_at": lambda row: row.created,
    "updated_at": lambda row: row.updated,
}


@dataclass(slots=True)
class Table:
    """All records of a kind that are visible."""

    kind: Kind
    rows: dict[str, Row] = field(default_factory=dict)
    _sorted: dict[str, list[Row]] = field(default_factory=dict)

    def extend(self, rows: Iterable[Row]) -> None:
        """Add many records at once; the orders are built when a list needs them."""
        self.rows.update((row.id, row) for row in rows)
        self._sorted.clear()

    def put(self, row: Row) -> None:
        """Add a record, or a new state of one."""
        self.remove(row.id)
        self.rows[row.id] = row
        for name, ordered in self._sorted.items():
            insort(ordered, row, key=_KEYS[name])

    def remove(self, key: str) -> Row | None:
        """Take a record out; returns it if it was there."""
        row = self.rows.pop(key, None)
        if row is not None:
            for name, ordered in self._sorted.items():
                del ordered[bisect_left(ordered, _KEYS[name](row), key=_KEYS[name])]
        return row

    def find(self, query: Query) -> Found:
        """The page that a query asks for."""
        name, is_descending = query.sort.lstrip("-"), query.sort.startswith("-")
        walked = name if name in _KEYS else self._bounded(query.conditions)
        rows: Sequence[Row] = self._order(walked)
        bounds = [each for each in query.conditions if each.field == walked and each.bounds is not None]
        start, end = self._slice(walked, bounds)
        rest = [(each.field, test_of(each)) for each in query.conditions if each not in bounds]
        if name == walked and not rest:
            return Found(_page(rows, start, end, query, is_descending=is_descending), end - start)
        rows = [row for row in rows[start:end] if all(test(value_of(row, part)) for part, test in rest)]
        if name != walked:
            rows = sorted(rows, key=lambda row: row.id)
            rows.sort(key=lambda row: _sortable(value_of(row, name)), reverse=is_descending)
            return Found(list(rows[query.offset : query.offset + query.limit]), len(rows))
        return Found(_page(rows, 0, len(rows), query, is_descending=is_descending), len(rows))

    def _bounded(self, conditions: tuple[Condition, ...]) -> str:
        """The time that a filter has bounds on; that of the creation where it has none."""
        return next((each.field for each in conditions if each.bounds is not None), "created_at")

    def _slice(self, name: str, bounds: list[Condition]) -> tuple[int, int]:
        ordered, time = self._order(name), _TIMES[name]
        start, end = 0, len(ordered)
        for bound in bounds:
            assert bound.bounds is not None
            first, after = bound.bounds
            if bound.op in ("ge", "gt", "eq"):
                cut = bisect_right if bound.op == "gt" else bisect_left
                start = max(start, cut(ordered, first, key=time))
            if bound.op == "eq":
                end = min(end, bisect_left(ordered, after, key=time))
            elif bound.op in ("lt", "le"):
                cut = bisect_left if bound.op == "lt" else bisect_right
                end = min(end, cut(ordered, first, key=time))
        return start, max(start, end)

    def _order(self, name: str) -> list[Row]:
        ordered = self._sorted.get(name)
        if ordered is None:
            ordered = self._sorted[name] = sorted(self.rows.values(), key=_KEYS[name])
        return ordered


def _page(rows: Sequence[Row], start: int, end: int, query: Query, *, is_descending: bool) -> list[Row]:
    if not is_descending:
        return list(rows[start + query.offset : min(end, start + query.offset + query.limit)])
    last = end - query.offset
    return list(rows[max(start, last - query.limit) : max(start, last)])[::-1]


def value_of(row: Row, name: str) -> Any:
    """A field of a record, as filters and sorts see it."""
    if name in _TIMES:
        return _TIMES[name](row)
    return row.id if name == "id" else row.field(name)


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value if value is not None else ""
