"""What things are called in mParticle: actions of commerce events, fields of `product_action`, reserved user attributes.

Both directions read these tables, so that what was exported comes back under its own name. Source: the official reference
and the inbound schema (sheet "mParticle", section 3).
"""

from __future__ import annotations

CUSTOM_EVENT_TYPES = frozenset(
    {
        *("navigation", "location", "search", "transaction", "user_content", "user_preference", "social", "other", "media"),
        *("attribution", "unknown"),
    }
)
"""The last two are seen in data plans, though the inbound schema refuses them."""

ACTIONS = {
    "Order Completed": "purchase",
    "Order Refunded": "refund",
    "Checkout Started": "checkout",
    "Payment Info Entered": "checkout_option",
    "Product Added": "add_to_cart",
    "Product Removed": "remove_from_cart",
    "Product Viewed": "view_detail",
    "Product Clicked": "click",
    "Product Added to Wishlist": "add_to_wishlist",
    "Product Removed from Wishlist": "remove_from_wish_list",
}
"""Event of Segment's ecommerce spec -> `product_action.action` (the odd spelling is theirs)."""

EVENT_OF_ACTION = {action: event for event, action in ACTIONS.items()}

_FIELDS = {
    "order_id": "transaction_id",
    "affiliation": "affiliation",
    "total": "total_amount",
    "tax": "tax_amount",
    "shipping": "shipping_amount",
    "coupon": "coupon_code",
}
PRODUCT_FIELDS = {
    "product_id": "id",
    "name": "name",
    "brand": "brand",
    "category": "category",
    "variant": "variant",
    "position": "position",
    "price": "price",
    "quantity": "quantity",
    "coupon": "coupon_code",
}
CURRENCY = ("currency", "currency_code")
"""Our property, and the field of a commerce event beside `product_action`."""

FIELD_TYPES: dict[str, frozenset[str]] = {
    **dict.fromkeys(("transaction_id", "affiliation", "coupon_code", "currency_code"), frozenset({"string"})),
    **dict.fromkeys(("id", "name", "brand", "category", "variant"), frozenset({"string"})),
    **dict.fromkeys(
        ("total_amount", "tax_amount", "shipping_amount", "price", "quantity"), frozenset({"number", "integer"})
    ),
    "position": frozenset({"integer"}),
}
"""The JSON types that a field of a commerce event may have."""

ATTRIBUTE_TYPES = frozenset({"string", "number", "integer", "boolean", "null"})
"""Event attributes are flat."""

PRODUCT_ATTRIBUTE_TYPES = frozenset({"string", "number", "integer"})
"""Attributes of a product are text; a rule for numbers holds too, because mParticle reads numbers in texts as numbers."""

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
"""Trait -> reserved user attribute."""

TRAIT_OF_ATTRIBUTE = {attribute: trait for trait, attribute in TRAITS.items()}
ADDRESS_NAMES = frozenset({"address"})
"""Traits that are taken apart into reserved attributes."""

IDENTITIES = {"email": "email"}
"""Trait -> user identity."""

CUSTOMER_ID = "customer_id"
"""The identity that every user of ours has; it is no trait, but the `userId` of the message."""

CUSTOMER_ID_SPELLINGS = frozenset({CUSTOMER_ID, "customerid"})

UNSUPPORTED = frozenset(
    {
        *("$ref", "patternProperties", "allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependencies"),
        *("$recursiveRef", "$recursiveAnchor", "dependentRequired", "dependentSchemas"),
    }
)
"""JSON Schema keywords that mParticle's data plans do not support (its Data Planning API page)."""

DATA_POINTS_MAX = 1_000
ATTRIBUTES_MAX = 100
"""Data points of a plan; attributes of an event or a user (sheet "mParticle", section 2)."""


def fields_of(action: str) -> dict[str, str]:
    """Our properties that are fields of `product_action`, for one action."""
    if action == "checkout":
        # A checkout has no total yet; Segment's spec calls what it comes to so far its value.
        return {name: field for name, field in _FIELDS.items() if name != "total"} | {"value": "total_amount"}
    return _FIELDS
