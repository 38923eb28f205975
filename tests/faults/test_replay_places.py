"""Replay and the places of the queue: what shares a record or an event neither doubles nor deletes what is not settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import FakeDestination, FakeSource
from jobs import run, shop
from plan_tools import copy_default_plan
from replay_bench import PATIENT, letters, refuse, replayed, strict_plan

from cdi_cli.plan import CompiledPlan, compile_plan, load_plan
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import DeadLetter, Settlement

ORDERS = shop(40)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the checkpoint file is."""
    return tmp_path / "state" / "state.db"


def plant(state: Path, planted: Sequence[DeadLetter]) -> None:
    """Put dead letters into the queue, as a run of the backfill."""
    with open_store(state) as store:
        job = store.find_job("main", "target")
        assert job is not None
        store.settle(store.start_run(job.id), [Settlement(0, cursor=Cursor("c"), dead=tuple(planted))])


@pytest.mark.parametrize("is_record_first", [True, False])
@pytest.mark.parametrize("is_strict", [True, False])
def test_a_record_and_its_event_side_by_side(state: Path, tmp_path: Path, *, is_record_first: bool, is_strict: bool) -> None:
    """Replayed together, their event is made once: sent, both leave; rejected, the event's letter stays and counts once."""
    strict = strict_plan(tmp_path)
    run(state.with_name("other.db"), FakeSource(ORDERS[:2]), FakeDestination(), plan=strict)
    of_event = next(one.letter for one in letters(state.with_name("other.db")) if one.letter.entity_id == "order-1")
    of_record = replace(of_event, event=None, event_id=None, event_name=None, stage="read", place=b"r" * 16)
    run(state, FakeSource([]), FakeDestination())
    plant(state, [of_record, of_event] if is_record_first else [of_event, of_record])
    (event_number,) = (one.id for one in letters(state) if one.letter.event_id)
    again = FakeDestination()

    report, _ = replayed(state, FakeSource(ORDERS), again, **({"plan": strict} if is_strict else {}))

    assert report.books.errors == ()
    assert again.ids.count(of_event.event_id or "") == (0 if is_strict else 1)
    assert [(one.id, one.times) for one in letters(state)] == ([(event_number, 2)] if is_strict else [])


def test_a_refused_event_of_a_record_that_is_in_the_queue_too(state: Path) -> None:
    """What the destination refuses of a readable record stays, though the record's own letter leaves."""
    taken = refuse(
        state.with_name("other.db"), FakeSource(ORDERS[:2]), lambda event_id: "order-1:order-completed" in event_id
    )
    (stored,) = letters(state.with_name("other.db"))
    of_record = replace(stored.letter, event=None, event_id=None, event_name=None, stage="read", place=b"r" * 16)
    run(state, FakeSource([]), FakeDestination())
    plant(state, [of_record, stored.letter])

    report, _ = replayed(state, FakeSource(ORDERS), FakeDestination(refused=taken.refused))

    (left,) = letters(state)
    assert report.books.errors == ()
    assert (left.letter.event_id, left.letter.stage, left.times) == (stored.letter.event_id, "send", 2)


def test_what_was_delivered_meanwhile_leaves_unsent(state: Path) -> None:
    """The ledger knows the event though a letter of it is there: a duplicate, and the letter goes."""
    run(state, FakeSource(ORDERS), FakeDestination())
    refuse(state.with_name("other.db"), FakeSource(ORDERS), lambda event_id: event_id.endswith(":order-completed"))
    plant(state, [one.letter for one in letters(state.with_name("other.db"))])

    report, _ = replayed(state, FakeSource(ORDERS), again := FakeDestination())

    assert report.books.reasons == {("orders", "duplicate", "delivered_before"): len(ORDERS)}
    assert (again.ids, letters(state)) == ([], [])


class ScrubbingSource(FakeSource):
    """A source whose records are kept otherwise than they were read."""

    def scrub(self, stream: str, record: bytes) -> bytes | None:
        """One blank less."""
        return record.strip()

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list]:  # type: ignore[type-arg]
        """The same with the blank or without it."""
        return await super().read(stream, [record.strip() for record in records])

    async def pages(self, *args: object, **options: object):  # type: ignore[no-untyped-def, override]
        """Pages of records that end in a blank."""
        async for page in super().pages(*args, **options):  # type: ignore[arg-type]
            yield replace(page, records=[record + b" " for record in page.records])


def without_cancelled(folder: Path) -> CompiledPlan:
    """The plan without Order Cancelled, and blocking what it does not plan."""
    folder.mkdir(exist_ok=True)
    plan = copy_default_plan(folder)
    (plan / "events" / "order_cancelled.yaml").unlink()
    head = plan / "plan.yaml"
    text = head.read_text(encoding="utf-8").replace("unplanned_events: ignore", "unplanned_events: block")
    assert "unplanned_events: block" in text
    head.write_text(text, encoding="utf-8")
    return compile_plan(load_plan(plan))


def test_something_unplanned(state: Path, tmp_path: Path) -> None:
    """It stays with its digest while it is not planned; planned, only its own event is sent and it leaves."""
    plan = without_cancelled(tmp_path / "blocking")
    source = ScrubbingSource(ORDERS)
    run(state, source, FakeDestination(), plan=plan, breaker=PATIENT)
    before = {one.id: one.letter.digest for one in letters(state)}
    assert {one.letter.reason for one in letters(state)} == {"unplanned_event"}

    report, _ = replayed(state, source, FakeDestination(), plan=plan, breaker=PATIENT)

    assert report.books.total("rejected") == len(before) > 0
    assert {one.id: one.letter.digest for one in letters(state)} == before
    replayed(state, source, again := FakeDestination())
    assert {message["event"] for message in again.accepted} == {"Order Cancelled"}
    assert len(again.ids) == len(before)
    assert letters(state) == []


def test_the_next_backfill_knows_what_stayed(state: Path) -> None:
    """A letter that a replay wrote anew is the same to the next run: no news, and not written again."""
    source = ScrubbingSource(ORDERS, broken=frozenset({4}))
    run(state, source, FakeDestination())
    replayed(state, source, FakeDestination())
    (before,) = letters(state)

    run(state, source, FakeDestination())

    (after,) = letters(state)
    assert (after.times, after.run_id) == (before.times, before.run_id) == (2, 2)
