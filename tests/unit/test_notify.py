"""Notifications: news only, each once, in a body that chat systems take, without secrets, and never in the way of a run."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_server import ScriptedServer, answer, hang, scripted

from cdi_cli.clock import Instant, parse_instant, shift
from cdi_cli.errors import ConfigError, RefusedError, TransientError
from cdi_cli.pipeline import notify as notifying
from cdi_cli.pipeline.figures import RunFigures
from cdi_cli.pipeline.notify import Message, Standing, memory_beside, notify, send, should_tell
from cdi_cli.secrets import REDACTOR, Secret

NOON = parse_instant("2026-01-03T12:00:00.000Z")
CANARY = "T0CANARY/B0/Xu8sYq2mPz91LkaVbN3"


def after(minutes: float) -> Instant:
    """So many minutes after noon."""
    return shift(NOON, timedelta(minutes=minutes))


def run(minutes: float = 0, code: int = 0, rejected: int = 0, **changes: Any) -> RunFigures:
    """A sync that ended so many minutes after noon."""
    values: dict[str, Any] = {
        "pipeline": "main",
        "destination": "segment",
        "kind": "sync",
        "ended_at": after(minutes),
        "exit_code": code,
        "duration_seconds": 2.0,
        "run_id": 7,
        "outcomes": {("orders", "rejected"): rejected, ("orders", "delivered"): 3},
        "message": "Segment: the server answered 503" if code == 3 else None,
    }
    return RunFigures(**(values | changes))


def told(*runs: RunFigures, standing: Standing | None = None) -> list[tuple[Instant, str]]:
    """When what was told about runs one after the other, with every message arriving."""
    found = []
    now = standing or Standing()
    for one in runs:
        message, now, _ = should_tell(now, one)
        if message is not None:
            found.append((one.ended_at, message.happening))
    return found


def test_good_runs_are_no_news() -> None:
    """Whoever is told of every run soon reads none."""
    assert told(*(run(5 * n) for n in range(1000))) == []


def test_a_failure_is_told_when_it_begins_daily_and_when_it_ends() -> None:
    """Three days of failing every five minutes make four messages, and the recovery one."""
    failing = [run(5 * n, code=3) for n in range(3 * 288)]

    assert told(run(-5), *failing, run(3 * 1440), run(3 * 1440 + 5)) == [
        (after(0), "failure"),
        (after(1440), "failure"),
        (after(2880), "failure"),
        (after(4320), "recovery"),
    ]


@pytest.mark.parametrize("code", [4, 130, 143])
def test_a_run_that_was_stopped_or_locked_out_changes_nothing(code: int) -> None:
    """It neither begins a failure nor ends one."""
    assert told(run(0, code), run(5, 3), run(10, code), run(15, 3), run(20)) == [
        (after(5), "failure"),
        (after(20), "recovery"),
    ]


def test_new_dead_letters_are_told_at_once_and_then_hourly() -> None:
    """A steady trickle makes one message an hour, each with the sum since the last."""
    standing = Standing()
    messages: list[tuple[Instant, int]] = []
    for n in range(25):
        message, standing, _ = should_tell(standing, run(5 * n, code=1, rejected=2))
        if message is not None:
            messages.append((after(5 * n), message.data["dead_letters"]))

    assert messages == [(after(0), 2), (after(60), 24), (after(120), 24)]


def test_the_last_dead_letters_are_not_kept_back() -> None:
    """What came within the hour is told by a later run that has none itself."""
    assert told(run(0, 1, 1), run(5, 1, 1), run(10), run(60), run(65)) == [
        (after(0), "dead_letters"),
        (after(60), "dead_letters"),
    ]


def test_a_recovery_names_the_dead_letters_of_the_failure() -> None:
    """They are part of the one message, not a second one."""
    standing = Standing()
    texts = []
    for one in (run(0, 3, 40), run(5, 3, 2), run(190), run(195)):
        message, standing, _ = should_tell(standing, one)
        texts += [message.text] if message else []

    assert texts == [
        "cdi: main -> segment: sync fails (exit code 3): Segment: the server answered 503",
        "cdi: main -> segment: sync works again after 3 hours, 42 new dead letters",
    ]


def test_a_clock_that_was_set_back_does_not_silence_a_failure() -> None:
    """A message dated a year ahead is no reason to wait a year."""
    standing = Standing(failing_since=after(0), failure_told_at=after(525_600))

    assert told(run(5, 3), standing=standing) == [(after(5), "failure")]


@given(st.lists(st.tuples(st.sampled_from([0, 1, 2, 3, 4, 130, 143]), st.integers(0, 3), st.booleans()), max_size=60))
def test_whatever_happens_the_news_is_consistent(life: list[tuple[int, int, bool]]) -> None:
    """A recovery follows a told failure, within a day no failure is told twice, no dead letter is told twice or lost."""
    standing = Standing()
    heard: list[tuple[int, str]] = []
    letters = reported = 0
    for n, (code, rejected, arrives) in enumerate(life):
        message, if_told, if_not = should_tell(standing, run(5 * n, code, rejected))
        letters += rejected
        standing = if_told if arrives else if_not
        if message is not None and arrives:
            heard.append((n, message.happening))
            reported += message.data["dead_letters"] if message.happening != "failure" else 0

    news = [happening for _, happening in heard if happening != "dead_letters"]
    assert all(pair in (("failure", "recovery"), ("recovery", "failure")) for pair in pairwise(news))
    assert news[:1] != ["recovery"]
    assert reported + standing.letters_untold == letters


def test_the_body_is_what_chat_systems_take() -> None:
    """A `text` with Slack's three characters escaped, and the same as data."""
    message, _, _ = should_tell(Standing(), run(0, 3, message="<!channel> & more"))
    assert message is not None

    body = json.loads(message.body())

    assert body["text"] == "cdi: main -&gt; segment: sync fails (exit code 3): &lt;!channel&gt; &amp; more"
    assert body["cdi"] == {
        "event": "failure",
        "pipeline": "main",
        "destination": "segment",
        "kind": "sync",
        "run": 7,
        "at": NOON,
        "exit_code": 3,
        "failing_since": NOON,
        "dead_letters": 0,
        "message": "<!channel> & more",
    }


def test_a_message_is_bounded_and_redacted() -> None:
    """An endless error text is cut, a secret in it masked."""
    REDACTOR.add(Secret(CANARY))
    message, _, _ = should_tell(Standing(), run(0, 3, message=f"refused {CANARY} " + "x" * 100_000))
    assert message is not None

    assert CANARY not in message.body().decode()
    assert len(message.text) == notifying.TEXT_CHARACTERS_MAX
    assert len(message.body()) < 6_000


def hook(server: ScriptedServer) -> Secret:
    """The address of a webhook, with its secret path."""
    secret = Secret(f"{server.url}/services/{CANARY}")
    REDACTOR.add(secret)
    return secret


async def test_a_message_is_posted_as_json(tmp_path: Path) -> None:
    """One POST to the very address, and what was told is remembered, for the owner only."""
    memory = tmp_path / "new" / "told.json"
    async with scripted(answer(200, b"ok")) as server:
        warnings = await notify(hook(server), memory, [run(0, 3)])
        again = await notify(hook(server), memory, [run(5, 3)])

    (request,) = server.requests
    assert (warnings, again) == ([], [])
    assert (request.method, request.target) == ("POST", f"/services/{CANARY}")
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.json()["cdi"]["event"] == "failure"
    assert memory.stat().st_mode & 0o777 == 0o600
    assert list(memory.parent.iterdir()) == [memory]


async def test_several_ways_are_told_apart(tmp_path: Path) -> None:
    """One destination failing is told once, though another one of the same pipeline goes well."""
    memory = tmp_path / "told.json"
    async with scripted(answer(204)) as server:
        for n in range(3):
            await notify(hook(server), memory, [run(5 * n, 3), run(5 * n, 0, destination="mirror")])
        await notify(hook(server), memory, [run(20), run(20, destination="mirror")])

    assert [(r.json()["cdi"]["event"], r.json()["cdi"]["destination"]) for r in server.requests] == [
        ("failure", "segment"),
        ("recovery", "segment"),
    ]


@pytest.mark.parametrize("status", [400, 403, 404, 410, 302, 500])
async def test_a_message_that_is_refused_is_a_warning_and_tried_again(
    tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The warning and the log tell what was to be told and why not, never the address; the next run tells it."""
    memory = tmp_path / "told.json"
    caplog.set_level(logging.WARNING, logger="cdi.notify")
    async with scripted(answer(status)) as server:
        (warning,) = await notify(hook(server), memory, [run(0, 3)])
    async with scripted(answer(200)) as later:
        assert await notify(hook(later), memory, [run(5, 3)]) == []

    assert "nobody was told that main -> segment: sync fails" in warning
    assert str(status) in warning or "answered" in warning
    assert CANARY not in warning + caplog.text
    assert [record.message for record in caplog.records if record.name == "cdi.notify"] == ["notification failed"]
    assert [request.json()["cdi"]["failing_since"] for request in later.requests] == [NOON]


async def test_a_webhook_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All messages of a run together take no longer than the limit."""
    monkeypatch.setattr(notifying, "SECONDS_MAX", 0.3)
    started = time.monotonic()
    async with scripted(hang) as server:
        warnings = await notify(hook(server), tmp_path / "told.json", [run(0, 3), run(0, 3, destination="mirror")])

    assert len(warnings) == 2
    assert time.monotonic() - started < 2


async def test_a_webhook_that_is_gone_is_a_warning(tmp_path: Path) -> None:
    """A refused connection ends in a warning, too."""
    async with scripted(answer(200)) as server:
        address = hook(server)

    (warning,) = await notify(address, tmp_path / "told.json", [run(0, 3)])

    assert "nobody was told" in warning
    assert CANARY not in warning


async def test_an_address_without_encryption_is_refused() -> None:
    """`http://` to another machine would show the message and the address to everyone on the way."""
    message, _, _ = should_tell(Standing(), run(0, 3))
    assert message is not None

    with pytest.raises(ConfigError, match="unencrypted"):
        await send(Secret("http://chat.example.com/hook"), message)


@pytest.mark.parametrize(("status", "error"), [(404, RefusedError), (503, TransientError)])
async def test_sending_raises_what_went_wrong(status: int, error: type[Exception]) -> None:
    """The caller learns whether it is worth trying again."""
    async with scripted(answer(status)) as server:
        with pytest.raises(error, match="notification"):
            await send(hook(server), Message("failure", "x", {}))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"a": 1}', b'{"a": {"failing_since": "soon"}}', b"\xff"])
async def test_a_memory_that_cannot_be_read_costs_one_message_too_many(tmp_path: Path, content: bytes) -> None:
    """It is made new; nothing else happens."""
    memory = tmp_path / "told.json"
    memory.write_bytes(content)
    async with scripted(answer(200)) as server:
        assert await notify(hook(server), memory, [run(0, 3)]) == []
        assert await notify(hook(server), memory, [run(5, 3)]) == []

    assert len(server.requests) == 1


async def test_a_memory_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    """The message goes out all the same."""
    (tmp_path / "told.json").mkdir()
    async with scripted(answer(200)) as server:
        (warning,) = await notify(hook(server), tmp_path / "told.json", [run(0, 3)])

    assert "cannot be remembered" in warning
    assert len(server.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


async def test_a_run_that_was_locked_out_leaves_the_memory_alone(tmp_path: Path) -> None:
    """The run that holds the lock may be writing it."""
    async with scripted(answer(200)) as server:
        await notify(hook(server), tmp_path / "told.json", [run(0, 4)])

    assert list(tmp_path.iterdir()) == []


def test_the_memory_lies_beside_the_checkpoint_file() -> None:
    """In the one folder that unattended runs may write to."""
    assert memory_beside(Path("x/.cdi/state.db")) == Path("x/.cdi/state.db.told.json")
