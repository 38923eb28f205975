"""Changes to the shop by name, for demos and for tests that talk to a sandbox in another process.

    {"do": "add",     "kind": "orders", "document": {...}}
    {"do": "update",  "kind": "orders", "id": "...", "changes": {...}}        None removes a field
    {"do": "delete",  "kind": "customers", "id": "..."}
    {"do": "refund",  "order": "...", "amount": 1200, "state": "Success", "type": "Refund"}
    {"do": "cancel",  "order": "..."}
    {"do": "release"}                                                         show held and lagging writes now

`"hold": true` keeps a write invisible until `release`: stamped now, seen later. Amounts are minor units; a refund
without an amount gives back what the payment was charged.
"""

from __future__ import annotations

import uuid
from typing import Any

from cdi_cli.sandbox.admin_tools import AdminError
from cdi_cli.sandbox.commercetools.records import Document
from cdi_cli.sandbox.commercetools.shop import KINDS, Shop


class MutationError(AdminError):
    """The change is not one of those above, or names a record that does not exist."""


def mutate(shop: Shop, change: dict[str, Any]) -> Document:
    """Carry out one change; returns the record as it is now, `{"id": ...}` for a delete, `{"released": n}`."""
    action, kind, hold = change.get("do"), change.get("kind"), bool(change.get("hold", False))
    try:
        match action:
            case "release":
                return {"released": shop.release()}
            case "refund":
                return refund(
                    shop,
                    change["order"],
                    amount=change.get("amount"),
                    state=change.get("state", "Success"),
                    type_=change.get("type", "Refund"),
                    hold=hold,
                )
            case "cancel":
                states = {"orderState": "Cancelled", "shipmentState": "Canceled"}
                return shop.update("orders", change["order"], states, hold=hold)
            case "add" | "update" | "delete" if kind in KINDS:
                return _edit(shop, change, str(kind), hold)
    except KeyError as error:
        raise MutationError(f"`{action}` needs an existing record and all of its fields: {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise MutationError(f"`{action}` cannot be carried out: {error}") from error
    raise MutationError(f"`do` must be add, update, delete (with a `kind`), refund, cancel or release, not `{action}`")


def refund(
    shop: Shop,
    order_id: str,
    *,
    amount: int | None = None,
    state: str = "Success",
    type_: str = "Refund",
    hold: bool = False,
) -> Document:
    """Add a refund transaction to the first payment of an order; the order itself does not change.

    Raises KeyError if the order does not exist or was never paid.
    """
    order = shop.document("orders", order_id)
    payment = shop.document("payments", order["paymentInfo"]["payments"][0]["id"])
    planned = payment["amountPlanned"]
    transaction = {
        "id": str(uuid.uuid4()),
        "timestamp": shop.clock.instant(),
        "type": type_,
        "amount": {**planned, "centAmount": planned["centAmount"] if amount is None else amount},
        "state": state,
    }
    changes = {"transactions": [*payment["transactions"], transaction]}
    return shop.update("payments", payment["id"], changes, hold=hold)


def _edit(shop: Shop, change: dict[str, Any], kind: str, hold: bool) -> Document:
    if change["do"] == "add":
        return shop.add(kind, change["document"], hold=hold)
    if change["do"] == "update":
        return shop.update(kind, change["id"], change["changes"], hold=hold)
    shop.delete(kind, change["id"])
    return {"id": change["id"]}
