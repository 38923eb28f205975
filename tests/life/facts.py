"""What a raw commercetools record means for a destination: the README's promise, written out without the connector's code.

Amounts are exact decimals. What of an order makes it "changed" is what the events of the plan show: total and quantities for
Order Completed, its three states besides for Order Updated.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Document = dict[str, Any]
Content = tuple[Any, ...]
SHIPPED = ("Shipped", "Delivered")


def amount(cents: Document) -> Decimal:
    """A commercetools amount of either precision."""
    minor: int = cents["preciseAmount"] if "preciseAmount" in cents else cents["centAmount"]
    return Decimal(minor).scaleb(-cents["fractionDigits"])


def is_readable(order: Document) -> bool:
    """Whether the record is what the API documents: its total is a number."""
    return isinstance(order["totalPrice"]["centAmount"], int)


def total_of(order: Document) -> tuple[str, Decimal]:
    """Currency and grand total."""
    price = order.get("taxedPrice", {}).get("totalGross") or order["totalPrice"]
    return price["currencyCode"], amount(price)


def goods_of(order: Document) -> Content:
    """What an order is worth and how many of each line it has."""
    lines = [*order["lineItems"], *order["customLineItems"]]
    return (*total_of(order), tuple(line["quantity"] for line in lines))


def states_of(order: Document) -> Content:
    """The same and the order's states."""
    return (*goods_of(order), order.get("orderState"), order.get("paymentState"), order.get("shipmentState"))


def goods_said(properties: Document) -> Content:
    """`goods_of`, as an event says it."""
    return (
        properties["currency"],
        Decimal(str(properties["total"])),
        tuple(line["quantity"] for line in properties.get("products", [])),
    )


def states_said(properties: Document) -> Content:
    """`states_of`, as an Order Updated says it."""
    return (*goods_said(properties), *(properties.get(name) for name in ("status", "payment_status", "shipment_status")))


def number_of(order: Document) -> str:
    """What an order is called in events."""
    return str(order.get("orderNumber") or order["id"])


def member_of(order: Document) -> tuple[str, str] | None:
    """Who orders for which business unit, if they do for one."""
    person, unit = order.get("customerId") or order.get("anonymousId"), order.get("businessUnit", {}).get("key")
    return (person, unit) if person and unit else None


def payment_ids(order: Document) -> list[str]:
    """The payments that an order refers to."""
    return [link["id"] for link in order.get("paymentInfo", {}).get("payments", [])]


def refunds_of(payment: Document) -> dict[str, Document]:
    """Id -> transaction of money that went back."""
    return {
        one["id"]: one
        for one in payment["transactions"]
        if one["type"] in ("Refund", "Chargeback") and one["state"] == "Success"
    }


def deliveries_of(order: Document) -> dict[str, str]:
    """Delivery id -> when it was made."""
    infos = [order.get("shippingInfo"), *(one.get("shippingInfo") for one in order.get("shipping", []))]
    return {delivery["id"]: delivery["createdAt"] for info in infos if info for delivery in info["deliveries"]}


def is_shipped_as_a_whole(order: Document) -> bool:
    """Whether only the state says that it left."""
    return order.get("shipmentState") in SHIPPED and not deliveries_of(order)


def profile_of(customer: Document) -> Content:
    """What a profile says of a customer: names, contact, place, flags, and the two consents of the test's settings."""
    fields = customer.get("custom", {}).get("fields", {})
    address = _main_address(customer)
    texts = [customer.get(name) for name in ("email", "firstName", "lastName", "title", "customerNumber", "externalId")]
    place = [address.get(name) for name in ("city", "postalCode", "country")]
    flags = (customer["isEmailVerified"], customer["createdAt"])
    consents = (fields.get("marketingConsent") is True, fields.get("analyticsConsent") is True)
    return (*(text or None for text in (*texts, *place)), *flags, *consents)


def profile_said(message: Document) -> Content:
    """`profile_of`, as an identify says it."""
    traits = message["traits"]
    names = ("email", "firstName", "lastName", "title", "customer_number", "external_id")
    address = traits.get("address", {})
    place = [address.get(name) for name in ("city", "postalCode", "country")]
    given = message["context"].get("consent", {}).get("categoryPreferences", {})
    consents = (given.get("Advertising", False), given.get("Analytics", False))
    return (*(traits.get(name) for name in names), *place, traits["email_verified"], traits["createdAt"], *consents)


def _main_address(customer: Document) -> Document:
    by_id: dict[str, Document] = {one["id"]: one for one in customer["addresses"]}
    for name in ("defaultBillingAddressId", "defaultShippingAddressId"):
        if customer.get(name) in by_id:
            return by_id[customer[name]]
    return customer["addresses"][0] if customer["addresses"] else {}


def has_begun_checkout(cart: Document) -> bool:
    """Whether somebody entered an address, or as a guest an e-mail, for a cart with something in it."""
    entered = any(
        address.get(name)
        for address in (cart.get("shippingAddress") or {}, cart.get("billingAddress") or {})
        for name in ("streetName", "streetNumber", "city", "postalCode", "email")
    )
    as_guest = bool(cart.get("customerEmail")) and not cart.get("customerId")
    return bool(cart["lineItems"] or cart["customLineItems"]) and (entered or as_guest)
