"""The store's data: a table for each kind, and writes that behave as the platform's do.

A write is stamped at once but may become visible later (`lag_seconds`, or held until `release`): the platform is only
eventually consistent, for up to a minute. A deleted record vanishes without a trace.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.elasticpath.filters import Grammar
from cdi_cli.sandbox.elasticpath.money import Document
from cdi_cli.sandbox.elasticpath.rows import OrderRow, World
from cdi_cli.sandbox.elasticpath.table import Found, Kind, Query, Row, Table
from cdi_cli.sandbox.elasticpath.times import SECOND_MS

_TIMES = {"created_at": "date", "updated_at": "date"}
_BY_TIME = frozenset({"created_at", "updated_at", "id", "name"})
_ORDER_FIELDS = {
    **_TIMES,
    "status": "exact", "payment": "exact", "shipping": "exact", "currency": "exact",
    "name": "text", "email": "text", "customer_id": "text", "account_id": "text", "account_member_id": "text",
    "external_ref": "text", "order_number": "text", "with_tax": "number", "without_tax": "number",
}  # fmt: skip
_TEXTS = ("name", "legal_name", "registration_id", "external_ref")
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "orders",
            "Order",
            Grammar(_ORDER_FIELDS),
            frozenset({"created_at", "payment", "shipping", "status", "with_tax", "updated_at"}),
            "-updated_at",
        ),
        Kind(
            "customers",
            "Customer",
            Grammar({**_TIMES, "id": "exact", "email": "text", "name": "text", "external_ref": "text"}),
            _BY_TIME | {"email"},
            "-created_at",
        ),
        Kind(
            "accounts",
            "Account",
            Grammar({**_TIMES, "id": "key", **dict.fromkeys(_TEXTS, "text")}, bare_timestamps=True),
            _BY_TIME,
            "-created_at",
        ),
        Kind("account-members", "Account Member", Grammar({"name": "member", "email": "member"}), _BY_TIME, "-created_at"),
        Kind(
            "products",
            "Product",
            Grammar({**_TIMES, "id": "key", "sku": "text", "status": "exact"}, bare_timestamps=True),
            frozenset(),
            "-created_at",
        ),
        Kind("pricebooks", "Price Book", Grammar({"name": "text"}), frozenset(), "created_at"),
        Kind("prices", "Price", Grammar({"sku": "text"}), frozenset(), "created_at"),
    )
}
"""The kinds that have a table of their own."""

Write = tuple[str, Row]
"""The kind of a record, and its new state."""


class Store:
    """Direct access to what the simulator serves; every method may be called from any thread."""

    def __init__(self, clock: SandboxClock, world: World, *, lag_seconds: float = 0.0) -> None:
        self.clock = clock
        self.world = world
        self.lag_seconds = lag_seconds
        self.lock = threading.RLock()
        self.tables = {name: Table(kind) for name, kind in KINDS.items()}
        self._pending: list[tuple[float | None, list[Write]]] = []
        self._before_list: list[Callable[[Store, str], None]] = []

    def now(self) -> int:
        """The present in milliseconds since 1970, in whole seconds, as changes are stamped."""
        return int(self.clock.now().timestamp()) * SECOND_MS

    def seed(self, kind: str, rows: Iterable[Row]) -> None:
        """Add records as they are."""
        with self.lock:
            self.tables[kind].extend(rows)

    def find(self, kind: str, query: Query) -> Found:
        """A page of a kind."""
        with self.lock:
            self._commit()
            for hook in self._before_list:
                hook(self, kind)
            return self.tables[kind].find(query)

    def visible(self, kind: str, key: str) -> Row | None:
        """A record as it can be seen now; None if it cannot."""
        with self.lock:
            self._commit()
            return self.tables[kind].rows.get(key)

    def row(self, kind: str, key: str) -> Row:
        """The newest state of a record, be it visible yet or not; raises KeyError if there is none."""
        with self.lock:
            waiting = [row for _due, writes in self._pending for name, row in writes if name == kind and row.id == key]
            return waiting[-1] if waiting else self.tables[kind].rows[key]

    def rows(self, kind: str) -> Sequence[Row]:
        """All visible records of a kind."""
        with self.lock:
            self._commit()
            return list(self.tables[kind].rows.values())

    def orders(self) -> list[OrderRow]:
        """All visible orders."""
        return [row for row in self.rows("orders") if isinstance(row, OrderRow)]

    def documents(self, kind: str) -> list[Document]:
        """All visible records of a kind as they would be served."""
        return [row.document() for row in self.rows(kind)]

    def count(self, kind: str) -> int:
        """How many records of a kind are visible."""
        with self.lock:
            self._commit()
            return len(self.tables[kind].rows)

    def write(self, writes: Sequence[Write], *, hold: bool = False) -> None:
        """Store new states of records; they become visible together."""
        with self.lock:
            self._commit()
            if hold or self.lag_seconds:
                due = None if hold else self.clock.seconds() + self.lag_seconds
                self._pending.append((due, list(writes)))
            else:
                self._show(writes)

    def delete(self, kind: str, key: str) -> None:
        """Delete a record; raises KeyError if there is none."""
        with self.lock:
            if self.tables[kind].remove(key) is None:
                raise KeyError(key)

    def release(self) -> int:
        """Make every held or lagging write visible now; returns how many records that were."""
        with self.lock:
            released, self._pending = self._pending, []
            for _due, writes in released:
                self._show(writes)
        return sum(len(writes) for _due, writes in released)

    def before_list(self, hook: Callable[[Store, str], None]) -> None:
        """Call `hook(store, kind)` before each page is read: the way to change records in the middle of a walk."""
        self._before_list.append(hook)

    def _commit(self) -> None:
        """Make visible what is due."""
        if not self._pending:
            return
        now = self.clock.seconds()
        due = [entry for entry in self._pending if entry[0] is not None and entry[0] <= now]
        self._pending = [entry for entry in self._pending if entry not in due]
        for _due, writes in due:
            self._show(writes)

    def _show(self, writes: Sequence[Write]) -> None:
        for kind, row in writes:
            self.tables[kind].put(row)
