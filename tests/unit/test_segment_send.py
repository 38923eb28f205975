"""Delivery to Segment over a real socket: what arrives, what each answer means, faults between request and answer."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from scripted_server import ScriptedServer, Step, answer, drip, head, raw, reset_after, scripted
from segment_events import WRITE_KEY, destination, event, without_waits

from cdi_cli.clock import Clock
from cdi_cli.destinations import ACCEPTED, DestinationContext
from cdi_cli.destinations.segment.destination import RETRY, SegmentDestination
from cdi_cli.errors import AuthError, ConfigError, ProtocolError, RefusedError, StoppedError, TooLargeError, TransientError
from cdi_cli.http import RetryPolicy
from cdi_cli.secrets import REDACTOR

OK = answer(200, b'{"success":true}')
QUICK = RetryPolicy(attempts=3, statuses=RETRY.statuses)
REPEATED = {408, 410, 429, 460, 500, 502, 503, 504, 520, 599}
STATUSES = [*REPEATED, 202, 204, 400, 401, 403, 404, 405, 409, 413, 415, 422, 425, 501, 505, 511, 999]


@pytest.fixture(autouse=True)
def _write_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENT_WRITE_KEY", WRITE_KEY)


def ticking() -> Clock:
    """A clock that is one second later each time it is read."""
    times: Iterator[datetime] = (datetime(2026, 9, 1, tzinfo=UTC) + timedelta(seconds=second) for second in range(10_000))
    return Clock(now=lambda: next(times))


def encoded(segment: SegmentDestination, *numbers: int) -> list[bytes]:
    """These events, encoded."""
    found = [segment.encode(event(number)) for number in numbers]
    assert all(isinstance(one, bytes) for one in found)
    return [one for one in found if isinstance(one, bytes)]


async def deliver(server: ScriptedServer, count: int = 3, **values: Any) -> Any:
    """Send one batch of `count` events to the server; outcomes."""
    segment = destination(endpoint=server.url, **({"clock": ticking(), "retry": QUICK} | values))
    try:
        with without_waits():
            return await segment.send(encoded(segment, *range(count)))
    finally:
        await segment.close()


def ids(server: ScriptedServer) -> list[list[str]]:
    """The message ids of each request that reached the server, in order."""
    return [[one["messageId"] for one in request.json()["batch"]] for request in server.requests]


async def test_a_batch_arrives_as_documented() -> None:
    """One POST to /v1/batch with JSON headers, the key in the body and nowhere else, all events in order."""
    async with scripted(OK) as server:
        outcomes = await deliver(server)

    (request,) = server.requests
    body = request.json()
    assert outcomes == [ACCEPTED] * 3
    assert (request.method, request.target) == ("POST", "/v1/batch")
    assert (request.headers["content-type"], request.headers["content-encoding"]) == ("application/json", "gzip")
    assert "authorization" not in request.headers
    assert (body["writeKey"], body["sentAt"]) == (WRITE_KEY, "2026-09-01T00:00:00.000Z")
    assert body["batch"] == [event(number).message() for number in range(3)]
    assert "integrations" not in body


async def test_compression_can_be_turned_off() -> None:
    """Without gzip the body is plain JSON, and no header says otherwise."""
    async with scripted(OK) as server:
        await deliver(server, gzip=False)

    (request,) = server.requests
    assert "content-encoding" not in request.headers
    assert len(json.loads(request.body)["batch"]) == 3


async def test_a_backfill_tells_segment_to_send_history_nowhere() -> None:
    """`All: false` and the named warehouse ride on every batch of a backfill."""
    async with scripted(OK) as server:
        await deliver(server, context=DestinationContext(is_backfill=True), backfill_integrations=["Snowflake"])

    assert server.requests[0].json()["integrations"] == {"All": False, "Snowflake": True}


async def test_a_base_path_is_kept() -> None:
    """A proxy under a path works."""
    async with scripted(OK) as server:
        segment = destination(endpoint=f"{server.url}/segment/")
        await segment.send(encoded(segment, 1))
        await segment.close()

    assert server.requests[0].target == "/segment/v1/batch"


async def test_no_events_send_nothing() -> None:
    """An empty batch would be a drop in Segment's books."""
    async with scripted(OK) as server:
        assert await deliver(server, count=0) == []

    assert server.requests == []


@pytest.mark.parametrize("events", [[b"{}"] * 2501, [b'"' + b"x" * 30_000 + b'"'] * 18])
async def test_what_segment_would_drop_unseen_is_not_sent(events: list[bytes]) -> None:
    """Over 2,500 events Segment answers 200 and rejects, over 512,000 bytes 400: both are refused here, to be halved."""
    async with scripted(OK) as server:
        segment = destination(endpoint=server.url)
        with pytest.raises(TooLargeError) as caught:
            await segment.send(events)
        await segment.close()

    assert caught.value.status == 413
    assert server.requests == []


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", ["first", "second", "after a repeat"])
async def test_each_answer_means_what_the_table_says(status: int, place: str) -> None:
    """F10: the SDK's retry table: repeated, wrong credentials, too large, or refused for good."""
    before: tuple[Step, ...] = {"first": (), "second": (OK,), "after a repeat": (answer(503),)}[place]
    expected: type[StoppedError] = RefusedError
    if status in REPEATED:
        expected = TransientError
    elif status in (202, 204):
        expected = ProtocolError
    elif status in (401, 403):
        expected = AuthError
    elif status == 413:
        expected = TooLargeError
    async with scripted(*before, answer(status)) as server:
        if place == "second":
            await deliver(server)
        with pytest.raises(expected) as caught:
            await deliver(server)

    assert type(caught.value) is expected
    assert str(status) in caught.value.message
    attempts = 3 if expected in (TransientError, ProtocolError) else 1
    assert len(server.requests) == max(attempts, 2 if place == "after a repeat" else 1) + (place == "second")


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        (b'{"success":false,"message":"Exceed payload limit"}', TooLargeError, "too_large"),
        (b'{"success":false,"message":"Malformed gzip content"}', RefusedError, "malformed_gzip_content"),
        (b'{"success":false,"message":"bad user canary@example.com"}', RefusedError, ""),
        (b'{"success":false,"message":"no canary 4711"}', RefusedError, ""),
        (b"<html>canary</html>", RefusedError, ""),
        (b"", RefusedError, ""),
    ],
)
async def test_a_400_says_why_without_quoting_data(body: bytes, error: type[RefusedError], code: str) -> None:
    """Segment's words become the code if they are mere words; anything that could quote an event is left out."""
    async with scripted(answer(400, body)) as server:
        with pytest.raises(error) as caught:
            await deliver(server)

    assert type(caught.value) is error
    assert (caught.value.status, caught.value.code) == (400, code)
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>login</html>", b'{"success":false}', b"[]", b"{}", b'{"success":"true"}']
)
async def test_a_200_that_is_not_segments_is_repeated_and_then_stops(body: bytes) -> None:
    """T3: a proxy's page or a cut answer proves nothing, so the batch goes again; if it stays so, the run stops."""
    async with scripted(answer(200, body), OK) as server:
        assert await deliver(server) == [ACCEPTED] * 3
    assert len(server.requests) == 2

    async with scripted(answer(200, body)) as server:
        with pytest.raises(ProtocolError):
            await deliver(server)
    assert len(server.requests) == 3


async def test_a_redirect_is_a_misconfigured_host() -> None:
    """3xx is never followed: the batch holds the write key."""
    async with scripted(answer(301, Location="https://elsewhere.example/")) as server:
        with pytest.raises(RefusedError, match=r"points to `elsewhere\.example`") as caught:
            await deliver(server)

    assert caught.value.code == "redirect"
    assert len(server.requests) == 1


LOST: dict[str, Step] = {
    "reset": reset_after(),
    "reset in the answer": reset_after(head(200, {"Content-Length": "16"}) + b'{"succ'),
    "dropped": raw(b""),
    "cut": raw(head(200, {"Content-Length": "16"}) + b'{"success":true'),
    "500": answer(500),
    "time-out": drip(head(200, {"Content-Length": "16"}), 0.05),
}


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_sends_the_same_ids_again_with_a_fresh_time(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F11: applied and then lost: the repeat has the same events, ids and bytes, and its own `sentAt`."""
    if fault == "time-out":
        monkeypatch.setattr("cdi_cli.destinations.segment.destination.HttpLimits", _short_limits)
    async with scripted(LOST[fault], LOST[fault], OK) as server:
        assert await deliver(server) == [ACCEPTED] * 3

    bodies = [request.json() for request in server.requests]
    assert ids(server) == [[event(number).id for number in range(3)]] * 3
    assert [body["sentAt"][17:19] for body in bodies] == ["00", "01", "02"]
    assert bodies[0]["batch"] == bodies[1]["batch"] == bodies[2]["batch"]


def _short_limits(**values: Any) -> Any:
    from cdi_cli.http import HttpLimits

    return HttpLimits(**(values | {"total_seconds": 0.2}))


NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)
SHAPES: dict[str, dict[str, str]] = {
    "absent": {},
    "0": {"Retry_After": "0"},
    "3": {"Retry_After": "3"},
    "0.5": {"Retry_After": "0.5"},
    "-1": {"Retry_After": "-1"},
    "1e9": {"Retry_After": "1e9"},
    "date in the past": {"Retry_After": format_datetime(NOON - timedelta(hours=1), usegmt=True)},
    "date to come": {"Retry_After": format_datetime(NOON + timedelta(seconds=9), usegmt=True)},
    "date far off": {"Retry_After": format_datetime(NOON + timedelta(days=9), usegmt=True)},
    "garbage": {"Retry_After": "in a while"},
    "reset": {"X_RateLimit_Reset": "4"},
    "both": {"Retry_After": "2", "X_RateLimit_Reset": "40"},
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_storm_of_429_delays_and_loses_nothing(shape: str) -> None:
    """F9: 2,000 events while 30 % of requests meet a 429: each arrives once, waits are bounded, repeats are few."""
    storm = random.Random(shape)
    waits: list[float] = []
    throttled = answer(429, **SHAPES[shape], Date=format_datetime(NOON, usegmt=True))
    taken: list[str] = []

    async def sometimes(writer: Any, request: Any) -> bool:
        if storm.random() < 0.3:
            return await throttled(writer, request)
        taken.extend(one["messageId"] for one in request.json()["batch"])
        return await OK(writer, request)

    async with scripted(sometimes) as server:
        segment = destination(endpoint=server.url, context=DestinationContext(on_wait=waits.append))
        with without_waits():
            for start in range(0, 2000, 10):
                await segment.send(encoded(segment, *range(start, start + 10)))
        await segment.close()

    repeats = len(server.requests) - 200
    assert taken == [event(number).id for number in range(2000)]
    assert 20 < repeats <= 0.6 * 200
    assert len(waits) == repeats
    assert all(0 <= wait <= 300 for wait in waits)
    expected = {"3": 3.0, "0.5": 0.5, "1e9": 300.0, "date to come": 9.0, "date far off": 300.0, "reset": 4.0, "both": 2.0}
    if shape in expected:
        assert set(waits) == {expected[shape]}
    else:
        assert max(waits) <= 30


async def test_the_write_key_is_nowhere_but_in_the_body(caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs at any level, not in errors, not in what the destination prints as; and the redactor knows it."""
    caplog.set_level(logging.DEBUG)
    async with scripted(answer(400, b'{"success":false,"message":"canary"}')) as server:
        segment = destination(endpoint=server.url)
        with pytest.raises(RefusedError) as caught:
            await segment.send(encoded(segment, 1))
        await segment.close()

    error = caught.value
    assert server.requests[0].json()["writeKey"] == WRITE_KEY
    assert WRITE_KEY not in f"{caplog.text} {error!r} {error.hint} {error.where} {segment!r} {segment._settings!r}"
    assert WRITE_KEY not in REDACTOR(f"key {WRITE_KEY}")


def test_a_missing_write_key_stops_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening fails with the name of the variable."""
    monkeypatch.delenv("SEGMENT_WRITE_KEY")

    with pytest.raises(ConfigError, match="SEGMENT_WRITE_KEY is not set"):
        destination()


def test_the_limits_are_those_of_the_sheet() -> None:
    """475,000 bytes a batch, 250 events, 500 events a second, 4 requests in flight, unless settings say otherwise."""
    usual = destination().limits
    own = destination(batch_events=2500, events_per_second=900, in_flight=2).limits

    assert (usual.batch_bytes, usual.batch_events, usual.events_per_second, usual.in_flight) == (475_000, 250, 500, 4)
    assert (own.batch_events, own.events_per_second, own.in_flight) == (2500, 900, 2)
