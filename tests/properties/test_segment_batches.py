"""Segment batches for any events: nothing lost, nothing changed, no limit broken, nothing raised."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from segment_events import AT, event

from cdi_cli.clock import Instant
from cdi_cli.destinations import Rejected
from cdi_cli.destinations.segment.encode import EVENT_BYTES_MAX, Encoder
from cdi_cli.http import gzip
from cdi_cli.secrets import Secret

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=6)
IDS = TEXT.filter(bool)
ANYTHING = st.one_of(JSON, st.binary(max_size=5), st.builds(object), st.just("\ud800"))


@given(
    name=IDS, user=IDS, guest=st.none() | IDS, properties=OBJECTS, locale=TEXT, consent=st.dictionaries(IDS, st.booleans())
)
def test_an_event_comes_out_as_it_went_in(
    name: str, user: str, guest: str | None, properties: dict[str, Any], locale: str, consent: dict[str, bool]
) -> None:
    """Encoding then decoding gives the message that people are shown: no field lost, invented or changed."""
    context = {"locale": locale} | ({"consent": {"categoryPreferences": consent}} if consent else {})
    one = event(name=name, user_id=user, anonymous_id=guest, properties=properties, context=context)

    encoded = Encoder(Secret("key"), None).event(one)

    if isinstance(encoded, Rejected):
        assert encoded.reason == "segment_consent_category_invalid"
        assert any(len(category) > 34 for category in consent)
    else:
        assert msgspec.json.decode(encoded) == one.message()


@given(st.lists(OBJECTS, max_size=30), st.none() | st.dictionaries(IDS, st.booleans(), max_size=4), TEXT)
def test_a_batch_is_the_envelope_and_its_events_and_nothing_else(
    bodies: list[dict[str, Any]], integrations: dict[str, bool] | None, key: str
) -> None:
    """Events keep their very bytes and their order, and sizes are known before: overhead plus events plus commas."""
    encoder = Encoder(Secret(key), integrations)
    events = [encoder.event(event(number, properties=body)) for number, body in enumerate(bodies)]
    joined = b",".join(one for one in events if isinstance(one, bytes))

    body = encoder.body(joined, AT)

    assert len(body) == encoder.overhead_bytes + len(joined)
    assert body.endswith(b'"batch":[' + joined + b"]}")
    found = json.loads(body)
    assert [one["messageId"] for one in found["batch"]] == [event(number).id for number in range(len(bodies))]
    assert found["writeKey"] == key
    assert found.get("integrations") == integrations


@given(st.integers(32_000, 33_500), st.sampled_from(["x", "ü", "€", "\U0001f600", '"', "\n"]), st.booleans())
def test_no_event_exceeds_the_limit_once_merged(size: int, letter: str, has_context: bool) -> None:
    """The limit counts UTF-8 bytes of the merged event, whatever the letters and their escapes cost."""
    encoder = Encoder(Secret("key"), {"All": False})
    one = event(properties={"note": letter * (size // len(json.dumps(letter, ensure_ascii=False).encode()))})
    one.context = {"locale": "de"} if has_context else {}

    encoded = encoder.event(one)

    if isinstance(encoded, bytes):
        envelope = json.loads(encoder.body(b"", AT))
        merged = json.loads(encoded)
        merged["context"] = envelope["context"] | merged.get("context", {})
        merged["integrations"] = envelope["integrations"]
        assert len(msgspec.json.encode(merged)) <= EVENT_BYTES_MAX
        assert len(encoded) <= encoder.event_bytes_max
    else:
        assert encoded.reason == "segment_event_too_large"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["track", "identify", "group", "page", "screen", "alias"]) | TEXT,
            "id": ANYTHING, "name": ANYTHING, "at": ANYTHING, "user_id": ANYTHING, "anonymous_id": ANYTHING,
            "properties": OBJECTS | TEXT, "context": OBJECTS | ANYTHING | st.fixed_dictionaries({"consent": ANYTHING}),
        },
    )
)  # fmt: skip
def test_encoding_is_total(changes: dict[str, Any]) -> None:
    """Any event whatsoever becomes valid JSON or a rejection with a stable code; it never raises."""
    outcome = Encoder(Secret("key"), None).event(event(**changes))

    if isinstance(outcome, Rejected):
        assert outcome.reason.startswith("segment_")
        assert outcome.reason.isascii()
    else:
        found = json.loads(outcome)
        assert found.get("userId") or found.get("anonymousId")
        assert 0 < len(found["messageId"]) <= 99


@given(st.lists(OBJECTS, min_size=1, max_size=5))
def test_the_same_events_are_the_same_bytes(bodies: list[dict[str, Any]]) -> None:
    """Two encodings agree to the byte, also compressed: a repeat differs by its time of sending alone."""
    first, second = Encoder(Secret("key"), None), Encoder(Secret("key"), None)

    def batch(encoder: Encoder, sent_at: Instant) -> bytes:
        events = [encoder.event(event(number, properties=body)) for number, body in enumerate(bodies)]
        return encoder.body(b",".join(one for one in events if isinstance(one, bytes)), sent_at)

    later = Instant("2026-09-02T10:00:00.000Z")
    assert gzip(batch(first, AT)) == gzip(batch(second, AT))
    assert batch(first, later).replace(b'"sentAt":"' + later.encode(), b'"sentAt":"' + AT.encode(), 1) == batch(first, AT)
