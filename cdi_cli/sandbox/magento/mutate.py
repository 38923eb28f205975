"""Changes to the shop by name, for demos and for tests that talk to a sandbox in another process.

Orders (those in the first line bump `updated_at`, those in the second do not):
    invoice, ship, refund, cancel, hold, unhold, touch   {"do": "refund", "order": 7, "items": {"701": 1}, "positive": 250}
    comment, address, track                              {"do": "address", "order": 7, "changes": {"city": "Köln"}}
    place, import                                        {"do": "import", "created": "2020-01-01 00:00:00"}: a new order
    edit                                                 cancels an order and makes another with `-1`
    poison, heal, break                                  fails every page it is on; not any more; other fields in its row
Customers: customer and group (as a PUT: they bump); subscribe, unsubscribe, address_book (they do not)
                                                         {"do": "subscribe", "customer": 3, "store": 2}
Products: product (a PUT: it bumps); base_price, special_price, assign_category, stock (they do not)
                                                         {"do": "base_price", "product": 4, "changes": {"price": 900}}
Carts: cart                                              {"do": "cart", "cart": 5, "changes": {"is_active": false}}
Any kind: delete                                         {"do": "delete", "kind": "orders", "id": 7}
    release                                              show held and lagging writes now

`"hold": true` keeps a write invisible until `release`: stamped now, seen later. Amounts are cents of the base currency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cdi_cli.sandbox.admin_tools import AdminError
from cdi_cli.sandbox.magento import mutate_orders
from cdi_cli.sandbox.magento.carts import CartRow
from cdi_cli.sandbox.magento.customers import Address, Customer
from cdi_cli.sandbox.magento.products import Product, changed
from cdi_cli.sandbox.magento.sale import SaleError
from cdi_cli.sandbox.magento.shop import KINDS, Shop
from cdi_cli.sandbox.magento.stock import StockRow
from cdi_cli.sandbox.magento.table import Document, Row, Scope

if TYPE_CHECKING:
    from cdi_cli.sandbox.magento.seed import Seeder


class MutationError(AdminError):
    """The change is not one of those above, or names a record that does not exist."""


def mutate(shop: Shop, seeder: Seeder, change: dict[str, Any]) -> Document:
    """Carry out one change; returns the record as it is now, `{"id": ...}` for a delete, `{"released": n}`."""
    action = change.get("do")
    try:
        if action == "release":
            return {"released": shop.release()}
        if action == "delete" and change.get("kind") in KINDS:
            return _delete(shop, change["kind"], int(change["id"]))
        with shop.lock:
            if action in mutate_orders.ACTIONS:
                return mutate_orders.mutate(shop, seeder, change)
            for name, actions in _ACTIONS.items():
                if action in actions:
                    return _put(shop, name, actions[str(action)](shop, change), change)
    except KeyError as error:
        raise MutationError(f"`{action}` needs an existing record and all of its fields: {error} is missing") from error
    except (SaleError, ValueError, TypeError) as error:
        raise MutationError(f"`{action}` cannot be carried out: {error}") from error
    raise MutationError(f"there is no change `{action}`")


def _put(shop: Shop, kind: str, row: Row, change: dict[str, Any]) -> Document:
    shop.write([(kind, row)], hold=bool(change.get("hold", False)))
    return row.document(Scope())


def _delete(shop: Shop, kind: str, key: int) -> Document:
    """A customer's orders stay and lose the id, without being bumped; an order takes its papers with it."""
    shop.delete(kind, key)
    if kind == "customers":
        shop.world.deleted.add(key)
    if kind == "orders":
        for papers in ("creditmemos", "invoices", "shipments"):
            for row in shop.tables[papers].owned_by(key):
                shop.delete(papers, row.id)
    return {"id": key}


def _customer(shop: Shop, change: dict[str, Any]) -> Customer:
    row = shop.row("customers", int(change["customer"]))
    assert isinstance(row, Customer)
    return row


def _product(shop: Shop, change: dict[str, Any]) -> Product:
    row = shop.row("products", int(change["product"]))
    assert isinstance(row, Product)
    return row


def _put_customer(shop: Shop, change: dict[str, Any]) -> Customer:
    return replace(_customer(shop, change), updated=shop.now(), **change.get("changes", {}))


def _subscribe(shop: Shop, change: dict[str, Any]) -> Customer:
    person = _customer(shop, change)
    store = int(change.get("store", person.store_id))
    stores = person.subscribed | {store} if change["do"] == "subscribe" else person.subscribed - {store}
    return replace(person, subscribed=frozenset(stores))


def _address_book(shop: Shop, change: dict[str, Any]) -> Customer:
    person = _customer(shop, change)
    given = {"firstname": person.firstname, "lastname": person.lastname, "street": ("1 Main St",), "city": "Calder"}
    known = person.address or Address(**given, postcode="90210", country="US")  # type: ignore[arg-type]
    return replace(person, address=replace(known, **change["changes"]))


def _put_product(shop: Shop, change: dict[str, Any]) -> Product:
    return changed(_product(shop, change), shop.now(), **change.get("changes", {}))


def _quiet_product(shop: Shop, change: dict[str, Any]) -> Product:
    return changed(_product(shop, change), None, **change["changes"])


def _stock(shop: Shop, change: dict[str, Any]) -> StockRow:
    source = change.get("source", "default")
    rows = [row for row in shop.rows("source-items") if isinstance(row, StockRow)]
    found = next((row for row in rows if (row.sku, row.source) == (change["sku"], source)), None)
    if found is None:
        raise KeyError("sku")
    return replace(found, quantity=int(change["quantity"]))


def _cart(shop: Shop, change: dict[str, Any]) -> CartRow:
    row = shop.row("carts", int(change["cart"]))
    assert isinstance(row, CartRow)
    return replace(row, updated=shop.now(), **change.get("changes", {}))


_ACTIONS: dict[str, dict[str, Callable[[Shop, dict[str, Any]], Row]]] = {
    "customers": {
        "customer": _put_customer,
        "group": _put_customer,
        "subscribe": _subscribe,
        "unsubscribe": _subscribe,
        "address_book": _address_book,
    },
    "products": {
        "product": _put_product,
        "base_price": _quiet_product,
        "special_price": _quiet_product,
        "assign_category": _quiet_product,
    },
    "source-items": {"stock": _stock},
    "carts": {"cart": _cart},
}
