"""The store's data: a table for each kind, and writes that behave as the platform's do.

A write is stamped at once but may become visible later (`lag_seconds`, or held until `release`): the platform is only
eventually consistent, for up to a minute. A deleted record vanishes without a trace.
"""

from __future__ import annotations

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.elasticpath.filters import Grammar
from cdi_cli.sandbox.elasticpath.money import Document
from cdi_cli.sandbox.elasticpath.rows import OrderRow, World
from cdi_cli.sandbox.elasticpath.table import Found, Kind, Query, Row, Table
from cdi_cli.sandbox.elasticpath.times import SECOND_MS
from cdi_cli.sandbox.late_tables import LateTables

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


class Store(LateTables[str, Row, Table]):
    """Direct access to what the simulator serves; every method may be called from any thread."""

    def __init__(self, clock: SandboxClock, world: World, *, lag_seconds: float = 0.0) -> None:
        super().__init__(clock, {name: Table(kind) for name, kind in KINDS.items()}, lag_seconds=lag_seconds)
        self.world = world

    def now(self) -> int:
        """The present in milliseconds since 1970, in whole seconds, as changes are stamped."""
        return int(self.clock.now().timestamp()) * SECOND_MS

    def find(self, kind: str, query: Query) -> Found:
        """A page of a kind."""
        with self.lock:
            return self._listed(kind).find(query)

    def visible(self, kind: str, key: str) -> Row | None:
        """A record as it can be seen now; None if it cannot."""
        with self.lock:
            self._commit()
            return self.tables[kind].rows.get(key)

    def orders(self) -> list[OrderRow]:
        """All visible orders."""
        return [row for row in self.rows("orders") if isinstance(row, OrderRow)]

    def documents(self, kind: str) -> list[Document]:
        """All visible records of a kind as they would be served."""
        return [row.document() for row in self.rows(kind)]
