"""The pacer: how fast events may leave, by GCRA, lowered when the other side asks for a pause.

GCRA keeps one number, the time at which the next event is due; a batch of n events moves it n/rate further. It neither
fires in bursts after an idle spell (at most `burst_seconds` are saved up) nor lets twice the rate through at a window edge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cdi_cli.clock import SYSTEM_CLOCK, Clock

SLOWED = 0.5
"""How much of the rate is left after a pause was asked for."""
RECOVERY = 1.05
"""How the rate grows back with each batch that went through."""
SLOWEST = 0.05
"""The rate never falls below this share of the configured one."""


class Pacer:
    """Admits events at `rate` per second; `pause()` holds all back and halves the rate, `went_well()` restores it."""

    def __init__(
        self,
        rate: float,
        *,
        burst_seconds: float = 0.25,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate = rate
        self._share = 1.0
        self._burst_seconds = burst_seconds
        self._clock = clock
        self._sleep = sleep
        self._due = 0.0
        self._closed_until = 0.0

    @property
    def rate(self) -> float:
        """Events per second admitted now."""
        return self._rate * self._share

    async def admit(self, events: int) -> None:
        """Wait until `events` may leave."""
        while (wait := self._closed_until - self._clock.monotonic()) > 0:
            await self._sleep(wait)
        now = self._clock.monotonic()
        start = max(self._due, now - self._burst_seconds)
        self._due = start + events / self.rate
        while (wait := max(start, self._closed_until) - self._clock.monotonic()) > 0:
            await self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so long, and go on more slowly then."""
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
        self._share = max(SLOWEST, self._share * SLOWED)

    def went_well(self) -> None:
        """A batch was accepted: grow back towards the configured rate."""
        self._share = min(1.0, self._share * RECOVERY)
