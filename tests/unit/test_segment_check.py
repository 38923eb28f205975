"""`check()` of the Segment destination: honest about what Segment tells, never raising, delivering nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from scripted_server import Step, answer, raw, scripted
from segment_events import WRITE_KEY, destination, without_waits

from cdi_cli.checks import Check
from cdi_cli.clock import Clock
from cdi_cli.destinations import DestinationContext

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def ok(skew: timedelta = timedelta()) -> Step:
    """Segment's answer, dated by a server whose clock is `skew` later than ours."""
    return answer(200, b'{"success":true}', Date=format_datetime(NOW + skew, usegmt=True))


@pytest.fixture(autouse=True)
def _write_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGMENT_WRITE_KEY", WRITE_KEY)


async def checks(*steps: Step, **values: Any) -> dict[str, Check]:
    """The checks by name, against a server that answers so; asserts that no event was sent."""
    async with scripted(*steps) as server:
        segment = destination(endpoint=server.url, clock=Clock(now=lambda: NOW), **values)
        with without_waits():
            found = await segment.check()
        await segment.close()
    assert server.requests
    assert all(request.json()["batch"] == [] for request in server.requests)
    return {check.name: check for check in found}


async def test_a_good_answer_does_not_confirm_the_write_key() -> None:
    """Segment answers 200 to any key, and the check says so and where to look."""
    found = await checks(ok())

    assert all(check.is_ok for check in found.values())
    assert "not confirmed" in found["segment write key"].detail
    assert "Debugger" in (found["segment write key"].hint or "")
    assert WRITE_KEY not in repr(found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "every destination"),
        ({"integrations": {"All": False, "Braze": True}}, "on: `Braze`; off: `All`"),
        ({"context": DestinationContext(is_backfill=True)}, "backfill: on: none; off: `All`"),
        ({"context": DestinationContext(is_backfill=True), "backfill_integrations": ["S3"]}, "on: `S3`; off: `All`"),
    ],
)
async def test_it_says_where_events_will_go(values: dict[str, Any], words: str) -> None:
    """A misspelt destination cannot be found out from here, so the names are shown."""
    found = await checks(ok(), **values)

    assert words in found["segment integrations"].detail


@pytest.mark.parametrize(
    ("skew", "is_ok", "words"),
    [
        (timedelta(seconds=30), True, "within 60 s"),
        (timedelta(hours=1), False, "3600 s behind"),
        (timedelta(hours=-1), False, "3600 s ahead of"),
    ],
)
async def test_a_wrong_clock_is_found(skew: timedelta, is_ok: bool, words: str) -> None:
    """Segment moves event times by the difference of the clocks, so a wrong one spoils all of them."""
    found = await checks(ok(skew))

    assert found["segment clock"].is_ok is is_ok
    assert words in found["segment clock"].detail


@pytest.mark.parametrize("date", [{}, {"Date": "today"}])
async def test_a_missing_date_is_no_failure(date: dict[str, str]) -> None:
    """A proxy may strip the header; then the clock is simply not compared."""
    found = await checks(answer(200, b'{"success":true}', **date))

    assert found["segment clock"] == Check("segment clock", True, "not compared: the answer has no readable date")


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (answer(401), "the credentials were refused"),
        (answer(404), "answered 404"),
        (answer(302, Location="https://login.example/"), "redirect"),
        (answer(503), "answered 503"),
        (answer(200, b"<html>"), "cannot be read"),
        (raw(b""), "connection broke"),
    ],
)
async def test_every_failure_is_a_line_and_not_an_exception(step: Step, words: str) -> None:
    """Whatever is wrong, one failed check says what, and what to do."""
    found = await checks(step)

    (check,) = found.values()
    assert (check.name, check.is_ok) == ("segment endpoint", False)
    assert words in check.detail
    assert check.hint
