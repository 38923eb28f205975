"""What the Insider destination says and understands, by its cassettes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recording import recording_of
from recording.cassette import CASSETTES, Answers, cassette
from recording.insider import CATALOG, EVENTS

from cdi_cli.destinations import ACCEPTED


async def replayed(scenario: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any], Answers]:
    """What the destination makes of a cassette, the bodies it sent, and the cassette."""
    recording, path = recording_of("insider"), CASSETTES / "insider" / f"{scenario}.yaml"
    for name, value in recording.replayed.environment.items():
        monkeypatch.setenv(name, value)
    with cassette(path, recording.replayed.scrubber.fresh()) as tape:
        result = await recording.scenarios[scenario].run(recording.replayed, "")
    assert tape.all_played
    answers = Answers(path)
    return result, [json.loads(each["request"]["body"]) for each in answers.interactions], answers


@pytest.mark.parametrize(("scenario", "skips"), [("batch", False), ("backfill-batch", True)])
async def test_a_batch_is_one_upsert(scenario: str, skips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user for each event; an order of two lines is two events of one user; history skips hooks."""
    outcomes, (body,), answers = await replayed(scenario, monkeypatch)

    assert outcomes == [ACCEPTED] * len(EVENTS)
    assert answers.uris == ["https://unification.example.com/api/user/v1/upsert"]
    assert body["skip_hook"] is skips
    assert [len(user.get("events", ())) for user in body["users"]] == [1, 0, 2, 1]
    assert body["users"][1]["not_append"] is True
    assert body["users"][2]["identifiers"] == {"email": "person-3@example.com"}
    assert answers.bodies("upsert") == [{"data": {"successful": {"count": 4}, "fail": {}}}]


async def test_products_go_to_the_catalogue_locale_by_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full records are ingested, one that is gone is updated; the product that nobody knew is the one that is refused."""
    outcomes, bodies, answers = await replayed("catalog", monkeypatch)

    assert len(outcomes) == len(CATALOG)
    assert outcomes[:2] == [ACCEPTED] * 2
    assert outcomes[2].reason == "insider_invalid_product"
    assert [uri.removeprefix("https://catalog.example.com/v2/") for uri in answers.uris] == [
        "ingest",
        "ingest",
        "update",
        "update",
    ]
    assert [{record["locale"] for record in body} for body in bodies] == [{"en_US"}, {"de_DE"}] * 2
    assert bodies[1][1]["name"] == "text-7"


async def test_the_check_delivers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks what is defined, and sends the catalogue no products."""
    checks, bodies, _ = await replayed("check", monkeypatch)

    assert bodies == [{"table": "contacts"}, {"table": "events"}, []]
    assert [check for check in checks if not check.is_ok] == []


async def test_looking_for_events_asks_one_person_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the second of the event and its parameters; nothing was sent, so nobody is there."""
    found, bodies, answers = await replayed("confirm", monkeypatch)

    assert len(found) == len(bodies) == 3
    assert {uri.rpartition("/")[2] for uri in answers.uris} == {"profile"}
    assert bodies[0]["events"]["wanted"][0]["event_name"] == "purchase"
    assert bodies[0]["events"]["end_date"] - bodies[0]["events"]["start_date"] == 2
    assert "events" not in bodies[1]
