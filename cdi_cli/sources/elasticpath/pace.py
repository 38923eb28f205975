"""The pace of requests: no more than so many per second, all of a run together, and a pause for all when one is refused.

A store's limit is shared with its own shoppers (sheet "elasticpath", section 4), so the pace is ours to keep, before the
server has to say so. A second's worth may go at once after a silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from cdi_cli.clock import Clock

HOLD_SECONDS = 2.0
"""A 429 tells no time; the vendor says "a few seconds"."""
TICK_SECONDS = 0.001
"""Less than this is not worth a sleep."""


class Pace:
    """Gives each request its turn; `turn()` waits for it."""

    def __init__(self, rate: float, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """`rate`: requests per second."""
        self._interval = 1.0 / rate
        self._burst_seconds = max(1.0, self._interval)
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until a request may go."""
        now = self._clock.monotonic()
        self._next = max(self._next, now - self._burst_seconds) + self._interval
        wait = self._next - now
        if wait > TICK_SECONDS:
            await self._sleep(wait)

    def hold(self, seconds: float) -> None:
        """Let nobody go for a while: the server said that we are too fast."""
        self._next = max(self._next, self._clock.monotonic() + min(seconds, HOLD_SECONDS))
