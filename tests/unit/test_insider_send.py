"""Delivery to Insider over a real socket: what arrives, what each answer means, and what is never sent twice."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from insider_events import ENVIRONMENT, TOKEN, destination, event, without_waits
from scripted_server import ScriptedServer, Step, answer, drip, head, raw, reset_after, scripted

from cdi_cli.destinations import ACCEPTED, DestinationContext, PartialDeliveryError, Rejected, Unknown
from cdi_cli.errors import (
    AuthError,
    ConfigError,
    LostAnswerError,
    ProtocolError,
    RefusedError,
    TooLargeError,
    TransientError,
)
from cdi_cli.http import HttpLimits


def counts(good: int, bad: int = 0, errors: dict[str, list[str]] | None = None) -> Step:
    """Insider's 200: `{}` stands for no count."""
    data = {
        "successful": {"count": good} if good else {},
        "fail": {"count": bad, "errors": errors or {}} if bad else {},
    }
    return answer(200, json.dumps({"data": data}).encode())


OK = counts(3)
REPEATED = {429, 500, 503, 520, 521, 523}
DOUBTFUL = {202, 204, 408, 501, 502, 504, 505, 522, 524, 599}
STATUSES = [*REPEATED, *DOUBTFUL, 400, 401, 403, 404, 405, 409, 413, 422, 425]


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


async def deliver(server: ScriptedServer, count: int = 3, times: int = 1, **values: Any) -> Any:
    """Send a batch of `count` events to the server, so many times; the last outcomes."""
    insider = destination(endpoint=server.url, **values)
    bodies = [insider.encode(event(number)) for number in range(count)]
    try:
        with without_waits():
            for _ in range(times):
                outcomes = await insider.send([body for body in bodies if isinstance(body, bytes)])
        return outcomes
    finally:
        await insider.close()


async def test_a_batch_arrives_as_documented() -> None:
    """One POST, partner and token in headers, all users in order, hooks as a sync has them."""
    async with scripted(OK) as server:
        assert await deliver(server) == [ACCEPTED] * 3

    (request,) = server.requests
    body = request.json()
    assert (request.method, request.target) == ("POST", "/api/user/v1/upsert")
    assert {name: request.headers[name] for name in ("x-partner-name", "x-request-token", "content-type")} == {
        "x-partner-name": "acme", "x-request-token": TOKEN, "content-type": "application/json",
    }  # fmt: skip
    assert "content-encoding" not in request.headers
    assert body["skip_hook"] is False
    assert [user["identifiers"]["uuid"] for user in body["users"]] == [f"customer-{number}" for number in range(3)]


async def test_a_backfill_skips_hooks() -> None:
    """On every request of it."""
    async with scripted(OK) as server:
        await deliver(server, context=DestinationContext(is_backfill=True))

    assert server.requests[0].json()["skip_hook"] is True


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("place", ["first", "after a repeat"])
async def test_each_answer_means_what_the_table_says(status: int, place: str) -> None:
    """Repeated where nothing was done, unknown where nobody can tell, refused for good otherwise."""
    before = () if place == "first" else (answer(503),)
    async with scripted(*before, answer(status)) as server:
        if status in DOUBTFUL:
            outcomes = await deliver(server)
            assert [type(outcome) for outcome in outcomes] == [Unknown] * 3
        else:
            expected: type[Exception] = RefusedError
            if status in REPEATED:
                expected = TransientError
            elif status in (401, 403):
                expected = AuthError
            elif status == 413:
                expected = TooLargeError
            with pytest.raises(expected) as caught:
                await deliver(server)
            assert type(caught.value) is expected
            assert str(status) in str(caught.value)

    assert len(server.requests) == (3 if status in REPEATED else 1 + len(before))


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"success": False, "message": "Partner is invalid."}, AuthError),
        (400, {"error": "request body is bigger than maximum allowed size 5,000,000 bytes"}, TooLargeError),
        (400, {"error": "users must be defined: bad request"}, RefusedError),
        (400, {"error": "bad user canary@example.com"}, RefusedError),
        (400, {"error": "name must be shorter: Jo canary"}, RefusedError),
        (400, {"error": "uuid must be string: 4915112340000"}, RefusedError),
        (400, {"error": "the phone number 4915112340000 is invalid"}, RefusedError),
        (400, {"error": "no user 'canary' here"}, RefusedError),
        (401, {"message": "Partner token authentication failed."}, AuthError),
        (403, {"message": "Access Denied..."}, AuthError),
    ],
)
async def test_a_refusal_says_why_without_quoting_data(status: int, body: dict[str, Any], error: type[Exception]) -> None:
    """Insider's words are kept if they are mere words; a wrong partner stops the run instead of halving its batches."""
    async with scripted(answer(status, json.dumps(body).encode())) as server:
        with pytest.raises(error) as caught:
            await deliver(server)

    assert type(caught.value) is error
    told = f"{caught.value} {getattr(caught.value, 'hint', '')} {getattr(caught.value, 'code', '')}"
    assert "canary" not in told
    assert "4915112340000" not in told
    assert len(server.requests) == 1


@pytest.mark.parametrize("text", ["Request Limit Exceeded, you can send 30 Requests/minute", "Too many attempts."])
async def test_a_403_that_speaks_of_a_limit_is_a_throttle(text: str) -> None:
    """It pauses the run and is sent again; if it stays, the run stops as for any throttle."""
    throttled = answer(403, json.dumps({"message": text}).encode(), Retry_After="7")
    waits: list[float] = []
    async with scripted(throttled, OK) as server:
        assert await deliver(server, context=DestinationContext(on_wait=waits.append)) == [ACCEPTED] * 3
    async with scripted(throttled) as server:
        with pytest.raises(TransientError):
            await deliver(server)

    assert waits == [7.0]
    assert len(server.requests) == 3


@pytest.mark.parametrize(("headers", "waits"), [({}, None), ({"Retry_After": "2"}, [2.0])])
async def test_a_429_pauses_whether_or_not_it_says_how_long(headers: dict[str, str], waits: list[float] | None) -> None:
    """`Retry-After` comes sometimes."""
    found: list[float] = []
    async with scripted(answer(429, b'{"error":"rejected: too many requests"}', **headers), OK) as server:
        await deliver(server, context=DestinationContext(on_wait=found.append))

    assert len(found) == 1
    assert waits is None or found == waits


LOST: dict[str, Step] = {
    "reset": reset_after(),
    "reset in the answer": reset_after(head(200, {"Content-Length": "16"}) + b'{"dat'),
    "dropped": raw(b""),
    "cut": raw(head(200, {"Content-Length": "99"}) + b'{"data":{}}'),
    "damaged gzip": answer(200, b"\x1f\x8bnonsense", Content_Encoding="gzip"),
    "time-out": drip(head(200, {"Content-Length": "16"}), 0.05),
    "504": answer(504, b"<html>"),
}


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_is_never_sent_again(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Insider would append everything a second time: each event is unknown, and the server saw one request."""
    if fault == "time-out":
        monkeypatch.setattr("cdi_cli.destinations.insider.client.HttpLimits", _short_limits)
    async with scripted(LOST[fault], OK) as server:
        outcomes = await deliver(server)

    assert [type(outcome) for outcome in outcomes] == [Unknown] * 3
    assert all(isinstance(outcome, Unknown) and outcome.detail for outcome in outcomes)
    assert len(server.requests) == 1


def _short_limits(**values: Any) -> HttpLimits:
    return HttpLimits(**(values | {"total_seconds": 0.2}))


async def test_no_connection_is_no_doubt() -> None:
    """What never left is sent again, and in the end the run stops with nothing unknown."""
    async with scripted(OK) as server:
        url = server.url
    with pytest.raises(TransientError) as caught:
        await deliver(ScriptedServer((), port=int(url.rpartition(":")[2])))

    assert type(caught.value) is TransientError
    assert "3 attempts" in caught.value.message


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<html>login</html>", b"[]", b"{}", b'{"data":{}}', b'{"data":{"successful":1}}']
)
async def test_a_200_that_is_not_insiders_stops_the_run_with_its_events_unknown(body: bytes) -> None:
    """A proxy's page would make doubts of everything; a run that goes on would send into the void."""
    async with scripted(answer(200, body)) as server:
        with pytest.raises(PartialDeliveryError) as caught:
            await deliver(server)

    assert isinstance(caught.value.cause, ProtocolError)
    assert [type(outcome) for outcome in caught.value.outcomes] == [Unknown] * 3
    assert len(server.requests) == 1


async def test_three_lost_answers_in_a_row_stop_the_run() -> None:
    """A service that is down must not make doubts of all there is; an answer in between starts the count anew."""
    lost = answer(504)
    async with scripted(lost, lost, OK, lost, lost, OK) as server:
        assert await deliver(server, times=6) == [ACCEPTED] * 3
    async with scripted(lost) as server:
        with pytest.raises(PartialDeliveryError) as caught:
            await deliver(server, times=9)

    assert isinstance(caught.value.cause, LostAnswerError)
    assert [type(outcome) for outcome in caught.value.outcomes] == [Unknown] * 3
    assert len(server.requests) == 3


VERBATIM = {
    "users.1.events.0.event_params.*.required": [
        "event_group_id parameter is required on purchase event", "unit_sale_price parameter is required on purchase event",
    ],
    "users.1.identifiers.*.regexp(^.+@.+\\..+$)": ["not a valid email address: canary"],
    "users.2.identifiers.*.regexp(^\\+[1-9]\\d{6,14}$)": ["user has an invalid phone number: 12345"],
}  # fmt: skip


async def test_mistakes_inside_a_200_are_those_of_their_events() -> None:
    """The number in a key is the user's place; what is wrong is told without the value."""
    async with scripted(counts(1, 2, VERBATIM)) as server:
        outcomes = await deliver(server)

    assert outcomes == [
        ACCEPTED,
        Rejected(
            "insider_invalid_events",
            "Insider refuses `events.0.event_params.*.required`: event_group_id parameter is required on purchase event; "
            "unit_sale_price parameter is required on purchase event",
        ),
        Rejected("insider_invalid_identifiers", "Insider refuses `identifiers.*.regexp`"),
    ]


@pytest.mark.parametrize(
    "key",
    [
        "users.0.identifiers.required",
        "users.0.identifiers.*.type(string)",
        "users.0.identifiers.*.in(defaults_column)",
        "users.0.events.0.event_name.*.regexp(^[a-z0-9][a-zA-Z0-9._-]*$)",
        "users.0.canary@example.com",
    ],
)
async def test_every_documented_key_is_understood(key: str) -> None:
    """Keys as Insider's samples have them; of one that is not, nothing is quoted."""
    async with scripted(counts(0, 1, {key: ["uuid must be string: canary"]})) as server:
        (outcome,) = await deliver(server, count=1)

    assert isinstance(outcome, Rejected)
    assert outcome.reason.startswith("insider_invalid_")
    assert "canary" not in outcome.detail


@pytest.mark.parametrize(
    ("good", "bad", "errors"),
    [
        (3, 1, VERBATIM),
        (1, 1, VERBATIM),
        (0, 3, VERBATIM),
        (2, 1, {"users.9.identifiers.required": ["?"]}),
        (2, 0, None),
        (4, 0, None),
    ],
)
async def test_counts_that_do_not_add_up_leave_the_unnamed_unknown(good: int, bad: int, errors: Any) -> None:
    """What Insider names is rejected; of the others nobody can say that they are there."""
    async with scripted(counts(good, bad, errors)) as server:
        outcomes = await deliver(server)

    named = {1, 2} if errors is VERBATIM else set()
    assert [type(outcome) for outcome in outcomes] == [Rejected if number in named else Unknown for number in range(3)]


@pytest.mark.parametrize(("count", "size"), [(1001, 10), (6, 900_000)])
async def test_what_insider_would_refuse_for_its_size_is_not_sent(count: int, size: int) -> None:
    """More than 1,000 users or 5,000,000 bytes are halved here instead."""
    async with scripted(OK) as server:
        insider = destination(endpoint=server.url)
        with pytest.raises(TooLargeError) as caught:
            await insider.send([b'"' + b"x" * size + b'"'] * count)
        await insider.close()

    assert caught.value.status == 413
    assert server.requests == []


async def test_no_events_send_nothing() -> None:
    """Insider refuses an empty list."""
    async with scripted(OK) as server:
        assert await deliver(server, count=0) == []

    assert server.requests == []


async def test_the_token_is_nowhere_but_in_its_header(caplog: pytest.LogCaptureFixture) -> None:
    """Not in logs, errors or what the destination prints as."""
    caplog.set_level(logging.DEBUG)
    async with scripted(answer(400, b'{"error":"canary"}')) as server:
        insider = destination(endpoint=server.url)
        body = insider.encode(event())
        assert isinstance(body, bytes)
        with pytest.raises(RefusedError) as caught:
            await insider.send([body])
        await insider.close()

    assert server.requests[0].headers["x-request-token"] == TOKEN
    shown = [caplog.text, repr(caught.value), repr(insider), repr(vars(insider)), repr(vars(insider._client))]
    assert not [text for text in shown if TOKEN in text]


@pytest.mark.parametrize("name", list(ENVIRONMENT))
def test_a_missing_token_stops_before_anything_is_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening fails with the name of the variable."""
    monkeypatch.delenv(name)

    with pytest.raises(ConfigError, match=f"{name} is not set"):
        destination()


def test_the_limits_are_those_of_the_sheet() -> None:
    """1,000 users and 5,000,000 bytes a request, unless settings say otherwise."""
    usual = destination().limits
    own = destination(batch_events=10, events_per_second=7, in_flight=2).limits

    assert (usual.batch_events, usual.batch_bytes, usual.in_flight) == (1000, 5_000_000, 4)
    assert (own.batch_events, own.events_per_second, own.in_flight) == (10, 7, 2)
