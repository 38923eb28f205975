"""Events as Segment takes them: the wire form, every rule that it would drop an event for, sizes to the byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from segment_events import AT, WRITE_KEY, destination, event

from cdi_cli import __version__
from cdi_cli.clock import Instant
from cdi_cli.destinations import DestinationContext, Filtered, Rejected
from cdi_cli.destinations.segment.destination import SegmentDestination
from cdi_cli.destinations.segment.encode import EVENT_BYTES_MAX, Encoder
from cdi_cli.secrets import Secret

PREFERENCES = {"categoryPreferences": {"Advertising": False, "Analytics": True}}


@pytest.fixture
def segment(monkeypatch: pytest.MonkeyPatch) -> SegmentDestination:
    """An open destination for a sync to everything."""
    monkeypatch.setenv("SEGMENT_WRITE_KEY", WRITE_KEY)
    return destination()


def decoded(segment: SegmentDestination, **changes: Any) -> dict[str, Any]:
    """What the wire form of an event says."""
    encoded = segment.encode(event(**changes))
    assert isinstance(encoded, bytes), encoded
    found = json.loads(encoded)
    assert isinstance(found, dict)
    return found


def test_products_are_filtered(segment: SegmentDestination) -> None:
    """Segment has no catalogue, and no event without a person."""
    one = event(kind="product.snapshot", family="product", user_id=None, anonymous_id=None)

    assert segment.encode(one) == Filtered("no_catalogue")


def test_a_track_event_has_the_documented_form(segment: SegmentDestination) -> None:
    """Names, order and values are those of Segment's batch; absent parts are left out."""
    encoded = segment.encode(event(context={"locale": "de-DE", "consent": PREFERENCES}, anonymous_id="anon-1"))

    assert encoded == (
        b'{"type":"track","messageId":"cdi:acme:shop:order:1:order-completed","timestamp":"2025-01-01T12:00:00.000Z",'
        b'"userId":"cust-1","anonymousId":"anon-1","event":"Order Completed",'
        b'"properties":{"order_id":"ORD-1","revenue":39.98,"currency":"EUR"},'
        b'"context":{"locale":"de-DE","consent":{"categoryPreferences":{"Advertising":false,"Analytics":true}}}}'
    )


def test_absent_parts_are_left_out(segment: SegmentDestination) -> None:
    """A guest without context has neither `userId` nor `context`, and nothing is null."""
    found = decoded(segment, user_id=None, anonymous_id="anon-1")

    assert set(found) == {"type", "messageId", "timestamp", "anonymousId", "event", "properties"}


@pytest.mark.parametrize("kind", ["track", "identify"])
def test_it_is_the_message_that_people_are_shown(segment: SegmentDestination, kind: str) -> None:
    """`Event.message()`, which previews and dead letters show, is what is sent."""
    one = event(type=kind, name="Order Completed" if kind == "track" else "identify", context={"locale": "de"})

    assert decoded(segment, type=kind, name=one.name, context={"locale": "de"}) == one.message()


def test_every_other_type_has_its_own_fields(segment: SegmentDestination) -> None:
    """identify and group carry traits, group its id, page and screen a name, alias the id that it replaces."""
    identify = decoded(segment, type="identify", name="identify", properties={"email": "a@example.com"})
    group = decoded(segment, type="group", name="group", properties={"name": "Acme"}, context={"groupId": "bu-9"})
    group_by_trait = decoded(segment, type="group", name="group", properties={"id": "bu-8"})
    page = decoded(segment, type="page", name="Home", properties={"title": "Home"})
    alias = decoded(segment, type="alias", name="alias", anonymous_id="anon-1", properties={})

    assert identify["traits"] == {"email": "a@example.com"}
    assert not {"event", "properties", "name"} & set(identify)
    assert (group["groupId"], group["traits"]) == ("bu-9", {"name": "Acme"})
    assert group_by_trait["groupId"] == "bu-8"
    assert (page["name"], page["properties"]) == ("Home", {"title": "Home"})
    assert "event" not in page
    assert alias == {
        "type": "alias", "messageId": event().id, "timestamp": AT, "userId": "cust-1", "previousId": "anon-1",
    }  # fmt: skip


DROPPED: list[tuple[dict[str, Any], str]] = [
    ({"type": "purchase"}, "segment_type_unknown"),
    ({"id": ""}, "segment_message_id_missing"),
    ({"id": None}, "segment_message_id_missing"),
    ({"id": "x" * 100}, "segment_message_id_too_long"),
    ({"id": "\U0001f600" * 50}, "segment_message_id_too_long"),
    ({"at": None}, "segment_timestamp_missing"),
    ({"user_id": None}, "segment_no_id"),
    ({"user_id": ""}, "segment_id_not_string"),
    ({"user_id": 12}, "segment_id_not_string"),
    ({"anonymous_id": ""}, "segment_id_not_string"),
    ({"anonymous_id": 1.5}, "segment_id_not_string"),
    ({"type": "alias"}, "segment_no_id"),
    ({"type": "group"}, "segment_no_group_id"),
    ({"type": "group", "context": {"groupId": 9}}, "segment_no_group_id"),
    ({"name": ""}, "segment_event_not_string"),
    ({"name": None}, "segment_event_not_string"),
    ({"name": 7}, "segment_event_not_string"),
    ({"type": "page", "name": ""}, "segment_name_not_string"),
    ({"type": "screen", "name": 7}, "segment_name_not_string"),
    ({"properties": ["a"]}, "segment_properties_not_object"),
    ({"body": b"[]"}, "segment_properties_not_object"),
    ({"type": "identify", "properties": "a"}, "segment_traits_not_object"),
    ({"type": "group", "context": {"groupId": "g"}, "properties": 3}, "segment_traits_not_object"),
    ({"properties": {str(number): 1 for number in range(10_001)}}, "segment_too_many_properties"),
    ({"context": ["a"]}, "segment_context_not_object"),
    ({"context": {"consent": None}}, "segment_consent_not_object"),
    ({"context": {"consent": {}}}, "segment_consent_missing"),
    ({"name": "Segment Consent Preference Updated"}, "segment_consent_missing"),
    ({"context": {"consent": {"categoryPreferences": ["Ads"]}}}, "segment_consent_not_object"),
    ({"context": {"consent": {"categoryPreferences": {"Ads": "yes"}}}}, "segment_consent_not_bool"),
    ({"context": {"consent": {"categoryPreferences": {"Ads": 1}}}}, "segment_consent_not_bool"),
    ({"context": {"consent": {"categoryPreferences": {"x" * 35: True}}}}, "segment_consent_category_invalid"),
    ({"context": {"consent": {"categoryPreferences": {"": True}}}}, "segment_consent_category_invalid"),
    ({"context": {"consent": PREFERENCES | {"version": "2"}}}, "segment_consent_version_not_number"),
    ({"context": {"consent": PREFERENCES | {"version": True}}}, "segment_consent_version_not_number"),
    ({"properties": {"note": "x" * 33_000}}, "segment_event_too_large"),
    ({"user_id": "a\ud800"}, "segment_not_unicode"),
    ({"context": {"page": object()}}, "segment_not_json"),
]


@pytest.mark.parametrize(("changes", "reason"), DROPPED)
def test_what_segment_would_drop_is_rejected_with_its_reason(
    segment: SegmentDestination, changes: dict[str, Any], reason: str
) -> None:
    """Each silent drop of Segment is a stable code and a sentence here."""
    outcome = segment.encode(event(**changes))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == reason
    assert len(outcome.detail) > 20


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "x" * 99},
        {"id": "\U0001f600" * 49},
        {"user_id": None, "anonymous_id": "a"},
        {"properties": {}},
        {"properties": {"Größe": "ß\u2028\x00\U0001f600"}},
        {"context": {"consent": {"categoryPreferences": {}}}},
        {"context": {"consent": {"categoryPreferences": {"x" * 34: True}, "version": 2}}},
        {"name": "Segment Consent Preference Updated", "context": {"consent": PREFERENCES}},
        {"type": "identify", "name": ""},
    ],
)
def test_what_segment_takes_is_taken(segment: SegmentDestination, changes: dict[str, Any]) -> None:
    """The last allowed value of each rule passes, and comes out as it went in."""
    one = event(**changes)

    found = decoded(segment, **changes)

    assert found["messageId"] == one.id
    assert found["traits" if one.type == "identify" else "properties"] == one.properties
    assert found.get("context", {}) == one.context


def test_rejections_hold_no_personal_data(segment: SegmentDestination) -> None:
    """Ids, properties and consent values never show in the reason or the detail."""
    for changes, _ in DROPPED:
        spiked = {"properties": {"email": "canary@example.com"}} | changes
        outcome = segment.encode(event(**spiked))
        assert isinstance(outcome, Rejected)
        assert "canary" not in outcome.detail
        assert "cust-1" not in outcome.detail


@pytest.mark.parametrize("context", [{}, {"locale": "de-DE"}])
@pytest.mark.parametrize("integrations", [None, {"All": False, "Snowflake": True}])
def test_the_limit_is_met_to_the_byte_after_merging(context: dict[str, Any], integrations: dict[str, bool] | None) -> None:
    """32,768 bytes of the event with the batch's context and integrations merged in pass, one more does not."""
    encoder = Encoder(Secret("key"), integrations)

    def merged_size(size: int) -> tuple[int, bytes | Rejected]:
        one = event(properties={"note": "ü" * (size // 2) + "x" * (size % 2)}, context=context)
        message = one.message()
        message["context"] = {"library": {"name": "cdi", "version": __version__}, "channel": "server"} | context
        if integrations is not None:
            message["integrations"] = integrations
        return len(json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()), encoder.event(one)

    base, _ = merged_size(0)
    largest, fits = merged_size(EVENT_BYTES_MAX - base)
    _, exceeds = merged_size(EVENT_BYTES_MAX - base + 1)

    assert largest == EVENT_BYTES_MAX
    assert isinstance(fits, bytes)
    assert len(fits) <= encoder.event_bytes_max
    assert isinstance(exceeds, Rejected)
    assert exceeds.reason == "segment_event_too_large"


def test_the_envelope_says_who_when_and_where_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write key, time of sending, library, integrations and the events, exactly."""
    monkeypatch.setenv("SEGMENT_WRITE_KEY", 'k"ey')
    segment = destination(DestinationContext(is_backfill=True), backfill_integrations=["Snowflake"])

    body = segment._encoder.body(b'{"a":1},{"b":2}', Instant("2026-09-01T10:00:00.000Z"))

    assert json.loads(body) == {
        "writeKey": 'k"ey',
        "sentAt": "2026-09-01T10:00:00.000Z",
        "context": {"library": {"name": "cdi", "version": __version__}, "channel": "server"},
        "integrations": {"All": False, "Snowflake": True},
        "batch": [{"a": 1}, {"b": 2}],
    }
    assert len(body) == segment.limits.overhead_bytes + len(b'{"a":1},{"b":2}')
