"""The panel of the imitated account: which attributes, events, parameters and identifiers somebody has defined.

What is not defined here is thrown away behind a 200 (sheet "Insider", sections 2 and 5). The default panel knows Insider's
own names and, as custom ones, what the default tracking plan sends. `is_open`: everything counts as defined.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ATTRIBUTES = frozenset({
    "email", "phone_number", "email_optin", "gdpr_optin", "sms_optin", "whatsapp_optin", "name", "surname", "birthday",
    "gender", "age", "language", "country", "city", "static_segment_id", "list_id", "uuid", "lo", "locale",
})  # fmt: skip
PARAMS = frozenset({
    "event_group_id", "product_id", "name", "taxonomy", "url", "currency", "quantity", "unit_price", "unit_sale_price",
    "locale", "color", "size", "shipping_cost", "promotion_name", "promotion_discount", "product_image_url", "session_id",
    "sid", "source", "device_type", "referrer", "voucher_name", "voucher_discount", "unit_size", "category", "variant_id",
    "stock",
})  # fmt: skip
DEFAULT_EVENTS = (
    "purchase", "confirmation_page_view", "cart_page_view", "item_added_to_cart", "item_removed_from_cart", "cart_cleared",
    "checkout_page_view", "product_detail_page_view", "listing_page_view", "homepage_view", "sign_up_confirmation",
)  # fmt: skip
_CUSTOM_ATTRIBUTES = (
    "title", "company_name", "address_street", "address_state", "address_postal_code", "created_at", "customer_number",
    "external_id", "email_verified", "customer_group", "store", "company_id", "company_type",
)  # fmt: skip
_ORDER = (
    "cdi_event_id", "affiliation", "total", "revenue", "subtotal", "shipping", "tax", "discount", "coupon", "checkout_id",
    "payment_method", "shipping_method", "product_ids", "order_id",
)  # fmt: skip
_LINE = ("position", "sku", "brand", "variant", "kind")
_CUSTOM_EVENTS: dict[str, tuple[str, ...]] = {
    "purchase": (*_ORDER, *_LINE),
    "checkout_page_view": (*_ORDER, "value"),
    "sign_up_confirmation": (
        "cdi_event_id", "first_name", "last_name", "email", "phone", "title", "customer_group", "affiliation",
    ),
    "order_updated": (*_ORDER, "status", "payment_status", "shipment_status"),
    "order_cancelled": _ORDER,
    "order_refunded": (*_ORDER, "refund_id", "refund_amount", "is_full_refund", "kind", "payment_id"),
    "order_fulfilled": (*_ORDER, "shipment_id", "carrier", "tracking_number"),
}  # fmt: skip


@dataclass(slots=True)
class Panel:
    """Definitions by name; `events` holds the custom parameters of each event. Change them at will."""

    is_open: bool = False
    attributes: set[str] = field(default_factory=lambda: set(_CUSTOM_ATTRIBUTES))
    events: dict[str, set[str]] = field(
        default_factory=lambda: {name: set(_CUSTOM_EVENTS.get(name, ())) for name in (*DEFAULT_EVENTS, *_CUSTOM_EVENTS)}
    )
    identifiers: set[str] = field(default_factory=set)
    locales: set[str] = field(default_factory=lambda: {"en_US", "de_DE"})

    def has_attribute(self, name: str) -> bool:
        """Whether a custom attribute is defined."""
        return self.is_open or name in self.attributes

    def has_event(self, name: str) -> bool:
        """Whether an event is defined."""
        return self.is_open or name in self.events

    def has_param(self, event_name: str, name: str) -> bool:
        """Whether a custom parameter is defined for an event."""
        return self.is_open or name in self.events.get(event_name, ())

    def has_identifier(self, name: str) -> bool:
        """Whether a custom identifier is enabled."""
        return self.is_open or name in self.identifiers

    def columns(self, table: str) -> list[dict[str, Any]]:
        """What `metadata/columns` answers: attributes (`contacts`) or events; custom keys begin with `c_`."""
        if table == "contacts":
            keys = sorted(ATTRIBUTES) + [f"c_{name}" for name in sorted(self.attributes)]
            return [_column(key) for key in keys]
        return [
            _column(name) | {"params": [_column(key) for key in (*sorted(PARAMS), *(f"c_{each}" for each in sorted(own)))]}
            for name, own in sorted(self.events.items())
        ]


def _column(key: str) -> dict[str, Any]:
    return {"key": key, "display_name": key.removeprefix("c_").replace("_", " ").title(), "type": "string"}
