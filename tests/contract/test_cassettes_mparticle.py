"""What the mParticle destination says and understands, by its cassettes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mparticle_judge import violations
from recording import recording_of
from recording.cassette import CASSETTES, Answers, cassette
from recording.mparticle import EVENTS

from cdi_cli.destinations import ACCEPTED


async def replayed(scenario: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, dict[str, list[dict[str, Any]]]]:
    """What the destination makes of a cassette, and the batches that it sent, by address."""
    recording, path = recording_of("mparticle"), CASSETTES / "mparticle" / f"{scenario}.yaml"
    for name, value in recording.replayed.environment.items():
        monkeypatch.setenv(name, value)
    with cassette(path, recording.replayed.scrubber.fresh()) as tape:
        result = await recording.scenarios[scenario].run(recording.replayed, "")
    assert tape.all_played
    sent = [(one["request"]["uri"], json.loads(one["request"]["body"])) for one in Answers(path).interactions]
    assert len(dict(sent)) == len(sent)
    return result, dict(sent)


@pytest.mark.parametrize("scenario", ["batch", "development-batch"])
async def test_a_batch_is_two_posts_by_age(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over 30 days old goes to the historical endpoint, all else and profiles to the other; each is accepted."""
    outcomes, sent = await replayed(scenario, monkeypatch)

    ids = {
        uri: [batch["source_request_id"].removeprefix("development:") for batch in batches] for uri, batches in sent.items()
    }
    assert outcomes == [ACCEPTED] * len(EVENTS)
    assert ids == {
        "https://events.example.com/v2/bulkevents": [EVENTS[number].id for number in (0, 1, 4)],
        "https://events.example.com/v2/bulkevents/historical": [EVENTS[number].id for number in (2, 3)],
    }


@pytest.mark.parametrize("scenario", ["batch", "development-batch"])
async def test_each_batch_keeps_the_vendors_schema(scenario: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is said and each batch is valid, with one event at most."""
    _, sent = await replayed(scenario, monkeypatch)

    for batches in sent.values():
        for batch in batches:
            assert violations(batch) == []
            assert batch["environment"] == ("production" if scenario == "batch" else "development")
            assert len(batch.get("events", [])) <= 1


async def test_the_check_delivers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It posts a request of no batches, and says what cannot be known from here."""
    checks, sent = await replayed("check", monkeypatch)

    assert list(sent.values()) == [[]]
    assert [check for check in checks if not check.is_ok] == []
    assert any("not forwarded" in check.detail for check in checks)
