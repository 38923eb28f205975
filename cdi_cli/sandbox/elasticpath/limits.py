"""The rate limit: a bucket that holds one second's worth of requests and fills evenly, on the sandbox's clock."""

from __future__ import annotations

import threading

from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.elasticpath.replies import too_many


class Bucket:
    """`take()` lets a request through or raises the 429; `refused` counts those."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left = 0.0
        self._rate = 0
        self._filled_at = 0.0
        self.refused = 0

    def take(self, rate: int | None) -> None:
        """Take one of `rate` requests a second; None stands for no limit."""
        if rate is None:
            return
        with self._lock:
            now = self._clock.seconds()
            if rate != self._rate:
                self._rate, self._left, self._filled_at = rate, float(rate), now
            self._left = min(float(rate), self._left + (now - self._filled_at) * rate)
            self._filled_at = now
            if self._left < 1:
                self.refused += 1
                raise too_many()
            self._left -= 1
