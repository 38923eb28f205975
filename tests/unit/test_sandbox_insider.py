"""The Insider simulator: what it refuses, what it throws away behind a 200, what it appends, what can be read back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from insider_sandbox import RECORD, call
from sandbox_client import Answer, SandboxClient

from cdi_cli.clock import shift
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "insider"
JO = {"uuid": "cust-1", "email": "jo@example.com"}


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxThread]:
    """One server for the module."""
    with SandboxThread(SandboxOptions(orders=0)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared: SandboxThread) -> SandboxThread:
    """The server with an empty account and the usual panel and rules."""
    shared.insider.clear()
    shared.insider_catalog.clear()
    shared.insider_catalog.requires = ()
    shared.insider.panel.is_open = False
    shared.insider.panel.identifiers.clear()
    shared.insider.rules.lost_answers = 0
    shared.insider.rules.read_lag_seconds = 0.0
    shared.faults.clear()
    return shared


@pytest.fixture
def client(sandbox: SandboxThread) -> Iterator[SandboxClient]:
    """A client of the server."""
    with SandboxClient(sandbox.url) as client:
        yield client


def upsert(client: SandboxClient, *users: Any, **fields: Any) -> Answer:
    """Users as they are."""
    return call(client, "api/user/v1/upsert", {"users": list(users), **fields})


def sale(sandbox: SandboxThread, days: float = 1.0, name: str = "purchase", **params: Any) -> dict[str, Any]:
    """An event of some days ago; `params` are other parameters, None takes one away."""
    at = shift(sandbox.clock.instant(), timedelta(days=-days))
    usual = {"event_group_id": "ORD-1", "currency": "EUR", "quantity": 1, "unit_sale_price": 9.99, "product_id": "p-1"}
    given = {param: value for param, value in (usual | params).items() if value is not None}
    return {"event_name": name, "timestamp": at[:19] + "Z", "event_params": given}


def dropped(sandbox: SandboxThread) -> list[tuple[str, str]]:
    """What was thrown away behind a 200: code and name."""
    return [(entry.code, entry.name) for entry in sandbox.insider.dropped]


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({"X_PARTNER_NAME": "Sandbox"}, 400, "Partner is invalid."),
        ({"X_PARTNER_NAME": None}, 400, "Partner is invalid."),
        ({"X_REQUEST_TOKEN": "sandbox-catalog-token"}, 401, "Partner token authentication failed."),
        ({"Content_Type": "text/plain"}, 400, "content type must be application/json"),
    ],
)
def test_headers_are_checked_first(client: SandboxClient, headers: dict[str, Any], status: int, text: str) -> None:
    """The partner in lower case, the token of this very API, JSON."""
    answer = call(client, "api/user/v1/upsert", b"not read", **headers)

    assert answer.status == status
    assert text in answer.body.decode()


def test_the_vendors_own_samples_are_taken(sandbox: SandboxThread, client: SandboxClient) -> None:
    """The upsert and the catalogue record of the documentation, old events aside."""
    sandbox.insider.panel.is_open = True
    (user,) = json.loads((SAMPLES / "example-insider-upsert.json").read_text())["users"]
    user["events"] = [each | {"timestamp": sale(sandbox)["timestamp"]} for each in user["events"]]
    records = json.loads((SAMPLES / "example-insider-catalog-ingest.json").read_text())

    assert upsert(client, user).json() == {"data": {"successful": {"count": 1}, "fail": {}}}
    assert call(client, "v2/ingest", records).json()["message"]["valid"] == {"count": 1}
    assert len(sandbox.insider.profiles[0].events) == 3
    assert dropped(sandbox) == []


def test_mistakes_are_named_by_the_users_place_and_cost_the_whole_user(
    sandbox: SandboxThread, client: SandboxClient
) -> None:
    """Keys and texts as in the documentation; the good user between them is stored."""
    answer = upsert(
        client,
        {"identifiers": JO, "events": [sale(sandbox, event_group_id=None, unit_sale_price=None), sale(sandbox)]},
        {"identifiers": {"uuid": "good"}, "events": [sale(sandbox)]},
        {
            "identifiers": {"email": "sample", "uuid": 12345, "phone_number": "12345", "nick": "x"},
            "attributes": {"name": "J"},
        },
        {"attributes": {"name": "J"}},
        {"identifiers": JO},
        {"identifiers": JO, "events": [sale(sandbox, name="Home Page"), sale(sandbox, shipping_cost=2.5)]},
    )

    data = answer.json()["data"]
    assert answer.status == 200
    assert (data["successful"], data["fail"]["count"]) == ({"count": 1}, 5)
    assert data["fail"]["errors"] == {
        "users.0.events.0.event_params.*.required": [
            "event_group_id parameter is required on purchase event",
            "unit_sale_price parameter is required on purchase event",
        ],
        "users.2.identifiers.*.regexp(^.+@.+\\..+$)": ["not a valid email address: sample"],
        "users.2.identifiers.*.type(string)": ["uuid must be string: 12345"],
        "users.2.identifiers.*.regexp(^\\+[1-9]\\d{6,14}$)": ["user has an invalid phone number: 12345"],
        "users.2.identifiers.*.in(defaults_column)": ["key must be one of phone_number(pn), email(em) or uuid"],
        "users.3.identifiers.required": ["either insider_id or idenifiers must be specified"],
        "users.4.attributes.required": ["either attributes or events must be specified"],
        "users.5.events.0.event_name.*.regexp(^[a-z0-9][a-zA-Z0-9._-]*$)": ["invalid event name: Home Page"],
        "users.5.events.1.event_params.*.type(string)": ["shipping_cost must be string: 2.5"],
    }
    assert [entry.identifiers for entry in sandbox.insider.applied] == [{"uuid": "good"}]


def test_there_is_no_count_of_nothing(client: SandboxClient) -> None:
    """When all users fail, `successful` is empty."""
    assert upsert(client, {"identifiers": JO}).json()["data"]["successful"] == {}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "users must be defined: bad request"),
        ({"users": []}, "users must be defined: bad request"),
        ({"users": [{}] * 1001}, "users must be at most 1000: bad request"),
        (b'{"users":"' + b"x" * 5_000_000 + b'"}', "request body is bigger than maximum allowed size 5,000,000 bytes"),
        (b"{", "body is not valid JSON: bad request"),
    ],
)
def test_a_request_that_is_wrong_as_a_whole_is_400(
    sandbox: SandboxThread, client: SandboxClient, body: Any, text: str
) -> None:
    """Nothing of it is stored."""
    answer = call(client, "api/user/v1/upsert", body)

    assert (answer.status, answer.json()) == (400, {"error": text})
    assert sandbox.insider.requests == []


def test_a_repeat_is_appended(sandbox: SandboxThread, client: SandboxClient) -> None:
    """There is no id by which Insider could tell: an order that is sent twice is two."""
    for _ in range(2):
        upsert(client, {"identifiers": JO, "events": [sale(sandbox)]})

    (profile,) = sandbox.insider.profiles
    assert len(profile.events) == 2


@pytest.mark.parametrize(
    ("name", "days", "code"),
    [
        ("purchase", 729.9, None),
        ("purchase", 730.1, "ttl"),
        ("sign_up_confirmation", 364.9, None),
        ("sign_up_confirmation", 365.1, "ttl"),
        ("order_refunded", 89.9, None),
        ("order_refunded", 90.1, "ttl"),
        ("order_teleported", 1, "undefined_event"),
    ],
)
def test_what_is_too_old_or_not_defined_vanishes_behind_a_200(
    sandbox: SandboxThread, client: SandboxClient, name: str, days: float, code: str | None
) -> None:
    """The answer counts it as successful all the same."""
    answer = upsert(client, {"identifiers": JO, "events": [sale(sandbox, days, name)]})

    assert answer.json()["data"] == {"successful": {"count": 1}, "fail": {}}
    assert dropped(sandbox) == ([] if code is None else [(code, name)])
    assert len(sandbox.insider.profiles[0].events) == (code is None)


def test_undefined_parameters_attributes_and_identifiers_vanish_alone(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Also what stands beside `custom` and is no name of Insider's."""
    user = {
        "identifiers": JO | {"custom": {"loyalty_id": "L1"}},
        "attributes": {"name": "Jo", "loyalty_tier": "gold", "custom": {"title": "Dr", "shoe_size": 42}},
        "events": [sale(sandbox, gift=True, custom={"sku": "S-1", "colour_code": 7})],
    }
    upsert(client, user)

    assert dropped(sandbox) == [
        ("undefined_identifier", "loyalty_id"),
        ("mismapped_attribute", "loyalty_tier"),
        ("undefined_attribute", "shoe_size"),
        ("mismapped_param", "gift"),
        ("undefined_param", "colour_code"),
    ]
    (profile,) = sandbox.insider.profiles
    assert profile.attributes == {"name": "Jo", "c_title": "Dr"}
    assert profile.events[0]["event_params"]["c_sku"] == "S-1"


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ({}, ["a", "b", "c"]),
        ({"not_append": True}, ["c"]),
        ({"append": False}, ["c"]),
        ({"append": True, "not_append": True}, ["a", "b", "c"]),
    ],
)
def test_arrays_are_appended_unless_asked_otherwise(
    sandbox: SandboxThread, client: SandboxClient, flags: dict[str, bool], kept: list[str]
) -> None:
    """If both flags are there, `append` wins."""
    sandbox.insider.panel.is_open = True
    upsert(client, {"identifiers": JO, "attributes": {"custom": {"tags": ["a", "b"]}}})
    upsert(client, {"identifiers": JO, "attributes": {"custom": {"tags": ["c"]}}, **flags})

    assert sandbox.insider.profiles[0].attributes["c_tags"] == kept


def test_hooks_fire_unless_they_are_skipped(sandbox: SandboxThread, client: SandboxClient) -> None:
    """For everything in the request."""
    upsert(client, {"identifiers": JO, "attributes": {"name": "J"}, "events": [sale(sandbox)]}, skip_hook=True)
    silent = list(sandbox.insider.hooks)
    upsert(client, {"identifiers": JO, "attributes": {"name": "J"}, "events": [sale(sandbox)]})

    assert silent == []
    assert sandbox.insider.hooks == ["purchase", "attributes"]


def test_who_objected_is_no_longer_processed(sandbox: SandboxThread, client: SandboxClient) -> None:
    """After `gdpr_optin: false` everything about the person vanishes."""
    upsert(client, {"identifiers": JO, "attributes": {"gdpr_optin": False}})
    upsert(client, {"identifiers": JO, "events": [sale(sandbox)]})

    assert dropped(sandbox) == [("gdpr", "")]
    assert sandbox.insider.profiles[0].events == []


def profile_of(client: SandboxClient, **question: Any) -> Answer:
    """Reading back."""
    return call(client, "api/user/v1/profile", {"identifiers": JO, **question})


def test_a_profile_can_be_read_back(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Custom names with `c_`, `gdpr_optin` as `gdpr`, events of the span and the parameters asked for."""
    attributes = {"name": "Jo", "gdpr_optin": True, "custom": {"title": "Dr"}}
    upsert(client, {"identifiers": JO, "attributes": attributes, "events": [sale(sandbox), sale(sandbox, 9)]})
    now = int(sandbox.clock.now().timestamp())
    wanted = [{"event_name": "purchase", "params": ["event_group_id"]}]
    span = {"start_date": now - 3 * 86_400, "end_date": now, "wanted": wanted}

    everything = profile_of(client, attributes=["*"], events=span, quota=True).json()

    assert everything["data"]["attributes"] == {"name": "Jo", "gdpr": True, "c_title": "Dr"}
    (event,) = everything["data"]["events"]
    assert (event["event_name"], event["event_params"]) == ("purchase", {"event_group_id": "ORD-1"})
    assert "quota" in everything
    assert profile_of(client, attributes=["c_title", "city"]).json()["data"]["attributes"] == {"c_title": "Dr"}
    assert profile_of(client).status == 400
    assert profile_of(client, events={"wanted": wanted}).status == 400


def test_nobody_is_404(client: SandboxClient) -> None:
    """With Insider's text."""
    answer = profile_of(client, attributes=["*"])

    assert (answer.status, answer.json()["error"]) == (404, "no such user for these identifiers: no data")


def test_an_upsert_never_changes_an_identifier(sandbox: SandboxThread, client: SandboxClient) -> None:
    """A new e-mail for a known uuid is ignored; a change has a call of its own, with its own refusals."""
    upsert(client, {"identifiers": JO, "attributes": {"name": "Jo"}})
    upsert(client, {"identifiers": JO | {"email": "new@example.com"}, "attributes": {"name": "Jo"}})
    upsert(client, {"identifiers": {"email": "other@example.com"}, "attributes": {"name": "Al"}})

    def change(old: dict[str, str], new: dict[str, str]) -> str:
        answer = call(client, "api/user/v1/identity", {"old_identifier": old, "new_identifier": new}, method="PATCH")
        return str(answer.json().get("error", answer.status))

    old = {"email": "jo@example.com"}
    assert sandbox.insider.profiles[0].identifiers == JO
    assert change(old, old).startswith("identifier values are the same")
    assert change(old, {"email": "other@example.com"}).startswith("new identifier already has a user")
    assert change(old, {}).startswith("there must be exactly 1 entry")
    assert change(old, {"email": "new@example.com"}) == "200"
    assert sandbox.insider.profiles[0].identifiers["email"] == "new@example.com"


def test_identifiers_attributes_and_people_can_be_removed(sandbox: SandboxThread, client: SandboxClient) -> None:
    """But never the last identifier; whoever is deleted is nobody."""
    sandbox.insider.panel.is_open = True
    upsert(client, {"identifiers": JO, "attributes": {"city": "Berlin", "custom": {"tags": ["a", "b"]}}})
    wish = {"identifiers": JO, "whole": ["city"], "custom": {"partial": {"tags": ["a"]}}}
    call(client, "api/user/v1/attribute/delete", {"users": [wish, {"identifiers": {"uuid": "nobody"}}]})
    attributes = dict(sandbox.insider.profiles[0].attributes)

    removed = call(client, "api/user/v1/identity", {"identifiers": {"email": JO["email"]}}, method="DELETE")
    last = call(client, "api/user/v1/identity", {"identifiers": {"uuid": JO["uuid"]}}, method="DELETE")
    deleted = call(client, "api/user/v1/delete", {"identifiers": {"uuid": JO["uuid"]}})

    assert attributes == {"c_tags": ["b"]}
    assert (removed.status, last.status, deleted.status) == (200, 400, 200)
    assert "sole identifier" in last.json()["error"]
    assert sandbox.insider.profiles == []


def test_an_anonymised_person_keeps_the_events_and_nothing_else(sandbox: SandboxThread, client: SandboxClient) -> None:
    """Nobody finds them any more."""
    upsert(client, {"identifiers": JO, "attributes": {"name": "Jo"}, "events": [sale(sandbox)]})

    assert call(client, "api/user/v1/anonymize", {"identifiers": JO}).status == 200
    assert profile_of(client, attributes=["*"]).status == 404
    (profile,) = sandbox.insider.profiles
    assert (profile.attributes, profile.identifiers, len(profile.events)) == ({}, {}, 1)


def test_the_panel_is_listed(client: SandboxClient) -> None:
    """Attributes, and events with their parameters; custom ones with `c_`; another table is refused."""
    contacts = call(client, "api/user/v3/metadata/columns", {"table": "contacts"}).json()
    events = {each["key"]: each for each in call(client, "api/user/v3/metadata/columns", {"table": "events"}).json()}

    assert {"email", "c_title"} <= {each["key"] for each in contacts}
    assert {"unit_sale_price", "c_position"} <= {each["key"] for each in events["purchase"]["params"]}
    assert call(client, "api/user/v3/metadata/columns", {"table": "people"}).status == 400


def test_an_upsert_can_be_carried_out_and_then_answered_504(sandbox: SandboxThread, client: SandboxClient) -> None:
    """As often as the rules say."""
    sandbox.insider.rules.lost_answers = 1

    statuses = [upsert(client, {"identifiers": JO, "events": [sale(sandbox)]}).status for _ in range(2)]

    assert statuses == [504, 200]
    assert len(sandbox.insider.profiles[0].events) == 2


@pytest.mark.parametrize(
    ("status", "headers"), [(401, {}), (403, {}), (429, {"Retry-After": "3"}), (429, {}), (500, {}), (520, {})]
)
def test_scripted_statuses_speak_insiders_words(
    sandbox: SandboxThread, client: SandboxClient, status: int, headers: dict[str, str]
) -> None:
    """Of either API, and carry nothing out."""
    sandbox.faults.add(Fault(kind="status", status=status, headers=headers, match="/insider/", times=2))
    answers = [upsert(client, {"identifiers": JO, "attributes": {"name": "J"}}), call(client, "v2/ingest", [RECORD])]

    assert [answer.status for answer in answers] == [status] * 2
    assert all(
        headers.items() <= {name.title(): value for name, value in answer.headers.items()}.items() for answer in answers
    )
    assert set(answers[0].json()) <= {"error", "message"}
    assert set(answers[1].json()) == {"success", "message"}
    assert (sandbox.insider.requests, sandbox.insider_catalog.items) == ([], {})


def test_the_admin_api_shows_and_steers_it(sandbox: SandboxThread, client: SandboxClient) -> None:
    """What was applied, dropped and hooked; definitions and rules; clearing."""
    client.admin("POST", "insider/define", {"events": {"loyalty_earned": ["points"]}, "attributes": ["hat_size"]})
    client.admin("POST", "insider/rules", {"retention_days": {"loyalty_earned": 5}})
    events = [sale(sandbox, 1, "loyalty_earned", custom={"points": 3}), sale(sandbox, 6, "loyalty_earned")]
    upsert(client, {"identifiers": JO, "events": events})
    call(client, "v2/ingest", [RECORD])

    (applied,) = client.admin("GET", "insider/applied").json()
    assert applied["events"][0]["event_params"]["c_points"] == 3
    assert client.admin("GET", "insider/dropped?limit=5").json() == [{"code": "ttl", "name": "loyalty_earned"}]
    assert client.admin("GET", "insider/hooks").json() == ["loyalty_earned"]
    assert client.admin("GET", "insider/catalog").json() == [RECORD]
    assert client.admin("GET", "stats").json()["insider"] == {
        "requests": 1,
        "applied": 1,
        "profiles": 1,
        "dropped": {"ttl": 1},
        "catalog_requests": 1,
        "catalog_items": 1,
    }
    assert client.admin("POST", "insider/rules", {"retention_days": 5}).status == 400
    assert client.admin("POST", "insider/clear").json() == {"cleared": True}
    assert client.admin("GET", "insider/applied").json() == []
    client.admin("POST", "insider/rules", {"retention_days": {}})


def test_unknown_paths_are_404(client: SandboxClient) -> None:
    """Also a known path with another method."""
    assert call(client, "api/event/v1/collect", {}).status == 404
    assert call(client, "api/user/v1/upsert", {}, method="PUT").status == 404
