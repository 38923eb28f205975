"""A shop whose clock is set by hand, for tests of delta syncs on test doubles."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import jobs
from doubles import FakeDestination, FakeSource, order

from cdi_cli.clock import Instant, parse_instant, shift
from cdi_cli.commerce import Order
from cdi_cli.state import open_store

NOON = parse_instant("2026-01-03T12:00:00.000Z")
"""A time after the window of `jobs.backfill`."""


def later(minutes: float, start: Instant = NOON) -> Instant:
    """So many minutes after `start`."""
    return shift(start, timedelta(minutes=minutes))


def placed(number: int, at: Instant, **changes: Any) -> Order:
    """An order that was placed and last changed at that time."""
    return order(number, created_at=at, **({"updated_at": at} | changes))


def names(destination: FakeDestination) -> Counter[str]:
    """How many events of each name were accepted."""
    return Counter(event["event"] for event in destination.accepted)


class Life:
    """A shop whose clock is set by hand, one destination, one checkpoint file, a finished backfill of what was there."""

    def __init__(self, state: Path, orders: list[Order]) -> None:
        self.state = state
        self.source = FakeSource(list(orders), now=NOON)
        self.destination = FakeDestination()
        self.changes: dict[str, Any] = {}

    async def backfill(self) -> Any:
        """The backfill of two days, which ends at noon of the third."""
        request = jobs.Request(jobs.SINCE, NOON, "test window", rate=1e9)
        clock = jobs.Clock(now=lambda: jobs.to_datetime(self.source.now or NOON))
        with open_store(self.state, clock=clock) as store:
            opened = jobs.opened(self.source, self.destination, **self.changes)
            return await jobs.run_backfill(opened, store, request, jobs.Progress(), jobs.Stop(), clock=clock)

    async def sync(self, at: Instant, **options: Any) -> Any:
        """A sync at that time of the shop's clock."""
        self.source.now = at
        return await jobs.sync(self.state, self.source, self.destination, **(self.changes | options))

    def put(self, one: Order) -> None:
        """The order as it stands now, in the place of what it was."""
        self.source.orders = [other for other in self.source.orders if other.id != one.id] + [one]
