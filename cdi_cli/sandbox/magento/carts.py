"""Carts: active, abandoned and empty ones, and those that became orders (`is_active` false, with the order's number).

A line's price is of the base currency, whatever the cart's own is. The lines of a cart that is not active are not served,
though still counted: `CartRepository` does not load them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.magento.basket import ITEMS_PER_ORDER
from cdi_cli.sandbox.magento.customers import Customer, address_of
from cdi_cli.sandbox.magento.money import number
from cdi_cli.sandbox.magento.rows import OrderRow, World
from cdi_cli.sandbox.magento.sale import Line
from cdi_cli.sandbox.magento.stores import BY_ID, StoreView
from cdi_cli.sandbox.magento.table import Document, Scope

CART_COLUMNS = frozenset({
    "entity_id", "created_at", "updated_at", "is_active", "is_virtual", "items_count", "items_qty", "reserved_order_id",
    "store_id", "customer_id", "customer_email", "customer_is_guest", "grand_total", "subtotal", "converted_at",
    "orig_order_id", "quote_currency_code", "base_currency_code",
})  # fmt: skip
CART_STREAM = 3


@dataclass(frozen=True, slots=True)
class CartRow:
    """A cart as a row; with an order, what it held is what the order holds."""

    world: World
    id: int
    created: str
    updated: str
    store_id: int = 1
    customer: Customer | None = None
    is_active: bool = True
    is_empty: bool = False
    order_id: int = 0

    @property
    def owner(self) -> int:
        """Carts are not looked up by another record."""
        return 0

    @property
    def view(self) -> StoreView:
        """The store view that it is of."""
        return BY_ID[self.store_id]

    def lines(self) -> list[Line]:
        """What is in it, without the lines below a parent."""
        order = self.world.orders.get(self.order_id)
        if isinstance(order, OrderRow):
            lines = order.whole().lines
        elif self.is_empty:
            return []
        else:
            dice, first = self.world.dice(CART_STREAM, self.id), self.id * ITEMS_PER_ORDER
            lines = self.world.baskets.lines(dice, self.view, self.created, first, percent=0, is_virtual=False)
        return [line for line in lines if line.parent is None]

    def column(self, name: str) -> Any:
        """The value of a column of the table, which are not all in the answer."""
        if name in ("is_active", "store_id"):
            return int(getattr(self, name))
        document = self.document(Scope())
        customer = document["customer"]
        special = {
            "entity_id": self.id,
            "customer_id": customer.get("id"),
            "customer_email": customer.get("email"),
            "customer_is_guest": int(document["customer_is_guest"]),
            "quote_currency_code": self.view.currency,
            "base_currency_code": "USD",
        }
        return special[name] if name in special else document.get(name)

    def document(self, _scope: Scope) -> Document:
        """The cart as `/V1/carts/search` lists it."""
        lines = self.lines()
        document: Document = {
            "id": self.id,
            "created_at": self.created,
            "updated_at": self.updated,
            "is_active": self.is_active,
            "is_virtual": bool(lines) and all(line.kind == "virtual" for line in lines),
            "items_count": len(lines),
            "items_qty": sum(line.quantity for line in lines),
            "customer": self._person(),
            "billing_address": self._address(),
            "orig_order_id": 0,
            "currency": self._currency(),
            "customer_is_guest": self.customer is None,
            "customer_note_notify": True,
            "customer_tax_class_id": 3,
            "store_id": self.store_id,
            "extension_attributes": {"shipping_assignments": []},
        }
        if self.is_active:
            document["items"] = [self._item(line) for line in lines]
        else:
            del document["extension_attributes"]
        order = self.world.orders.get(self.order_id)
        if isinstance(order, OrderRow):
            document["reserved_order_id"] = order.increment_id
        return document

    def _item(self, line: Line) -> Document:
        item: Document = {
            "item_id": line.item_id,
            "sku": line.sku,
            "qty": line.quantity,
            "name": line.name,
            "price": number(line.price.base),
            "product_type": line.kind,
            "quote_id": str(self.id),
        }
        return item

    def _person(self) -> Document:
        if self.customer is None:
            return {"email": None, "firstname": None, "lastname": None}
        person = self.customer.document(Scope())
        for name in ("extension_attributes", "disable_auto_group_change"):
            person.pop(name, None)
        return person

    def _address(self) -> Document:
        known: Document = {"id": self.id, "region": None, "region_id": None, "region_code": None, "country_id": None}
        known |= {"street": [""], "telephone": None, "postcode": None, "city": None, "firstname": None, "lastname": None}
        known |= {"email": self.customer.email if self.customer else None, "same_as_billing": 0, "save_in_address_book": 0}
        dice = self.world.dice(CART_STREAM, self.id * 7)
        if self.customer is not None and self.customer.address is not None and dice.chance(0.5):
            known |= self.customer.address.document()
        elif self.customer is None and dice.chance(0.3):
            known |= address_of(dice, self.view.country, "Guy", "Guest").document() | {
                "email": f"guest{self.id}@example.com"
            }
        return known

    def _currency(self) -> Document:
        rate = number(self.view.rate)
        return {
            "global_currency_code": "USD",
            "base_currency_code": "USD",
            "store_currency_code": "USD",
            "quote_currency_code": self.view.currency,
            "store_to_base_rate": 0,
            "store_to_quote_rate": 0,
            "base_to_global_rate": 1,
            "base_to_quote_rate": rate,
        }
