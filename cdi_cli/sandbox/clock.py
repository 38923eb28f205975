"""The sandbox's own clock: real time plus an offset that tests and the admin API can move.

Token expiry, the 24 h de-duplication window, `lastModifiedAt` stamps and the `Date` header all read this one clock, so
moving it forward ages everything at once without a single sleep.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

from cdi_cli.clock import Instant, instant_from_datetime


class SandboxClock:
    """Wall and monotonic time, both shifted by what `advance` has added so far."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Move time by `seconds`; negative values turn it back, as a skewed server would show."""
        self._offset_seconds += seconds

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC) + timedelta(seconds=self._offset_seconds)

    def instant(self) -> Instant:
        """Wall time as canonical text."""
        return instant_from_datetime(self.now())

    def seconds(self) -> float:
        """Seconds on a scale that only `advance` can make jump; for ages and deadlines."""
        return time.monotonic() + self._offset_seconds

    def http_date(self) -> str:
        """Wall time in the form of the `Date` header (RFC 9110)."""
        return formatdate(time.time() + self._offset_seconds, usegmt=True)
