"""Delivery: places in flight, halving of refused batches, and what stops a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest
from doubles import FakeDestination

from cdi_cli.destinations import Rejected
from cdi_cli.errors import RefusedError, TransientError
from cdi_cli.events import Event
from cdi_cli.pipeline.deliver import Deliverer
from cdi_cli.pipeline.items import Outgoing
from cdi_cli.pipeline.pace import Pacer
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.settle import OpenPage
from cdi_cli.sources import Cursor
from cdi_cli.state._base import Counts, DeadLetter, LedgerEntry


class Settled:
    """Stands for the settler: keeps what each batch came to."""

    def __init__(self) -> None:
        self.delivered: list[LedgerEntry] = []
        self.dead: list[DeadLetter] = []

    async def batch(
        self,
        page: OpenPage,
        delivered: list[LedgerEntry],
        dead: list[DeadLetter],
        counts: Counts,
        withdrawn: Sequence[bytes] = (),
    ) -> None:
        """Keep one batch's outcome."""
        await asyncio.sleep(0)
        page.waiting -= 1
        self.delivered += delivered
        self.dead += dead


def event(number: int) -> Event:
    """An event whose id is its number."""
    at = "2026-01-01T00:00:00.000Z"
    return Event(
        id=f"id-{number}",
        kind="order.completed",
        type="track",
        name="Order Completed",
        at=at,  # type: ignore[arg-type]
        user_id="c",
        anonymous_id=None,
        properties={},
        context={},
        body=b"{}",
        family="order",
        entity_id=str(number),
        created_at=at,  # type: ignore[arg-type]
        key=number.to_bytes(16, "big"),
        content=b"12345678",
    )


def make(destination: FakeDestination) -> tuple[Deliverer, Settled]:
    """A deliverer into `destination`, and where its outcomes end."""
    settled = Settled()

    def letter(stream: str, item: Outgoing, rejected: Rejected) -> DeadLetter:
        return DeadLetter(stream, rejected.reason, rejected.detail, event_id=item.event.id)

    return Deliverer(destination, settled, Pacer(float("inf")), Progress(), letter), settled  # type: ignore[arg-type]


def batch_of(numbers: range) -> list[Outgoing]:
    """A batch of events, encoded as the fake destination reads them."""
    return [Outgoing(one, msgspec.json.encode(one.message()), b"{}") for one in map(event, numbers)]


def page() -> OpenPage:
    """An open page."""
    return OpenPage(0, "orders", Cursor("c"), is_last=True, pulled=1)


def refuse_poison(*poison: str):
    """A script that answers 400 to any batch holding one of these ids."""

    def script(_number: int, events: list[bytes]) -> None:
        if any(f'"{one}"'.encode() in encoded for encoded in events for one in poison):
            raise RefusedError("bad batch", status=400)

    return script


@pytest.mark.parametrize("poison", [("id-0",), ("id-63",), ("id-99",), ("id-5", "id-6", "id-77")])
async def test_a_refused_batch_is_halved_down_to_the_bad_event(poison: tuple[str, ...]) -> None:
    """Only the poison ends in the dead letters; each of its neighbours is delivered exactly once."""
    destination = FakeDestination(script=refuse_poison(*poison))
    deliverer, settled = make(destination)

    await deliverer.send(page(), batch_of(range(100)))
    await deliverer.drain()

    assert {letter.event_id for letter in settled.dead} == set(poison)
    assert sorted(destination.ids) == sorted(f"id-{number}" for number in range(100) if f"id-{number}" not in poison)
    assert destination.requests <= 1 + 2 * 7 * len(poison)


async def test_a_batch_that_is_bad_to_the_last_event_stops_the_run() -> None:
    """When every single event is refused the fault is not in the events: nothing is buried."""

    def refuse(_number: int, _events: list[bytes]) -> None:
        raise RefusedError("Exceed payload limit", status=400)

    deliverer, settled = make(FakeDestination(script=refuse))

    await deliverer.send(page(), batch_of(range(20)))
    await deliverer.drain()

    assert isinstance(deliverer.failure, RefusedError)
    assert settled.dead == []


@pytest.mark.parametrize("status", [404, 302, 501])
async def test_a_refusal_of_the_address_is_not_blamed_on_events(status: int) -> None:
    """A wrong endpoint must not fill the dead letters with good events."""

    def refuse(_number: int, _events: list[bytes]) -> None:
        raise RefusedError("not here", status=status)

    deliverer, settled = make(FakeDestination(script=refuse))

    await deliverer.send(page(), batch_of(range(20)))
    await deliverer.drain()

    assert isinstance(deliverer.failure, RefusedError)
    assert (settled.dead, settled.delivered) == ([], [])


async def test_rejections_inside_an_accepted_batch_concern_single_events() -> None:
    """A per-event rejection buries that event alone."""
    deliverer, settled = make(FakeDestination(refused=frozenset({"id-3"})))

    await deliverer.send(page(), batch_of(range(10)))
    await deliverer.drain()

    assert [letter.event_id for letter in settled.dead] == ["id-3"]
    assert len(settled.delivered) == 9


async def test_no_more_batches_than_places_are_in_flight() -> None:
    """`in_flight` bounds what a crash can repeat."""
    destination = FakeDestination(delay_seconds=0.002)
    deliverer, _ = make(destination)

    for start in range(12):
        await deliverer.send(page(), batch_of(range(start * 5, start * 5 + 5)))
    await deliverer.drain()

    assert destination.in_flight_max == destination.limits.in_flight
    assert len(destination.accepted) == 60


async def test_a_failed_batch_stops_further_sending() -> None:
    """After an outage the next batch raises what the last one failed with, and its events stay unsettled."""

    def fail(_number: int, _events: list[bytes]) -> None:
        raise TransientError("no answer")

    deliverer, settled = make(FakeDestination(script=fail))
    await deliverer.send(page(), batch_of(range(5)))
    await deliverer.drain()

    with pytest.raises(TransientError, match="no answer"):
        await deliverer.send(page(), batch_of(range(5)))

    assert deliverer.failed.is_set()
    assert settled.delivered == []
