"""Who an event is about in Insider: identifiers, attributes, opt-ins, and what becomes of those whom nobody can name."""

from __future__ import annotations

from typing import Any

import pytest
from insider_events import ENVIRONMENT, destination, event, identify, users

from cdi_cli.clock import Instant
from cdi_cli.commerce import Consent, Customer
from cdi_cli.destinations import Filtered
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, occurrences

DENIED = {
    "consent": {"categoryPreferences": {"Email": False, "SMS": True, "All": False, "Push": False}, "denied": ["Email"]}
}
CONSENT = {"Email": "email_optin", "SMS": ["sms_optin", "whatsapp_optin"], "All": "gdpr_optin"}


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def profile(values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The user that a profile becomes, with these settings."""
    one = identify(1)
    traits = changes.pop("properties", one.properties)
    (user,) = users(destination(**values), event(**({"type": "identify", "name": "identify", "kind": "customer.profile",
                                                     "properties": traits} | changes)))  # fmt: skip
    return user


def test_a_profile_has_default_and_custom_attributes() -> None:
    """Traits that Insider knows go to the root in its form, all others to `custom` in snake case; arrays are replaced."""
    traits = {
        "email": " Jo@Example.com", "phone": "+49 (151) 123-456 78", "firstName": "Jo", "lastName": "Doe",
        "birthday": "1990-03-12", "gender": "f", "age": 36, "company": {"name": "Acme"}, "customerGroups": ["b2b", "vip"],
        "address": {"city": "Berlin", "country": "de", "postalCode": "10115"}, "title": None, "note": "", "vip": False,
    }  # fmt: skip
    user = profile({}, properties=traits, context={"locale": "de-DE"})

    assert user == {
        "identifiers": {"uuid": "customer-1", "email": "jo@example.com", "phone_number": "+4915112345678"},
        "attributes": {
            "name": "Jo", "surname": "Doe", "birthday": "1990-03-12T00:00:00Z", "gender": "f", "age": 36,
            "city": "Berlin", "country": "DE", "language": "de_DE",
            "custom": {
                "company_name": "Acme", "customer_groups": ["b2b", "vip"], "address_postal_code": "10115", "vip": False,
            },
        },
        "not_append": True,
    }  # fmt: skip


def test_a_value_that_a_default_attribute_does_not_take_is_custom() -> None:
    """Nothing is bent or lost; an e-mail or phone number that is none is left out, as it would cost the whole user."""
    traits = {"birthday": "in May", "age": "36", "gender": 2, "email": "no address", "phone": "0151 1234567",
              "address": {"country": "Germany"}}  # fmt: skip
    user = profile({}, properties=traits)

    assert user["identifiers"] == {"uuid": "customer-1"}
    assert user["attributes"] == {"custom": {"birthday": "in May", "age": "36", "gender": 2, "address_country": "Germany"}}
    for no_day in ("1990-02-30", "0000-00-00", "1990-13-01T00:00:00Z"):
        assert profile({}, properties={"birthday": no_day})["attributes"] == {"custom": {"birthday": no_day}}


def test_settings_choose_attributes_and_identifiers() -> None:
    """A trait can have another attribute or none; an e-mail that is no identifier is an attribute."""
    user = profile(
        {
            "attributes": {"orders": "order_count", "first_name": None, "nick": "name"},
            "identifiers": {
                "uuid": None,
                "email": False,
                "custom": {"ct_customer_id": "user_id", "guest_id": "anonymous_id"},
            },
        },
        properties={"email": "jo@example.com", "first_name": "Jo", "orders": 3, "nick": "J"},
        anonymous_id="a-1",
    )

    assert user["identifiers"] == {"custom": {"ct_customer_id": "customer-1", "guest_id": "a-1"}}
    assert user["attributes"] == {"email": "jo@example.com", "name": "J", "custom": {"order_count": 3}}


@pytest.mark.parametrize(
    ("context", "optins"),
    [
        (DENIED, {"email_optin": False, "sms_optin": True, "whatsapp_optin": True}),
        ({"consent": {"categoryPreferences": {"Email": False, "All": False}}}, {}),
        ({"consent": {"categoryPreferences": {"All": False}, "denied": ["All"]}}, {"gdpr_optin": False}),
        ({"consent": {"categoryPreferences": {"All": True}}}, {"gdpr_optin": True}),
        ({"consent": {"categoryPreferences": {"Email": "yes"}, "denied": "Email"}}, {}),
        ({"consent": {"categoryPreferences": {"Email": True, "SMS": True}, "assumed": ["SMS"]}}, {"email_optin": True}),
        ({"consent": "yes"}, {}),
        ({}, {}),
    ],
)
def test_an_opt_in_is_false_only_where_somebody_said_no(context: dict[str, Any], optins: dict[str, bool]) -> None:
    """Unknown is left out: a false `gdpr_optin` would end all processing of the person."""
    user = profile({"consent": CONSENT}, context=context)

    assert {name: value for name, value in user["attributes"].items() if name.endswith("_optin")} == optins


@pytest.mark.parametrize(("state", "shown"), [("granted", True), ("denied", False), ("unknown", None)])
def test_what_the_record_says_of_consent_reaches_insider(state: Any, shown: bool | None) -> None:
    """From the customer's record to the opt-in: granted, denied and unknown are three different things."""
    at = Instant("2026-08-01T12:00:00.000Z")
    customer = Customer("c1", 1, at, at, email="jo@example.com", first_name="Jo", consent=Consent({"All": state}))
    builder = EventBuilder(IdFormat("acme", "shop"), IdentitySettings(), event_version=1)
    (occurrence, _) = occurrences(customer, LifecycleSettings())
    built = builder.build(occurrence, "identify", "identify", {"firstName": "Jo"})
    assert built is not None

    (user,) = users(destination(consent={"All": "gdpr_optin"}), built)

    assert user["attributes"].get("gdpr_optin") is shown


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": None},
        {"user_id": None, "anonymous_id": "a-1"},
        {"user_id": ""},
        {"user_id": " "},
        {"user_id": "undefined"},
        {"user_id": "Anonymous"},
        {"user_id": "0"},
        {"user_id": None, "context": {"traits": {"email": "none"}}},
        {"user_id": None, "context": {"traits": "guest@example.com"}},
        {"user_id": None, "type": "identify", "properties": {"first_name": "Jo"}},
    ],
)
def test_whom_nobody_can_name_is_filtered(changes: dict[str, Any]) -> None:
    """A guest without e-mail, phone number or an enabled id, and placeholders that Insider blocks, are counted."""
    assert destination().encode(event(**changes)) == Filtered("no_identifier")


def test_a_guest_is_known_by_e_mail_or_by_an_enabled_id() -> None:
    """A profile of the same e-mail is met again at the guest's next order."""
    guest = event(user_id=None, anonymous_id="a-1", context={"traits": {"email": "Guest@Example.com"}})
    nameless = event(user_id=None, anonymous_id="a-1")
    insider = destination(identifiers={"custom": {"guest_id": "anonymous_id"}})

    found = users(insider, guest, nameless)

    assert found[0]["identifiers"] == {"email": "guest@example.com", "custom": {"guest_id": "a-1"}}
    assert found[1]["identifiers"] == {"custom": {"guest_id": "a-1"}}


def test_an_order_names_no_one_by_an_e_mail_among_its_properties() -> None:
    """Only a profile's or a guest's e-mail is the person's; a shipping address may be somebody else's."""
    (user,) = users(destination(), event(properties=event().properties | {"email": "other@example.com"}))

    assert user["identifiers"] == {"uuid": "customer-1"}


def test_a_profile_without_anything_to_say_is_filtered() -> None:
    """Insider refuses a user with neither attributes nor events."""
    one = event(type="identify", kind="customer.profile", name="identify", properties={"email": "jo@example.com"})

    assert destination().encode(one) == Filtered("no_attributes")


def test_a_company_is_custom_attributes_of_its_people() -> None:
    """Insider has no companies."""
    user = profile(
        {}, type="group", name="group", properties={"name": "Acme", "city": "Berlin"}, context={"groupId": "bu-9"}
    )

    assert user["attributes"] == {"custom": {"company_name": "Acme", "company_city": "Berlin", "company_id": "bu-9"}}
