"""The rows of one kind, the orders they are walked in, and lists over them as the web API answers.

A list whose filters are bounds on the key or on a time walks a presorted list from where these begin. Rows that the sort
orders do not tell apart come in no particular order. Not safe for threads by itself: `Shop` holds the lock.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cdi_cli.sandbox.magento import times
from cdi_cli.sandbox.magento.conditions import LOWER, UPPER, test_of
from cdi_cli.sandbox.magento.criteria import Criteria, Filter, Sort
from cdi_cli.sandbox.magento.replies import internal, wrong_attribute

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an answer depends on besides the record: the store view of the address, the shop's own address."""

    store_id: int = 0
    base_url: str = "http://127.0.0.1/"
    is_old_core: bool = False


class Row(Protocol):
    """A record: its key, its times (empty where it has none), and how it looks from a store view."""

    @property
    def id(self) -> int:
        """The key."""
        ...

    @property
    def created(self) -> str:
        """When it was created."""
        ...

    @property
    def updated(self) -> str:
        """When the server says that it last changed."""
        ...

    @property
    def owner(self) -> int:
        """The key of the record that it belongs to; 0 if to none."""
        ...

    def column(self, name: str) -> Any:
        """The value of a column; None for NULL."""
        ...

    def document(self, scope: Scope) -> Document:
        """The record as it is served, made anew."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What the API knows about a kind of record.

    `key`: the name of its key in filters. `columns`: what may be filtered and sorted by. `is_eav`: whether an unknown
    column is a 400 with its name (customers, products, categories) or an SQL error. `owner`: the column that names the
    record it belongs to.
    """

    name: str
    key: str
    columns: frozenset[str]
    is_eav: bool = False
    owner: str = ""

    def refuse(self, column: str) -> None:
        """Raise for a column that there is not."""
        if column not in self.columns:
            raise wrong_attribute(column) if self.is_eav else internal()


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a page, and how many there are in all."""

    rows: list[Row]
    total: int


_DATES = frozenset({"created_at", "updated_at"})
_ORDERS: dict[str, Callable[[Row], Any]] = {
    "key": lambda row: row.id,
    "created_at": lambda row: (row.created, row.id),
    "updated_at": lambda row: (row.updated, row.id),
}
_FIRST: dict[str, Callable[[Row], Any]] = {
    "key": lambda row: row.id,
    "created_at": lambda row: row.created,
    "updated_at": lambda row: row.updated,
}


@dataclass(slots=True)
class Table:
    """All rows of a kind that are visible."""

    kind: Kind
    seed: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    _sorted: dict[str, list[Row]] = field(default_factory=dict)
    _owned: dict[int, list[int]] | None = None
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def extend(self, rows: Iterable[Row]) -> None:
        """Add many rows at once; the orders are built when a list needs them."""
        self.rows.update((row.id, row) for row in rows)
        self._sorted.clear()
        self._owned = None

    def put(self, row: Row) -> None:
        """Add a row, or a new state of one."""
        self.remove(row.id)
        self.rows[row.id] = row
        for name, ordered in self._sorted.items():
            insort(ordered, row, key=_ORDERS[name])
        self._owned = None

    def remove(self, key: int) -> Row | None:
        """Take a row out; returns it if it was there."""
        row = self.rows.pop(key, None)
        if row is not None:
            for name, ordered in self._sorted.items():
                del ordered[bisect_left(ordered, _ORDERS[name](row), key=_ORDERS[name])]
            self._owned = None
        return row

    def owned_by(self, owner: int) -> list[Row]:
        """The rows that belong to a record."""
        if self._owned is None:
            self._owned = {}
            for row in self.rows.values():
                self._owned.setdefault(row.owner, []).append(row.id)
        return [self.rows[key] for key in self._owned.get(owner, ())]

    def find(self, criteria: Criteria, *, page_size: int | None, repeats_last_page: bool = False) -> Found:
        """The page that criteria ask for; `page_size` None or 0 stands for all rows."""
        for name in [each.field for group in criteria.groups for each in group] + [sort.field for sort in criteria.sorts]:
            self.kind.refuse(name)
        rows, is_ordered, rest = self._candidates(criteria)
        if rest:
            tests = [self._test(group) for group in rest]
            rows = [row for row in rows if all(test(row) for test in tests)]
        if not is_ordered:
            rows = self._ordered(rows, criteria.sorts)
        elif criteria.sorts[0].descending:
            rows = rows[::-1]
        total = len(rows)
        size = max(page_size, 1) if page_size else max(total, 1)
        number = max(criteria.current_page or 1, 1)
        if repeats_last_page:
            number = min(number, max(-(-total // size), 1))
        return Found(list(rows[(number - 1) * size : number * size]), total)

    def _candidates(self, criteria: Criteria) -> tuple[Sequence[Row], bool, list[tuple[Filter, ...]]]:
        """Rows that hold all matches, whether in the order that is asked for, and the groups that are still to be tested."""
        single = [(group, self._index(group)) for group in criteria.groups]
        for group, index in single:
            if index == "pinned":
                return self._pinned(group[0]), False, list(criteria.groups)
        wanted = self._presorted(criteria.sorts)
        names = [name for name in _ORDERS if any(index == name for _group, index in single)]
        slices = {name: self._slice(name, [g[0] for g, index in single if index == name]) for name in names}
        best = min(names, key=lambda name: slices[name][1] - slices[name][0], default=None)
        if best is None:
            best, bounds = wanted or "key", (0, len(self.rows))
        else:
            bounds = slices[best]
        rows = self._order(best)[bounds[0] : bounds[1]]
        rest = [group for group, index in single if index != best]
        return rows, wanted == best, rest

    def _index(self, group: tuple[Filter, ...]) -> str:
        """The order that serves a group alone; `pinned` if it names rows; empty if it must be tested row by row."""
        if len(group) != 1:
            return ""
        (only,) = group
        if only.field in (self.kind.key, self.kind.owner) and only.condition in ("eq", "in"):
            return "pinned"
        name = "key" if only.field == self.kind.key else only.field
        is_bound = name in _ORDERS and only.condition in LOWER | UPPER
        return name if is_bound and (name == "key" or times.read(only.value) is not None) else ""

    def _pinned(self, only: Filter) -> list[Row]:
        keys = [int(text) for text in only.value.split(",") if text.strip().isdecimal()]
        if only.field == self.kind.key:
            return [self.rows[key] for key in dict.fromkeys(keys) if key in self.rows]
        return [row for key in dict.fromkeys(keys) for row in self.owned_by(key)]

    def _slice(self, name: str, bounds: list[Filter]) -> tuple[int, int]:
        ordered, first = self._order(name), _FIRST[name]
        start, end = 0, len(ordered)
        for bound in bounds:
            value: Any = _whole(bound.value) if name == "key" else times.read(bound.value)
            cut = bisect_right if bound.condition in ("gt", "lteq", "to") else bisect_left
            place = cut(ordered, value, key=first)
            start, end = (max(start, place), end) if bound.condition in LOWER else (start, min(end, place))
        return start, max(start, end)

    def _order(self, name: str) -> list[Row]:
        ordered = self._sorted.get(name)
        if ordered is None:
            ordered = self._sorted[name] = sorted(self.rows.values(), key=_ORDERS[name])
        return ordered

    def _presorted(self, sorts: tuple[Sort, ...]) -> str | None:
        """The presorted list that serves these sort orders exactly, forwards or backwards."""
        names = ["key" if sort.field == self.kind.key else sort.field for sort in sorts]
        if not names or len({sort.descending for sort in sorts}) != 1:
            return None
        return names[0] if names[0] == "key" or (names[0] in _ORDERS and names[1:2] == ["key"]) else None

    def _ordered(self, rows: Sequence[Row], sorts: tuple[Sort, ...]) -> list[Row]:
        if not sorts:
            return sorted(rows, key=_ORDERS["key"])
        ordered = list(rows)
        self._random.shuffle(ordered)
        for sort in reversed(sorts):
            ordered.sort(key=self._value(sort.field), reverse=sort.descending)
        return ordered

    def _value(self, name: str) -> Callable[[Row], tuple[bool, Any]]:
        get = self._getter(name)

        def value(row: Row) -> tuple[bool, Any]:
            found = get(row)
            return found is not None, "" if found is None else found.casefold() if isinstance(found, str) else found

        return value

    def _getter(self, name: str) -> Callable[[Row], Any]:
        name = "key" if name == self.kind.key else name
        return _FIRST[name] if name in _FIRST else lambda row: row.column(name)

    def _test(self, group: tuple[Filter, ...]) -> Callable[[Row], bool]:
        tests = [
            (self._getter(each.field), test_of(each.condition, each.value, is_date=each.field in _DATES)) for each in group
        ]
        return lambda row: any(test(get(row)) for get, test in tests)


def _whole(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
