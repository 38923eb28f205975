"""The shop's data: a table for each kind, and writes that behave as the platform's do.

A write is stamped at once but may become visible later (`lag_seconds`, or held until `release`): a late commit, the case in
which reading "up to now" loses records. A deleted record vanishes without a trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.late_tables import LateTables
from cdi_cli.sandbox.magento.carts import CART_COLUMNS
from cdi_cli.sandbox.magento.criteria import Criteria
from cdi_cli.sandbox.magento.customers import CUSTOMERS, group_documents
from cdi_cli.sandbox.magento.products import PRODUCTS
from cdi_cli.sandbox.magento.render_order import ORDER_COLUMNS
from cdi_cli.sandbox.magento.render_papers import INVOICE_COLUMNS, MEMO_COLUMNS, SHIPMENT_COLUMNS
from cdi_cli.sandbox.magento.rows import World
from cdi_cli.sandbox.magento.stock import STOCK_COLUMNS
from cdi_cli.sandbox.magento.story import COUPONS
from cdi_cli.sandbox.magento.table import Document, Found, Kind, Row, Scope, Table
from cdi_cli.sandbox.magento.times import text_of

KINDS = {
    kind.name: kind
    for kind in (
        Kind("orders", "entity_id", ORDER_COLUMNS),
        CUSTOMERS,
        Kind("creditmemos", "entity_id", MEMO_COLUMNS, owner="order_id"),
        Kind("invoices", "entity_id", INVOICE_COLUMNS, owner="order_id"),
        Kind("shipments", "entity_id", SHIPMENT_COLUMNS, owner="order_id"),
        PRODUCTS,
        Kind("carts", "entity_id", CART_COLUMNS),
        Kind("source-items", "source_item_id", STOCK_COLUMNS),
    )
}
"""The kinds that have a table of their own."""

Write = tuple[str, Row]
"""The kind of a row, and its new state."""


@dataclass(frozen=True, slots=True)
class FixedRow:
    """A record of a small table that nothing happens to: a coupon, a customer group, a category."""

    id: int
    body: Document
    created: str = ""
    updated: str = ""
    owner: int = 0

    def column(self, name: str) -> Any:
        """The value of a column."""
        return self.id if name == "entity_id" else self.body.get(name)

    def document(self, _scope: Scope) -> Document:
        """The record."""
        return dict(self.body)


class Shop(LateTables[int, Row, Table]):
    """Direct access to what the simulator serves; every method may be called from any thread."""

    def __init__(self, clock: SandboxClock, world: World, *, seed: int = 0, lag_seconds: float = 0.0) -> None:
        super().__init__(clock, {name: Table(kind, seed) for name, kind in KINDS.items()}, lag_seconds=lag_seconds)
        self.world = world
        self.categories: list[Document] = []
        world.orders = self.tables["orders"].rows
        self._last_ids: dict[str, int] = {}

    def next_id(self, kind: str) -> int:
        """The next key of a kind."""
        self._last_ids[kind] = self._last_ids.get(kind, 0) + 1
        return self._last_ids[kind]

    def now(self) -> str:
        """The present in the stored form."""
        return text_of(int(self.clock.now().timestamp()))

    def find(self, kind: str, criteria: Criteria, *, page_size: int | None, repeats_last_page: bool = False) -> Found:
        """A page of a kind."""
        with self.lock:
            return self._listed(kind).find(criteria, page_size=page_size, repeats_last_page=repeats_last_page)

    def documents(self, kind: str, scope: Scope | None = None) -> list[Document]:
        """All visible records of a kind as they would be served."""
        return [row.document(scope or Scope()) for row in self.rows(kind)]

    def document(self, kind: str, key: int) -> Document:
        """One visible record; raises KeyError if there is none."""
        with self.lock:
            self._commit()
            return self.tables[kind].rows[key].document(Scope())

    def small_table(self, name: str) -> Table:
        """Coupons, cart price rules, customer groups, categories: made for each list, they are few and never change."""
        key, bodies, is_eav = {
            "coupons": ("coupon_id", _coupons(), False),
            "rules": ("rule_id", _rules(), False),
            "groups": ("customer_group_id", group_documents(), False),
            "categories": ("entity_id", self.categories, True),
        }[name]
        columns = frozenset({key, *(column for body in bodies for column in body)}) - ({"id"} if is_eav else set())
        if not is_eav:
            columns -= {"created_at", "updated_at"}
        table = Table(Kind(name, key, columns, is_eav))
        for place, body in enumerate(bodies):
            identifier = int(body.get(key, body.get("id", place)))
            table.put(FixedRow(identifier, body, body.get("created_at", ""), body.get("updated_at", "")))
        return table


def _coupons() -> list[Document]:
    shared = {"usage_limit": 0, "usage_per_customer": 0, "times_used": 0, "is_primary": True, "type": 0}
    return [
        {"coupon_id": number, "rule_id": number, "code": code, "created_at": "2020-01-01 00:00:00", **shared}
        for number, (code, _percent) in enumerate(COUPONS, 1)
    ]


def _rules() -> list[Document]:
    shared = {"is_active": True, "simple_action": "by_percent", "coupon_type": "SPECIFIC_COUPON", "website_ids": [1, 2]}
    return [
        {"rule_id": number, "name": f"{percent}% off", "discount_amount": percent, **shared}
        for number, (_code, percent) in enumerate(COUPONS, 1)
    ]
