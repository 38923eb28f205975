"""Delivery to mParticle over a real socket: where events go by age, what each answer means, faults, parts that fail."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import stamina
from mparticle_events import KEY, NOW, SECRET, ago, destination, event, profile
from mparticle_judge import violations
from scripted_server import Request, ScriptedServer, Step, answer, drip, head, raw, reset_after, scripted

from cdi_cli.clock import Clock
from cdi_cli.destinations import ACCEPTED, DestinationContext, PartialDeliveryError
from cdi_cli.destinations.mparticle.answers import RETRY
from cdi_cli.destinations.mparticle.destination import MparticleDestination
from cdi_cli.errors import AuthError, ConfigError, ProtocolError, RefusedError, StoppedError, TooLargeError, TransientError
from cdi_cli.events import Event
from cdi_cli.http import RetryPolicy
from cdi_cli.secrets import REDACTOR

OK = answer(202)
QUICK = RetryPolicy(attempts=3, statuses=RETRY.statuses)
REPEATED = {408, 429, 500, 502, 503, 504, 520, 599}
STATUSES = [*REPEATED, 200, 201, 204, 206, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 425, 501, 505, 999]
YOUNG, MIDDLE, OLD = ago(hours=1), ago(days=10), ago(days=40)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPARTICLE_SECRET", SECRET)


def encoded(mparticle: MparticleDestination, events: Sequence[Event]) -> list[bytes]:
    """The events as bytes."""
    found = [mparticle.encode(each) for each in events]
    assert all(isinstance(one, bytes) for one in found), found
    return [one for one in found if isinstance(one, bytes)]


async def deliver(server: ScriptedServer, *events: Event, **values: Any) -> Any:
    """Send these events to the server as one batch; outcomes."""
    mparticle = destination(endpoint=server.url, **({"retry": QUICK} | values))
    try:
        with stamina.set_testing(True, attempts=100, cap=True):
            return await mparticle.send(encoded(mparticle, events or [event(number) for number in range(3)]))
    finally:
        await mparticle.close()


def ids(server: ScriptedServer) -> list[tuple[str, list[str]]]:
    """Path and ids of each request that reached the server, in order."""
    return [(request.target, [one["source_request_id"] for one in request.json()]) for request in server.requests]


async def test_a_batch_arrives_as_documented() -> None:
    """One POST with Basic credentials, plain JSON, an array of valid batches in order."""
    async with scripted(OK) as server:
        outcomes = await deliver(server)

    (request,) = server.requests
    pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert outcomes == [ACCEPTED] * 3
    assert (request.method, request.target, pair) == ("POST", "/v2/bulkevents", f"{KEY}:{SECRET}")
    assert request.headers["content-type"] == "application/json"
    assert "content-encoding" not in request.headers
    assert [one["source_request_id"] for one in request.json()] == [event(number).id for number in range(3)]
    assert [problem for one in request.json() for problem in violations(one)] == []


REGULAR, HISTORICAL = "/v2/bulkevents", "/v2/bulkevents/historical"
JUST = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("age", "after", "path"),
    [
        (timedelta(hours=1), "30d", REGULAR),
        (timedelta(days=30) - JUST, "30d", REGULAR),
        (timedelta(days=30), "30d", HISTORICAL),
        (timedelta(days=4000), "30d", HISTORICAL),
        (timedelta(hours=-5), "30d", REGULAR),
        (timedelta(hours=72), "72h", REGULAR),
        (timedelta(hours=73) - JUST, "72h", REGULAR),
        (timedelta(hours=73), "72h", HISTORICAL),
    ],
)
async def test_age_decides_where_an_event_goes(age: timedelta, after: str, path: str) -> None:
    """At 30 days exactly by default, at 73 hours at the earliest; an event of tomorrow is no history."""
    async with scripted(OK) as server:
        await deliver(server, event(at=ago(seconds=age.total_seconds())), historical_after=after)

    assert [request.target for request in server.requests] == [path]


async def test_age_is_taken_when_it_is_sent() -> None:
    """An event that was encoded while it was young and sent a month later is history then."""
    moments = [NOW]
    async with scripted(OK) as server:
        mparticle = destination(endpoint=server.url, clock=Clock(now=lambda: moments[-1]))
        bodies = encoded(mparticle, [event(at=YOUNG)])
        await mparticle.send(bodies)
        moments.append(NOW + timedelta(days=30))
        await mparticle.send(bodies)
        await mparticle.close()

    assert [request.target for request in server.requests] == [REGULAR, HISTORICAL]
    assert server.requests[0].body == server.requests[1].body


async def test_a_mixed_batch_is_two_requests() -> None:
    """The younger and profiles in one, the older in the other, each in order; no request without batches."""
    events = [event(1, at=OLD), profile(2, at=OLD), event(3, at=MIDDLE), event(4, at=OLD), event(5, at=YOUNG)]
    async with scripted(OK) as server:
        outcomes = await deliver(server, *events)

    assert outcomes == [ACCEPTED] * 5
    assert ids(server) == [
        (REGULAR, [events[number].id for number in (1, 2, 4)]),
        (HISTORICAL, [events[number].id for number in (0, 3)]),
    ]


@pytest.mark.parametrize(
    ("failure", "cause"),
    [(answer(503), TransientError), (answer(403), AuthError), (answer(400), RefusedError), (answer(413), TooLargeError)],
)
async def test_a_part_that_fails_does_not_hide_what_is_known_of_the_other(failure: Step, cause: type[StoppedError]) -> None:
    """The error says which events were accepted, and what became of the others."""
    async with scripted(OK, failure) as server:
        with pytest.raises(PartialDeliveryError) as caught:
            await deliver(server, event(1, at=OLD), event(2), event(3, at=OLD), event(4))

    error = caught.value
    assert type(error.cause) is cause
    assert error.outcomes == [None, ACCEPTED, None, ACCEPTED]
    assert (error.message, error.hint, error.exit_code) == (error.cause.message, error.cause.hint, 3)
    assert server.requests[1].target == HISTORICAL


async def test_when_the_first_part_fails_nothing_is_known_and_nothing_more_sent() -> None:
    """Then the error itself is raised."""
    async with scripted(answer(400)) as server:
        with pytest.raises(RefusedError) as caught:
            await deliver(server, event(1, at=OLD), event(2))

    assert caught.value.status == 400
    assert ids(server) == [(REGULAR, [event(2).id])]


async def test_no_events_send_nothing() -> None:
    """Not even an empty request."""
    async with scripted(OK) as server:
        mparticle = destination(endpoint=server.url)
        assert await mparticle.send([]) == []
        await mparticle.close()

    assert server.requests == []


@pytest.mark.parametrize("events", [[b"{}"] * 101, [b'"' + b"x" * 100_000 + b'"'] * 3])
async def test_what_is_over_the_limits_is_not_sent(events: list[bytes]) -> None:
    """Over 100 events or 256 KB the batch is refused here, to be halved."""
    async with scripted(OK) as server:
        mparticle = destination(endpoint=server.url)
        with pytest.raises(TooLargeError) as caught:
            await mparticle.send(events)
        await mparticle.close()

    assert caught.value.status == 413
    assert server.requests == []


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", ["first", "after a repeat"])
async def test_each_answer_means_what_the_table_says(status: int, place: str) -> None:
    """F10: only 202 is success; repeated, wrong credentials, too large, or refused for good."""
    before: tuple[Step, ...] = {"first": (), "after a repeat": (answer(503),)}[place]
    expected: type[StoppedError] = RefusedError
    if status in REPEATED:
        expected = TransientError
    elif 200 <= status < 300:
        expected = ProtocolError
    elif status in (401, 403):
        expected = AuthError
    elif status == 413:
        expected = TooLargeError
    async with scripted(*before, answer(status)) as server:
        with pytest.raises(expected) as caught:
            await deliver(server)

    assert type(caught.value) is expected
    assert str(status) in caught.value.message
    attempts = 3 if expected in (TransientError, ProtocolError) else 1 + len(before)
    assert len(server.requests) == attempts


MISSING = '{"errors":[{"code":"BAD_REQUEST","message":"Required event field \\"event_type\\" is missing or empty."}]}'


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (MISSING, "bad_request", 'Required event field "event_type" is missing or empty.'),
        ('{"errors":[{"code":"BAD_REQUEST","message":"bad user canary@example.com"}]}', "bad_request", "BAD_REQUEST"),
        ('{"errors":[{"code":"canary jones","message":"canary"}]}', "", ""),
        ('{"errors":[]}', "", ""),
        ('{"errors":"canary"}', "", ""),
        ("<html>canary</html>", "", ""),
        ("", "", ""),
    ],
)
async def test_a_400_says_why_without_quoting_data(body: str, code: str, words: str) -> None:
    """mParticle's code and a sentence that is known pass; anything that could quote an event is left out."""
    async with scripted(answer(400, body.encode())) as server:
        with pytest.raises(RefusedError) as caught:
            await deliver(server)

    assert (caught.value.status, caught.value.code) == (400, code)
    assert caught.value.message.endswith(f"400: {words}" if words else "400")
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"


LOST: dict[str, Step] = {
    "reset": reset_after(),
    "reset in the answer": reset_after(head(202, {"Content-Length": "4"}) + b"ab"),
    "dropped": raw(b""),
    "cut": raw(head(202, {"Content-Length": "4"}) + b"ab"),
    "500": answer(500),
    "a proxy's page": answer(200, b"<html>login</html>"),
    "time-out": drip(head(202, {"Content-Length": "4"}), 0.05),
}


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_sends_the_same_bytes_again(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """F11: applied and then lost: the repeat is the same to the byte, so mParticle recognises it."""
    if fault == "time-out":
        monkeypatch.setattr("cdi_cli.destinations.mparticle.destination.HttpLimits", _short_limits)
    async with scripted(LOST[fault], LOST[fault], OK) as server:
        assert await deliver(server) == [ACCEPTED] * 3

    assert len({request.body for request in server.requests}) == 1
    assert len(server.requests) == 3


def _short_limits(**values: Any) -> Any:
    from cdi_cli.http import HttpLimits

    return HttpLimits(**(values | {"total_seconds": 0.2}))


async def test_a_redirect_is_a_misconfigured_host() -> None:
    """3xx is never followed: the request holds credentials."""
    async with scripted(answer(301, Location="https://elsewhere.example/")) as server:
        with pytest.raises(RefusedError, match=r"points to `elsewhere\.example`") as caught:
            await deliver(server)

    assert caught.value.code == "redirect"
    assert len(server.requests) == 1


@pytest.mark.parametrize("word", ["org", "account", "app", "feed", "workspace", "acceleration", "system", "", "garbage"])
@pytest.mark.parametrize("retry_after", [None, "0", "7", "-1", "soon", "1e9"])
async def test_a_429_is_waited_out(word: str, retry_after: str | None) -> None:
    """F9: whichever limit was met, the pause is announced and bounded; only acceleration lets the pace grow more slowly."""
    waits, paces = list[float](), list[float]()
    headers = {"X_mp_rate_limit_exceeded": word} | ({"Retry_After": retry_after} if retry_after is not None else {})
    context = DestinationContext(on_wait=waits.append, on_pace=paces.append)
    async with scripted(answer(429, **headers), OK) as server:
        assert await deliver(server, context=context) == [ACCEPTED] * 3

    assert len(server.requests) == 2
    assert len(waits) == 1
    assert 0 <= waits[0] <= 300
    assert waits == [7.0] or retry_after != "7"
    assert paces == ([1.0] if word == "acceleration" else [])


@pytest.mark.parametrize(
    ("used", "factor"),
    [("0", None), ("79", None), ("80", 0.9), ("94", 0.9), ("95", 0.7), ("100", 0.7), ("250", 0.7), ("", None), ("92%", None),
     ("-5", None), ("ninety", None), ("9" * 5000, None)],
)  # fmt: skip
async def test_the_usage_header_lowers_the_pace(used: str, factor: float | None) -> None:
    """Above 80 percent a little, above 95 more; what is no number says nothing."""
    paces = list[float]()
    async with scripted(answer(202, X_mp_rate_limit_percentage_used=used)) as server:
        await deliver(server, context=DestinationContext(on_pace=paces.append))

    assert paces == ([] if factor is None else [factor])


async def test_a_storm_of_429_delays_and_loses_nothing() -> None:
    """2,000 events while every third request meets a 429: each arrives once."""
    taken: list[str] = []
    count = 0

    async def sometimes(writer: Any, request: Request) -> bool:
        nonlocal count
        count += 1
        if count % 3 == 0:
            return await answer(429, X_mp_rate_limit_exceeded="feed")(writer, request)
        taken.extend(one["source_request_id"] for one in request.json())
        return await OK(writer, request)

    async with scripted(sometimes) as server:
        for start in range(0, 2000, 100):
            await deliver(server, *[event(number) for number in range(start, start + 100)])

    assert taken == [event(number).id for number in range(2000)]
    assert len(server.requests) > 20


async def test_the_secret_is_nowhere_but_in_its_header(caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs at any level, not in errors, not in what the destination prints as; and the redactor knows it."""
    caplog.set_level(logging.DEBUG)
    async with scripted(answer(400, b'{"errors":[]}')) as server:
        mparticle = destination(endpoint=server.url)
        with pytest.raises(RefusedError) as caught:
            await mparticle.send(encoded(mparticle, [event()]))
        await mparticle.close()

    error = caught.value
    shown = f"{caplog.text} {error!r} {error.hint} {error.where} {mparticle!r} {vars(mparticle)!r}"
    assert SECRET not in shown
    assert base64.b64encode(f"{KEY}:{SECRET}".encode()).decode() not in shown
    assert SECRET not in REDACTOR(f"secret {SECRET}")


def test_a_missing_secret_stops_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening fails with the name of the variable."""
    monkeypatch.delenv("MPARTICLE_SECRET")

    with pytest.raises(ConfigError, match="MPARTICLE_SECRET is not set"):
        destination()


async def test_nothing_can_be_confirmed() -> None:
    """The Events API reads nothing back, and need not: repeats do no harm."""
    assert await destination().confirm([event(1), profile(2)]) == [None, None]


def test_the_limits_are_those_of_the_sheet() -> None:
    """100 batches, under 256 KB a request, 128 KB a batch, 250 a second after a minute, 2 requests in flight."""
    limits = destination().limits
    own = destination(batch_events=10, events_per_second=900, in_flight=4, ramp_up_seconds=0).limits

    assert (limits.batch_events, limits.batch_bytes, limits.event_bytes) == (100, 255_999, 128_000)
    assert (limits.events_per_second, limits.ramp_up_seconds, limits.in_flight) == (250, 60, 2)
    assert (own.batch_events, own.events_per_second, own.in_flight, own.ramp_up_seconds) == (10, 900, 4, 0)
