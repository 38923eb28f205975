"""The records of one kind, with the three orders that pages are read in, and queries over them.

A query sorted by `createdAt` or `lastModifiedAt` (then `id`), or by `id`, walks a presorted list from the place where the
predicate's bounds begin, so that a page costs its own rows and no more. Any other order is sorted on the spot, after a
shuffle: rows that the request does not tell apart come in no particular order, and without `sort` none do.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from cdi_cli.sandbox.commercetools.predicate import Matcher, bounds, compile_root, points
from cdi_cli.sandbox.commercetools.predicate_syntax import Expression
from cdi_cli.sandbox.commercetools.records import Record

TOTAL_MAX = 10_000
"""Where `total` stops counting when there is a predicate."""


@dataclass(frozen=True, slots=True)
class SortKey:
    """One `sort` parameter: the field's path and its direction."""

    path: tuple[str, ...]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is asked for."""

    where: Expression | None
    sort: tuple[SortKey, ...]
    limit: int
    offset: int = 0
    with_total: bool = True


@dataclass(frozen=True, slots=True)
class Rows:
    """The records of a page; `total` only when it was asked for."""

    records: list[Record]
    total: int | None


class _Reference(msgspec.Struct):
    id: str


class _PaymentInfo(msgspec.Struct):
    payments: list[_Reference] = []


class _HasPayments(msgspec.Struct):
    paymentInfo: _PaymentInfo | None = None


_decode_payments = msgspec.json.Decoder(_HasPayments).decode
PAYMENT_PATH = ("paymentInfo", "payments", "id")


def _payment_ids(record: Record) -> list[str]:
    try:
        info = _decode_payments(record.body).paymentInfo
    except msgspec.ValidationError:
        return []  # a record that is malformed on purpose has no index entry
    return [payment.id for payment in info.payments] if info else []


_ORDERS: dict[str, Callable[[Record], Any]] = {
    "createdAt": lambda record: (record.created, record.key),
    "lastModifiedAt": lambda record: (record.modified, record.key),
    "id": lambda record: record.key,
}
_FIRST: dict[str, Callable[[Record], Any]] = {
    "createdAt": lambda record: record.created,
    "lastModifiedAt": lambda record: record.modified,
    "id": lambda record: record.key,
}


class Collection:
    """All records of one kind that are visible; not safe for threads by itself (`Shop` holds the lock)."""

    def __init__(self, seed: int = 0) -> None:
        self._records: dict[str, Record] = {}
        self._sorted: dict[str, list[Record]] = {}
        self._by_payment: dict[str, list[str]] | None = None
        self._random = random.Random(seed)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def get(self, record_id: str) -> Record | None:
        """The record with this id."""
        return self._records.get(record_id)

    def extend(self, records: Iterable[Record]) -> None:
        """Add many records at once; the orders are built when the next query needs them."""
        self._records.update((record.id, record) for record in records)
        self._sorted.clear()
        self._by_payment = None

    def put(self, record: Record) -> None:
        """Add a record, or replace the one with its id."""
        self.remove(record.id)
        self._records[record.id] = record
        for name, ordered in self._sorted.items():
            insort(ordered, record, key=_ORDERS[name])
        if self._by_payment is not None:
            self._index_payments(self._by_payment, record)

    def remove(self, record_id: str) -> Record | None:
        """Take a record out; returns it if it was there."""
        record = self._records.pop(record_id, None)
        if record is not None:
            for name, ordered in self._sorted.items():
                del ordered[bisect_left(ordered, _ORDERS[name](record), key=_ORDERS[name])]
        return record

    def query(self, query: Query) -> Rows:
        """The page that a query asks for."""
        matcher = compile_root(query.where) if query.where is not None else None
        candidates, is_ordered = self._candidates(query)
        if is_ordered:
            found = _filtered(candidates, matcher)
            page = list(islice(found, query.offset, query.offset + query.limit))
        else:
            matches = list(_filtered(candidates, matcher))
            self._random.shuffle(matches)
            for key in reversed(query.sort):
                matches.sort(key=_sort_value(key.path), reverse=key.descending)
            page = matches[query.offset : query.offset + query.limit]
        return Rows(page, self._total(query, matcher) if query.with_total else None)

    def any(self, where: Expression | None) -> bool:
        """Whether anything matches."""
        return bool(self.query(Query(where, (SortKey(("id",)),), limit=1, with_total=False)).records)

    def _total(self, query: Query, matcher: Matcher | None) -> int:
        if matcher is None:
            return len(self._records)
        candidates, _ = self._candidates(query)
        return sum(1 for _ in islice(_filtered(candidates, matcher), TOTAL_MAX))

    def _candidates(self, query: Query) -> tuple[Iterable[Record], bool]:
        """Records that hold all matches, as few as the predicate lets us see at once, and whether in the asked order."""
        if query.where is not None:
            pinned = self._pinned(query.where)
            if pinned is not None:
                return pinned, False
        name = _presorted(query.sort)
        if name is not None:
            rows = self._slice(name, query.where)
            return (reversed(rows) if query.sort[0].descending else rows), True
        if query.where is None:
            return self._records.values(), False
        return min((self._slice(name, query.where) for name in _ORDERS), key=len), False

    def _pinned(self, where: Expression) -> list[Record] | None:
        """The records that a predicate names by id, or by the id of a payment."""
        ids = points(where, ("id",))
        if ids is None:
            payments = points(where, PAYMENT_PATH)
            if payments is None:
                return None
            ids = frozenset(found for payment in payments for found in self._orders_of(payment))
        return [record for record_id in ids if (record := self._records.get(record_id)) is not None]

    def _orders_of(self, payment_id: str) -> list[str]:
        if self._by_payment is None:
            self._by_payment = {}
            for record in self._records.values():
                self._index_payments(self._by_payment, record)
        return self._by_payment.get(payment_id, [])

    @staticmethod
    def _index_payments(index: dict[str, list[str]], record: Record) -> None:
        for payment in _payment_ids(record):
            holders = index.setdefault(payment, [])
            if record.id not in holders:
                holders.append(record.id)

    def _slice(self, name: str, where: Expression | None) -> _Slice:
        ordered = self._sorted.get(name)
        if ordered is None:
            ordered = self._sorted[name] = sorted(self._records.values(), key=_ORDERS[name])
        low, high = bounds(where, name) if where is not None else (None, None)
        start = 0 if low is None else bisect_left(ordered, low, key=_FIRST[name])
        end = len(ordered) if high is None else bisect_right(ordered, high, key=_FIRST[name])
        return _Slice(ordered, start, end)


@dataclass(frozen=True, slots=True)
class _Slice:
    """A part of a list, without copying it."""

    rows: list[Record]
    start: int
    end: int

    def __len__(self) -> int:
        return max(0, self.end - self.start)

    def __iter__(self) -> Iterator[Record]:
        return map(self.rows.__getitem__, range(self.start, self.end))

    def __reversed__(self) -> Iterator[Record]:
        return map(self.rows.__getitem__, range(self.end - 1, self.start - 1, -1))


def _filtered(candidates: Iterable[Record], matcher: Matcher | None) -> Iterator[Record]:
    if matcher is None:
        yield from candidates
        return
    for record in candidates:
        matches = matcher(record)
        record.forget()
        if matches:
            yield record


def _presorted(sort: tuple[SortKey, ...]) -> str | None:
    """The presorted list that serves these sort keys exactly; None if the rest must be sorted on the spot."""
    names = [".".join(key.path) for key in sort]
    if len({key.descending for key in sort}) != 1:
        return None
    if names[0] == "id":
        return "id"
    return names[0] if names[0] in _ORDERS and names[1:2] == ["id"] else None


def _sort_value(path: tuple[str, ...]) -> Callable[[Record], tuple[int, Any]]:
    """A key to sort by; records without the field come last, texts and numbers are kept apart."""
    if len(path) == 1 and path[0] in _FIRST:
        get = _FIRST[path[0]]
        return lambda record: (0, get(record))

    def value(record: Record) -> tuple[int, Any]:
        found: Any = record.parsed()
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        record.forget()
        if isinstance(found, str):
            return 1, found
        return (0, found) if isinstance(found, int | float) else (2, "")

    return value
