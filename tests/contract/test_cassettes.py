"""Every connector's canonical requests replay from its cassettes, and no cassette holds what must not be kept."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from recording import Recording, recording_of
from recording.cassette import CASSETTES, Answers, cassette
from recording.scan import leaks
from recording.scrub import MASK, REQUEST_HEADERS, RESPONSE_HEADERS
from vcr.errors import CannotOverwriteExistingCassetteException

from cdi_cli import destinations, sources

NAMES = [*sources.names(), *destinations.names()]
FILES = sorted(CASSETTES.glob("*/*.yaml"))
SCENARIOS = [
    pytest.param(name, scenario, id=f"{name}-{scenario}") for name in NAMES for scenario in recording_of(name).scenarios
]
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection at all, not even to this machine."""

    def refused(_self: socket.socket, address: Any) -> None:
        raise AssertionError(f"a replay may not connect to {address}")

    monkeypatch.setattr(socket.socket, "connect", refused)


async def replayed(name: str, scenario: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the connector makes of a cassette; fails unless it asks for everything in it, and for nothing else."""
    recording = recording_of(name)
    account = recording.replayed
    for variable, value in account.environment.items():
        monkeypatch.setenv(variable, value)
    path = CASSETTES / name / f"{scenario}.yaml"
    with cassette(path, account.scrubber.fresh()) as tape:
        result = await recording.scenarios[scenario].run(account, Answers(path).window_start)
    assert tape.all_played
    return result


@pytest.mark.parametrize("name", NAMES)
def test_every_connector_has_a_cassette_per_scenario(name: str) -> None:
    """No scenario is unrecorded, and no file is left over from a scenario that is gone."""
    recording = recording_of(name)

    assert isinstance(recording, Recording)
    assert {path.stem for path in FILES if path.parent.name == name} == set(recording.scenarios)
    assert {path.parent.name for path in FILES} <= set(NAMES)


def test_a_connector_without_a_recording_says_what_to_add() -> None:
    """The error names the file."""
    with pytest.raises(LookupError, match=r"tests/recording/unheard_of\.py"):
        recording_of("unheard_of")


@pytest.mark.usefixtures("_no_network")
@pytest.mark.parametrize(("name", "scenario"), SCENARIOS)
async def test_the_connector_asks_exactly_what_was_recorded(
    name: str, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network, the same requests are made, each is answered from the cassette, and none is left."""
    assert await replayed(name, scenario, monkeypatch)


@pytest.mark.usefixtures("_no_network")
async def test_a_request_that_was_not_recorded_fails_the_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed query does not find an answer that is not its own."""
    recording = recording_of("commercetools")
    monkeypatch.setenv("CTP_CLIENT_SECRET", "only-a-placeholder-secret")
    path = CASSETTES / "commercetools" / "customers.yaml"
    with (
        cassette(path, recording.replayed.scrubber.fresh()) as tape,
        pytest.raises(CannotOverwriteExistingCassetteException),
    ):
        await recording.scenarios["customers"].run(recording.replayed, "2001-01-01T00:00:00.000Z")

    assert not tape.all_played


@each_file
def test_no_cassette_holds_a_secret_or_personal_data(path: Path) -> None:
    """Not by pattern, not by field name, and none of the secrets that were used for recording the sandbox."""
    secrets = recording_of(path.parent.name).secrets

    assert secrets
    assert leaks(path.read_text(encoding="utf-8"), secrets) == []


@each_file
def test_cassettes_are_readable_and_hold_few_headers(path: Path) -> None:
    """Bodies are decoded text, addresses are placeholders, headers are those that are known to be harmless."""
    answers = Answers(path)

    assert answers.interactions
    for interaction in answers.interactions:
        request, response = interaction["request"], interaction["response"]
        assert re.match(r"https://\w+\.example\.com/", request["uri"])
        assert set(request["headers"]) <= REQUEST_HEADERS
        assert set(response["headers"]) <= RESPONSE_HEADERS
        assert all(value.endswith(MASK) for value in request["headers"].get("authorization", []))
        assert isinstance(request["body"], str)
        assert isinstance(response["body"]["string"], str)


@each_file
def test_scrubbing_again_changes_nothing(path: Path) -> None:
    """What was scrubbed once stays as it is: that is how a replayed request finds its answer."""
    scrubber = recording_of(path.parent.name).replayed.scrubber.fresh()
    for interaction in Answers(path).interactions:
        text = interaction["response"]["body"]["string"]
        if text:  # an answer may have no body at all
            body = json.loads(text)
            assert scrubber.value(body) == body
