"""A perfect sender, to test the oracle with: says each fact of the book once, as it is now, without the package's code."""

from __future__ import annotations

from collections.abc import Iterator

from life.book import Book, Document
from life.facts import (
    amount,
    deliveries_of,
    has_begun_checkout,
    is_shipped_as_a_whole,
    member_of,
    number_of,
    payment_ids,
    refunds_of,
    total_of,
)


def messages(book: Book, since: str) -> list[Document]:
    """Everything that must have been said of a shop of which everything created from `since` on was asked for."""
    return list(_messages(book, since))


def _messages(book: Book, since: str) -> Iterator[Document]:
    for customer_id, states in book.states["customers"].items():
        if states[-1]["createdAt"] >= since:
            yield profile(states[-1])
            yield _track("Signed Up", {"userId": customer_id}, states[-1]["createdAt"], customer_id, {})
    for cart_id, states in book.states["carts"].items():
        if states[-1]["createdAt"] >= since and has_begun_checkout(states[-1]):
            yield _track("Checkout Started", {}, states[-1]["createdAt"], cart_id, {"checkout_id": cart_id})
    members: set[tuple[str, str]] = set()
    for states in book.states["orders"].values():
        if states[-1]["createdAt"] >= since:
            yield from _of_order(book, states[-1])
            if (member := member_of(states[-1])) is not None and member not in members:
                members.add(member)
                yield group(states[-1], member)


def _of_order(book: Book, order: Document) -> Iterator[Document]:
    head, number = order["id"], number_of(order)
    yield goods(order, "Order Completed", f"{head}:completed")
    if order["orderState"] == "Cancelled":
        yield _track("Order Cancelled", who(order), order["lastModifiedAt"], f"{head}:cancelled", {"order_id": number})
    for delivery, at in deliveries_of(order).items():
        properties = {"order_id": number, "shipment_id": delivery}
        yield _track("Order Fulfilled", who(order), at, f"{head}:{delivery}", properties)
    if is_shipped_as_a_whole(order):
        yield _track("Order Fulfilled", who(order), order["lastModifiedAt"], f"{head}:fulfilled", {"order_id": number})
    for payment_id in payment_ids(order):
        for refund in refunds_of(book.now("payments", payment_id)).values():
            about = {"order_id": number, "refund_id": refund["id"], "refund_amount": float(amount(refund["amount"]))}
            yield _track("Order Refunded", who(order), refund["timestamp"], f"{head}:{refund['id']}", about)


def who(order: Document) -> Document:
    """The owner of an order as a message names them."""
    return {name: order[key] for name, key in (("userId", "customerId"), ("anonymousId", "anonymousId")) if key in order}


def goods(order: Document, event: str, message_id: str) -> Document:
    """Order Completed or Order Updated of an order as it is."""
    currency, total = total_of(order)
    lines = [{"quantity": line["quantity"]} for line in (*order["lineItems"], *order["customLineItems"])]
    properties = {
        "order_id": number_of(order),
        "currency": currency,
        "total": float(total),
        "products": lines,
        "status": order.get("orderState"),
        "payment_status": order.get("paymentState"),
        "shipment_status": order.get("shipmentState"),
    }
    return _track(event, who(order), order.get("completedAt") or order["createdAt"], message_id, properties)


def profile(customer: Document) -> Document:
    """The identify of a customer as they are."""
    fields = customer.get("custom", {}).get("fields", {})
    by_id = {one["id"]: one for one in customer["addresses"]}
    named = (customer.get("defaultBillingAddressId"), customer.get("defaultShippingAddressId"))
    main: Document = next((by_id[one] for one in named if one in by_id), {})
    traits = {name: customer.get(name) for name in ("email", "firstName", "lastName", "title")}
    traits |= {"customer_number": customer.get("customerNumber"), "external_id": customer.get("externalId")}
    traits |= {"email_verified": customer["isEmailVerified"], "createdAt": customer["createdAt"]}
    traits["address"] = {name: main.get(name) for name in ("city", "postalCode", "country")}
    given = {
        "Advertising": fields.get("marketingConsent") is True,
        "Analytics": fields.get("analyticsConsent") is True,
    }
    return {
        "type": "identify",
        "messageId": f"{customer['id']}:{customer['version']}",
        "userId": customer["id"],
        "traits": traits,
        "context": {"consent": {"categoryPreferences": given}},
        "originalTimestamp": customer["lastModifiedAt"],
    }


def group(order: Document, member: tuple[str, str]) -> Document:
    """The membership that an order tells of."""
    person, unit = member
    return {
        "type": "group",
        "messageId": f"{person}:{unit}",
        **who(order),
        "groupId": unit,
        "traits": {"id": unit, "type": "business_unit"},
        "context": {},
        "originalTimestamp": order["createdAt"],
    }


def _track(event: str, owner: Document, at: str, message_id: str, properties: Document) -> Document:
    return {
        "type": "track",
        "event": event,
        "messageId": message_id,
        **owner,
        "properties": properties,
        "context": {},
        "originalTimestamp": at,
    }
