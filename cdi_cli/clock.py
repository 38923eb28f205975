"""Time: instants as canonical text, windows of time, and a clock that tests can replace.

An instant is text in exactly one form, `2026-01-31T23:59:59.999Z` (UTC, milliseconds): it compares and sorts as text,
costs nothing to read or write, and is what every API we speak to accepts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NewType

Instant = NewType("Instant", str)
"""UTC, millisecond precision, always `YYYY-MM-DDTHH:MM:SS.mmmZ` (24 characters)."""


def instant_from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime, rounded down to the millisecond; raises ValueError for a naive one."""
    if moment.tzinfo is None:
        msg = "a date-time without a zone is not an instant"
        raise ValueError(msg)
    utc = moment.astimezone(UTC)
    return Instant(f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z" if utc.year >= 1000 else _early(utc))


def _early(utc: datetime) -> str:
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_instant(text: str) -> Instant:
    """The instant that an ISO 8601 date-time with a zone names; raises ValueError for anything else.

    The canonical form passes through almost unparsed: it is checked by position, which is what makes it cheap per record.
    """
    if len(text) == 24 and text[23] == "Z" and text[10] == "T" and text[19] == "." and text.isascii():
        datetime.fromisoformat(text)
        return Instant(text)
    return instant_from_datetime(datetime.fromisoformat(text))


def to_datetime(instant: Instant) -> datetime:
    """The aware UTC datetime of an instant."""
    return datetime.fromisoformat(instant)


def shift(instant: Instant, by: timedelta) -> Instant:
    """The instant `by` later (earlier if negative)."""
    return instant_from_datetime(to_datetime(instant) + by)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time `[since, until)`; `since < until` always holds (ValueError otherwise)."""

    since: Instant
    until: Instant

    def __post_init__(self) -> None:
        if not self.since < self.until:
            msg = f"a window must end after it starts: {self.since} .. {self.until}"
            raise ValueError(msg)

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, str) and self.since <= instant < self.until


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: `now()` is wall time (UTC), `monotonic()` seconds for waits; tests pass their own."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic

    def instant(self) -> Instant:
        """Wall time now, as an instant."""
        return instant_from_datetime(self.now())


SYSTEM_CLOCK = Clock()
