"""What Insider says is wrong with a user of an upsert: keys and texts as in its own samples (sheet "Insider", section 4).

Spellings marked "ours" have no documented one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from cdi_cli.sandbox.insider.panel import ATTRIBUTES

_EMAIL = re.compile(r".+@.+\..+")
_PHONE = re.compile(r"\+[1-9]\d{6,14}")
_EVENT_NAME = re.compile(r"[a-z0-9][a-zA-Z0-9._-]*")
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})")
_REQUIRED = {
    "purchase": ("event_group_id", "currency", "quantity", "unit_sale_price"),
    "cart_page_view": ("event_group_id", "currency", "unit_sale_price"),
}
_LEFT_OUT_BY_THE_SAMPLE = "quantity"
"""The vendor's own request omits it and gets 200 (section 3.1), so its absence is no mistake."""
_TEXTS = (
    "event_group_id",
    "product_id",
    "name",
    "url",
    "currency",
    "locale",
    "color",
    "size",
    "shipping_cost",
    "promotion_name",
)
_NUMBERS = ("unit_price", "unit_sale_price", "promotion_discount")

Mistakes = dict[str, list[str]]


def of_user(user: Any, number: int, block_list: Collection[str] = ()) -> Mistakes:
    """The mistakes of one user, by Insider's keys; empty when there are none."""
    found: Mistakes = {}
    place = f"users.{number}"
    if not isinstance(user, dict):
        return {f"{place}.type(object)": ["user must be object"]}  # ours
    identifiers = user.get("identifiers")
    if not user.get("insider_id") and not identifiers:
        found[f"{place}.identifiers.required"] = ["either insider_id or idenifiers must be specified"]
    elif identifiers:
        _of_identifiers(identifiers, place, found)
        if isinstance(identifiers, dict) and any(
            value in block_list for value in identifiers.values() if isinstance(value, str)
        ):
            _add(found, f"{place}.identifiers.*.blocked", "an identifier is on the block list")  # ours
    if not user.get("attributes") and not user.get("events"):
        found[f"{place}.attributes.required"] = ["either attributes or events must be specified"]  # ours
    _of_attributes(user.get("attributes"), place, found)
    events = user.get("events")
    for index, event in enumerate(events if isinstance(events, list) else []):
        _of_event(event, f"{place}.events.{index}", found)
    return found


def _of_identifiers(identifiers: Any, place: str, found: Mistakes) -> None:
    if not isinstance(identifiers, dict):
        found[f"{place}.identifiers.type(object)"] = ["identifiers must be object"]  # ours
        return
    head = f"{place}.identifiers.*"
    for name, value in identifiers.items():
        if name == "custom":
            continue
        if name not in ("email", "em", "phone_number", "pn", "uuid"):
            _add(found, f"{head}.in(defaults_column)", "key must be one of phone_number(pn), email(em) or uuid")
        elif not isinstance(value, str):
            _add(found, f"{head}.type(string)", f"{name} must be string: {value}")
        elif name in ("email", "em") and not _EMAIL.fullmatch(value):
            _add(found, rf"{head}.regexp(^.+@.+\..+$)", f"not a valid email address: {value}")
        elif name in ("phone_number", "pn") and not _PHONE.fullmatch(value):
            _add(found, rf"{head}.regexp(^\+[1-9]\d{{6,14}}$)", f"user has an invalid phone number: {value}")


def _of_attributes(attributes: Any, place: str, found: Mistakes) -> None:
    if not isinstance(attributes, dict):
        return
    birthday = attributes.get("birthday")
    if birthday is not None and not (isinstance(birthday, str) and _RFC3339.fullmatch(birthday) and birthday.endswith("Z")):
        _add(found, f"{place}.attributes.*.datetime", "birthday must be in RFC3339 format")  # ours
    for name, value in attributes.items():
        if name in ATTRIBUTES and name.endswith("_optin") and not isinstance(value, bool):
            _add(found, f"{place}.attributes.*.type(boolean)", f"{name} must be boolean: {value}")  # ours


def _of_event(event: Any, place: str, found: Mistakes) -> None:
    if not isinstance(event, dict):
        found[f"{place}.type(object)"] = ["event must be object"]  # ours
        return
    name, at, params = event.get("event_name"), event.get("timestamp"), event.get("event_params") or {}
    if not isinstance(name, str) or not _EVENT_NAME.fullmatch(name):
        _add(found, f"{place}.event_name.*.regexp(^[a-z0-9][a-zA-Z0-9._-]*$)", f"invalid event name: {name}")
    if not isinstance(at, str) or not _RFC3339.fullmatch(at):
        _add(found, f"{place}.timestamp.*.datetime", f"timestamp must be in RFC3339 format: {at}")  # ours
    for param in _REQUIRED.get(str(name), ()):
        if params.get(param) is None and param != _LEFT_OUT_BY_THE_SAMPLE:
            _add(found, f"{place}.event_params.*.required", f"{param} parameter is required on {name} event")
    for param, value in params.items():
        wanted = _wrong_type(param, value)
        if wanted is not None:
            _add(found, f"{place}.event_params.*.type({wanted})", f"{param} must be {wanted}: {value}")  # ours


def _wrong_type(param: str, value: Any) -> str | None:
    """The type that a default parameter should have, if it has another."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if param in _TEXTS and not isinstance(value, str):
        return "string"
    if param in _NUMBERS and not is_number:
        return "float"
    if param == "quantity" and (not is_number or int(value) != value):
        return "int"
    if param == "taxonomy" and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        return "array"
    return None


def _add(found: Mistakes, key: str, text: str) -> None:
    found.setdefault(key, []).append(text)
