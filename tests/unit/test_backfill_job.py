"""A whole backfill on test doubles: jobs, resuming, books, and what stops a run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeDestination, FakeSource
from jobs import REQUEST, backfill, opened, plan, replace_order, resumed, shop
from oracle import expected_events, verdict

from cdi_cli.clock import Clock, parse_instant, to_datetime
from cdi_cli.commerce import Consent
from cdi_cli.errors import ConfigError, ExitCode, InterruptedRunError, ScopeError, TransientError
from cdi_cli.events import LifecycleSettings
from cdi_cli.pipeline.backfill import refuse_skew, run_backfill
from cdi_cli.pipeline.dry import DryDestination, DryStore
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import exit_code
from cdi_cli.pipeline.stop import Stop
from cdi_cli.state import open_store

ORDERS = shop(150)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the checkpoint file will be."""
    return tmp_path / "state" / "state.db"


async def test_everything_arrives_once_and_the_books_close(state: Path) -> None:
    """The oracle finds nothing missing, nothing invented, nothing doubled; exit 0."""
    destination = FakeDestination()

    report, error = await backfill(state, FakeSource(ORDERS), destination)

    judged = verdict(expected_events(ORDERS), destination.accepted)
    assert judged.is_clean
    assert judged.repeats == 0
    assert report.status == "done"
    assert report.books.errors == ()
    assert report.books.total("pulled") == len(ORDERS)
    assert exit_code(report.books, error) is ExitCode.OK


async def test_a_second_run_sends_nothing(state: Path) -> None:
    """A finished backfill, run again, recognises every event."""
    await backfill(state, FakeSource(ORDERS), FakeDestination())
    destination = FakeDestination()

    report, _ = await backfill(state, FakeSource(ORDERS), destination)

    assert destination.accepted == []
    assert report.books.total("duplicate") == report.books.total("issued") > 0
    assert report.books.errors == ()


async def test_an_unreadable_record_goes_to_the_dead_letters_alone(state: Path) -> None:
    """Its neighbours are delivered, the books close, and the exit code says that something is left."""
    destination = FakeDestination()

    report, error = await backfill(state, FakeSource(ORDERS, broken=frozenset({5, 77})), destination)

    assert verdict(expected_events(ORDERS, unreadable=(5, 77)), destination.accepted).is_clean
    assert exit_code(report.books, error) is ExitCode.DEAD_LETTERS
    with open_store(state, read_only=True) as store:
        letters = store.dead_letters()
    assert {letter.letter.entity_id for letter in letters} == {"order-5", "order-77"}


async def test_an_outage_stops_the_run_and_the_next_one_finishes_it(state: Path) -> None:
    """What was accepted before the outage is not sent again; nothing is lost."""

    def fail_later(number: int, _events: list[bytes]) -> None:
        if number > 6:
            raise TransientError("no answer")

    first = FakeDestination(script=fail_later)
    stopped, error = await backfill(state, FakeSource(ORDERS), first)
    second = FakeDestination()
    finished, _ = await backfill(state, FakeSource(ORDERS), second, request=resumed())

    judged = verdict(expected_events(ORDERS), first.accepted + second.accepted)
    assert (stopped.status, exit_code(stopped.books, error)) == ("stopped", ExitCode.STOPPED)
    assert stopped.books.total("pending") > 0
    assert finished.is_resumed
    assert judged.is_clean
    assert judged.repeats == 0


async def test_an_interrupted_run_settles_what_is_in_flight_and_repeats_nothing(state: Path) -> None:
    """Ctrl-C: batches on their way are awaited, so a clean stop never doubles an event."""
    stop = Stop()

    def ask(number: int, _events: list[bytes]) -> None:
        if number == 4:
            stop.ask()

    first = FakeDestination(script=ask, delay_seconds=0.005)
    report, error = await backfill(state, FakeSource(ORDERS), first, stop=stop)
    second = FakeDestination()
    await backfill(state, FakeSource(ORDERS), second)

    judged = verdict(expected_events(ORDERS), first.accepted + second.accepted)
    assert isinstance(error, InterruptedRunError)
    assert report.status == "interrupted"
    assert exit_code(report.books, error) is ExitCode.INTERRUPTED
    assert len(first.accepted) < len(expected_events(ORDERS))
    assert judged.is_clean
    assert judged.repeats == 0


async def test_a_second_ctrl_c_gives_up_what_is_in_flight(state: Path) -> None:
    """A stuck destination cannot hold the process; the events go out with the next run."""
    stop = Stop()
    stuck = FakeDestination(delay_seconds=3600)
    running = asyncio.create_task(backfill(state, FakeSource(ORDERS), stuck, stop=stop))
    await asyncio.sleep(0.1)

    stop.ask()
    stop.ask()
    report, _ = await asyncio.wait_for(running, 5)
    after = FakeDestination()
    await backfill(state, FakeSource(ORDERS), after)

    assert report.status == "interrupted"
    assert verdict(expected_events(ORDERS), after.accepted).is_clean


async def test_a_limit_stops_early_and_loses_nothing(state: Path) -> None:
    """`--limit` pulls that many records; the rest waits for the next run."""
    first = FakeDestination()
    report, error = await backfill(state, FakeSource(ORDERS), first, request=replace(REQUEST, limit=33))
    second = FakeDestination()
    await backfill(state, FakeSource(ORDERS), second)

    assert report.status == "limited"
    assert report.books.total("pulled") == 33
    assert exit_code(report.books, error) is ExitCode.OK
    judged = verdict(expected_events(ORDERS), first.accepted + second.accepted)
    assert judged.is_clean
    assert judged.repeats == 0


async def test_a_job_never_mixes_two_plans(state: Path) -> None:
    """A plan that changed between crash and resume is refused, with both ways out."""
    await backfill(state, FakeSource(ORDERS), FakeDestination(), request=replace(REQUEST, limit=10))

    with pytest.raises(ConfigError, match="changed since this backfill began") as caught:
        await backfill(state, FakeSource(ORDERS), FakeDestination(), fingerprint="0" * 64)

    assert "--restart" in (caught.value.hint or "")


async def test_another_window_does_not_hijack_an_unfinished_job(state: Path) -> None:
    """Two windows are two jobs: the user says which one is meant."""
    await backfill(state, FakeSource(ORDERS), FakeDestination(), request=replace(REQUEST, limit=10))

    with pytest.raises(ConfigError, match="an unfinished backfill"):
        await backfill(state, FakeSource(ORDERS), FakeDestination(), request=replace(REQUEST, asked="another"))


async def test_restart_begins_anew_and_still_sends_nothing_twice(state: Path) -> None:
    """`--restart` drops the cursor, not the memory of what was delivered."""
    first, second = FakeDestination(), FakeDestination()
    await backfill(state, FakeSource(ORDERS), first, request=replace(REQUEST, limit=40))

    report, _ = await backfill(state, FakeSource(ORDERS), second, request=replace(REQUEST, mode="restart"))

    judged = verdict(expected_events(ORDERS), first.accepted + second.accepted)
    assert not report.is_resumed
    assert report.books.total("pulled") == len(ORDERS)
    assert judged.is_clean
    assert judged.repeats == 0


async def test_resume_needs_an_unfinished_job(state: Path) -> None:
    """There is nothing to go on with before the first backfill."""
    with pytest.raises(ConfigError, match="no unfinished backfill"):
        await backfill(state, FakeSource(ORDERS), FakeDestination(), request=resumed())


async def test_an_order_that_changed_since_is_updated_not_completed_again(state: Path) -> None:
    """A second look at an order with another total: one Order Updated, no second purchase, and then quiet."""
    await backfill(state, FakeSource(ORDERS), FakeDestination())
    changed = [replace_order(one, coupons=("MAY",)) if one.id == "order-4" else one for one in ORDERS]
    second, third = FakeDestination(), FakeDestination()

    await backfill(state, FakeSource(changed), second)
    await backfill(state, FakeSource(changed), third)

    assert [(one["event"], one["properties"]["coupon"]) for one in second.accepted] == [("Order Updated", "MAY")]
    assert third.accepted == []


@pytest.mark.parametrize("coupons", [(), ("MAY",)])
async def test_a_content_that_comes_back_is_sent_again(state: Path, coupons: tuple[str, ...]) -> None:
    """A, B, A: each change is told, also the return to what was delivered first; what did not change is not."""
    sent: list[list[dict[str, Any]]] = []
    for version, now in enumerate([(), ("MAY",), (), ("MAY",), coupons], start=1):
        destination = FakeDestination()
        await backfill(state, FakeSource([replace_order(ORDERS[4], coupons=now, version=version)]), destination)
        sent.append(destination.accepted)

    told = [[(one["event"], one["properties"].get("coupon")) for one in messages] for messages in sent]
    assert told[:4] == [
        [("Order Completed", None)],
        [("Order Updated", "MAY")],
        [("Order Updated", None)],
        [("Order Updated", "MAY")],
    ]
    assert told[4] == ([] if coupons else [("Order Updated", None)])
    assert len({one["messageId"] for messages in sent for one in messages}) == sum(map(len, sent))


async def test_events_without_consent_are_filtered_with_the_category(state: Path) -> None:
    """Unknown is not yes: only granted consent passes, and every suppressed event is counted."""
    states = {0: "granted", 1: "denied", 2: "unknown"}
    orders = [
        replace_order(one, consent=Consent({"Advertising": states[number % 3]})) for number, one in enumerate(shop(30))
    ]
    destination = FakeDestination()

    report, _ = await backfill(state, FakeSource(orders), destination, require_consent=("Advertising",))

    assert {message["context"]["consent"]["categoryPreferences"]["Advertising"] for message in destination.accepted} == {
        True
    }
    assert report.books.reasons[("orders", "filtered", "consent:Advertising")] > 0
    assert report.books.errors == ()


async def test_orders_of_nobody_are_filtered_with_a_reason(state: Path) -> None:
    """Without customer, session and e-mail there is no profile to put an event on."""
    orders = [replace_order(one, customer_id=None) for one in shop(10)]

    report, _ = await backfill(state, FakeSource(orders), FakeDestination())

    assert report.books.reasons == {("orders", "filtered", "no_identity"): report.books.total("issued")}


async def test_a_kind_that_is_off_makes_no_event(state: Path) -> None:
    """Switching a kind off removes exactly its events."""
    destination = FakeDestination()

    await backfill(state, FakeSource(ORDERS), destination, lifecycle=LifecycleSettings(off=("order.refunded",)))

    assert {message["event"] for message in destination.accepted} == {"Order Completed", "Order Cancelled"}


async def test_a_missing_scope_is_named_and_the_run_can_be_resumed(state: Path) -> None:
    """403 on one stream: said, exit 3, and after the scope is granted the rest is read."""

    class Forbidden(FakeSource):
        async def pages(self, stream, window, cursor, *, by="created"):  # type: ignore[no-untyped-def, override]
            raise ScopeError("the client lacks the scope view_orders:acme")
            yield

    report, error = await backfill(state, Forbidden(ORDERS), FakeDestination())
    destination = FakeDestination()
    await backfill(state, FakeSource(ORDERS), destination)

    assert exit_code(report.books, error) is ExitCode.STOPPED
    assert "view_orders:acme" in report.problems[0]
    assert verdict(expected_events(ORDERS), destination.accepted).is_clean


async def test_a_dry_run_sends_nothing_and_leaves_no_trace(state: Path) -> None:
    """Everything is mapped, checked and counted; no checkpoint file comes to be."""
    destination = FakeDestination()

    report, _ = await run_backfill(
        opened(FakeSource(ORDERS), DryDestination(destination)),  # type: ignore[arg-type]
        DryStore(None),  # type: ignore[arg-type]
        REQUEST,
        Progress(),
        Stop(),
    )

    assert report.books.total("delivered") == len(expected_events(ORDERS))
    assert report.books.errors == ()
    assert destination.requests == 0
    assert not state.exists()


async def test_a_window_in_the_future_is_cut_at_the_servers_clock(state: Path) -> None:
    """The upper bound is frozen when the job begins: what is placed later belongs to the sync."""
    before = Clock().instant()

    report, _ = await backfill(
        state,
        FakeSource(ORDERS),
        FakeDestination(),
        request=replace(REQUEST, until=parse_instant("2999-01-01T00:00:00.000Z")),
    )

    assert before <= report.until <= Clock().instant()


def test_a_clock_two_hours_off_is_refused() -> None:
    """Destinations shift every timestamp by the sender's error, so the run does not begin."""
    server = parse_instant("2026-01-01T12:00:00.000Z")

    with pytest.raises(ConfigError, match="120 minutes ahead"):
        refuse_skew(server, Clock(now=lambda: to_datetime(parse_instant("2026-01-01T14:00:00.000Z"))))


def test_the_default_plan_plans_everything_that_can_happen() -> None:
    """Each lifecycle kind has an event, so nothing an order tells is dropped for want of a plan."""
    from cdi_cli.events import KINDS

    assert set(plan().kinds) == set(KINDS)
