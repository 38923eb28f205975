"""Tables of rows whose writes may become visible late: what the simulated shops that keep plain tables share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from cdi_cli.sandbox.clock import SandboxClock

K = TypeVar("K")
R = TypeVar("R")


class KeyedTable(Protocol[K, R]):
    """A table of rows, each of which has a key."""

    rows: dict[K, R]

    def extend(self, rows: Iterable[R]) -> None:
        """Add rows as they are."""
        ...

    def put(self, row: R) -> None:
        """Add a row, or replace the one of its key."""
        ...

    def remove(self, key: K) -> R | None:
        """Take a row away; None if there is none."""
        ...


T = TypeVar("T", bound=KeyedTable[Any, Any])


class LateTables(Generic[K, R, T]):
    """Direct access to the tables of a shop, by kind; every method may be called from any thread.

    `lag_seconds`: how long a write stays invisible.
    """

    def __init__(self, clock: SandboxClock, tables: Mapping[str, T], *, lag_seconds: float) -> None:
        self.clock = clock
        self.lag_seconds = lag_seconds
        self.lock = threading.RLock()
        self.tables = dict(tables)
        self._pending: list[tuple[float | None, list[tuple[str, R]]]] = []
        self._before_list: list[Callable[[Any, str], None]] = []

    def seed(self, kind: str, rows: Iterable[R]) -> None:
        """Add rows as they are."""
        with self.lock:
            self.tables[kind].extend(rows)

    def row(self, kind: str, key: K) -> R:
        """The newest state of a row, be it visible yet or not; raises KeyError if there is none."""
        with self.lock:
            waiting: list[R] = [
                row for _due, writes in self._pending for name, row in writes if name == kind and key_of(row) == key
            ]
            newest: R = waiting[-1] if waiting else self.tables[kind].rows[key]
            return newest

    def rows(self, kind: str) -> Sequence[R]:
        """All visible rows of a kind."""
        with self.lock:
            self._commit()
            return list(self.tables[kind].rows.values())

    def count(self, kind: str) -> int:
        """How many rows of a kind are visible."""
        with self.lock:
            self._commit()
            return len(self.tables[kind].rows)

    def write(self, writes: Sequence[tuple[str, R]], *, hold: bool = False) -> None:
        """Store new states of rows, each with its kind; they become visible together."""
        with self.lock:
            self._commit()
            if hold or self.lag_seconds:
                due = None if hold else self.clock.seconds() + self.lag_seconds
                self._pending.append((due, list(writes)))
            else:
                self._show(writes)

    def delete(self, kind: str, key: K) -> None:
        """Delete a row; raises KeyError if there is none."""
        with self.lock:
            if self.tables[kind].remove(key) is None:
                raise KeyError(key)

    def release(self) -> int:
        """Make every held or lagging write visible now; returns how many rows that were."""
        with self.lock:
            released, self._pending = self._pending, []
            for _due, writes in released:
                self._show(writes)
        return sum(len(writes) for _due, writes in released)

    def before_list(self, hook: Callable[[Any, str], None]) -> None:
        """Call `hook(shop, kind)` before each page is read: the way to change records in the middle of a walk."""
        self._before_list.append(hook)

    def _listed(self, kind: str) -> T:
        """The table of a kind as it is to be read now; the lock must be held."""
        self._commit()
        for hook in self._before_list:
            hook(self, kind)
        return self.tables[kind]

    def _commit(self) -> None:
        """Make visible what is due."""
        if not self._pending:
            return
        now = self.clock.seconds()
        due = [entry for entry in self._pending if entry[0] is not None and entry[0] <= now]
        self._pending = [entry for entry in self._pending if entry not in due]
        for _due, writes in due:
            self._show(writes)

    def _show(self, writes: Sequence[tuple[str, R]]) -> None:
        for kind, row in writes:
            self.tables[kind].put(row)


def key_of(row: Any) -> Any:
    """The key of a row."""
    return row.id
