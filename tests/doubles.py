"""Test doubles with the full contracts: a source of prepared pages and a destination with scripted answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Instant, Window, parse_instant
from cdi_cli.commerce import Money, Order
from cdi_cli.destinations import ACCEPTED, Limits, Outcome, Rejected
from cdi_cli.events import Event
from cdi_cli.sources import FOUND_MAX, Cursor, FindBy, Page, Reading, Unreadable

LIMITS = Limits(
    batch_events=10, batch_bytes=20_000, event_bytes=8_000, overhead_bytes=100, events_per_second=1e9, in_flight=3
)


def order(number: int, *, created_at: str | None = None, minor: int = 1000, **changes: Any) -> Order:
    """An order placed `number` minutes into 2026."""
    at = parse_instant(created_at or f"2026-01-{number // 1440 + 1:02d}T{number // 60 % 24:02d}:{number % 60:02d}:00.000Z")
    values: dict[str, Any] = {
        "id": f"order-{number}",
        "version": 1,
        "created_at": at,
        "placed_at": at,
        "updated_at": at,
        "state": "Open",
        "currency": "EUR",
        "total": Money(minor, "EUR"),
        "revenue": Money(minor, "EUR"),
        "lines": (),
        "number": f"N-{number}",
        "customer_id": f"customer-{number % 7}",
    }
    return Order(**(values | changes))


@dataclass
class FakeSource:
    """Orders in memory, read page by page with a keyset cursor; `broken` numbers are unreadable records."""

    orders: Sequence[Order]
    page_size: int = 20
    broken: frozenset[int] = frozenset()
    delay_seconds: float = 0.0
    pages_read: int = 0
    now: Instant | None = None
    on_page: Callable[[int], None] = field(default=lambda _number: None)

    async def check(self) -> list[Check]:
        """All is well."""
        return []

    async def server_now(self) -> Instant:
        """The shop's clock: this machine's, unless it is set."""
        return self.now or SYSTEM_CLOCK.instant()

    async def count(self, stream: str, window: Window) -> int | None:
        """Exact."""
        return len(self._in(window))

    async def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """The window's orders after the cursor."""
        rows = self._in(window, by)
        after = tuple(msgspec.json.decode(cursor)) if cursor else ("", "")
        rows = [row for row in rows if (_time(row, by), row.id) > after]
        for start in range(0, max(len(rows), 1), self.page_size):
            self.pages_read += 1
            self.on_page(self.pages_read)
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            part = rows[start : start + self.page_size]
            last = (_time(part[-1], by), part[-1].id) if part else after
            yield Page(
                [msgspec.json.encode(row) for row in part],
                Cursor(msgspec.json.encode(last).decode()),
                is_last=start + self.page_size >= len(rows),
            )

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """The orders, or what is broken about them."""
        return [[self._read(record)] for record in records]

    def _read(self, record: bytes) -> Reading:
        row = msgspec.json.decode(record, type=Order)
        if int(row.id.partition("-")[2]) in self.broken:
            return Unreadable("unreadable_record", "total: expected a number", row.id)
        return row

    async def find(self, stream: str, by: FindBy, value: str) -> list[bytes]:
        """The orders with this id, number, customer or e-mail."""
        return [msgspec.json.encode(row) for row in self.orders if getattr(row, by) == value][:FOUND_MAX]

    def scrub(self, stream: str, record: bytes) -> bytes | None:
        """Nothing to hide."""
        return record

    async def close(self) -> None:
        """Nothing to close."""

    def _in(self, window: Window, by: str = "created") -> list[Order]:
        rows = [row for row in self.orders if _time(row, by) in window]
        return sorted(rows, key=lambda row: (_time(row, by), row.id))


def _time(row: Order, by: str) -> str:
    return row.updated_at if by == "modified" else row.created_at


@dataclass
class FakeDestination:
    """Keeps what it accepted; `script` is asked before each request and may raise, `refused` ids are never taken."""

    limits: Limits = LIMITS
    refused: frozenset[str] = frozenset()
    refuses: Callable[[dict[str, Any]], bool] = field(default=lambda _message: False)
    script: Callable[[int, list[bytes]], None] = field(default=lambda _number, _events: None)
    delay_seconds: float = 0.0
    requests: int = 0
    accepted: list[dict[str, Any]] = field(default_factory=list)
    in_flight: int = 0
    in_flight_max: int = 0

    async def check(self) -> list[Check]:
        """All is well."""
        return []

    def encode(self, event: Event) -> bytes | Rejected:
        """The message as JSON; too large above the limit."""
        encoded = msgspec.json.encode(event.message())
        if len(encoded) > self.limits.event_bytes:
            return Rejected("event_too_large", f"{len(encoded)} bytes, the limit is {self.limits.event_bytes}")
        return encoded

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Accept what is not refused."""
        self.requests += 1
        number = self.requests
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            self.script(number, list(events))
            outcomes: list[Outcome] = []
            for encoded in events:
                message = msgspec.json.decode(encoded)
                if message["messageId"] in self.refused or self.refuses(message):
                    outcomes.append(Rejected("refused", "the destination will not take it"))
                else:
                    self.accepted.append(message)
                    outcomes.append(ACCEPTED)
            return outcomes
        finally:
            self.in_flight -= 1

    async def close(self) -> None:
        """Nothing to close."""

    @property
    def ids(self) -> list[str]:
        """The ids of everything accepted, in order."""
        return [message["messageId"] for message in self.accepted]
