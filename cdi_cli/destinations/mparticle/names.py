"""What mParticle calls the words of Segment's ecommerce spec, which tracking plans speak (sheet "mParticle", section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

FieldType = Literal["text", "number", "integer"]

ACTION_OF_KIND = {
    "order.completed": "purchase",
    "order.refunded": "refund",
    "cart.checkout_started": "checkout",
}
"""Lifecycle kind -> `product_action.action`; any other is a custom event. A plan chooses names of events, not kinds."""

ACTION_FIELDS: dict[str, tuple[str, FieldType]] = {
    "order_id": ("transaction_id", "text"),
    "affiliation": ("affiliation", "text"),
    "total": ("total_amount", "number"),
    "tax": ("tax_amount", "number"),
    "shipping": ("shipping_amount", "number"),
    "coupon": ("coupon_code", "text"),
}
"""Property -> field of `product_action`, and its type."""

CHECKOUT_FIELDS = {name: field for name, field in ACTION_FIELDS.items() if name != "total"} | {
    "value": ACTION_FIELDS["total"]
}
"""The same for a checkout, which has no total yet: what it comes to so far is its value."""

PRODUCT_FIELDS: dict[str, tuple[str, FieldType]] = {
    "product_id": ("id", "text"),
    "name": ("name", "text"),
    "brand": ("brand", "text"),
    "category": ("category", "text"),
    "variant": ("variant", "text"),
    "position": ("position", "integer"),
    "price": ("price", "number"),
    "quantity": ("quantity", "number"),
    "coupon": ("coupon_code", "text"),
}
"""Property of an element of `products` -> field of a product, and its type."""

PRODUCT_FAMILY = "product"
CURRENCY = "currency"
PRODUCTS = "products"
BESIDE = frozenset({CURRENCY, PRODUCTS})
"""Properties of a commerce event that have a place of their own beside the fields of `product_action`."""

TRAITS = {
    "firstName": "$firstname",
    "lastName": "$lastname",
    "phone": "$mobile",
    "age": "$age",
    "gender": "$gender",
    "address.street": "$address",
    "address.city": "$city",
    "address.state": "$state",
    "address.postalCode": "$zip",
    "address.country": "$country",
}
"""Trait, flattened -> reserved user attribute."""

GROUP_PREFIX = "group_"
EMAIL = "email"
PHONE = "phone"


def action_of(kind: str, name: str, own: Mapping[str, str]) -> str | None:
    """The product action of an event; None for a custom event. `own` are the settings' by event name."""
    chosen = own.get(name) or ACTION_OF_KIND.get(kind)
    return None if chosen == "custom_event" else chosen


def custom_type_of(kind: str) -> str:
    """The `custom_event_type` of a custom event: what happens to orders and carts is a transaction."""
    return "transaction" if kind.startswith(("order.", "cart.")) else "other"


def fields_of(action: str) -> dict[str, tuple[str, FieldType]]:
    """The properties that are fields of `product_action`, for one action."""
    return CHECKOUT_FIELDS if action == "checkout" else ACTION_FIELDS
