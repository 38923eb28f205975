"""Insider's own names: events, parameters and attributes that exist without being defined, and how other names are spelt.

Everything else is custom: it stands inside `custom`, in lower snake case, and must be defined in the panel before it is sent
(sheet "Insider", sections 2 and 3).
"""

from __future__ import annotations

import re
from functools import lru_cache

EVENT_NAMES = {
    "order.completed": "purchase",
    "order.updated": "order_updated",
    "order.cancelled": "order_cancelled",
    "order.refunded": "order_refunded",
    "order.fulfilled": "order_fulfilled",
    "cart.checkout_started": "checkout_page_view",
    "customer.created": "sign_up_confirmation",
}
"""Insider's event for each lifecycle kind; an event of another kind keeps the plan's name, in snake case."""

DEFAULT_EVENTS = frozenset({
    "purchase", "confirmation_page_view", "cart_page_view", "item_added_to_cart", "item_removed_from_cart", "cart_cleared",
    "checkout_page_view", "product_detail_page_view", "listing_page_view", "homepage_view", "sign_up_confirmation",
})  # fmt: skip

LINE_EVENTS = frozenset({
    "purchase", "confirmation_page_view", "cart_page_view", "item_added_to_cart", "item_removed_from_cart",
})  # fmt: skip
"""Events about one product: an order or a cart is one for each of its lines."""

RETENTION_DAYS = {"purchase": 730, "confirmation_page_view": 730, "sign_up_confirmation": 365}
RETENTION_DAYS_OTHER = 90
"""How old an event may be; older ones are answered 200 and "will not be written" (section 2)."""

TEXT, TEXTS, WHOLE, NUMBER = "text", "texts", "whole", "number"
PARAMETERS = {
    "event_group_id": TEXT, "product_id": TEXT, "name": TEXT, "taxonomy": TEXTS, "url": TEXT, "currency": TEXT,
    "quantity": WHOLE, "unit_price": NUMBER, "unit_sale_price": NUMBER, "locale": TEXT, "color": TEXT, "size": TEXT,
    "shipping_cost": TEXT, "promotion_name": TEXT, "promotion_discount": NUMBER, "product_image_url": TEXT,
    "referrer": TEXT, "voucher_name": TEXT, "voucher_discount": NUMBER,
}  # fmt: skip
"""Default event parameters and what they take (section 3.1); `shipping_cost` is a text, the other amounts are numbers."""

ATTRIBUTES = frozenset({
    "email", "phone_number", "name", "surname", "birthday", "gender", "age", "language", "country", "city", "lo",
    "email_optin", "sms_optin", "whatsapp_optin", "gdpr_optin",
})  # fmt: skip
"""Default attributes that can be set (section 3.1)."""

TRAITS = {
    "email": "email",
    "phone": "phone_number",
    "firstName": "name",
    "first_name": "name",
    "lastName": "surname",
    "last_name": "surname",
    "birthday": "birthday",
    "gender": "gender",
    "age": "age",
    "language": "language",
    "address.city": "city",
    "address.country": "country",
}
"""The attribute for a trait of the plan; other traits are custom attributes under their own name."""

NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """A name in lower snake case (`Order Completed`, `firstName`, `address.city`); empty where nothing of it remains."""
    return _NOT_IN_NAME.sub("_", _HUMP.sub("_", name).lower()).strip("_")


def locale_code(text: str) -> str:
    """A locale as Insider spells it: `en_US` for `en-US`."""
    return text.replace("-", "_")
