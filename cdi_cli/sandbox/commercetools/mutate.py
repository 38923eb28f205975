"""Changes to the shop by name, for demos and for tests that talk to a sandbox in another process.

    {"do": "add",     "kind": "orders", "document": {...}}
    {"do": "update",  "kind": "orders", "id": "...", "changes": {...}}        None removes a field
    {"do": "delete",  "kind": "customers", "id": "...", "dataErasure": false}
    {"do": "refund",  "order": "...", "amount": 1200, "state": "Success", "type": "Refund"}
    {"do": "cancel",  "order": "..."}
    {"do": "release"}                                                         show held and lagging writes now

`"hold": true` keeps a write invisible until `release`: stamped now, seen later. Amounts are minor units; a refund
without an amount gives back what the payment was charged. A deleted customer leaves a `CustomerDeleted` message behind
where the project keeps messages; with `dataErasure` all messages about the customer go, that one included. A deleted product
leaves a `ProductDeleted` message, with the projection of what was published.
"""

from __future__ import annotations

import uuid
from typing import Any

from cdi_cli.sandbox.admin_tools import AdminError
from cdi_cli.sandbox.commercetools.records import Document
from cdi_cli.sandbox.commercetools.shop import KINDS, Shop, projection


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
    order = shop.latest("orders", order_id)
    payment = shop.latest("payments", order["paymentInfo"]["payments"][0]["id"])
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
    if kind == "customers":
        delete_customer(shop, change["id"], data_erasure=bool(change.get("dataErasure", False)))
    elif kind == "products":
        delete_product(shop, change["id"])
    else:
        shop.delete(kind, change["id"])
    return {"id": change["id"]}


def delete_customer(shop: Shop, customer_id: str, *, data_erasure: bool = False) -> None:
    """Delete a customer with what that leaves in the messages; orders and carts stay. Raises KeyError if there is none."""
    customer = shop.document("customers", customer_id)
    shop.delete("customers", customer_id)
    about = {"typeId": "customer", "id": customer_id}
    if data_erasure:
        for message in shop.documents("messages"):
            if message["resource"] == about:
                shop.delete("messages", message["id"])
    elif shop.project.get("messages", {}).get("enabled"):
        shop.add("messages", customer_deleted(customer, at=shop.clock.instant()))


def delete_product(shop: Shop, product_id: str) -> None:
    """Delete a product with what that leaves in the messages. Raises KeyError if there is none."""
    product = shop.document("products", product_id)
    shop.delete("products", product_id)
    if shop.project.get("messages", {}).get("enabled"):
        shop.add("messages", product_deleted(product, at=shop.clock.instant()))


def customer_deleted(customer: Document, *, at: str) -> Document:
    """What a project's messages say about a deleted customer."""
    email = {"email": customer["email"]} if "email" in customer else {}
    return _message("customer", customer, "CustomerDeleted", at, email)


def product_deleted(product: Document, *, at: str) -> Document:
    """What a project's messages say about a deleted product; nothing of its variants where it was not published."""
    current = projection(product, staged=False)
    shown = {"currentProjection": current} if current is not None else {}
    return _message("product", product, "ProductDeleted", at, {"removedImageUrls": [], **shown})


def variant_deleted(product: Document, variant: Document, *, at: str) -> Document:
    """What a project's messages say about a variant that its product does not have any more."""
    return _message("product", product, "ProductVariantDeleted", at, {"removedImageUrls": [], "variant": variant})


def _message(type_id: str, document: Document, message_type: str, at: str, payload: Document) -> Document:
    return {
        "id": str(uuid.uuid4()),
        "version": 1,
        "createdAt": at,
        "lastModifiedAt": at,
        "sequenceNumber": document["version"] + 1,
        "resource": {"typeId": type_id, "id": document["id"]},
        "resourceVersion": document["version"] + 1,
        "type": message_type,
        **payload,
    }
