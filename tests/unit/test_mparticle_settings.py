"""Settings of the mParticle destination: pod and environment are never guessed, mistakes are found with their place."""

from __future__ import annotations

from typing import Any

import pytest
from mparticle_events import settings
from pydantic import ValidationError

from cdi_cli import destinations
from cdi_cli.destinations.mparticle import MparticleSettings


def test_it_is_found_and_says_that_repeats_do_no_harm() -> None:
    """The folder is all it takes to be offered; ids of requests make repeats harmless."""
    spec = destinations.load("mparticle")

    assert (spec.name, spec.title, spec.is_idempotent) == ("mparticle", "mParticle", True)
    assert spec.settings is MparticleSettings


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"pod": "us1"}, "https://s2s.us1.mparticle.com"),
        ({"pod": "us2"}, "https://s2s.us2.mparticle.com"),
        ({"pod": "eu1"}, "https://s2s.eu1.mparticle.com"),
        ({"pod": "au1"}, "https://s2s.au1.mparticle.com"),
        ({"endpoint": "https://proxy.example/mp/"}, "https://proxy.example/mp"),
        ({"endpoint": "http://127.0.0.1:9000", "pod": "eu1"}, "http://127.0.0.1:9000"),
    ],
)
def test_the_base_url_is_the_pods_or_the_given_one(values: dict[str, Any], url: str) -> None:
    """Four pods, and an endpoint that wins over them."""
    assert settings(**values).base_url == url


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"pod": None}, ()),
        ({"pod": "us3"}, ("pod",)),
        ({"environment": "prod"}, ("environment",)),
        ({"environment": None}, ("environment",)),
        ({"secret": "literal-canary-secret"}, ("secret",)),
        ({"key": ""}, ("key",)),
        ({"key": "us1:abc"}, ("key",)),
        ({"key": "us1 abc"}, ("key",)),
        ({"endpoint": "http://s2s.us1.mparticle.com"}, ("endpoint",)),
        ({"endpoint": "https://user:literal-canary-secret@s2s.example"}, ("endpoint",)),
        ({"endpoint": "https://s2s.example/?a=b"}, ("endpoint",)),
        ({"historical_after": "24h"}, ("historical_after",)),
        ({"data_plan_version": 1}, ()),
        ({"data_plan_id": "p", "data_plan_version": 0}, ("data_plan_version",)),
        ({"consent": {"Ads": {}}}, ("consent", "Ads")),
        ({"consent": {"Ads": {"gdpr": ""}}}, ("consent", "Ads", "gdpr")),
        ({"consent": {"A": {"gdpr": "x"}, "B": {"gdpr": "x"}}}, ()),
        ({"consent": {"A": {"ccpa": True}, "B": {"ccpa": True}}}, ()),
        ({"identities": ["customerid"]}, ("identities", 0)),
        ({"anonymous_identity": "other2"}, ("anonymous_identity",)),
        ({"event_actions": {"X": "Purchase"}}, ("event_actions", "X")),
        ({"event_actions": {"X": "remove_from_wishlist"}}, ("event_actions", "X")),
        ({"oversized": "cut"}, ("oversized",)),
        ({"batch_events": 101}, ("batch_events",)),
        ({"events_per_second": 0}, ("events_per_second",)),
        ({"ramp_up_seconds": -1}, ("ramp_up_seconds",)),
        ({"in_flight": 0}, ("in_flight",)),
        ({"gzip": True}, ("gzip",)),
    ],
)
def test_mistakes_are_found_with_their_place_and_never_shown(values: dict[str, Any], field: tuple[Any, ...]) -> None:
    """Each wrong value is one error at its field, and its text holds no secret."""
    with pytest.raises(ValidationError) as caught:
        settings(**values)

    assert [error["loc"] for error in caught.value.errors()] == [field]
    assert "literal-canary-secret" not in str(caught.value)


def test_what_is_never_guessed_is_explained() -> None:
    """The text of a missing pod names all of them; an environment must be given."""
    with pytest.raises(ValidationError, match="`pod` is missing: write one of `us1`, `us2`, `eu1`, `au1`"):
        settings(pod=None)
    with pytest.raises(ValidationError, match="environment"):
        MparticleSettings.model_validate({"pod": "us1", "key": "k", "secret": "${X}"})


def test_only_four_settings_are_needed() -> None:
    """Key, secret, environment, and the pod or an endpoint."""
    assert MparticleSettings.model_json_schema()["required"] == ["key", "secret", "environment"]
