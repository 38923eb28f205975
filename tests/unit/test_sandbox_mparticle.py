"""The mParticle simulator: what it refuses aloud, drops behind a 202, recognises as a repeat, cuts and applies."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mparticle_judge import violations
from sandbox_client import Answer, SandboxClient

from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread
from cdi_cli.sandbox.mparticle.limits import RateLimiter
from cdi_cli.sandbox.mparticle.shapes import problems

BULK, HISTORICAL = "/v2/bulkevents", "/v2/bulkevents/historical"


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxThread]:
    """One server for the module; each test starts with an empty workspace."""
    with SandboxThread(SandboxOptions(orders=0)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxThread) -> SandboxThread:
    """The server with nothing received yet."""
    shared.mparticle.clear()
    shared.faults.clear()
    return shared


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[SandboxClient]:
    """A client of the server."""
    with SandboxClient(sandbox.url) as client:
        yield client


def call(client: SandboxClient, body: Any, path: str = BULK, pair: str | None = None) -> Answer:
    """A POST with the right credentials unless `pair` says otherwise (empty: none); bytes are sent as they are."""
    given = "sandbox-mparticle-key:sandbox-mparticle-secret" if pair is None else pair
    headers = {"Authorization": f"Basic {base64.b64encode(given.encode()).decode()}"} if given else {}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.call("POST", f"/mparticle{path}", body=raw, headers={"Content-Type": "application/json", **headers})


def event(sandbox: SandboxThread, age: timedelta = timedelta(hours=1), **data: Any) -> dict[str, Any]:
    """A custom event of that age."""
    at = round((sandbox.clock.now() - age).timestamp() * 1000)
    usual = {"timestamp_unixtime_ms": at, "event_name": "Order Updated", "custom_event_type": "transaction"}
    return {"event_type": "custom_event", "data": usual | data}


def batch(sandbox: SandboxThread, identifier: str | None = "r1", **fields: Any) -> dict[str, Any]:
    """A batch of one event for one customer."""
    usual = {"environment": "production", "user_identities": {"customer_id": "c1"}, "events": [event(sandbox)]}
    return usual | ({"source_request_id": identifier} if identifier else {}) | fields


def test_a_good_batch_is_accepted_with_an_empty_body(sandbox: SandboxThread, client: SandboxClient) -> None:
    """202, no body, the usage header; it is stored as sent and forwarded to outputs."""
    sent = batch(sandbox)
    answer = call(client, [sent])

    assert (answer.status, answer.body) == (202, b"")
    assert answer.headers["x-mp-rate-limit-percentage-used"].isdecimal()
    (applied,) = sandbox.mparticle.applied
    assert (applied.batch, applied.is_forwarded, applied.is_historical) == (sent, True, False)


@pytest.mark.parametrize(
    ("pair", "status"),
    [("", 401), ("sandbox-mparticle-key:wrong", 403), ("other:sandbox-mparticle-secret", 403), ("garbage", 403)],
)
def test_credentials_are_checked(sandbox: SandboxThread, client: SandboxClient, pair: str, status: int) -> None:
    """401 without any, 403 with wrong ones; nothing is stored."""
    assert call(client, [batch(sandbox)], pair=pair).status == status
    assert sandbox.mparticle.requests == []


@pytest.mark.parametrize("body", [b"", b"[", b"\xff", {"a": 1}, 7, [1], [{"events": [{"data": {}}]}], [{"events": [None]}]])
def test_what_cannot_be_read_is_refused_aloud(sandbox: SandboxThread, client: SandboxClient, body: Any) -> None:
    """Malformed JSON, no array, an event without a type: 400 with a code and a message."""
    answer = call(client, body)

    assert answer.status == 400
    assert answer.json()["errors"][0]["code"] == "BAD_REQUEST"
    assert sandbox.mparticle.requests == []


def test_partner_identities_are_refused_and_unknown_calls_not_found(sandbox: SandboxThread, client: SandboxClient) -> None:
    """An unregistered partner identity fails the request; other paths and methods are 404."""
    assert call(client, [batch(sandbox, partner_identities={"p": "1"})]).status == 400
    assert call(client, [], "/v2/nonsense").status == 404
    assert client.call("GET", "/mparticle/v2/bulkevents").status == 404


@pytest.mark.parametrize(("size", "status"), [(255_999, 202), (256_000, 413)])
def test_a_request_is_limited(sandbox: SandboxThread, client: SandboxClient, size: int, status: int) -> None:
    """256 KB and more are refused, with a status of choice since none is documented."""
    body = json.dumps([batch(sandbox)]).encode()

    assert call(client, body + b" " * (size - len(body))).status == status
    sandbox.mparticle.too_large_status = 400
    assert call(client, body + b" " * (size - len(body))).status == min(status, 400)


def test_repeats_are_recognised_for_30_days(sandbox: SandboxThread, client: SandboxClient) -> None:
    """By id of the request, across requests; without an id never; other content under the same id is lost."""
    first, other = batch(sandbox), batch(sandbox, user_attributes={"a": 1})
    call(client, [first, first, batch(sandbox, None), batch(sandbox, None)])
    call(client, [other])
    sandbox.clock.advance(30 * 86_400 - 60)
    call(client, [first])
    within = len(sandbox.mparticle.applied)
    sandbox.clock.advance(120)
    call(client, [first])

    assert within == 3
    assert sandbox.mparticle.duplicates == ["r1", "r1"]
    assert [entry.code for entry in sandbox.mparticle.dropped] == ["changed_content"]
    assert len(sandbox.mparticle.applied) == 4
    assert [(one.applied, one.duplicates, one.dropped) for one in sandbox.mparticle.requests] == [
        (3, 1, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0),
    ]  # fmt: skip


def test_the_historical_endpoint_has_its_own_rules(sandbox: SandboxThread, client: SandboxClient) -> None:
    """It answers 202 and drops batches without events, without a time, or with one event under 72 hours."""
    old, young = timedelta(hours=73), timedelta(hours=71)
    answer = call(
        client,
        [
            batch(sandbox, "good", events=[event(sandbox, old), event(sandbox, old * 100)]),
            batch(sandbox, "young", events=[event(sandbox, old), event(sandbox, young)]),
            batch(sandbox, "profile", events=[]),
            batch(sandbox, "timeless", events=[event(sandbox, timestamp_unixtime_ms=None)]),
        ],
        HISTORICAL,
    )

    assert answer.status == 202
    assert [entry.batch["source_request_id"] for entry in sandbox.mparticle.applied] == ["good"]
    assert [entry.is_forwarded for entry in sandbox.mparticle.applied] == [False]
    assert [entry.code for entry in sandbox.mparticle.dropped] == [
        "historical_too_young", "historical_no_events", "historical_no_timestamp",
    ]  # fmt: skip


def test_what_is_missing_is_filled_in(sandbox: SandboxThread, client: SandboxClient) -> None:
    """No environment is production, no time is now; development is not forwarded."""
    timeless = event(sandbox)
    del timeless["data"]["timestamp_unixtime_ms"]
    bare = {"user_identities": {"customer_id": "c"}, "events": [timeless]}
    call(client, [bare, batch(sandbox, environment="development")])

    filled, development = sandbox.mparticle.applied
    at = datetime.fromtimestamp(filled.batch["events"][0]["data"]["timestamp_unixtime_ms"] / 1000, UTC)
    assert filled.batch["environment"] == "production"
    assert abs(at - sandbox.clock.now()) < timedelta(minutes=1)
    assert not development.is_forwarded


def test_long_things_are_cut_in_silence(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Names at 256 characters, so that two attributes become one, values at 4,096, attributes at 100."""
    attributes = {"x" * 256 + "a": 1, "x" * 256 + "b": 2, "value": "y" * 5000, **{f"n{number}": 1 for number in range(150)}}
    call(client, [batch(sandbox, events=[event(sandbox, event_name="z" * 300, custom_attributes=attributes)])])

    (applied,) = sandbox.mparticle.applied
    data = applied.batch["events"][0]["data"]
    assert len(data["event_name"]) == 256
    assert len(data["custom_attributes"]) == 100
    assert data["custom_attributes"]["x" * 256] == 2
    assert len(data["custom_attributes"]["value"]) == 4096
    assert set(sandbox.mparticle.truncated) == {"event_name", "attribute", "attributes"}


def test_new_names_after_a_thousand_are_dropped(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Ids in event names use up a workspace; names that it knows still pass."""
    for start in range(0, 1001, 91):
        names = [f"Event {number}" for number in range(start, min(start + 91, 1001))]
        call(client, [batch(sandbox, name, events=[event(sandbox, event_name=name)]) for name in names])
    call(client, [batch(sandbox, "known", events=[event(sandbox, event_name="Event 0")])])

    assert [entry.code for entry in sandbox.mparticle.dropped] == ["too_many_names"]
    assert len(sandbox.mparticle.applied) == 1001


def test_more_than_100_are_dropped(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Beyond 100 batches, and beyond 100 events however few batches hold them."""
    call(client, [batch(sandbox, f"r{number}") for number in range(101)])
    call(client, [batch(sandbox, f"s{number}", events=[event(sandbox)] * 40) for number in range(4)])

    assert [entry.code for entry in sandbox.mparticle.dropped] == ["too_many_batches", "too_many_events", "too_many_events"]
    assert len(sandbox.mparticle.applied) == 102


def test_a_batch_over_128_kb_is_dropped(sandbox: SandboxThread, client: SandboxClient) -> None:
    """It is answered 202 like any other."""
    big = batch(sandbox, user_attributes={f"a{number}": "x" * 4000 for number in range(33)})

    assert call(client, [big]).status == 202
    assert [entry.code for entry in sandbox.mparticle.dropped] == ["batch_too_large"]


def test_users_are_what_arrived_last(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Attributes and consent of a profile are overwritten on arrival; all events of a batch belong to its one user."""
    consent = {"gdpr": {"ads": {"consented": False, "timestamp_unixtime_ms": 1}}}
    call(client, [batch(sandbox, "a", user_attributes={"x": 1, "y": 1}, consent_state=consent)])
    call(client, [batch(sandbox, "b", user_attributes={"x": 2}, deleted_user_attributes=["y"])])

    profile = sandbox.mparticle.profile("customer_id", "c1")
    assert profile is not None
    assert (profile.attributes, profile.consent) == ({"x": 2}, consent)
    assert sandbox.mparticle.profile("email", "nobody") is None


def test_the_rate_is_limited_when_asked_for(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Off unless switched on; the word for the limit is in the header, and nothing of the request is taken."""
    for number in range(4):
        assert call(client, [batch(sandbox, f"{number}-{each}") for each in range(100)]).status == 202
    sandbox.mparticle.clear()
    sandbox.mparticle.limiter.is_on = True
    sandbox.mparticle.limiter.per_second = 27
    sandbox.mparticle.limiter.exceeded = "workspace"
    answers = [call(client, [batch(sandbox, f"{number}-{each}") for each in range(100)]) for number in range(3)]

    assert [answer.status for answer in answers] == [202, 202, 429]
    assert answers[2].headers["x-mp-rate-limit-exceeded"] == "workspace"
    assert int(answers[1].headers["x-mp-rate-limit-percentage-used"]) == 74
    assert len(sandbox.mparticle.applied) == 200


def test_speeding_up_too_fast_trips() -> None:
    """At 250 a second from the start the limiter says `acceleration`; from 25 to 250 within a minute it says nothing."""

    def met(rate: Any) -> set[str | None]:
        limiter, found, at = RateLimiter(is_on=True), set(), 0.0
        while at < 120:
            found.add(limiter.take(10, at))
            at += 10 / rate(at)
        return found

    assert met(lambda _at: 250) == {None, "acceleration"}
    assert met(lambda at: min(250.0, 25 + 225 * at / 60)) == {None}
    assert met(lambda _at: 50) == {None}


def test_faults_speak_mparticles_language(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A scripted 400 has mParticle's body, every other status none, with headers of choice."""
    headers = {"X-mp-rate-limit-exceeded": "acceleration", "Retry-After": "3"}
    sandbox.faults.add(Fault(kind="status", status=400, match="/mparticle/"))
    sandbox.faults.add(Fault(kind="status", status=429, match="/mparticle/", headers=headers))
    first, second = call(client, []), call(client, [])

    assert first.json()["errors"][0]["code"] == "BAD_REQUEST"
    assert (second.status, second.body) == (429, b"")
    assert (second.headers["x-mp-rate-limit-exceeded"], second.headers["retry-after"]) == ("acceleration", "3")


def test_identity_and_erasure_have_stubs(sandbox: SandboxThread, client: SandboxClient) -> None:
    """IDSync's modify and OpenDSR note what was asked; both refuse what lacks a required field."""
    change = {"identity_changes": [{"identity_type": "email", "old_value": "a", "new_value": "b"}]}
    wish = {"regulation": "gdpr", "subject_request_id": "1", "subject_request_type": "erasure"}

    assert call(client, change, "/v1/-123/modify").status == 202
    assert call(client, {}, "/v1/-123/modify").status == 400
    assert call(client, wish, "/v3/requests").json()["subject_request_id"] == "1"
    assert call(client, wish, "/v3/requests/").status == 201
    assert call(client, {}, "/v3/requests").status == 400
    assert sandbox.mparticle.modifications == [{"mpid": "-123", **change}]
    assert sandbox.mparticle.erasures == [wish, wish]


def test_it_can_be_looked_into_from_outside(sandbox: SandboxThread, client: SandboxClient) -> None:
    """The admin API lists what was applied and dropped, in slices, and forgets it."""
    call(client, [batch(sandbox, "a"), batch(sandbox, "b"), batch(sandbox, "c", environment="prod")])

    applied = client.admin("GET", "mparticle/applied?offset=1&limit=5").json()
    dropped = client.admin("GET", "mparticle/dropped").json()
    stats = client.admin("GET", "stats").json()["mparticle"]
    client.admin("POST", "mparticle/clear")

    assert [entry["batch"]["source_request_id"] for entry in applied] == ["b"]
    assert [(entry["code"], entry["detail"]) for entry in dropped] == [
        ("schema_violation", "batch.environment: not one of the known words")
    ]
    assert stats == {"requests": 1, "applied": 2, "duplicates": 0, "dropped": {"schema_violation": 1}}
    assert client.admin("GET", "mparticle/applied?offset=x").status == 400
    assert sandbox.mparticle.applied == []


GOOD_DATA: dict[str, Any] = {"timestamp_unixtime_ms": 1, "source_message_id": "m"}
CUSTOM = {"event_name": "E", "custom_event_type": "other"}


def _one(kind: str = "custom_event", **data: Any) -> dict[str, Any]:
    return {"events": [{"event_type": kind, "data": {**GOOD_DATA, **data}}]}


def _purchase(**fields: Any) -> dict[str, Any]:
    return _one("commerce_event", product_action={"action": "purchase", **fields})


REJECTED: dict[str, dict[str, Any]] = {
    "unknown key": {"unheard_of": 1},
    "schema_version": {"schema_version": 2},
    "environment": {"environment": "prod"},
    "action case": _one("commerce_event", product_action={"action": "Purchase"}),
    "action spelling": _one("commerce_event", product_action={"action": "remove_from_wishlist"}),
    "amount as text": _purchase(total_amount="45.48"),
    "id as number": _purchase(transaction_id=1),
    "numeric product attribute": _purchase(products=[{"custom_attributes": {"a": 1}}]),
    "nested event attribute": _one(**CUSTOM, custom_attributes={"a": {"b": 1}}),
    "list event attribute": _one(**CUSTOM, custom_attributes={"a": [1]}),
    "nested user attribute": {"user_attributes": {"a": {"b": 1}}},
    "time as text": _one(**CUSTOM | {"timestamp_unixtime_ms": "1"}),
    "time as fraction": _one(**CUSTOM | {"timestamp_unixtime_ms": 1.5}),
    "mpid as text": {"mpid": "1"},
    "session": _one(**CUSTOM, session_uuid="1"),
    "currency in the action": _purchase(currency="EUR"),
    "custom type": _one(event_name="E", custom_event_type="attribution"),
    "consent without time": {"consent_state": {"gdpr": {"a": {"consented": True}}}},
    "quantity as text": _purchase(products=[{"quantity": "2"}]),
    "no name": _one(custom_event_type="other"),
    "customerid": {"user_identities": {"customerid": "1"}},
    "platform": {"device_info": {"platform": "OutOfBand"}},
    "no list": {"events": {}},
    "no event type": {"events": [{"data": {}}]},
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "empty": {},
    "no environment": {"user_identities": {"customer_id": "1"}},
    "odd attributes": _one(**CUSTOM, custom_attributes={"a": 1, "b": True, "c": None, "d": 1.5}),
    "lists of users": {"user_attributes": {"a": ["x", 1]}},
    "odd identities": {"user_identities": {"customer_id": 7, "other_id_10": None}},
    "fractional quantity": _purchase(products=[{"quantity": 1.5, "price": -1}]),
    "whole float": _purchase(products=[{"position": 2.0}]),
    "screen view": _one("screen_view", screen_name="Home"),
    "both actions": _one("commerce_event", product_action={"action": "refund"}, promotion_action={"action": "view"}),
    "consent": {"consent_state": {"ccpa": {"data_sale_opt_out": {"consented": True, "timestamp_unixtime_ms": 1}}}},
    "plan": {"context": {"data_plan": {"plan_id": "p", "plan_version": 1}}},
}


@pytest.mark.parametrize("name", REJECTED)
def test_shapes_and_the_vendors_schema_reject_alike(name: str) -> None:
    """What the sheet lists as rejected is, by both judges."""
    assert violations(REJECTED[name])
    assert problems(REJECTED[name])


@pytest.mark.parametrize("name", ACCEPTED)
def test_shapes_and_the_vendors_schema_accept_alike(name: str) -> None:
    """And what it lists as accepted."""
    assert violations(ACCEPTED[name]) == []
    assert problems(ACCEPTED[name]) == []
