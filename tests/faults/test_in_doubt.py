"""A destination that cannot recognise a repeat: nothing is sent blindly, whatever was lost in between."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jobs
import pytest
from doubles import FakeDestination, FakeSource, order
from kills import HookedStore, Killer, fork
from replay_bench import refuse, replayed
from routing_bench import rules

from cdi_cli.errors import RefusedError, TransientError
from cdi_cli.events import ContactSettings, Event, key_of
from cdi_cli.pipeline.contacts import Contacts
from cdi_cli.state import open_store
from cdi_cli.state._base import IN_DOUBT

ONCE: dict[str, Any] = {"is_idempotent": False}


async def run(state: Path, destination: FakeDestination, **changes: Any) -> Any:
    """A small backfill into a destination without idempotency."""
    return await jobs.backfill(state, FakeSource(jobs.shop(40)), destination, **(ONCE | changes))


def letters(state: Path) -> list[Any]:
    """What lies in the dead letters."""
    with open_store(state, read_only=True) as store:
        return store.dead_letters(limit=1000)


async def test_without_trouble_nothing_stays_noted(tmp_path: Path) -> None:
    """Every intent leaves with its outcome."""
    destination = FakeDestination()

    report, error = await run(tmp_path / "state.db", destination)

    assert (error, report.books.errors) == (None, ())
    assert destination.confirmed == []
    with open_store(tmp_path / "state.db", read_only=True) as store:
        keys = [key_of(one) for one in destination.ids]
        assert store.doubts("shop", "target", keys) == {}


async def test_a_lost_answer_is_looked_for_and_counts_as_delivered(tmp_path: Path) -> None:
    """What is found there is not sent again."""
    destination = FakeDestination(lost=lambda number: number == 2)

    report, error = await run(tmp_path / "state.db", destination)

    assert (error, report.status, report.books.errors) == (None, "done", ())
    assert len(destination.confirmed) == 10
    assert max(Counter(destination.ids).values()) == 1
    assert letters(tmp_path / "state.db") == []


async def test_what_did_not_arrive_is_sent(tmp_path: Path) -> None:
    """Looked for and not found: then sending it again does no harm."""
    taken: list[str] = []

    def drop(number: int, events: list[bytes]) -> None:
        if number == 1:
            taken.extend(json.loads(event)["messageId"] for event in events)

    destination = FakeDestination(script=drop, lost=lambda number: number == 1, confirms=lambda _one: False)

    report, _ = await run(tmp_path / "state.db", destination)

    assert report.status == "done"
    assert set(destination.confirmed) == set(taken)
    assert [Counter(destination.ids)[one] for one in taken] == [2] * len(taken), (
        "the double keeps what it lost the answer of"
    )


class FindsBySight(FakeDestination):
    """Knows an event by all that it holds, as a product does that keeps no ids."""

    async def confirm(self, events: Sequence[Event]) -> list[bool | None]:
        """Whether each event is there as it would be sent."""
        encoded = [self.encode(event) for event in events]
        self.confirmed += [event.id for event in events]
        return [isinstance(one, bytes) and json.loads(one) in self.accepted for one in encoded]


@pytest.mark.parametrize(
    "shaping",
    [
        {"rules": rules({"when": {"event": "Order Completed"}, "then": {"drop": "revenue", "rename": {"order_id": "no"}}})},
        {"contacts": Contacts(jobs.plan(), ContactSettings("sha256"))},
    ],
    ids=["routing", "contacts"],
)
async def test_it_is_looked_for_as_it_was_sent(tmp_path: Path, shaping: dict[str, Any]) -> None:
    """With the names, properties and contacts that it has there; else it would not be found, and be sent twice."""
    destination = FindsBySight(lost=lambda _number: True)
    guests = [order(number, customer_id=None, email=f"Jo.{number}@Example.com") for number in range(30)]

    report, error = await jobs.backfill(tmp_path / "state.db", FakeSource(guests), destination, **(ONCE | shaping))

    assert (error, report.status, report.books.errors) == (None, "done", ())
    assert set(destination.confirmed) == set(destination.ids)
    assert Counter(destination.ids) == Counter(set(destination.ids))
    assert letters(tmp_path / "state.db") == []


async def test_what_was_accepted_is_kept_when_looking_for_the_rest_fails(tmp_path: Path) -> None:
    """The next run asks for what is in doubt only, and sends nothing twice."""
    state = tmp_path / "state.db"

    def refuse(number: int, _events: list[bytes]) -> None:
        if number == 1:
            raise RefusedError("not as a whole", status=400)

    def down(_event_id: str) -> bool | None:
        raise TransientError("the profile API is down")

    # The first batch is halved: its first half is accepted, the answer about the second is lost.
    first = FakeDestination(script=refuse, lost=lambda number: number == 3, confirms=down)
    few = FakeSource([order(number) for number in range(10)])
    _, error = await jobs.backfill(state, few, first, **ONCE)
    second = FakeDestination(confirms=lambda one: one in first.ids)
    report, _ = await jobs.backfill(state, few, second, **ONCE)

    assert isinstance(error, TransientError)
    assert (len(first.ids), report.status) == (10, "done")
    assert set(second.confirmed) == set(first.ids[5:])
    assert second.ids == []


async def test_what_nobody_can_tell_waits_for_a_person(tmp_path: Path) -> None:
    """It is in the dead letters, whole, and is not sent by any later run."""
    destination = FakeDestination(lost=lambda number: number == 1, confirms=lambda _one: None)
    state = tmp_path / "state.db"

    report, _ = await run(state, destination)
    before = list(destination.ids)
    again = FakeDestination(confirms=lambda _one: None)
    second, _ = await run(state, again)

    assert report.books.errors == second.books.errors == ()
    assert {one.letter.reason for one in letters(state)} == {IN_DOUBT}
    assert len(letters(state)) == 10
    assert again.ids == [], before


async def test_a_person_decides_that_they_arrived(tmp_path: Path) -> None:
    """The letters go, the ledger knows the events, nothing is sent."""
    state = tmp_path / "state.db"
    await run(state, FakeDestination(lost=lambda number: number == 1, confirms=lambda _one: None))

    with open_store(state) as store:
        assert store.settle_doubts([one.id for one in letters(state)]) == 10
    again = FakeDestination()
    report, _ = await run(state, again)

    assert letters(state) == []
    assert (again.ids, again.confirmed) == ([], [])
    assert report.books.total("delivered") == 0


async def test_an_outage_before_anything_was_sent_leaves_no_doubt(tmp_path: Path) -> None:
    """The next run sends without looking."""
    state = tmp_path / "state.db"

    def down(_number: int, _events: list[bytes]) -> None:
        raise TransientError("connection refused")

    await run(state, FakeDestination(script=down))
    destination = FakeDestination()
    report, _ = await run(state, destination)

    assert report.status == "done"
    assert destination.confirmed == []


@pytest.mark.parametrize("at", [1, 2, 5, 9, 14, 20, 31, 44, 58])
def test_a_killed_run_repeats_nothing(tmp_path: Path, at: int) -> None:
    """`kill -9` anywhere, then run again: what had been on its way is looked for, each event is applied exactly once."""
    state, applied = tmp_path / "state.db", tmp_path / "applied.jsonl"

    def work(point: Killer) -> int:
        def apply(_number: int, events: list[bytes]) -> None:
            point()
            with applied.open("ab") as file:
                file.write(b"".join(event + b"\n" for event in events))
            point()

        def is_there(event_id: str) -> bool:
            return any(json.loads(line)["messageId"] == event_id for line in applied.read_bytes().splitlines())

        destination = FakeDestination(script=apply, confirms=lambda one: applied.exists() and is_there(one))
        source = FakeSource(jobs.shop(80), page_size=20, on_page=lambda _number: point())
        wrap = lambda store: HookedStore(store, point)  # noqa: E731 - one line says it
        report, error = jobs.run(state, source, destination, wrap=wrap, **ONCE)
        return 0 if error is None and not report.books.errors else 1

    fork(work, at)
    status, _ = fork(work, None)

    times = Counter(json.loads(line)["messageId"] for line in applied.read_bytes().splitlines())
    assert os.waitstatus_to_exitcode(status) == 0
    assert max(times.values()) == 1
    assert len(times) > 100


@pytest.mark.parametrize("at", [1, 2, 3, 5])
def test_a_killed_replay_repeats_nothing(tmp_path: Path, at: int) -> None:
    """What it had on its way is looked for, too, before the next replay sends it: each event is applied exactly once."""
    state, applied = tmp_path / "state" / "state.db", tmp_path / "applied.jsonl"
    source = FakeSource(jobs.shop(60))
    refuse(state, source, lambda _event_id: True, **ONCE)
    wanted = {stored.letter.event_id for stored in letters(state)}
    applied.touch()

    def work(point: Killer) -> int:
        def apply(_number: int, events: list[bytes]) -> None:
            with applied.open("ab") as file:
                file.write(b"".join(event + b"\n" for event in events))
            point()

        def is_there(event_id: str) -> bool:
            return any(json.loads(line)["messageId"] == event_id for line in applied.read_bytes().splitlines())

        report, error = replayed(state, source, FakeDestination(script=apply, confirms=is_there), **ONCE)
        return 0 if error is None and not report.books.errors else 1

    fork(work, at)
    status, _ = fork(work, None)

    times = Counter(json.loads(line)["messageId"] for line in applied.read_bytes().splitlines())
    assert os.waitstatus_to_exitcode(status) == 0
    assert times == Counter(wanted)
    assert letters(state) == []


@pytest.mark.parametrize("rest_seconds", [0.0, 1.0], ids=["at once", "after a while"])
def test_what_a_killed_run_sent_is_given_the_time_to_be_found(tmp_path: Path, rest_seconds: float) -> None:
    """Looked for too early it would not be found yet, and so be sent twice: the next run waits for what is left of that."""
    state, applied = tmp_path / "state.db", tmp_path / "applied.jsonl"
    lag_seconds = 0.7

    def work(point: Killer) -> int:
        def apply(_number: int, events: list[bytes]) -> None:
            with applied.open("ab") as file:
                file.write(b"".join(event + b"\n" for event in events))
            point()

        def is_there(event_id: str) -> bool:
            """What was applied shows in the profile some time later only."""
            is_old = time.time() - applied.stat().st_mtime > lag_seconds
            return is_old and any(json.loads(line)["messageId"] == event_id for line in applied.read_bytes().splitlines())

        destination = FakeDestination(script=apply, confirms=is_there)
        report, error = jobs.run(state, FakeSource(jobs.shop(20)), destination, confirm_after_seconds=1.0, **ONCE)
        return 0 if error is None and not report.books.errors else 1

    status, _ = fork(work, 1)
    assert os.WIFSIGNALED(status)
    time.sleep(rest_seconds)
    started = time.monotonic()
    status, _ = fork(work, None)

    assert os.waitstatus_to_exitcode(status) == 0
    times = Counter(json.loads(line)["messageId"] for line in applied.read_bytes().splitlines())
    assert set(times.values()) == {1}
    assert rest_seconds or time.monotonic() - started > 0.5
