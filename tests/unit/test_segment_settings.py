"""Settings of the Segment destination: the region is never guessed, a backfill reaches nobody by accident."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from segment_events import settings

from cdi_cli import destinations
from cdi_cli.destinations.segment import SegmentSettings


def test_it_is_found_and_says_that_repeats_do_no_harm() -> None:
    """The folder is all it takes to be offered; ids make repeats harmless."""
    spec = destinations.load("segment")

    assert "segment" in destinations.names()
    assert (spec.name, spec.is_idempotent) == ("segment", True)
    assert spec.settings is SegmentSettings


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"region": "us"}, "https://api.segment.io"),
        ({"region": "eu"}, "https://events.eu1.segmentapis.com"),
        ({"endpoint": "https://proxy.example/segment/"}, "https://proxy.example/segment"),
        ({"endpoint": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000"),
        ({"endpoint": "http://localhost:9000", "region": "eu"}, "http://localhost:9000"),
    ],
)
def test_the_base_url_is_the_regions_or_the_given_one(values: dict[str, Any], url: str) -> None:
    """Two regions, and an endpoint that wins over them."""
    assert settings(**values).base_url == url


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"region": None}, ()),
        ({"region": "asia"}, ("region",)),
        ({"write_key": "literal-secret-key"}, ("write_key",)),
        ({"endpoint": "http://api.segment.io"}, ("endpoint",)),
        ({"endpoint": "https://user:literal-secret-key@api.example"}, ("endpoint",)),
        ({"endpoint": "https://api.example/?a=b"}, ("endpoint",)),
        ({"endpoint": "api.segment.io"}, ("endpoint",)),
        ({"batch_events": 2501}, ("batch_events",)),
        ({"batch_events": 0}, ("batch_events",)),
        ({"events_per_second": 0}, ("events_per_second",)),
        ({"in_flight": 0}, ("in_flight",)),
        ({"require_consent": ["x" * 35]}, ("require_consent", 0)),
        ({"require_consent": [""]}, ("require_consent", 0)),
        ({"integrations": {"": True}}, ("integrations", "", "[key]")),
        ({"backfill_integrations": [""]}, ("backfill_integrations", 0)),
        ({"batch_size": 3}, ("batch_size",)),
    ],
)
def test_mistakes_are_found_with_their_place_and_never_shown(values: dict[str, Any], field: tuple[Any, ...]) -> None:
    """Each wrong value is one error at its field, and its text holds no secret."""
    with pytest.raises(ValidationError) as caught:
        settings(**values)

    assert [error["loc"] for error in caught.value.errors()] == [field]
    assert "literal-secret-key" not in str(caught.value)


def test_the_missing_region_is_explained() -> None:
    """Events in the wrong region vanish, so the text says what to look up."""
    with pytest.raises(ValidationError, match="`region` is missing: write `us` or `eu`"):
        settings(region=None)


@pytest.mark.parametrize(
    ("values", "sync", "backfill"),
    [
        ({}, None, {"All": False}),
        ({"integrations": {"All": True, "Braze": False}}, {"All": True, "Braze": False}, {"All": False}),
        ({"backfill_integrations": ["Snowflake"]}, None, {"All": False, "Snowflake": True}),
        ({"backfill_integrations": ["All"]}, None, {"All": True}),
        ({"integrations": {"Braze": True}, "backfill_integrations": ["S3"]}, {"Braze": True}, {"All": False, "S3": True}),
    ],
)
def test_history_goes_to_named_destinations_only(values: dict[str, Any], sync: Any, backfill: Any) -> None:
    """A backfill turns everything off but what it names; a sync sends what the settings say."""
    found = settings(**values)

    assert found.integrations_for(is_backfill=False) == sync
    assert found.integrations_for(is_backfill=True) == backfill


def test_the_schema_describes_every_setting() -> None:
    """Editors show a text for each field, and none has a default that is a secret."""
    schema = SegmentSettings.model_json_schema()

    undescribed = [name for name, field in schema["properties"].items() if not field.get("description") and name != "type"]
    assert undescribed == []
    assert schema["required"] == ["write_key"]
