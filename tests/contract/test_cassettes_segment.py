"""What the Segment destination says and understands, by its cassettes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recording import recording_of
from recording.cassette import CASSETTES, Answers, cassette
from recording.segment import EVENTS

from cdi_cli.destinations import ACCEPTED


async def replayed(scenario: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, dict[str, Any], Answers]:
    """What the destination makes of a cassette, the body it sent, and the cassette."""
    recording, path = recording_of("segment"), CASSETTES / "segment" / f"{scenario}.yaml"
    for name, value in recording.replayed.environment.items():
        monkeypatch.setenv(name, value)
    with cassette(path, recording.replayed.scrubber.fresh()) as tape:
        result = await recording.scenarios[scenario].run(recording.replayed, "")
    assert tape.all_played
    answers = Answers(path)
    (interaction,) = answers.interactions
    return result, json.loads(interaction["request"]["body"]), answers


@pytest.mark.parametrize("scenario", ["batch", "backfill-batch"])
async def test_a_batch_is_one_post_of_whole_messages(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its body was compressed and holds the events as Segment spells them; the answer accepts each."""
    outcomes, body, answers = await replayed(scenario, monkeypatch)

    assert outcomes == [ACCEPTED] * len(EVENTS)
    assert answers.uris == ["https://tracking.example.com/v1/batch"]
    assert set(body) == {"writeKey", "sentAt", "context", "integrations", "batch"}
    assert body["batch"] == [event.message() for event in EVENTS]
    assert body["context"]["channel"] == "server"


async def test_history_goes_to_named_destinations_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill's batch turns everything off but what the settings name; a sync's says what the settings say."""
    _, history, _ = await replayed("backfill-batch", monkeypatch)
    _, sync, _ = await replayed("batch", monkeypatch)

    assert history["integrations"] == {"All": False, "Warehouses": True}
    assert sync["integrations"] == {"All": True, "Sample": False}
    assert {name: value for name, value in history.items() if name != "integrations"} == {
        name: value for name, value in sync.items() if name != "integrations"
    }


async def test_the_check_delivers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It posts a batch of no events, and says of the write key only what can be known."""
    checks, body, _ = await replayed("check", monkeypatch)

    assert body["batch"] == []
    assert [check for check in checks if not check.is_ok and check.name != "segment clock"] == []
    (key,) = [check for check in checks if check.name == "segment write key"]
    assert "not confirmed" in key.detail
