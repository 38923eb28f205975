"""Routing rules in runs: what is counted, what lies in the queue, what a replay releases, whose jobs they concern."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from doubles import FakeDestination, FakeSource
from jobs import REQUEST, backfill, replace_order, resumed, shop
from replay_bench import letters, rechecked, replay
from routing_bench import rules, settings_of
from sync_shop import Life, later, placed

from cdi_cli.config.settings import BreakerPolicy
from cdi_cli.pipeline.opening import fingerprint
from cdi_cli.pipeline.routing import rules_of
from cdi_cli.plan import compile_plan, load_plan
from cdi_cli.state import open_store

REFUNDS = {"event": "Order Refunded"}


def counted(report: Any) -> dict[tuple[str, str], int]:
    """(outcome, reason) -> number, of what was not delivered."""
    found: dict[tuple[str, str], int] = {}
    for (_, outcome, reason), number in report.books.reasons.items():
        found[outcome, reason] = found.get((outcome, reason), 0) + number
    return found


def names(destination: FakeDestination) -> set[str]:
    """The events that were delivered, by name."""
    return {message["event"] for message in destination.accepted}


async def test_every_event_is_counted_by_what_kept_it_back(tmp_path: Path) -> None:
    """Filtered, sent elsewhere, blocked and quarantined events are told apart, the rest arrives, the books close."""
    orders = shop(60)
    made = rules(
        {"when": {"event": "Order Cancelled"}, "then": {"filter": "cancelled"}},
        {"when": {**REFUNDS, "property": {"path": "is_full_refund", "is": True}}, "then": {"only": "other"}},
        {"when": REFUNDS, "then": {"quarantine": "refund"}},
        {"when": {"property": {"path": "order_id", "is": "N-7"}}, "then": {"block": "fraud"}},
        {"when": {"event": "Order Completed"}, "then": {"drop": "revenue", "rename": {"order_id": "number"}}},
    )
    destination = FakeDestination()

    report, error = await backfill(tmp_path / "s.db", FakeSource(orders), destination, rules=made)

    assert (error, report.books.errors) == (None, ())
    full = sum(refund.is_full for one in orders for refund in one.refunds)
    partly = sum(not refund.is_full for one in orders for refund in one.refunds)
    cancelled = sum(one.is_cancelled for one in orders)
    assert min(full, partly, cancelled) > 0
    assert counted(report) == {
        ("filtered", "routing:cancelled"): cancelled,
        ("filtered", "not_routed"): full,
        ("rejected", "quarantine:refund"): partly,
        ("rejected", "blocked:fraud"): 1,
    }
    assert names(destination) == {"Order Completed"}
    assert {message["properties"]["number"] for message in destination.accepted} == {
        one.number for one in orders if one.number != "N-7"
    }
    assert not [message for message in destination.accepted if {"revenue", "order_id"} & set(message["properties"])]


async def test_a_replay_releases_what_is_in_quarantine_and_not_what_is_blocked(tmp_path: Path) -> None:
    """What was held back to be looked at goes out, once, under its id; what is blocked stays while the rule stands."""
    state, source, destination = tmp_path / "s.db", FakeSource(shop(40)), FakeDestination()
    made = rules(
        {"when": REFUNDS, "then": {"quarantine": "look"}},
        {"when": {"event": "Order Cancelled"}, "then": {"block": "never"}},
        {"when": REFUNDS, "then": {"drop": "currency"}},
    )
    await backfill(state, source, destination, rules=made)
    held = [stored.letter for stored in letters(state) if stored.letter.reason == "quarantine:look"]
    blocked = [stored.letter for stored in letters(state) if stored.letter.reason == "blocked:never"]
    assert held
    assert blocked
    assert {letter.stage for letter in (*held, *blocked)} == {"route"}

    report, error = await replay(state, source, destination, rules=made)

    assert (error, report.books.errors) == (None, ())
    assert {letter.event_id for letter in held} <= set(destination.ids)
    released = [message for message in destination.accepted if message["event"] == "Order Refunded"]
    assert len(released) == len(held)
    assert not [message for message in released if "currency" in message["properties"]]
    assert sorted(stored.letter.event_id or "" for stored in letters(state)) == sorted(
        letter.event_id or "" for letter in blocked
    )
    assert len(set(destination.ids)) == len(destination.ids)


def test_a_recheck_says_the_same_as_a_replay(tmp_path: Path) -> None:
    """Quarantined letters pass, blocked ones fail with the rule's reason."""
    state, source = tmp_path / "s.db", FakeSource(shop(20))
    made = rules(
        {"when": REFUNDS, "then": {"quarantine": "look"}}, {"when": {"event": "Order Cancelled"}, "then": {"block": "never"}}
    )
    asyncio.run(backfill(state, source, FakeDestination(), rules=made))

    found = rechecked(state, source, FakeDestination(), rules=made)

    assert {(verdict.event_name, verdict.fate, verdict.reason) for verdict in found.verdicts} == {
        ("Order Refunded", "passes", ""),
        ("Order Cancelled", "fails", "blocked:never"),
    }


async def test_what_is_in_quarantine_is_no_news_to_the_next_sync(tmp_path: Path) -> None:
    """Reading the record again neither sends it nor alarms anybody; once the rule is gone it is sent, its letter goes."""
    life = Life(tmp_path / "s.db", [])
    await life.backfill()
    life.changes = {"rules": rules({"when": {"country": "DE"}, "then": {"quarantine": "look"}})}
    life.put(placed(1, later(4), country="DE"))

    first, _ = await life.sync(later(6))
    second, _ = await life.sync(later(8))

    assert counted(first) == {("rejected", "quarantine:look"): 1}
    assert counted(second) == {("duplicate", "in_dead_letters"): 1}
    assert life.destination.accepted == []
    assert len(letters(life.state)) == 1

    life.changes = {}
    await life.sync(later(10))

    assert names(life.destination) == {"Order Completed"}
    assert letters(life.state) == []


async def test_what_is_held_back_on_purpose_does_not_stop_a_run(tmp_path: Path) -> None:
    """The breaker counts faults, and a rule's own doing is none."""
    made = rules({"then": {"quarantine": "everything"}})
    breaker = BreakerPolicy(rejected_share_max=0.01, rejected_min=1)

    report, error = await backfill(tmp_path / "s.db", FakeSource(shop(40)), FakeDestination(), rules=made, breaker=breaker)

    assert error is None
    assert report.status == "done"
    assert report.books.total("rejected") == report.books.total("issued") > 40


async def test_rules_hold_before_the_plans_check(tmp_path: Path) -> None:
    """A test order that breaks the plan is filtered as a test order; of a blocked one the queue tells what the plan says."""
    state, source = tmp_path / "s.db", FakeSource([replace_order(one, currency="euro") for one in shop(6)])
    filtered = rules({"when": {"event": "Order Completed"}, "then": {"filter": "test"}})
    blocked = rules({"when": {"event": "Order Completed"}, "then": {"block": "fraud"}})
    patient = BreakerPolicy(rejected_share_max=1)

    first, _ = await backfill(state, source, FakeDestination(), rules=filtered, breaker=patient)
    second, _ = await backfill(tmp_path / "t.db", source, FakeDestination(), rules=blocked, breaker=patient)

    assert counted(first)["filtered", "routing:test"] == 6
    assert ("rejected", "blocked:fraud") not in counted(second)
    assert counted(second)["rejected", "plan_violation"] >= 6


async def test_a_backfill_is_not_resumed_under_other_rules(tmp_path: Path) -> None:
    """Rules are part of what shapes a destination's events: the half that is done and the half to do must be of one kind."""
    plan = compile_plan(load_plan())

    def of(*given: dict[str, Any], destination: str = "target", **options: Any) -> str:
        settings = settings_of(*given, **options)
        made = rules_of(settings, "main", destination, plan)
        return fingerprint(settings, settings.pipelines["main"], plan, (), rules=made)

    drop = {"then": {"drop": "coupon"}}
    elsewhere = {"when": {"destination": "other"}, "then": {"drop": "coupon"}}
    assert of() == of(elsewhere) == of({"then": {"not": "other"}})
    assert of(drop, destination="other") == of(elsewhere, destination="other") != of(destination="other")
    one = {"when": {"region": "europe"}, "then": {"filter": "a"}}
    known = [of(drop), of({"then": {"drop": "tax"}}), of(), of({"then": {"filter": "a"}}), of({"then": {"filter": "b"}})]
    known += [of(one, regions={"europe": {"countries": [each], "regime": "opt_in"}}) for each in ("EU", "EEA")]
    assert len(set(known)) == len(known)


async def test_a_stopped_backfill_goes_on_with_its_rules(tmp_path: Path) -> None:
    """A resumed run rules the rest as the first part was ruled: nothing is sent that a rule keeps back, nothing twice."""
    state, source, destination = tmp_path / "s.db", FakeSource(shop(60)), FakeDestination()
    made = rules({"when": REFUNDS, "then": {"filter": "refund"}})
    await backfill(state, source, destination, request=replace(REQUEST, limit=20), rules=made)
    sent = len(destination.accepted)

    report, error = await backfill(state, source, destination, request=resumed(), rules=made)

    assert error is None
    assert report.status == "done"
    assert 0 < sent < len(destination.accepted)
    assert "Order Refunded" not in names(destination)
    assert len(set(destination.ids)) == len(destination.ids)
    with open_store(state, read_only=True) as store:
        assert store.letter_numbers() == []
