"""Who a batch belongs to, and what that person agreed to (sheet "mParticle", section 3).

The identity types are spelt as the vendor's schema does (`customer_id`, `other_id_2`). An e-mail is trimmed and lower-cased,
as ids are compared exactly, and one that is none is left out, since it would join strangers; so is a phone number that is
not in E.164 form.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from cdi_cli.destinations.mparticle.attributes import RefusalError
from cdi_cli.destinations.mparticle.names import EMAIL, PHONE
from cdi_cli.destinations.mparticle.settings import MparticleSettings
from cdi_cli.events import Event
from cdi_cli.events.identity import normalize_email

OPT_OUT = "data_sale_opt_out"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_T = TypeVar("_T", dict[str, Any], list[Any])
_SEPARATORS = re.compile(r"[\s()./-]")


def identities(event: Event, settings: MparticleSettings) -> dict[str, str]:
    """The `user_identities` of an event, never empty; raises RefusalError when nobody is named."""
    found: dict[str, str] = {}
    for name, value in (("customer_id", event.user_id), (settings.anonymous_identity, event.anonymous_id)):
        if value is None or name is None:
            continue
        if not isinstance(value, str) or not value:
            raise RefusalError("id_not_string", "the id of a person is empty or not text")
        found[name] = value
    if "email" in settings.identities and (email := _email(event)) is not None:
        found["email"] = email
    if "mobile_number" in settings.identities and (phone := _phone(event)) is not None:
        found["mobile_number"] = phone
    if not found:
        raise RefusalError(
            "no_identity", "the event names nobody: it has no customer id, and nothing else that settings allow"
        )
    return found


def _email(event: Event) -> str | None:
    for values in (event.properties if _is_about_person(event) else None, event.context.get("traits")):
        if isinstance(values, dict) and isinstance(value := values.get(EMAIL), str):
            email = normalize_email(value)
            if _EMAIL.fullmatch(email):
                return email
    return None


def _phone(event: Event) -> str | None:
    value = event.properties.get(PHONE) if _is_about_person(event) else None
    if not isinstance(value, str):
        return None
    number = _SEPARATORS.sub("", value)
    return number if _E164.fullmatch(number) else None


def _is_about_person(event: Event) -> bool:
    """Whether the event's properties describe the person, so that an e-mail among them is that person's."""
    return event.type == "identify" or event.kind.startswith("customer.")


def consent_state(event: Event, settings: MparticleSettings, at_ms: int) -> dict[str, Any] | None:
    """The `consent_state` of an event at its time, or None where it has none for the categories of the settings.

    A no is said only where the person said it, and a yes to a purpose not where it is merely assumed: what is unknown is
    left out, since mParticle cannot un-set a purpose. So is what an event took from the customer's present record: it has
    not the event's time, and the profile says it. `data_sale_opt_out` is inverted: `consented` there means that the person
    opted out. Raises RefusalError for a consent that is neither true nor false.
    """
    if not settings.consent or (settings.consent_with == "profiles" and event.type != "identify"):
        return None
    consent = event.context.get("consent")
    given, denied, assumed = (
        _part(consent, "categoryPreferences", dict), _part(consent, "denied", list), _part(consent, "assumed", list),
    )  # fmt: skip
    elsewhere = [] if event.type == "identify" else _part(consent, "asOfNow", list)
    state: dict[str, Any] = {}
    for category, target in settings.consent.items():
        is_granted = given.get(category)
        if is_granted is not None and not isinstance(is_granted, bool):
            raise RefusalError("consent_not_bool", "a consent category is neither true nor false")
        if is_granted is None or category in elsewhere or not (is_granted or category in denied):
            continue
        document = {"document": target.document} if target.document else {}
        if target.gdpr is not None and category not in assumed:
            purpose = {"consented": is_granted, "timestamp_unixtime_ms": at_ms, **document}
            state.setdefault("gdpr", {})[target.gdpr] = purpose
        if target.ccpa:
            state["ccpa"] = {OPT_OUT: {"consented": not is_granted, "timestamp_unixtime_ms": at_ms, **document}}
    return state or None


def _part(consent: Any, name: str, kind: type[_T]) -> _T:
    """A part of `context.consent`, empty where it is missing or of another type."""
    found = consent.get(name) if isinstance(consent, dict) else None
    return found if isinstance(found, kind) else kind()
