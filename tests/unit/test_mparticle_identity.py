"""Who a batch of mParticle belongs to, what that person agreed to, and how a person is erased."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from mparticle_events import CLOCK, NOW, decoded, encoder, event, profile, settings
from sandbox_client import SandboxClient

from cdi_cli.clock import Clock
from cdi_cli.destinations import Person, Rejected
from cdi_cli.destinations.mparticle import DESTINATION
from cdi_cli.destinations.mparticle.erasure import erasure_of
from cdi_cli.sandbox import SandboxOptions, SandboxThread

GUEST = {"user_id": None, "anonymous_id": "anon-1", "context": {"traits": {"email": "Guest@Example.com"}}}


@pytest.mark.parametrize(
    ("changes", "values", "identities"),
    [
        ({}, {}, {"customer_id": "cust-1"}),
        ({"anonymous_id": "anon-1"}, {}, {"customer_id": "cust-1", "other": "anon-1"}),
        (GUEST, {}, {"other": "anon-1", "email": "guest@example.com"}),
        (GUEST, {"anonymous_identity": "other_id_2", "identities": []}, {"other_id_2": "anon-1"}),
        (GUEST, {"anonymous_identity": None}, {"email": "guest@example.com"}),
        ({"anonymous_id": "anon-1"}, {"anonymous_identity": None}, {"customer_id": "cust-1"}),
    ],
)
def test_a_batch_names_one_person(changes: dict[str, Any], values: dict[str, Any], identities: dict[str, str]) -> None:
    """A customer by id, a guest by the anonymous id in an identity of choice and by e-mail; nothing else of the order."""
    assert decoded(event(**changes), **values)["user_identities"] == identities


def test_a_guest_of_whom_nothing_may_be_said_is_rejected() -> None:
    """Without any identity mParticle would make a profile of nobody."""
    outcome = encoder(anonymous_identity=None, identities=[]).event(event(**GUEST))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == "mparticle_no_identity"


@pytest.mark.parametrize(
    ("traits", "identities"),
    [
        ({"email": " A@B.example "}, {"email": "a@b.example"}),
        ({"phone": "+49 (170)/123-45.67"}, {"mobile_number": "+491701234567"}),
        ({"email": "n/a", "phone": "0170 1234567"}, {}),
        ({"email": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}, {}),
        ({"email": "a @b", "phone": "+0170123456"}, {}),
        ({"email": "", "phone": ""}, {}),
        ({"phone": "+1\u0665\u0665\u06655551234"}, {}),
        ({"email": 7, "phone": 491701234567}, {}),
        ({"email": None}, {}),
    ],
)
def test_only_what_identifies_is_an_identity(traits: dict[str, Any], identities: dict[str, str]) -> None:
    """Two people who both entered `n/a`, or a number without its country, must not become one."""
    found = decoded(profile(properties=traits))["user_identities"]

    assert found == {"customer_id": "cust-1", **identities}


def test_the_email_of_an_order_is_not_the_persons() -> None:
    """What an order says under `email` or `phone` may be anybody's; a sign-up's is the customer's own."""
    properties = {"email": "a@b.example", "phone": "+491701234567"}

    order = decoded(event(properties=properties))["user_identities"]
    sign_up = decoded(event(kind="customer.created", name="Signed Up", properties=properties))["user_identities"]

    assert order == {"customer_id": "cust-1"}
    assert sign_up == {"customer_id": "cust-1", "email": "a@b.example", "mobile_number": "+491701234567"}


@pytest.mark.parametrize(("email", "values"), [("a@b.example", {"identities": []}), ("a-hash-of-it", {})])
def test_an_email_that_is_no_identity_is_an_attribute(email: str, values: dict[str, Any]) -> None:
    """Where settings keep the e-mail out of identities, or it is a hash, it stays among the attributes."""
    found = decoded(profile(properties={"email": email}), **values)

    assert (found["user_identities"], found["user_attributes"]) == ({"customer_id": "cust-1"}, {"email": email})


CONSENT = {"Advertising": {"gdpr": "marketing", "document": "privacy-v3"}, "Sale": {"ccpa": True}}
AT_MS = 1788260400000


def consented(given: dict[str, bool | None]) -> dict[str, Any]:
    """The context of somebody who said so (None: nothing), as the pipeline makes it."""
    denied = [category for category, state in given.items() if state is False]
    preferences = {category: state is True for category, state in given.items()}
    return {"consent": {"categoryPreferences": preferences} | ({"denied": denied} if denied else {})}


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"Advertising": True}, {"gdpr": {"marketing": {"consented": True, "document": "privacy-v3"}}}),
        ({"Advertising": False}, {"gdpr": {"marketing": {"consented": False, "document": "privacy-v3"}}}),
        ({"Advertising": None}, None),
        ({"Sale": None}, None),
        ({"Sale": True}, {"ccpa": {"data_sale_opt_out": {"consented": False}}}),
        ({"Sale": False}, {"ccpa": {"data_sale_opt_out": {"consented": True}}}),
        ({"Unmapped": True}, None),
        ({}, None),
    ],
)
def test_consent_goes_where_settings_say(given: dict[str, bool | None], state: Any) -> None:
    """GDPR purposes as they are, the CCPA's opt-out inverted, each with the event's time; what is unknown is not said."""
    found = decoded(event(context=consented(given)), consent=CONSENT).get("consent_state")

    for purposes in (state or {}).values():
        for purpose in purposes.values():
            purpose["timestamp_unixtime_ms"] = AT_MS
    assert found == state


def test_what_is_assumed_is_no_consent_to_a_purpose() -> None:
    """Where a region is under opt-out, nobody agreed to anything; that the person did not opt out is true all the same."""
    context = {"consent": {"categoryPreferences": {"Ads": True}, "assumed": ["Ads"], "region": "us"}}

    found = decoded(event(context=context), consent={"Ads": {"gdpr": "ads", "ccpa": True}})["consent_state"]

    assert found == {"ccpa": {"data_sale_opt_out": {"consented": False, "timestamp_unixtime_ms": AT_MS}}}


def test_what_is_as_of_now_is_said_by_the_profile_alone() -> None:
    """An old order did not have the consent that its customer has today, under the order's time."""
    context = {"consent": {"categoryPreferences": {"Sale": True, "Advertising": True}, "asOfNow": ["Sale"]}}

    order, person = (decoded(make(context=context), consent=CONSENT)["consent_state"] for make in (event, profile))

    assert set(order) == {"gdpr"}
    assert set(person) == {"gdpr", "ccpa"}


def test_one_category_can_be_both() -> None:
    """It then says both, each in its own sense; without settings nothing is said."""
    context = consented({"Ads": False})

    found = decoded(event(context=context), consent={"Ads": {"gdpr": "ads", "ccpa": True}})["consent_state"]

    assert found["gdpr"]["ads"]["consented"] is False
    assert found["ccpa"]["data_sale_opt_out"]["consented"] is True
    assert "consent_state" not in decoded(event(context=context))


def test_consent_can_be_left_to_profiles() -> None:
    """With `consent_with: profiles` an old order does not bring its consent along."""
    context = {"consent": {"categoryPreferences": {"Sale": True}}}
    values: dict[str, Any] = {"consent": CONSENT, "consent_with": "profiles"}

    assert "consent_state" not in decoded(event(context=context), **values)
    assert "consent_state" in decoded(profile(context=context), **values)


@pytest.mark.parametrize("value", ["yes", 1, {}, []])
def test_a_consent_that_is_no_truth_value_is_rejected(value: Any) -> None:
    """It is not guessed what somebody agreed to."""
    outcome = encoder(consent=CONSENT).event(event(context={"consent": {"categoryPreferences": {"Sale": value}}}))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == "mparticle_consent_not_bool"


def test_erasure_is_one_opendsr_request_for_each_id() -> None:
    """Method, address and body are those of version 3; an anonymous id stands in the extension, under OpenDSR's spelling."""
    requests = erasure_of(settings(anonymous_identity="other_id_2"), Person(("c-1", "c-1"), ("a-1",)), CLOCK)

    bodies = [dict(request.body or {}) for request in requests]
    identifiers = [UUID(body.pop("subject_request_id")) for body in bodies]
    shared = {
        "regulation": "gdpr",
        "subject_request_type": "erasure",
        "submitted_time": "2026-09-01T00:00:00Z",
        "api_version": "3.0",
    }
    extension = {"subject_identities": {"other2": {"value": "a-1", "encoding": "raw"}}}
    assert {(request.method, request.url) for request in requests} == {("POST", "https://opendsr.mparticle.com/v3/requests")}
    assert bodies == [
        {**shared, "subject_identities": {"controller_customer_id": {"value": "c-1", "encoding": "raw"}}},
        {**shared, "extensions": {"opendsr.mparticle.com": extension}},
    ]
    assert [identifier.version for identifier in identifiers] == [4, 4]
    assert all("workspace" in request.needs for request in requests)


def test_erasure_repeats_itself_on_one_day() -> None:
    """The same ids on the same day make the same requests; another day, another person or kind of id does not."""
    later, tomorrow = (Clock(now=lambda by=by: NOW + by) for by in (timedelta(hours=5), timedelta(days=1)))
    one = erasure_of(settings(), Person(("c-1",)), CLOCK)

    assert erasure_of(settings(), Person(("c-1",)), later) == one
    others = [
        *erasure_of(settings(), Person(("c-1",)), tomorrow),
        *erasure_of(settings(), Person(("c-2",)), CLOCK),
        *erasure_of(settings(), Person((), ("c-1",)), CLOCK),
    ]
    assert len({(request.body or {})["subject_request_id"] for request in [*one, *others]}) == 4


def test_erasure_asks_nothing_about_ids_that_were_never_sent() -> None:
    """A destination that is sent no anonymous ids is not asked for them; the specification offers the same."""
    assert erasure_of(settings(anonymous_identity=None), Person((), ("a-1",))) == []
    assert erasure_of(settings(), Person()) == []
    assert DESTINATION.erasure is not None
    assert len(DESTINATION.erasure(settings(), Person(("c",), ("a",)))) == 2


async def test_the_simulator_takes_an_erasure() -> None:
    """A request as it is told to the operator is received by the imitated OpenDSR interface."""
    with SandboxThread(SandboxOptions(orders=0)) as sandbox, SandboxClient(sandbox.url) as client:
        (request,) = erasure_of(settings(), Person(("c-1",)), CLOCK)
        pair = base64.b64encode(b"sandbox-mparticle-key:sandbox-mparticle-secret").decode()
        answer = client.call(
            request.method, "/mparticle/v3/requests", body=json.dumps(request.body).encode(),
            headers={"Authorization": f"Basic {pair}"},
        )  # fmt: skip

    assert answer.status == 201
    assert sandbox.mparticle.erasures == [request.body]
