"""Who an event is about: identifiers, and for a profile the attributes and opt-ins (sheet "Insider", sections 3.1 and 3.5).

A single identifier that Insider finds invalid costs the whole user. So an e-mail that is none and a phone number that is not
in E.164 form are left out, and what Insider blocks as a placeholder ("undefined", "0") is too.

An opt-in is false only where the record says no (`context.consent.denied`), and true only where it says yes. What is
unknown, or assumed by the law of a country, is left out: for Insider nothing was decided then, and what the person told
Insider directly is not undone. `gdpr_optin: false` stops all processing of the person, so this matters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from cdi_cli.destinations.insider.names import ATTRIBUTES, TRAITS, locale_code, snake
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.destinations.insider.values import Refusal, leaves
from cdi_cli.events import Event
from cdi_cli.events.identity import normalize_email

BLOCKED = frozenset({"undefined", "anonymous", "0", "1", "null"})
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_SEPARATORS = re.compile(r"[\s()./-]")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}:\d{2}(\.\d+)?Z)?", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}")
GROUP = "company"
"""What the attributes of a company begin with."""


def identifiers(event: Event, settings: InsiderSettings) -> dict[str, Any]:
    """The `identifiers` of an event's user; empty when nobody can be named. Raises Refusal for an id that is no text."""
    ids = {"user_id": event.user_id, "anonymous_id": event.anonymous_id}
    for value in ids.values():
        if value is not None and not isinstance(value, str):
            raise Refusal("insider_id_not_string", "the id of a person is not text")
    policy = settings.identifiers
    found: dict[str, Any] = {}
    if policy.uuid is not None and (uuid := _allowed(ids[policy.uuid])):
        found["uuid"] = uuid
    if policy.email and (email := email_of(event)):
        found["email"] = email
    if policy.phone_number and (phone := phone_of(event)):
        found["phone_number"] = phone
    custom = {name: value for name, source in policy.custom.items() if (value := _allowed(ids[source]))}
    if custom:
        found["custom"] = custom
    return found


def _allowed(value: str | None) -> str | None:
    return value if value and value.strip() and value.strip().lower() not in BLOCKED else None


def email_of(event: Event) -> str | None:
    """The person's e-mail address, trimmed and in lower case: of a profile, else that of a guest; None if it is none."""
    for values in _about_person(event):
        if isinstance(value := values.get("email"), str):
            email = normalize_email(value)
            if _EMAIL.fullmatch(email):
                return email
    return None


def phone_of(event: Event) -> str | None:
    """The person's phone number in E.164 form, without separators; None where it is not in that form."""
    for values in _about_person(event):
        if isinstance(value := values.get("phone"), str):
            number = _SEPARATORS.sub("", value)
            if _E164.fullmatch(number):
                return number
    return None


def _about_person(event: Event) -> list[Mapping[str, Any]]:
    """The parts of an event that describe its person."""
    parts: list[Any] = [event.context.get("traits")]
    if event.type == "identify" or event.kind.startswith("customer."):
        parts.insert(0, event.properties)
    return [part for part in parts if isinstance(part, Mapping)]


def attributes(event: Event, settings: InsiderSettings) -> dict[str, Any]:
    """The `attributes` of a profile or of a company, custom ones inside `custom`; empty when there are none."""
    default: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    is_group = event.type == "group"
    for path, value in leaves(event.properties):
        own = f"{GROUP}_{snake(path)}" if is_group else snake(path)
        name = None if is_group else _attribute_of(path, settings)
        if name is not None and name in ATTRIBUTES:
            if (fitting := _as_attribute(name, value, event)) is not None:
                default.setdefault(name, fitting)
                continue
            if name in ("email", "phone_number"):
                continue
            name = own
        elif not is_group and path in settings.attributes and name is None:
            continue
        if key := name or own:
            custom.setdefault(key, value)
    if is_group and isinstance(group := event.context.get("groupId"), str) and group:
        custom[f"{GROUP}_id"] = group
    if not is_group:
        _add_what_context_says(event, settings, default)
        for name, is_on in ((each, getattr(settings.identifiers, each)) for each in ("email", "phone_number")):
            if is_on:
                default.pop(name, None)
    return default | ({"custom": custom} if custom else {})


def attribute_place(path: str, settings: InsiderSettings) -> str | None:
    """Where a trait goes: the name of a default attribute, `custom.<name>`, empty if it has none, None if it is not sent."""
    if path in settings.attributes and settings.attributes[path] is None:
        return None
    name = _attribute_of(path, settings)
    if name is not None:
        return name if name in ATTRIBUTES else f"custom.{name}"
    return f"custom.{snake(path)}" if snake(path) else ""


def _attribute_of(path: str, settings: InsiderSettings) -> str | None:
    return settings.attributes[path] if path in settings.attributes else TRAITS.get(path)


def _as_attribute(name: str, value: Any, event: Event) -> Any:
    """The value as the default attribute takes it, None where it cannot be."""
    if name == "email":
        return email_of(event)
    if name == "phone_number":
        return phone_of(event)
    if name.endswith("_optin"):
        return value if isinstance(value, bool) else None
    if name == "age":
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    if name == "birthday":
        day = _DATE.fullmatch(value)
        return f"{day[1]}T00:00:00Z" if day and _is_day(day[1]) else None
    if name == "country":
        return value.upper() if _COUNTRY.fullmatch(value.upper()) else None
    return locale_code(value) if name in ("language", "lo") else value


def _is_day(text: str) -> bool:
    """Whether the calendar has that day: a birthday that is none costs the whole user."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _add_what_context_says(event: Event, settings: InsiderSettings, default: dict[str, Any]) -> None:
    if (language := locale_of(event)) is not None:
        default.setdefault("language", language)
    consent = event.context.get("consent")
    if not isinstance(consent, Mapping):
        return
    given = consent.get("categoryPreferences")
    for category, optins in settings.consent.items():
        if category in _listed(consent.get("denied")):
            default.update(dict.fromkeys(optins, False))
        elif isinstance(given, Mapping) and given.get(category) is True and category not in _listed(consent.get("assumed")):
            default.update(dict.fromkeys(optins, True))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def locale_of(event: Event) -> str | None:
    """The locale that an event came about in, as Insider spells it."""
    locale = event.context.get("locale")
    return locale_code(locale) if isinstance(locale, str) and locale else None
