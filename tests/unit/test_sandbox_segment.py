"""The Segment simulator: what it refuses, what it drops behind a 200, what it recognises as a repeat, what it applies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_client import SandboxClient

from cdi_cli.sandbox import SandboxOptions, SandboxThread

TRACK = {"type": "track", "event": "Order Completed", "userId": "u1"}


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxThread]:
    """One server for the module; each test starts with an empty workspace."""
    with SandboxThread(SandboxOptions(orders=0)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxThread) -> SandboxThread:
    """The server with nothing received yet."""
    shared.segment.clear()
    shared.segment.rules.is_disabled = False
    shared.segment.rules.suppressed_users.clear()
    shared.segment.rules.blocked_events.clear()
    return shared


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[SandboxClient]:
    """A client of the server."""
    with SandboxClient(sandbox.url) as client:
        yield client


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({**TRACK, "userId": None}, "no_user_anon_id"),
        ({**TRACK, "userId": ""}, "id_not_string"),
        ({**TRACK, "userId": 7}, "id_not_string"),
        ({**TRACK, "anonymousId": 7}, "id_not_string"),
        ({"type": "track", "userId": "u"}, "event_not_defined"),
        ({**TRACK, "event": 7}, "event_not_string"),
        ({**TRACK, "event": ""}, "event_not_string"),
        ({**TRACK, "properties": [1]}, "properties_not_object"),
        ({"type": "identify", "userId": "u", "traits": "x"}, "traits_not_object"),
        ({"type": "page", "userId": "u", "name": ""}, "name_not_string"),
        ({"type": "screen", "userId": "u", "category": 5}, "category_not_string"),
        ({"type": "group", "userId": "u"}, "id_required"),
        ({"type": "alias", "userId": "u"}, "id_required"),
        ({"event": "Order Completed", "userId": "u"}, "bad_request"),
        ({"type": "purchase", "userId": "u"}, "bad_request"),
        ("text", "bad_request"),
        ({**TRACK, "messageId": "m" * 100}, "message_id_too_long"),
        (
            {**TRACK, "context": {"consent": {"categoryPreferences": []}}},
            "consent_categorypreferences_fields_should_be_object",
        ),
        (
            {**TRACK, "context": {"consent": {"categoryPreferences": {"Ads": "yes"}}}},
            "consent_categorypreferences_fields_should_be_bool",
        ),
        (
            {**TRACK, "context": {"consent": {"categoryPreferences": {}, "version": "2"}}},
            "consent_version_should_be_number",
        ),
        ({**TRACK, "event": "Segment Consent Preference Updated"}, "consent_categorypreferences_should_exist"),
    ],
)
def test_bad_message_is_answered_200_and_dropped(
    sandbox: SandboxThread, client: SandboxClient, message: Any, code: str
) -> None:
    """A message that breaks a rule costs only itself, is answered 200, and is recorded under its code."""
    answer = client.batch([message, {**TRACK, "messageId": "good"}])

    assert (answer.status, answer.body) == (200, b'{"success":true}')
    assert [entry[0] for entry in sandbox.segment.dropped] == [code]
    assert [entry["messageId"] for entry in sandbox.segment.applied] == ["good"]


@pytest.mark.parametrize(
    "message",
    [
        {**TRACK, "messageId": "m" * 99, "properties": None},
        {"type": "identify", "anonymousId": "a", "traits": {}},
        {"type": "group", "userId": "u", "groupId": "g"},
        {"type": "alias", "userId": "u", "previousId": "p"},
        {**TRACK, "context": {"consent": {"categoryPreferences": {"Ads": False}, "version": 2}}},
    ],
)
def test_good_message_is_applied(sandbox: SandboxThread, client: SandboxClient, message: dict[str, Any]) -> None:
    """What keeps the rules is applied."""
    client.batch([message])

    assert sandbox.segment.dropped == []
    (applied,) = sandbox.segment.applied
    assert message.items() <= applied.items()


def test_wrong_write_key_loses_everything_in_silence(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A wrong key is answered 200 and every message dropped as `unknown_source`; no key at all is 400."""
    answer = client.batch([TRACK, TRACK], writeKey="of another source")
    keyless = client.batch([TRACK], writeKey="")

    assert answer.status == 200
    assert [entry[0] for entry in sandbox.segment.dropped] == ["unknown_source"] * 2
    assert keyless.status == 400
    assert sandbox.segment.applied == []


def test_basic_auth_carries_the_key(sandbox: SandboxThread, client: SandboxClient) -> None:
    """The write key may come as the user of HTTP Basic instead of in the body."""
    basic = "c2FuZGJveC13cml0ZS1rZXk6"  # base64 of "sandbox-write-key:"
    client.raw_batch(json.dumps({"batch": [TRACK]}).encode(), Authorization=f"Basic {basic}")

    assert len(sandbox.segment.applied) == 1


@pytest.mark.parametrize("count", [2_500, 2_501])
def test_more_than_2500_events_are_all_dropped(sandbox: SandboxThread, client: SandboxClient, count: int) -> None:
    """2,500 small events pass; one more, and the whole batch is lost behind a 200."""
    answer = client.batch([{**TRACK, "messageId": f"m{number}"} for number in range(count)])

    assert answer.status == 200
    assert len(sandbox.segment.applied) == (count if count == 2_500 else 0)
    assert len(sandbox.segment.dropped) == (0 if count == 2_500 else count)


def test_disabled_suppressed_and_blocked_are_dropped(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Settings of the workspace drop messages behind a 200, each with its own code."""
    rules = sandbox.segment.rules
    rules.suppressed_users, rules.blocked_events = {"gone"}, {"Unplanned"}
    client.batch([{**TRACK, "userId": "gone"}, {**TRACK, "event": "Unplanned"}])
    rules.is_disabled = True
    client.batch([TRACK])
    rules.is_disabled = False
    client.batch([])

    codes = [entry[0] for entry in sandbox.segment.dropped]
    assert codes == ["suppressed_user", "blocked_by_plan", "source_disabled", "empty_batch"]


def _event_of(size: int) -> dict[str, Any]:
    """An event of exactly `size` bytes as `json.dumps` with tight separators writes it."""
    event = {**TRACK, "properties": {"text": ""}}
    missing = size - len(json.dumps(event, separators=(",", ":")))
    return {**TRACK, "properties": {"text": "x" * missing}}


def _tight(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


@pytest.mark.parametrize(("size", "status"), [(32_768, 200), (32_769, 400)])
def test_event_size_limit(client: SandboxClient, size: int, status: int) -> None:
    """An event of 32,768 bytes passes, one byte more is 400 for the whole request."""
    answer = client.raw_batch(_tight({"batch": [_event_of(size)], "writeKey": "sandbox-write-key"}))

    assert answer.status == status
    if status == 400:
        assert answer.json() == {"success": False, "message": "Exceed payload limit"}


def test_shared_context_counts_into_every_event(client: SandboxClient) -> None:
    """What the batch says once is merged into each event before it is measured."""
    body = {"batch": [_event_of(32_700)], "writeKey": "sandbox-write-key", "context": {"library": {"name": "x" * 80}}}

    assert client.raw_batch(_tight(body)).status == 400
    assert client.raw_batch(_tight({**body, "context": {"b": 1}})).status == 200


@pytest.mark.parametrize("zipped", [False, True])
def test_body_size_limit_is_on_the_inflated_body(client: SandboxClient, zipped: bool) -> None:
    """512,000 bytes pass, one more is 400, however small it was on the wire."""
    body = {"batch": [_event_of(30_000) for _number in range(17)], "writeKey": "sandbox-write-key", "pad": ""}
    room = 512_000 - len(_tight(body))
    fits, exceeds = _tight({**body, "pad": "x" * room}), _tight({**body, "pad": "x" * (room + 1)})
    headers = {"Content_Encoding": "gzip"} if zipped else {}
    pack = gzip.compress if zipped else bytes

    assert client.raw_batch(pack(fits), **headers).status == 200
    refused = client.raw_batch(pack(exceeds), **headers)
    assert (refused.status, refused.json()["message"]) == (400, "Exceed payload limit")


def test_bad_gzip_and_bad_json_are_400(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Malformed bytes are refused aloud: nothing of them is applied."""
    whole = gzip.compress(_tight({"batch": [TRACK], "writeKey": "sandbox-write-key"}))

    assert client.raw_batch(b"not gzip", Content_Encoding="gzip").json()["message"] == "Malformed gzip content"
    assert client.raw_batch(whole[:-9], Content_Encoding="gzip").status == 400
    assert client.raw_batch(b'{"batch": [').status == 400
    assert client.raw_batch(b'{"writeKey": "sandbox-write-key"}').status == 400
    assert sandbox.segment.requests == []


def test_repeats_are_recognised_for_24_hours(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A messageId is applied once in 24 hours, across requests; afterwards, and without an id, again."""
    client.batch([{**TRACK, "messageId": "m1"}, {**TRACK, "messageId": "m1"}, TRACK, TRACK])
    sandbox.clock.advance(24 * 3600 - 60)
    client.batch([{**TRACK, "messageId": "m1"}])
    within = len(sandbox.segment.applied)
    sandbox.clock.advance(120)
    client.batch([{**TRACK, "messageId": "m1"}])

    assert within == 3
    assert sandbox.segment.duplicates == ["m1", "m1"]
    assert len(sandbox.segment.applied) == 4
    assert [(r.applied, r.duplicates) for r in sandbox.segment.requests] == [(3, 1), (0, 1), (1, 0)]


def test_timestamp_is_corrected_by_the_senders_clock(sandbox: SandboxThread, client: SandboxClient) -> None:
    """timestamp = receivedAt - (sentAt - original); without sentAt the original stands, without both the arrival."""
    at = "2025-01-01T12:00:00.000Z"
    late_clock = sandbox.clock.instant().replace("2026", "2025", 1)
    client.batch([{**TRACK, "timestamp": at}], sentAt=late_clock)
    client.batch([{**TRACK, "timestamp": at}])
    client.batch([TRACK])

    skewed, plain, bare = sandbox.segment.applied
    assert (skewed["originalTimestamp"], skewed["sentAt"]) == (at, late_clock)
    assert skewed["timestamp"] >= "2026-01-01T11:00:00.000Z"
    assert plain["timestamp"] == at
    assert bare["timestamp"] == bare["receivedAt"]


def test_shared_fields_are_merged_and_own_ones_win(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Batch-level context and integrations reach each message, which may overrule them."""
    message = {**TRACK, "context": {"locale": "de-DE"}, "integrations": {"All": True}}
    client.batch([message], context={"locale": "en", "library": {"name": "cdi"}}, integrations={"All": False, "W": True})

    (applied,) = sandbox.segment.applied
    assert applied["context"] == {"locale": "de-DE", "library": {"name": "cdi"}}
    assert applied["integrations"] == {"All": True, "W": True}


def test_single_calls_take_their_type_from_the_path(sandbox: SandboxThread, client: SandboxClient) -> None:
    """`/v1/identify` needs no `type`; unknown calls and methods are 404."""
    body = json.dumps({"userId": "u", "writeKey": "sandbox-write-key", "traits": {"a": 1}}).encode()
    headers = {"Content-Type": "application/json"}

    assert client.call("POST", "/segment/v1/identify", body=body, headers=headers).status == 200
    assert client.call("POST", "/segment/v1/nonsense", body=body, headers=headers).status == 404
    assert client.call("GET", "/segment/v1/batch").status == 404
    (applied,) = sandbox.segment.applied
    assert applied["type"] == "identify"
    assert "writeKey" not in applied
