"""How fast batches may come: so many a second, and not too much faster than before (sheet "mParticle", sections 2 and 4).

mParticle does not publish how it measures either. Here both look at the last ten seconds: they hold ten times the batches of
a second at most, so that evenly spaced requests of 100 fit; and not more than four times what the ten before them held,
unless that is little: who starts at full speed trips, who ramps up does not.
"""

from __future__ import annotations

import threading
from collections import deque

PER_SECOND = 270
_WINDOW_SECONDS = 10.0
_FACTOR_MAX = 4
_FLOOR = 1_000


class RateLimiter:
    """Counts batches; refuses only while `is_on`.

    `exceeded` is the word for the plain limit: org, account, app, feed, workspace.
    """

    def __init__(self, *, is_on: bool = False) -> None:
        self.is_on = is_on
        self.exceeded = "feed"
        self.per_second = PER_SECOND
        self._taken: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def take(self, batches: int, now: float) -> str | None:
        """Count batches that come now (seconds on any scale), or say which limit they exceed and count nothing."""
        with self._lock:
            while self._taken and self._taken[0][0] <= now - 2 * _WINDOW_SECONDS:
                self._taken.popleft()
            if self.is_on:
                lately = self._since(now - _WINDOW_SECONDS)
                if lately + batches > self.per_second * _WINDOW_SECONDS:
                    return self.exceeded
                before = self._since(now - 2 * _WINDOW_SECONDS) - lately
                if lately + batches > max(_FLOOR, _FACTOR_MAX * before):
                    return "acceleration"
            self._taken.append((now, batches))
            return None

    def percentage_used(self, now: float) -> int:
        """How much of the limit the last ten seconds used."""
        with self._lock:
            return min(100, round(100 * self._since(now - _WINDOW_SECONDS) / (self.per_second * _WINDOW_SECONDS)))

    def clear(self) -> None:
        """Forget what came, and limit nothing."""
        with self._lock:
            self._taken.clear()
        self.is_on = False

    def _since(self, start: float) -> int:
        return sum(batches for at, batches in self._taken if at > start)
