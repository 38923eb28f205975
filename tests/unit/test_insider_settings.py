"""Settings of the Insider destination, its erasure requests, and what its specification says."""

from __future__ import annotations

from typing import Any

import pytest
from insider_events import settings
from pydantic import ValidationError

from cdi_cli import destinations
from cdi_cli.destinations import DestinationSpec
from cdi_cli.destinations._base import Person
from cdi_cli.destinations.insider import InsiderSettings


def spec() -> DestinationSpec:
    """What the folder says about itself."""
    return destinations.load("insider")


def test_it_is_found_and_says_that_repeats_do_harm() -> None:
    """So that the pipeline writes its intent before each send, and waits before it looks for what is in doubt."""
    assert "insider" in destinations.names()
    assert (spec().name, spec().is_idempotent, spec().settings) == ("insider", False, InsiderSettings)
    assert spec().confirm_after_seconds == 900


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"partner_name": "Acme"}, ("partner_name",)),
        ({"partner_name": ""}, ("partner_name",)),
        ({"request_token": "literal-secret-token"}, ("request_token",)),
        ({"catalog_token": "literal-secret-token"}, ("catalog_token",)),
        ({"endpoint": "http://unification.useinsider.com"}, ("endpoint",)),
        ({"catalog_endpoint": "https://user:literal-secret-token@api.example"}, ("catalog_endpoint",)),
        ({"error_callback": "ftp://cdi.example"}, ("error_callback",)),
        ({"endpoint": "https://api.example/?a=b"}, ("endpoint",)),
        ({"locales": ["en-US"]}, ("locales", 0)),
        ({"locales": ["en"]}, ("locales", 0)),
        ({"event_names": {"Order Completed": "Purchase"}}, ("event_names", "Order Completed")),
        ({"consent": {"Ads": "push_optin"}}, ("consent", "Ads", 0)),
        ({"consent": {"Ads": []}}, ("consent", "Ads")),
        ({"consent": {"A": "email_optin", "B": ["email_optin"]}}, ()),
        ({"consent": {"A": ["email_optin", "gdpr_optin"]}}, ()),
        ({"attributes": {"accepts_tracking": "gdpr_optin"}}, ("attributes",)),
        ({"retention_days": {"purchase": 0}}, ("retention_days", "purchase")),
        ({"identifiers": {"custom": {"Id": "user_id"}}}, ("identifiers", "custom", "Id", "[key]")),
        ({"identifiers": {"phone": True}}, ("identifiers", "phone")),
        ({"catalog_requests_per_minute": 61}, ("catalog_requests_per_minute",)),
        ({"batch_events": 1001}, ("batch_events",)),
        ({"no_such": 1}, ("no_such",)),
    ],
)
def test_mistakes_are_found_with_their_place_and_never_shown(values: dict[str, Any], field: tuple[Any, ...]) -> None:
    """Each wrong value is one error at its field, and its text holds no secret."""
    with pytest.raises(ValidationError) as caught:
        settings(**values)

    assert [error["loc"] for error in caught.value.errors()] == [field]
    assert "literal-secret-token" not in str(caught.value)


def test_an_objection_to_all_processing_needs_a_category_of_its_own() -> None:
    """Whoever objects to mails would otherwise no longer be processed at all."""
    with pytest.raises(ValidationError, match="needs a consent category of its own"):
        settings(consent={"Marketing": ["email_optin", "gdpr_optin"]})
    assert settings(consent={"Objection": "gdpr_optin"}).consent == {"Objection": ["gdpr_optin"]}


def test_the_hosts_are_insiders_own_unless_settings_say_otherwise() -> None:
    """Two hosts, for users and for the catalogue."""
    usual, own = settings(), settings(endpoint="http://127.0.0.1:9/", catalog_endpoint="https://proxy.example/c/")

    assert usual.endpoint == "https://unification.useinsider.com"
    assert usual.catalog_endpoint == "https://catalog.api.useinsider.com"
    assert (own.endpoint, own.catalog_endpoint) == ("http://127.0.0.1:9", "https://proxy.example/c")


@pytest.mark.parametrize(
    ("policy", "bodies"),
    [
        ({}, [{"uuid": "u1"}, {"uuid": "u2"}]),
        (
            {"custom": {"guest_id": "anonymous_id", "ct_id": "user_id"}},
            [{"uuid": "u1"}, {"uuid": "u2"}, {"custom": {"guest_id": "a1"}}],
        ),
        ({"uuid": None, "custom": {"ct_id": "user_id"}}, [{"custom": {"ct_id": "u1"}}, {"custom": {"ct_id": "u2"}}]),
        ({"uuid": None}, []),
    ],
)
def test_a_person_is_deleted_by_the_identifiers_that_were_sent(policy: dict[str, Any], bodies: list[Any]) -> None:
    """One request for each id that Insider got, each once; an id that was never sent deletes nobody."""
    erasure = spec().erasure
    assert erasure is not None
    person = Person(("u1", "u2", "u1"), ("a1",))

    requests = erasure(settings(identifiers=policy), person)

    assert [request.body for request in requests] == [{"identifiers": body} for body in bodies]
    assert {request.url for request in requests} <= {"https://unification.useinsider.com/api/user/v1/delete"}
    assert all("X-REQUEST-TOKEN" in request.needs for request in requests)
