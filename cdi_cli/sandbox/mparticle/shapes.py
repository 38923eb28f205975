"""What is wrong with the shape of a batch, by the vendor's JSON Schema for the inbound Events API.

Written from the schema's text, for the events that a shop has (custom, commerce, screen view). mParticle tells no client
about such violations; the simulator records them. Tests hold this against the schema file itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Problems = Iterator[str]
Check = Callable[[Any, str], Problems]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_OTHERS = {"other", *(f"other_id_{number}" for number in range(2, 11))}
_PHONES = {"mobile_number", "phone_number_2", "phone_number_3"}
_NETWORKS = {"facebook", "facebook_custom_audience_id", "twitter", "google", "microsoft", "yahoo"}
IDENTITIES = {"customer_id", "email", "alias", *_OTHERS, *_PHONES, *_NETWORKS}
CUSTOM_TYPES = {
    "navigation", "location", "search", "transaction", "user_content", "user_preference", "social", "other", "media",
}  # fmt: skip
ACTIONS = {
    "add_to_cart", "remove_from_cart", "checkout", "checkout_option", "click", "view_detail", "purchase", "refund",
    "add_to_wishlist", "remove_from_wish_list",
}  # fmt: skip
PLATFORMS = {"iOS", "Android", "web", "tvOS", "roku", "out_of_band", "alexa", "smart_tv", "fire_tv", "xbox"}
_UNCHECKED = {
    "application_info", "api_key", "api_keys", "ip", "integration_attributes", "partner_identity", "partner_identities",
    "source_info", "mp_deviceid", "attribution_info", "timestamp_unixtime_ms", "batch_id", "origin_mpid", "sdk_version",
    "job_id",
}  # fmt: skip


def problems(batch: Any) -> list[str]:
    """Each violation as `path: what`; empty for a batch that keeps the schema."""
    return list(_object(_BATCH, is_closed=True)(batch, "batch"))


def _scalar(value: Any, path: str) -> Problems:
    if isinstance(value, dict | list):
        yield f"{path}: not a scalar"


def _scalar_or_list(value: Any, path: str) -> Problems:
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _scalar(each, f"{path}[{number}]")
    else:
        yield from _scalar(value, path)


def _text(value: Any, path: str) -> Problems:
    if not isinstance(value, str):
        yield f"{path}: not text"


def _number(value: Any, path: str) -> Problems:
    if isinstance(value, bool) or not (value is None or isinstance(value, int | float)):
        yield f"{path}: not a number"


def _integer(value: Any, path: str) -> Problems:
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not (value is None or is_whole):
        yield f"{path}: not a whole number"


def _boolean(value: Any, path: str) -> Problems:
    if not (value is None or isinstance(value, bool)):
        yield f"{path}: not a truth value"


def _uuid(value: Any, path: str) -> Problems:
    if not (value is None or (isinstance(value, str) and _UUID.fullmatch(value))):
        yield f"{path}: not a UUID"


def _one_of(values: set[str]) -> Check:
    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, str) or value not in values:
            yield f"{path}: not one of the known words"

    return check


def _map(inner: Check, names: set[str] | None = None, *, is_optional: bool = True) -> Check:
    """An object of values of one kind; `names` are the only ones there may be."""

    def check(value: Any, path: str) -> Problems:
        if value is None and is_optional:
            return
        if not isinstance(value, dict):
            yield f"{path}: not an object"
            return
        for name, each in value.items():
            if names is not None and name not in names:
                yield f"{path}.{name}: unknown"
            else:
                yield from inner(each, f"{path}.{name}")

    return check


def _list(inner: Check) -> Check:
    def check(value: Any, path: str) -> Problems:
        if value is None:
            return
        if not isinstance(value, list):
            yield f"{path}: not a list"
            return
        for number, each in enumerate(value):
            yield from inner(each, f"{path}[{number}]")

    return check


def _object(fields: dict[str, Check], required: tuple[str, ...] = (), *, is_closed: bool = False) -> Check:
    """An object with known fields; others are violations where it is closed."""

    def check(value: Any, path: str) -> Problems:
        if not isinstance(value, dict):
            yield f"{path}: not an object"
            return
        for name in required:
            if name not in value:
                yield f"{path}.{name}: missing"
        for name, each in value.items():
            if name in fields:
                yield from fields[name](each, f"{path}.{name}")
            elif is_closed:
                yield f"{path}.{name}: unknown"

    return check


def _anything(_value: Any, _path: str) -> Problems:
    return iter(())


def _event(value: Any, path: str) -> Problems:
    kind = value.get("event_type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in _EVENTS:
        yield f"{path}: no known event type"
        return
    yield from _object({"event_type": _text, "data": _EVENTS[kind]}, ("data",), is_closed=True)(value, path)


_COMMON: dict[str, Check] = {
    "timestamp_unixtime_ms": _integer,
    "source_message_id": _text,
    "session_uuid": _uuid,
    "custom_attributes": _map(_scalar),
    "custom_flags": _map(_scalar),
}
_PRODUCT = _object(
    {
        **dict.fromkeys(("id", "name"), _text),
        **dict.fromkeys(("brand", "category", "variant", "coupon_code"), _scalar),
        **dict.fromkeys(("price", "quantity", "total_product_amount"), _number),
        **dict.fromkeys(("position", "added_to_cart_time_ms"), _integer),
        "custom_attributes": _map(_text),
    }
)
_PRODUCT_ACTION = _object(
    {
        "action": _one_of(ACTIONS),
        "transaction_id": _text,
        "checkout_step": _integer,
        **dict.fromkeys(
            ("checkout_options", "product_action_list", "product_list_source", "affiliation", "coupon_code"), _scalar
        ),
        **dict.fromkeys(("total_amount", "tax_amount", "shipping_amount"), _number),
        "products": _list(_PRODUCT),
    },
    ("action",),
    is_closed=True,
)
_EVENTS: dict[str, Check] = {
    "custom_event": _object(
        {**_COMMON, "event_name": _text, "custom_event_type": _one_of(CUSTOM_TYPES)}, ("custom_event_type", "event_name")
    ),
    "commerce_event": _object(
        {
            **_COMMON,
            "product_action": _PRODUCT_ACTION,
            "currency_code": _scalar,
            "screen_name": _text,
            "is_non_interactive": _boolean,
        }
    ),
    "screen_view": _object({**_COMMON, "screen_name": _text, "activity_type": _scalar}, ("screen_name",)),
}
_PURPOSE = _object(
    {
        **dict.fromkeys(("regulation", "document", "location", "hardware_id"), _scalar),
        "consented": _boolean,
        "timestamp_unixtime_ms": _integer,
    },
    ("consented", "timestamp_unixtime_ms"),
    is_closed=True,
)
_CONSENT = dict.fromkeys(("gdpr", "ccpa"), _map(_PURPOSE, is_optional=False))
_DATA_PLAN = _object({"plan_id": _text, "plan_version": _integer}, ("plan_id",), is_closed=True)
_BATCH: dict[str, Check] = {
    "source_request_id": _scalar,
    "events": _list(_event),
    "device_info": _object({"platform": _one_of(PLATFORMS)}),
    "user_attributes": _map(_scalar_or_list),
    "deleted_user_attributes": _list(_text),
    "user_identities": _map(_scalar, IDENTITIES),
    "environment": _one_of({"development", "production"}),
    "context": _object({"data_plan": _DATA_PLAN}),
    "mpid": _integer,
    "consent_state": _object(_CONSENT, is_closed=True),
    **dict.fromkeys(_UNCHECKED, _anything),
}
