"""A pace in requests per rolling minute, for the parts of Insider that allow few (sheet "Insider", sections 1 and 2).

The pipeline's own pacer counts events, and its rate fits the user API; the catalogue's limit is on requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from cdi_cli.clock import Clock

MINUTE_SECONDS = 60.0


class RequestPace:
    """Admits `per_minute` requests in any 60 seconds; used by one event loop."""

    def __init__(self, per_minute: int, clock: Clock, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._sleep = sleep
        self._made: deque[float] = deque(maxlen=per_minute)
        self._turn = asyncio.Lock()

    async def admit(self) -> None:
        """Return when one more request may be made; those who wait are served in turn."""
        async with self._turn:
            while (wait := self._seconds_left()) > 0:
                await self._sleep(wait)
            self.note()

    def note(self) -> None:
        """A request is made now: also one that nobody was asked for, as a repeat."""
        self._made.append(self._clock.monotonic())

    def _seconds_left(self) -> float:
        if len(self._made) < self._per_minute:
            return 0.0
        return self._made[0] + MINUTE_SECONDS - self._clock.monotonic()
