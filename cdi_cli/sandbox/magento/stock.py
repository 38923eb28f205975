"""Stock: source items of the inventory module, which have no times and only a full read, and what is for sale of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.magento.products import Product
from cdi_cli.sandbox.magento.table import Document, Scope
from cdi_cli.sandbox.seed.dice import Dice

STOCK_COLUMNS = frozenset({"source_item_id", "sku", "source_code", "quantity", "status"})
SOURCES = ("default", "eu_warehouse")


@dataclass(frozen=True, slots=True)
class StockRow:
    """How many pieces of a SKU are in one place."""

    id: int
    sku: str
    source: str
    quantity: int

    created = updated = ""
    owner = 0

    @classmethod
    def all_of(cls, products: Iterable[Product], dice: Dice) -> list[StockRow]:
        """The stock of everything that can lie on a shelf; some of it in two places, some of it sold out."""
        places = [
            (product.sku, source)
            for product in products
            if product.type in ("simple", "virtual")
            for source in (SOURCES if dice.chance(0.3) else SOURCES[:1])
        ]
        return [
            cls(number, sku, source, 0 if dice.chance(0.07) else dice.between(1, 200))
            for number, (sku, source) in enumerate(places, 1)
        ]

    def column(self, name: str) -> Any:
        """The value of a column."""
        return self.id if name == "source_item_id" else self.document(Scope()).get(name)

    def document(self, _scope: Scope) -> Document:
        """The source item; `status` 1 is in stock."""
        status = int(self.quantity > 0)
        return {"sku": self.sku, "source_code": self.source, "quantity": self.quantity, "status": status}
