"""E-mail addresses and phone numbers as a destination takes them: which properties are meant, and what becomes of them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from doubles import FakeDestination, order
from jobs import plan
from plan_tools import copy_default_plan

from cdi_cli.commerce import Address, Customer
from cdi_cli.destinations.file.settings import FileSettings
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.destinations.mparticle.settings import MparticleSettings
from cdi_cli.destinations.segment.settings import SegmentSettings
from cdi_cli.events import ContactSettings, Event, EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, occurrences
from cdi_cli.events.event import EventType
from cdi_cli.pipeline.contacts import Contacts, tree_of
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.plan import compile_plan, load_plan

AT = order(0).created_at
BUILDER = EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1)
HASH = sha256(b"jane@example.com").hexdigest()
PHONE_HASH = sha256(b"+4930123456").hexdigest()


def issued(entity: Any, settings: ContactSettings | None) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """The messages that an entity makes for a destination with these settings, and the warnings."""
    destination = FakeDestination()
    issuer = Issuer(
        plan=plan(),
        builder=BUILDER,
        lifecycle=LifecycleSettings(off=("customer.created",)),
        destination=destination,
        require_consent=(),
        delivered=lambda _family, _keys: {},
        scrub=lambda _stream, record: record,
        contacts=Contacts(plan(), settings) if settings is not None else None,
    )
    issue = issuer.issue("customers", [b"{}"], [[entity]])
    return [msgspec.json.decode(item.encoded) for item in issue.outgoing], issue.warnings


def jane(**changes: Any) -> Customer:
    """A customer of Berlin with an address and a number as people write them."""
    values: dict[str, Any] = {
        "email": "Jane@Example.com",
        "phone": "030 / 123 456",
        "address": Address(city="Berlin", country="DE", phone="0171 1234567"),
    }
    return Customer("c1", 1, AT, AT, **(values | changes))


def profile(properties: dict[str, Any], name: str = "identify", kind: EventType = "identify") -> Event:
    """An event of Jane's with these properties."""
    event = BUILDER.build(occurrences(jane(), LifecycleSettings())[0], name, kind, properties)
    assert event is not None
    return event


@pytest.mark.parametrize(
    ("settings", "email", "phone"),
    [
        (None, "Jane@Example.com", "030 / 123 456"),
        (ContactSettings("normalized", phone="normalized"), "jane@example.com", "+4930123456"),
        (ContactSettings("sha256", phone="sha256"), HASH, PHONE_HASH),
        (ContactSettings("omit", phone="omit"), None, None),
        (ContactSettings("sha256"), HASH, "030 / 123 456"),
    ],
)
def test_each_form(settings: ContactSettings | None, email: str | None, phone: str | None) -> None:
    """Plain, normalised, hashed, left out; a number without a country code is one of the record's country."""
    (message,), warnings = issued(jane(), settings)

    assert (message["traits"].get("email"), message["traits"].get("phone")) == (email, phone)
    assert "address" in message["traits"]
    assert warnings == []


def test_a_guest_s_address_in_the_context_is_one() -> None:
    """Hashed there, too, and in the clear nowhere in the message."""
    one = order(1, customer_id=None, email="Jane@example.com", billing_address=Address(email="jane@example.com"))

    messages, _ = issued(one, ContactSettings("sha256"))

    assert messages[0]["context"]["traits"] == {"email": HASH}
    assert "jane@example.com" not in str(messages).lower()


NO_ADDRESS = "no e-mail address"


@pytest.mark.parametrize(
    ("email", "why"),
    [(HASH.upper(), "a hash already"), ("n/a", NO_ADDRESS), (" \u200b", NO_ADDRESS), ("@", NO_ADDRESS)],
)
def test_what_would_join_strangers_is_not_hashed(email: str, why: str) -> None:
    """No hash of nothing, of no address, of a hash; it is left out, and the report says so without the value."""
    converted, notes = Contacts(plan(), ContactSettings("sha256"))(profile({"email": email, "title": "Dr"}), None)

    assert converted.properties == {"title": "Dr"}
    assert notes == [f"email left out: {why}"]


def test_what_was_left_out_is_in_the_report() -> None:
    """As a warning of the event, without the value."""
    (message,), warnings = issued(jane(phone="ask for Jane"), ContactSettings(phone="normalized"))

    assert "phone" not in message["traits"]
    assert warnings == [("identify", "phone left out: no phone number in E.164 form")]


def test_declared_hashes_go_as_they_are() -> None:
    """Where settings say that records may hold hashes, in lower case."""
    converted, notes = Contacts(plan(), ContactSettings("sha256", is_hashed=True))(profile({"email": HASH.upper()}), None)

    assert (converted.properties, notes) == ({"email": HASH}, [])


def test_ledger_and_ids_do_not_depend_on_it() -> None:
    """One profile has one id and one place whatever a destination takes."""
    event = profile({"email": "jane@example.com"})

    converted, _ = Contacts(plan(), ContactSettings("sha256"))(event, "DE")

    assert converted.properties == {"email": HASH}
    assert (converted.id, converted.key, converted.content) == (event.id, event.key, event.content)
    assert event.properties == {"email": "jane@example.com"}


def test_the_plan_says_what_a_contact_is(tmp_path: Path) -> None:
    """By where it comes from, by its format, by its name; also inside objects and lists, and never by a lookalike."""
    folder = copy_default_plan(tmp_path)
    (folder / "events" / "form_sent.yaml").write_text(
        """
event: Form Sent
trigger: none
description: A form was sent.
properties:
  contact: {type: object, properties: {reply_to: {type: string, format: email, pii: contact}}}
  recipients: {type: array, items: {type: object, properties: {work_email: {type: string, pii: contact}}}}
  emails: {type: array, description: d, items: {type: string, format: idn-email, pii: contact}}
  mobile_number: {type: string, pii: contact, description: d}
  email_opened: {type: boolean, pii: none, description: d}
  email_template: {type: string, pii: none, description: d}
""",
        encoding="utf-8",
    )
    events = {event.name: event for event in load_plan(folder).events}

    assert tree_of(events["Form Sent"].properties) == {
        "contact": {"reply_to": "email"},
        "recipients": {"work_email": "email"},
        "emails": "email",
        "mobile_number": "phone",
    }
    assert tree_of(events["identify"].properties)["email"] == "email"
    assert tree_of(events["Order Completed"].properties) == {}

    compiled = compile_plan(load_plan(folder))
    sent = {
        "contact": {"reply_to": "Jane@example.com"},
        "recipients": [{"work_email": "x"}, {"work_email": "JANE@example.com"}],
        "emails": ["jane@example.com", "nothing"],
        "email_template": "welcome@home",
    }
    converted, notes = Contacts(compiled, ContactSettings("sha256"))(profile(sent, "Form Sent", "track"), None)

    assert converted.properties == {
        "contact": {"reply_to": HASH},
        "recipients": [{}, {"work_email": HASH}],
        "emails": [HASH],
        "email_template": "welcome@home",
    }
    assert notes == ["email left out: no e-mail address"] * 2


@pytest.mark.parametrize("model", [SegmentSettings, MparticleSettings, InsiderSettings, FileSettings])
def test_every_destination_takes_the_settings(model: Any) -> None:
    """By one name; those that join people by number get it in the one form that they take."""
    default = model.model_fields["contacts"].get_default()

    assert default.phone == ("normalized" if model in (MparticleSettings, InsiderSettings) else "plain")
    assert default.email == "plain"


OPEN_FILE = """
event: Form Sent
trigger: none
on_violation: {policy}
description: A form was sent.
properties:
  form: {{type: string, pii: none, description: d}}
  work_email: {{type: string, pii: contact, description: d}}
  answers: {{type: object, pii: contact, description: d}}
"""


@pytest.mark.parametrize(
    ("policy", "top"),
    [("warn", {"billing_email": HASH, "more": [{"phone": PHONE_HASH}]}), ("block", {})],
)
def test_what_the_plan_does_not_name_goes_out_hashed_too(tmp_path: Path, policy: str, top: dict[str, Any]) -> None:
    """In an object of anything, in an event that may hold more than is planned, and in the traits of the context."""
    folder = copy_default_plan(tmp_path)
    (folder / "events" / "form_sent.yaml").write_text(OPEN_FILE.format(policy=policy), encoding="utf-8")
    address = "Jane@Example.com"
    readable = {"billing_email": address, "more": [{"phone": "030 123456"}]}
    sent = {
        "form": "contact",
        "work_email": address,
        "answers": {"reply": {"email": address, "is_email_public": True}, "subject": "email"},
        **(readable if policy == "warn" else {}),
    }
    event = profile(sent, "Form Sent", "track")
    event = msgspec.structs.replace(event, context={"traits": {"company_mail": address, "plan": "free"}})
    compiled = compile_plan(load_plan(folder))

    hashed, notes = Contacts(compiled, ContactSettings("sha256", phone="sha256"))(event, "DE")
    normal, _ = Contacts(compiled, ContactSettings("normalized"))(event, "DE")

    assert hashed.properties == {
        "form": "contact",
        "work_email": HASH,
        "answers": {"reply": {"email": HASH, "is_email_public": True}, "subject": "email"},
        **top,
    }
    assert hashed.context == {"traits": {"company_mail": HASH, "plan": "free"}}
    assert notes == []
    assert normal.properties == {**sent, "work_email": "jane@example.com"}
