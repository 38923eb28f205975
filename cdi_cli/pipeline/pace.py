"""The pacer: how fast events may leave, by GCRA, lowered when the other side asks for a pause or for less.

GCRA keeps one number, the time at which the next event is due; a batch of n events moves it n/rate further. It neither
fires in bursts after an idle spell (at most `burst_seconds` are saved up) nor lets twice the rate through at a window edge.

Where a destination limits how fast a sender speeds up, a ceiling rises from a tenth of the rate to all of it.
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
RAMP_START = 0.1
"""The share of the rate with which a run begins that takes time to speed up."""
RAMP_SECONDS = 60.0
"""How long a ceiling that was lowered later takes to rise from there to the rate, where no time was given."""
RAMP_SECONDS_MAX = 3600.0


class Pacer:
    """Admits events at `rate` per second; `pause()` holds all back and halves the rate, `went_well()` restores it.

    With `ramp_up_seconds` the rate is reached that long after the first event at the earliest.
    """

    def __init__(
        self,
        rate: float,
        *,
        burst_seconds: float = 0.25,
        ramp_up_seconds: float = 0.0,
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
        self._ceiling = RAMP_START if ramp_up_seconds > 0 else 1.0
        self._growth_per_second = (1.0 - RAMP_START) / (ramp_up_seconds or RAMP_SECONDS)
        self._raised_at: float | None = None

    @property
    def rate(self) -> float:
        """Events per second admitted now."""
        return self._rate * min(self._share, self._ceiling)

    async def admit(self, events: int) -> None:
        """Wait until `events` may leave."""
        while (wait := self._closed_until - self._clock.monotonic()) > 0:
            await self._sleep(wait)
        now = self._clock.monotonic()
        self._raise_ceiling(now)
        start = max(self._due, now - self._burst_seconds)
        self._due = start + events / self.rate
        while (wait := max(start, self._closed_until) - self._clock.monotonic()) > 0:
            await self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let nothing leave for so long, and go on more slowly then."""
        self._closed_until = max(self._closed_until, self._clock.monotonic() + seconds)
        self.ease(SLOWED)

    def ease(self, factor: float) -> None:
        """Go on at `factor` times the present pace if that is below 1; 1 keeps it and lets the ceiling rise half as fast."""
        pace = min(self._share, self._ceiling)
        if factor < 1.0:
            self._share = max(SLOWEST, pace * factor)
        else:
            self._ceiling = pace
            self._growth_per_second = max(self._growth_per_second / 2, 1.0 / RAMP_SECONDS_MAX)

    def _raise_ceiling(self, now: float) -> None:
        if self._raised_at is not None:
            self._ceiling = min(1.0, self._ceiling + self._growth_per_second * (now - self._raised_at))
        self._raised_at = now

    def went_well(self) -> None:
        """A batch was accepted: grow back towards the configured rate."""
        self._share = min(1.0, self._share * RECOVERY)
