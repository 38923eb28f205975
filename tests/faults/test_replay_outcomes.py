"""Replaying dead letters: each goes the way of the data once more, and leaves the queue only when it is settled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from doubles import FakeDestination, FakeSource
from jobs import REQUEST, SPEC, SYNC_REQUEST, replace_order, run, shop, sync
from replay_bench import PATIENT, changed_plan, letters, rechecked, refuse, replayed, strict_plan

from cdi_cli.clock import parse_instant
from cdi_cli.config.settings import BreakerPolicy
from cdi_cli.errors import ExitCode, StoppedError
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, customer_subject
from cdi_cli.pipeline.report import exit_code
from cdi_cli.pipeline.scope import BEFORE_FIRST_SIGHT
from cdi_cli.sources import Cursor, Joined, Nothing, Page, Reading, Stream
from cdi_cli.state import open_store
from cdi_cli.state._base import DeadLetter, LetterFilter, Settlement

ORDERS = shop(40)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the checkpoint file is."""
    return tmp_path / "state" / "state.db"


def completed(event_id: str) -> bool:
    """Whether an id is that of an Order Completed."""
    return event_id.endswith(":order-completed")


def test_what_was_refused_is_sent_under_its_id(state: Path) -> None:
    """Only the refused events are sent, with the ids that they had; they leave the queue, and nothing is sent twice."""
    first = refuse(state, FakeSource(ORDERS), completed)
    again = FakeDestination()

    report, error = replayed(state, FakeSource(ORDERS), again)

    assert error is None
    assert report.books.errors == ()
    assert sorted(again.ids) == sorted(first.refused)
    assert (report.books.total("pulled"), report.books.total("delivered")) == (len(ORDERS), len(ORDERS))
    assert exit_code(report.books, error, kind="replay") is ExitCode.OK
    assert letters(state) == []
    third = FakeDestination()
    run(state, FakeSource(ORDERS), third)
    assert third.ids == []


def test_the_plan_is_the_present_one(state: Path, tmp_path: Path) -> None:
    """What broke the old plan is checked by the new one; only the event of the letter is made, not the record's others."""
    run(state, FakeSource(ORDERS), FakeDestination(), plan=strict_plan(tmp_path / "strict"), breaker=PATIENT)
    before = letters(state)
    assert {stored.letter.event_name for stored in before} == {"Order Completed"}
    again = FakeDestination()

    report, error = replayed(state, FakeSource(ORDERS), again)

    assert (error, report.books.errors) == (None, ())
    assert sorted(again.ids) == sorted(stored.letter.event_id or "" for stored in before)
    assert report.books.total("issued") == len(before) == len(ORDERS)
    assert letters(state) == []


def test_what_still_breaks_the_plan_keeps_its_number(state: Path, tmp_path: Path) -> None:
    """A letter that fails again stays in its place with its new reason, and counts how often; exit code 1."""
    run(state, FakeSource(ORDERS), FakeDestination(), plan=strict_plan(tmp_path / "strict"), breaker=PATIENT)
    before = {stored.id: stored for stored in letters(state)}
    again = FakeDestination()

    report, error = replayed(
        state, FakeSource(ORDERS), again, plan=strict_plan(tmp_path / "looser", minimum=10.2), breaker=PATIENT
    )

    after = {stored.id: stored for stored in letters(state)}
    assert (error, report.books.errors) == (None, ())
    assert 0 < len(after) < len(before)
    assert set(after) < set(before)
    assert report.books.total("delivered") == len(again.ids) == len(before) - len(after)
    assert report.books.total("rejected") == len(after)
    assert exit_code(report.books, error, kind="replay") is ExitCode.DEAD_LETTERS
    for number, stored in after.items():
        assert (stored.times, stored.first_at, stored.run_id) == (2, before[number].first_at, report.run_id)
        assert stored.letter.event_id == before[number].letter.event_id
        assert "10.2" in stored.letter.detail


def test_a_record_that_can_be_read_now_makes_all_its_events(state: Path) -> None:
    """A letter of an unreadable record stands for everything that the record makes, and leaves with it."""
    broken = frozenset({1, 5, 13})
    run(state, FakeSource(ORDERS, broken=broken), FakeDestination())
    assert len(letters(state)) == len(broken)
    whole, again = FakeDestination(), FakeDestination()
    run(state.with_name("whole.db"), FakeSource([ORDERS[number] for number in sorted(broken)]), whole)

    report, error = replayed(state, FakeSource(ORDERS), again)

    assert (error, report.books.errors) == (None, ())
    assert sorted(again.ids) == sorted(whole.ids)
    assert len(again.ids) > len(broken)
    assert letters(state) == []


def test_a_record_that_still_cannot_be_read_stays(state: Path) -> None:
    """Its letter keeps place, number and digest: a later sync takes it for no news."""
    source = FakeSource(ORDERS, broken=frozenset({3}))
    run(state, source, FakeDestination())
    (before,) = letters(state)

    report, _ = replayed(state, source, FakeDestination())

    (after,) = letters(state)
    assert report.books.total("rejected") == 1
    assert (after.id, after.times, after.letter.digest) == (before.id, 2, before.letter.digest)


def test_events_of_a_readable_record_that_break_the_plan_get_letters_of_their_own(state: Path, tmp_path: Path) -> None:
    """The letter of the record goes, those of its events come."""
    run(state, FakeSource(ORDERS, broken=frozenset({1})), FakeDestination())

    report, error = replayed(state, FakeSource(ORDERS), FakeDestination(), plan=strict_plan(tmp_path))

    (letter,) = letters(state)
    assert (error, report.books.errors) == (None, ())
    assert (letter.letter.event_name, letter.letter.stage) == ("Order Completed", "plan")
    assert report.books.total("delivered") == 1  # its refund


def test_what_is_filtered_now_leaves(state: Path) -> None:
    """Without consent nothing is sent, and the queue need not keep it."""
    refuse(state, FakeSource(ORDERS), completed)
    again = FakeDestination()

    report, error = replayed(state, FakeSource(ORDERS), again, require_consent=("marketing",))

    assert (error, report.books.errors) == (None, ())
    assert report.books.reasons == {("orders", "filtered", "consent:marketing"): len(ORDERS)}
    assert (again.ids, letters(state)) == ([], [])


def test_the_erased_are_not_written_to(state: Path) -> None:
    """Letters of somebody who was erased meanwhile are filtered."""
    refuse(state, FakeSource(ORDERS), completed)
    with open_store(state) as store:
        store.erase("shop", [customer_subject("customer-2")])
    again = FakeDestination()

    report, _ = replayed(state, FakeSource(ORDERS), again)

    erased = sum(order.customer_id == "customer-2" for order in ORDERS)
    assert report.books.reasons == {("orders", "filtered", "erased"): erased}
    assert len(again.ids) == len(ORDERS) - erased
    assert letters(state) == []


def test_an_event_that_nothing_makes_any_more_stays(state: Path) -> None:
    """Where plan and settings no longer make the event, the letter says so and stays until it is dropped."""
    first = refuse(state, FakeSource(ORDERS), lambda event_id: event_id.endswith(":order-cancelled"))

    report, _ = replayed(state, FakeSource(ORDERS), FakeDestination(), lifecycle=LifecycleSettings(off=("order.cancelled",)))

    after = letters(state)
    assert {stored.letter.reason for stored in after} == {"no_longer_made"}
    assert report.books.total("rejected") == len(after) == len(first.refused)
    replayed(state, FakeSource(ORDERS), again := FakeDestination())
    assert sorted(again.ids) == sorted(first.refused)


def test_ids_of_another_form_do_not_orphan_a_letter(state: Path) -> None:
    """Under another form of ids the event still goes out under the id that it had, and its letter leaves."""
    first = refuse(state, FakeSource(ORDERS), completed)
    form = IdFormat("test", "shop", {"Order Completed": "{entity_number}-done"})
    again = FakeDestination()

    report, _ = replayed(state, FakeSource(ORDERS), again, builder=EventBuilder(form, IdentitySettings(), event_version=1))

    assert sorted(again.ids) == sorted(first.refused)
    assert (report.books.errors, letters(state)) == ((), [])


def test_content_that_the_plan_changed_keeps_the_id(state: Path, tmp_path: Path) -> None:
    """Order Updated has its content in its id; mended by the plan it is sent under the id that the letter has."""
    run(state, FakeSource(ORDERS), FakeDestination())
    touched = [replace_order(one, total=(one.lines and one.total) or one.total, shipping_method="bike") for one in ORDERS]
    trial = FakeDestination()
    copied = state.with_name("trial.db")
    copied.write_bytes(state.read_bytes())
    copied.chmod(0o600)
    restart = replace(REQUEST, asked="once more", mode="restart")
    run(copied, FakeSource(touched), trial, request=restart)
    assert len(trial.ids) == len(ORDERS)
    run(state, FakeSource(touched), FakeDestination(refused=frozenset(trial.ids)), request=restart)
    old = "  currency: {type: string"
    plan = changed_plan(tmp_path, old, "  note: {type: string, value: mended}\n" + old, event="order_updated")
    again = FakeDestination()

    report, error = replayed(state, FakeSource(touched), again, plan=plan)

    assert (error, report.books.errors) == (None, ())
    assert {message["event"] for message in again.accepted} == {"Order Updated"}
    assert all(message["properties"]["note"] == "mended" for message in again.accepted)
    assert sorted(again.ids) == sorted(trial.ids)
    assert letters(state) == []


def test_without_a_record_nothing_can_be_made(state: Path) -> None:
    """A letter without a record is left in the queue and told of."""
    refuse(state, FakeSource(ORDERS), lambda event_id: event_id.endswith(":order-cancelled"))
    known = letters(state)
    with open_store(state) as store:
        job = store.find_job("main", "target")
        assert job is not None
        lost = DeadLetter(
            "orders", "plan_violation", "it has no record", "order-99", "Order Completed", "id-99", place=b"p" * 16
        )
        store.settle(store.start_run(job.id), [Settlement(0, cursor=Cursor("c"), dead=(lost,))])

    report, _ = replayed(state, FakeSource(ORDERS), FakeDestination())

    (left,) = letters(state)
    assert left.letter.entity_id == "order-99"
    assert left.times == 1
    assert report.books.total("pulled") == len(known)
    assert report.problems == (
        "1 dead letter holds no record and cannot be replayed: read it from its source again, or drop it",
    )


def test_only_the_chosen_are_taken(state: Path) -> None:
    """Letters that are not named stay as they are."""
    refuse(state, FakeSource(ORDERS), completed)
    numbers = [stored.id for stored in letters(state)]

    replayed(state, FakeSource(ORDERS), again := FakeDestination(), numbers=numbers[:5])

    assert len(again.ids) == 5
    assert [stored.id for stored in letters(state)] == numbers[5:]


def test_the_breaker_stops_a_replay(state: Path, tmp_path: Path) -> None:
    """Where too much fails again the replay stops; everything is still in the queue, at its old number."""
    strict = strict_plan(tmp_path)
    run(state, FakeSource(ORDERS), FakeDestination(), plan=strict, breaker=PATIENT)
    numbers = [stored.id for stored in letters(state)]
    breaker = BreakerPolicy(rejected_share_max=0.2, rejected_min=10)

    report, error = replayed(state, FakeSource(ORDERS), FakeDestination(), plan=strict, breaker=breaker)

    assert isinstance(error, StoppedError)
    assert report.status == "stopped"
    assert [stored.id for stored in letters(state)] == numbers


def test_a_recheck_tells_what_a_replay_would_do(state: Path, tmp_path: Path) -> None:
    """The same verdicts, and not a byte is sent or written."""
    run(state, FakeSource(ORDERS), FakeDestination(), plan=strict_plan(tmp_path / "strict"), breaker=PATIENT)
    before, destination = letters(state), FakeDestination()
    looser = strict_plan(tmp_path / "looser", minimum=10.2)

    found = rechecked(state, FakeSource(ORDERS), destination, plan=looser)

    assert (destination.ids, letters(state)) == ([], before)
    report, _ = replayed(state, FakeSource(ORDERS), destination, plan=looser, breaker=PATIENT)
    assert found.fates() == {"passes": report.books.total("delivered"), "fails": report.books.total("rejected")}
    assert found.fates().total() == len(ORDERS) > found.fates()["passes"] > 0
    assert {one.number for one in found.verdicts if one.fate == "fails"} == {stored.id for stored in letters(state)}


def test_a_record_that_became_readable_is_judged_by_the_scope(state: Path) -> None:
    """What a delta sync would not call news is not sent by a replay either; the letter leaves."""
    source = FakeSource([replace_order(ORDERS[1], updated_at=parse_instant("2026-02-01T00:30:00.000Z"))])
    source.broken, source.now = frozenset({1}), parse_instant("2026-02-01T01:00:00.000Z")
    request = replace(SYNC_REQUEST, since=parse_instant("2026-02-01T00:00:00.000Z"))
    asyncio.run(sync(state, source, FakeDestination(), request=request))
    assert [stored.letter.reason for stored in letters(state)] == ["unreadable_record"]
    source.broken, source.now = frozenset(), None

    report, _ = replayed(state, source, again := FakeDestination())

    assert set(report.books.reasons) == {("orders", "filtered", BEFORE_FIRST_SIGHT)}
    assert (again.ids, letters(state)) == ([], [])


class LeadingSource(FakeSource):
    """A source whose stream `payments` only leads to orders, as that of commercetools does."""

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """Orders as they are; a payment as its order; an order taken for a payment says nothing."""
        if stream == "orders":
            return await super().read(stream, records)
        found: list[list[Reading]] = []
        for record in records:
            payment = msgspec.json.decode(record)
            if "total" in payment:
                found.append([Nothing("no_refund")])
                continue
            own = [msgspec.json.encode(order) for order in self.orders if order.id == payment["order"]]
            found.append(Joined([self._read(one) for one in own], own))
        return found

    async def pages(self, *args: Any, **options: Any) -> AsyncIterator[Page]:
        """The same pages, of payments."""
        async for page in super().pages(*args, **options):
            records = [msgspec.json.encode({"order": msgspec.json.decode(record)["id"]}) for record in page.records]
            yield Page(records, page.cursor, page.is_last)


def test_an_event_that_another_stream_led_to(state: Path) -> None:
    """The record of such a letter is not one of its own stream; it is read as what it is, and only its event is sent."""
    spec = replace(SPEC, streams=(Stream("orders", "order"), Stream("payments", "order")))
    shaping: dict[str, Any] = {"source_spec": spec, "streams": ("payments",), "breaker": PATIENT}
    run(state, LeadingSource(ORDERS), taken := FakeDestination(), **shaping)
    refused = frozenset(each for each in taken.ids if ":order-refunded:" in each)
    state = state.with_name("again.db")
    run(state, LeadingSource(ORDERS), FakeDestination(refused=refused), **shaping)
    assert {stored.letter.stream for stored in letters(state)} == {"payments"}

    report, _ = replayed(state, LeadingSource(ORDERS), again := FakeDestination(), **shaping)

    assert sorted(again.ids) == sorted(refused)
    assert (report.books.errors, report.books.total("delivered"), letters(state)) == ((), len(refused), [])


def test_the_numbers_of_a_filter(state: Path) -> None:
    """Numbers can be asked for without reading letters: newest first, at most so many."""
    refuse(state, FakeSource(ORDERS), completed)
    with open_store(state, read_only=True) as store:
        numbers = store.letter_numbers()
        assert numbers == [stored.id for stored in store.dead_letters(limit=1000)]
        assert store.letter_numbers(limit=3) == numbers[:3]
        assert store.letter_numbers(LetterFilter(event_name="Order Cancelled")) == []
        assert store.letter_numbers(LetterFilter(numbers=(numbers[0], 10**6))) == [numbers[0]]
