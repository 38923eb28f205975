"""Refunds of a platform that says only how much went back so far: each is told once, by what is new of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from doubles import FakeDestination, FakeSource, order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jobs import UNTIL, backfill, replace_order, sync

from cdi_cli.clock import Instant, parse_instant, shift, to_datetime
from cdi_cli.commerce import Money, Order, Refund
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, Occurrence, occurrences
from cdi_cli.pipeline.cumulative import as_news

AT = parse_instant("2026-01-02T00:00:00.000Z")
BUILDER = EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1)
REFUNDED = "Order Refunded"


def returned(so_far: int, payment: str = "t1", minor: int = 1000) -> Refund:
    """All that went back of a payment by then."""
    amount = Money(so_far, "EUR")
    return Refund(f"{payment}:{so_far}", amount, AT, payment_id=payment, is_full=so_far >= minor, so_far=amount)


def with_refunds(*refunds: Refund, at: Instant | None = None) -> Order:
    """An order of which something went back."""
    one = replace_order(order(1, minor=1000), refunds=refunds)
    return replace_order(one, updated_at=at) if at is not None else one


def told(destination: FakeDestination) -> list[tuple[str, float]]:
    """Ids and amounts of the refunds that were delivered, in order."""
    found = [one for one in destination.accepted if one.get("event") == REFUNDED]
    return [(one["messageId"], one["properties"]["total"]) for one in found]


async def life(folder: Path, states: Sequence[Sequence[Refund]], **changes: Any) -> FakeDestination:
    """A backfill of the first state, and a sync of each later one."""
    destination = FakeDestination()
    state = folder / "state.db"
    await backfill(state, FakeSource([with_refunds(*states[0])]), destination, **changes)
    now = UNTIL
    for refunds in states[1:]:
        changed_at, now = now, shift(now, to_datetime(UNTIL) - to_datetime(AT))
        source = FakeSource([with_refunds(*refunds, at=changed_at)], now=now)
        report, error = await sync(state, source, destination, **changes)
        assert error is None
        assert report.books.errors == ()
    return destination


async def test_each_partial_refund_is_told_by_its_own_amount(tmp_path: Path) -> None:
    """1.00 went back, then 2.50 more, then everything: three events whose amounts are what went back."""
    destination = await life(tmp_path, [[returned(100)], [returned(350)], [returned(350)], [returned(1000)]])

    assert [amount for _, amount in told(destination)] == [1.0, 2.5, 6.5]
    assert len({identifier for identifier, _ in told(destination)}) == 3


async def test_payments_are_told_apart(tmp_path: Path) -> None:
    """Split payments go back each by itself."""
    first = [returned(100, "t1"), returned(100, "t2")]
    destination = await life(tmp_path, [first, [returned(150, "t1"), returned(100, "t2")]])

    assert sorted(amount for _, amount in told(destination)) == [0.5, 1.0, 1.0]


async def test_a_sum_that_became_smaller_says_nothing(tmp_path: Path) -> None:
    """An older reading of the same payment is no refund, and does not make the next one larger."""
    destination = await life(tmp_path, [[returned(300)], [returned(100)], [returned(400)]])

    assert [amount for _, amount in told(destination)] == [3.0, 1.0]


async def test_a_refused_refund_is_part_of_the_next_one(tmp_path: Path) -> None:
    """What the destination never took was not told: the next refund says it, too."""
    destination = FakeDestination(refuses=lambda message: message.get("properties", {}).get("total") == 1.0)
    await backfill(tmp_path / "state.db", FakeSource([with_refunds(returned(100))]), destination)
    source = FakeSource([with_refunds(returned(350), at=UNTIL)], now=shift(UNTIL, to_datetime(UNTIL) - to_datetime(AT)))
    await sync(tmp_path / "state.db", source, destination)

    assert [amount for _, amount in told(destination)] == [3.5]


def test_what_is_left_of_a_refund_names_no_lines() -> None:
    """All lines went back in the whole of it, not in what is news."""
    whole = replace_order(order(1, minor=1000), refunds=(returned(1000),))
    occurrence = next(one for one in occurrences(whole, LifecycleSettings()) if one.kind == "order.refunded")
    key = BUILDER.key_of_payment(occurrence, REFUNDED)
    asked: list[tuple[str, Any]] = []

    def delivered(family: str, keys: Any) -> dict[bytes, bytes]:
        asked.append((family, keys))
        return {key: (400).to_bytes(8, "big")}

    news = as_news(occurrence, REFUNDED, BUILDER, delivered).subjects["refund"]

    assert (news.amount.minor, news.so_far.minor, news.is_full, news.lines) == (600, 1000, True, ())
    assert asked == [("order", {key: whole.created_at})]


def test_other_refunds_are_left_as_they_are() -> None:
    """A platform that keeps each refund is asked nothing of the ledger."""
    plain = replace_order(order(1), refunds=(Refund("r1", Money(5, "EUR"), AT),))
    occurrence = next(one for one in occurrences(plain, LifecycleSettings()) if one.kind == "order.refunded")

    def delivered(_family: str, _keys: Any) -> dict[bytes, bytes]:
        pytest.fail("nothing is to be looked up")

    assert as_news(occurrence, REFUNDED, BUILDER, delivered) is occurrence


def _event(occurrence: Occurrence) -> Any:
    event = BUILDER.build(occurrence, REFUNDED, "track", {"total": occurrence.subjects["refund"].amount.number()})
    assert event is not None
    return event


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["t1", "t2", "t3"]), st.integers(0, 10**9)), max_size=30))
def test_what_was_told_is_what_went_back(readings: list[tuple[str, int]]) -> None:
    """Whatever sums are read in whatever order, the amounts told of a payment add up to the largest of them."""
    ledger: dict[bytes, bytes] = {}
    sums: dict[str, int] = {}
    ids: list[str] = []
    for payment, so_far in readings:
        if so_far == 0:
            continue
        one = replace_order(order(1), refunds=(returned(so_far, payment),))
        occurrence = next(each for each in occurrences(one, LifecycleSettings()) if each.kind == "order.refunded")
        news = as_news(occurrence, REFUNDED, BUILDER, lambda _family, keys: {k: ledger[k] for k in keys if k in ledger})
        event = _event(news)
        if ledger.get(event.key, b"") >= event.content:
            continue
        ledger[event.key] = event.content
        ids.append(event.id)
        sums[payment] = sums.get(payment, 0) + news.subjects["refund"].amount.minor
    largest: dict[str, int] = {}
    for payment, so_far in readings:
        largest[payment] = max(largest.get(payment, 0), so_far)

    assert sums == {payment: so_far for payment, so_far in largest.items() if so_far}
    assert len(set(ids)) == len(ids)
