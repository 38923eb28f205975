"""`check()` of the mParticle destination: tests the credentials, says what cannot be known, delivers nothing."""

from __future__ import annotations

from typing import Any

import pytest
import stamina
from mparticle_events import KEY, SECRET, destination
from scripted_server import Step, answer, raw, scripted

from cdi_cli.checks import Check


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPARTICLE_SECRET", SECRET)


async def checks(*steps: Step, **values: Any) -> dict[str, Check]:
    """The checks by name, against a server that answers so; asserts that no batch was sent."""
    async with scripted(*steps) as server:
        mparticle = destination(endpoint=server.url, **values)
        with stamina.set_testing(True, attempts=100, cap=True):
            found = await mparticle.check()
        await mparticle.close()
    assert server.requests
    assert all((request.target, request.json()) == ("/v2/bulkevents", []) for request in server.requests)
    return {check.name: check for check in found}


async def test_a_good_answer_confirms_the_credentials() -> None:
    """And what an operator has to know is said: the environment, and that old events are not forwarded."""
    found = await checks(answer(202))

    assert all(check.is_ok for check in found.values())
    assert "took an empty request" in found["mparticle credentials"].detail
    assert "`production`" in found["mparticle environment"].detail
    assert "older than 30 days" in found["mparticle history"].detail
    assert "not forwarded to event outputs" in found["mparticle history"].detail
    assert SECRET not in repr(found)
    assert not {"mparticle data plan", "mparticle consent"} & set(found)


async def test_an_empty_request_that_is_refused_as_such_is_no_failure() -> None:
    """Whether mParticle takes a request of no batches is not documented; a 400 comes after the credentials were read."""
    found = await checks(answer(400))

    assert found["mparticle credentials"].is_ok
    assert "not refused" in found["mparticle credentials"].detail


async def test_what_settings_name_and_nobody_can_test_is_shown() -> None:
    """Data plan and consent purposes must exist on the other side, under exactly these names."""
    found = await checks(
        answer(202),
        environment="development",
        historical_after="72h",
        data_plan_id="commerce_plan",
        data_plan_version=3,
        consent={"Ads": {"gdpr": "marketing"}, "Sale": {"ccpa": True}},
    )

    assert "`development`" in found["mparticle environment"].detail
    assert "older than 72 hours" in found["mparticle history"].detail
    assert "`commerce_plan`, 3" in found["mparticle data plan"].detail
    assert "`marketing`" in found["mparticle consent"].detail
    assert all("not confirmed" in found[f"mparticle {name}"].detail for name in ("data plan", "consent"))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (answer(401), "the credentials were refused"),
        (answer(403), "the credentials were refused"),
        (answer(404), "answered 404"),
        (answer(418), "answered 418"),
        (answer(302, Location="https://login.example/"), "redirect"),
        (answer(503), "answered 503"),
        (answer(200, b"<html>"), "answered 200"),
        (raw(b""), "connection broke"),
    ],
)
async def test_every_failure_is_a_line_and_not_an_exception(step: Step, words: str) -> None:
    """Whatever is wrong, one failed check says what, and what to do."""
    found = await checks(step)

    (check,) = found.values()
    assert (check.name, check.is_ok) == ("mparticle endpoint", False)
    assert words in check.detail
    assert check.hint
    assert KEY not in repr(check)
