"""Who a batch of mParticle belongs to, what that person agreed to, and how a person is erased."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from mparticle_events import decoded, encoder, event, profile, settings

from cdi_cli.clock import Instant
from cdi_cli.destinations import Rejected
from cdi_cli.destinations.mparticle.erasure import erasure_requests

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
        ({"email": "a @b", "phone": "+0170123456"}, {}),
        ({"email": "", "phone": ""}, {}),
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


def test_an_email_that_is_no_identity_is_an_attribute() -> None:
    """Settings that keep the e-mail out of identities leave it among the attributes."""
    found = decoded(profile(properties={"email": "a@b.example"}), identities=[])

    assert (found["user_identities"], found["user_attributes"]) == ({"customer_id": "cust-1"}, {"email": "a@b.example"})


CONSENT = {"Advertising": {"gdpr": "marketing", "document": "privacy-v3"}, "Sale": {"ccpa": True}}
AT_MS = 1788260400000


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"Advertising": True}, {"gdpr": {"marketing": {"consented": True, "document": "privacy-v3"}}}),
        ({"Advertising": False}, {"gdpr": {"marketing": {"consented": False, "document": "privacy-v3"}}}),
        ({"Sale": True}, {"ccpa": {"data_sale_opt_out": {"consented": False}}}),
        ({"Sale": False}, {"ccpa": {"data_sale_opt_out": {"consented": True}}}),
        ({"Unmapped": True}, None),
        ({}, None),
    ],
)
def test_consent_goes_where_settings_say(given: dict[str, bool], state: Any) -> None:
    """GDPR purposes as they are; the CCPA's opt-out is inverted: consented means opted out. Each has the event's time."""
    found = decoded(event(context={"consent": {"categoryPreferences": given}}), consent=CONSENT).get("consent_state")

    for purposes in (state or {}).values():
        for purpose in purposes.values():
            purpose["timestamp_unixtime_ms"] = AT_MS
    assert found == state


def test_one_category_can_be_both() -> None:
    """It then says both, each in its own sense; without settings nothing is said."""
    context = {"consent": {"categoryPreferences": {"Ads": False}}}

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
    at = Instant("2026-09-01T10:00:00.000Z")
    requests = erasure_requests(settings(anonymous_identity="other_id_2"), ["c-1", "c-1"], ["a-1"], submitted_at=at)

    bodies = [json.loads(request.body) for request in requests]
    assert [(request.method, request.url) for request in requests] == [
        ("POST", "https://opendsr.mparticle.com/v3/requests")
    ] * 2
    identifiers = [UUID(body.pop("subject_request_id")) for body in bodies]
    shared = {"regulation": "gdpr", "subject_request_type": "erasure", "submitted_time": at, "api_version": "3.0"}
    extension = {"subject_identities": {"other2": {"value": "a-1", "encoding": "raw"}}}
    assert bodies == [
        {**shared, "subject_identities": {"controller_customer_id": {"value": "c-1", "encoding": "raw"}}},
        {**shared, "extensions": {"opendsr.mparticle.com": extension}},
    ]
    assert [identifier.version for identifier in identifiers] == [4, 4]
    assert len(set(identifiers)) == 2


def test_erasure_repeats_itself_exactly() -> None:
    """The same people at the same time make the same requests; another time, another law or another person does not."""
    at, later = Instant("2026-09-01T10:00:00.000Z"), Instant("2026-09-02T10:00:00.000Z")
    one = erasure_requests(settings(), ["c-1"], [], submitted_at=at)

    assert erasure_requests(settings(), ["c-1"], [], submitted_at=at) == one
    others = [
        *erasure_requests(settings(), ["c-1"], [], submitted_at=later),
        *erasure_requests(settings(), ["c-1"], [], submitted_at=at, regulation="ccpa"),
        *erasure_requests(settings(), ["c-2"], [], submitted_at=at),
        *erasure_requests(settings(), [], ["c-1"], submitted_at=at),
    ]
    identifiers = {json.loads(request.body)["subject_request_id"] for request in [*one, *others]}
    assert len(identifiers) == 5
    assert erasure_requests(settings(anonymous_identity=None), [], ["a-1"], submitted_at=at) == []
