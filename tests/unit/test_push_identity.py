"""Pushed events and their letters: which one an event is, when it happened, what it is called."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeDestination, FakeSource
from push_tools import REQUEST, compiled, page, push, write
from replay_bench import letters, replay


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What of the pipeline is not the default: its plan."""
    return {"plan": compiled(tmp_path_factory.mktemp("plan"))}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The checkpoint file, in a folder of its own."""
    return tmp_path / "state" / "state.db"


async def test_an_event_is_known_whatever_the_digits_of_its_time(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Two exports of one event give its time with milliseconds or without: it is sent once."""
    target = FakeDestination()
    for number, at in enumerate(("2026-01-31T12:34:56.789Z", "2026-01-31T12:34:56Z", "2026-01-31T13:34:00+01:00")):
        report, error = await push(state, write(tmp_path / f"{number}.jsonl", [page(1, timestamp=at)]), target, **way)
        assert (error, report.books.errors) == (None, ())

    assert target.ids == ["page-1"]


async def test_a_letter_of_an_event_without_a_time_keeps_the_one_it_was_given(
    tmp_path: Path, state: Path, way: dict[str, Any]
) -> None:
    """What counted as happening at the push still does when it is replayed; what was refused for lack of a time stays so."""
    file = write(tmp_path / "a.jsonl", [page(1, timestamp=None)])
    target = FakeDestination(refused=frozenset({"page-1"}))
    await push(state, file, target, request=replace(REQUEST, takes_now=True), **way)
    (letter,) = [stored.letter for stored in letters(state)]
    assert letter.event is not None
    target.refused = frozenset()

    report, error = await replay(state, FakeSource([]), target, **way)

    assert (error, report.books.errors, letters(state)) == (None, (), [])
    (sent,) = target.accepted
    assert sent["timestamp"] == json.loads(letter.event)["timestamp"]

    await push(state, write(tmp_path / "b.jsonl", [page(2, timestamp=None)]), target, **way)
    await replay(state, FakeSource([]), target, **way)
    assert [stored.letter.reason for stored in letters(state)] == ["no_timestamp"]


async def test_a_repeat_of_a_page_does_not_lend_it_its_name(tmp_path: Path, state: Path, way: dict[str, Any]) -> None:
    """Of two views with one id the first is sent, under its own name."""
    target = FakeDestination()

    await push(state, write(tmp_path / "a.jsonl", [page(1, name="First"), page(1, name="Second")]), target, **way)

    assert [message["name"] for message in target.accepted] == ["First"]
