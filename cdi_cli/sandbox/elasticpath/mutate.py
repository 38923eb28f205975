"""Changes to the store by name, for demos and for tests that talk to a sandbox in another process.

Orders: place, import                              {"do": "place", "count": 3, "poisoned": false}: new ones, all at one time
        pay, authorise, fail; capture              {"do": "pay", "order": "...", "percent": 40}
        ship, cancel, touch, anonymise             {"do": "ship", "order": "..."}
        refund                                     {"do": "refund", "order": "...", "amount": 250, "transaction": 0}: without
                                                   an amount all that is left of a transaction; without that of the first
        mark                                       {"do": "mark", "order": "..."}: everything is marked as refunded
        address, flow                              {"do": "flow", "order": "...", "changes": {"gift_note": "x"}}
        poison, mend                               a text where its total should be; not any more
Customers: register                                {"do": "register"}: a new one, who may order from now on
        profile                                    {"do": "profile", "customer": "...", "changes": {}, "custom": {}}
        subscribe, unsubscribe, forget             {"do": "subscribe", "customer": "..."}; `forget` leaves `**`
Others: account, member, product, price            {"do": "product", "product": "...", "changes": {}}; a price does
                                                   not move its product
Any kind: delete                                   {"do": "delete", "kind": "customers", "id": "..."}
        release                                    show held and lagging writes now

`"hold": true` keeps a write invisible until `release`: stamped now, seen later. Amounts are minor units.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cdi_cli.sandbox.admin_tools import AdminError
from cdi_cli.sandbox.elasticpath.money import Document
from cdi_cli.sandbox.elasticpath.order import Order, OrderError
from cdi_cli.sandbox.elasticpath.people import Customer, build_customer
from cdi_cli.sandbox.elasticpath.rows import OrderRow, new_row
from cdi_cli.sandbox.elasticpath.seed import Seeder, anonymised
from cdi_cli.sandbox.elasticpath.store import KINDS, Store
from cdi_cli.sandbox.elasticpath.table import Row
from cdi_cli.sandbox.elasticpath.times import DAY_MS

CONSENT = "marketing_consent"
"""The flow field that `subscribe` sets."""
IMPORTED_DAYS = 400
"""How old imported orders are."""


class MutationError(AdminError):
    """The change is not one of those above, or names a record that does not exist."""


def mutate(store: Store, seeder: Seeder, change: dict[str, Any]) -> list[Document]:
    """Carry out one change; returns the records as they are now, `{"id": ...}` for a delete, `{"released": n}`."""
    action, hold = str(change.get("do")), bool(change.get("hold", False))
    try:
        if action == "release":
            return [{"released": store.release()}]
        if action == "delete" and change.get("kind") in KINDS:
            store.delete(change["kind"], str(change["id"]))
            return [{"id": change["id"]}]
        with store.lock:
            rows = _rows(store, seeder, action, change)
            if rows is not None:
                store.write(rows, hold=hold)
                return [row.document() for _kind, row in rows]
    except KeyError as error:
        raise MutationError(f"`{action}` needs an existing record and all of its fields: {error} is missing") from error
    except (OrderError, ValueError, TypeError, IndexError) as error:
        raise MutationError(f"`{action}` cannot be carried out: {error}") from error
    raise MutationError(f"there is no change `{action}`")


def _rows(store: Store, seeder: Seeder, action: str, change: dict[str, Any]) -> list[tuple[str, Row]] | None:
    """The new states of what a change touches; None for one that there is not."""
    if action in ("place", "import"):
        return [("orders", row) for row in _place(store, seeder, change)]
    if action == "register":
        return [("customers", _register(store, seeder))]
    if action in ("poison", "mend"):
        return [("orders", replace(_order(store, change), is_poisoned=action == "poison"))]
    if action in _OF_ORDER:
        row = _order(store, change)
        order = copy.copy(row.whole())
        order.transactions = [replace(each) for each in order.transactions]
        order.refund_moves = store.world.refund_moves
        _OF_ORDER[action](order, store.now(), change)
        return [("orders", row.now(order))]
    if action in _OF_CUSTOMER:
        person = store.row("customers", str(change["customer"]))
        assert isinstance(person, Customer)
        return [("customers", _OF_CUSTOMER[action](person, store.now(), change))]
    if action in _OTHERS:
        kind = _OTHERS[action]
        found: Any = store.row(kind, str(change[action]))
        return [(kind, replace(found, updated=store.now(), **change.get("changes", {})))]
    return None


def _order(store: Store, change: dict[str, Any]) -> OrderRow:
    row = store.row("orders", str(change["order"]))
    assert isinstance(row, OrderRow)
    return row


def _place(store: Store, seeder: Seeder, change: dict[str, Any]) -> list[OrderRow]:
    """New orders, unpaid; imported ones were bought and sent long ago and have that `created_at`."""
    now, is_imported = store.now(), change["do"] == "import"
    created = now - IMPORTED_DAYS * DAY_MS if is_imported else now
    made: list[OrderRow] = []
    for _number in range(int(change.get("count", 1))):
        row = new_row(
            store.world, seeder.next_order(), created, ordered=created, kind="imported" if is_imported else "placed"
        )
        order = copy.copy(row.whole())
        order.updated = now
        made.append(replace(row.now(order), is_poisoned=bool(change.get("poisoned"))))
    return made


def _register(store: Store, seeder: Seeder) -> Customer:
    person = build_customer(seeder.dice, store.world.seed, seeder.next_customer(), store.now(), store.now())
    store.world.people.append(person)
    return person


def _refund(order: Order, at: int, change: dict[str, Any]) -> None:
    amount, number = change.get("amount"), change.get("transaction")
    order.refund(at, None if amount is None else int(amount), None if number is None else int(number))


def _mark(order: Order, at: int, _change: dict[str, Any]) -> None:
    left = [each for each in order.transactions if each.refundable]
    if not left:
        raise OrderError(f"order {order.id} has nothing left to refund")
    for _each in left:
        order.refund(at, is_marked=True)


def _touch(order: Order, at: int, _change: dict[str, Any]) -> None:
    order.updated = at


def _flow(order: Order, at: int, change: dict[str, Any]) -> None:
    order.flow = {**order.flow, **change["changes"]}
    order.updated = at


_OF_ORDER: dict[str, Callable[[Order, int, dict[str, Any]], None]] = {
    "pay": lambda order, at, change: order.pay(at, int(change.get("percent", 100))),
    "authorise": lambda order, at, change: order.authorise(at, int(change.get("percent", 100))),
    "fail": lambda order, at, _change: order.fail(at),
    "capture": lambda order, at, _change: order.capture(at),
    "ship": lambda order, at, _change: order.fulfil(at),
    "cancel": lambda order, at, _change: order.cancel(at),
    "anonymise": lambda order, at, _change: order.anonymise(at),
    "address": lambda order, at, change: order.move(at, str(change["city"])),
    "refund": _refund,
    "mark": _mark,
    "touch": _touch,
    "flow": _flow,
}


def _profile(person: Customer, at: int, change: dict[str, Any]) -> Customer:
    flow = {**person.flow, **change.get("custom", {})}
    return replace(person, updated=at, **{**change.get("changes", {}), "flow": flow})


def _consent(person: Customer, at: int, change: dict[str, Any]) -> Customer:
    return replace(person, updated=at, flow={**person.flow, CONSENT: change["do"] == "subscribe"})


_OF_CUSTOMER: dict[str, Callable[[Customer, int, dict[str, Any]], Customer]] = {
    "profile": _profile,
    "subscribe": _consent,
    "unsubscribe": _consent,
    "forget": lambda person, at, _change: anonymised(person, at),
}
_OTHERS = {"account": "accounts", "member": "account-members", "product": "products", "price": "prices"}
"""What is changed field by field: the change's name, which is also its key for the id, and the kind."""
