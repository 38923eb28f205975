"""A platform's own clock, as the `Date` header of its answers tells it, and the check of this machine's against it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from cdi_cli.checks import Check
from cdi_cli.clock import Clock, Instant, instant_from_datetime
from cdi_cli.http import Response

SKEW_SECONDS_NOTED = 60.0
SKEW_SECONDS_MAX = 300.0


class ServerClock:
    """The last `Date` plus the time since then; never ahead of the server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._date: datetime | None = None
        self._answered_at = 0.0
        self.is_known = False
        self.skew_seconds: float | None = None

    def read(self, response: Response) -> None:
        """Learn from an answer; one without a readable date leaves what is known."""
        self.is_known = True
        try:
            date = parsedate_to_datetime(response.headers.get("date", ""))
        except (ValueError, TypeError, IndexError, OverflowError):
            return
        self._date = date if date.tzinfo else date.replace(tzinfo=UTC)
        self._answered_at = self._clock.monotonic()
        self.skew_seconds = (self._clock.now() - self._date).total_seconds()

    def now(self) -> Instant:
        """The server's time; this machine's where no answer told it."""
        if self._date is None:
            return self._clock.instant()
        return instant_from_datetime(self._date + timedelta(seconds=self._clock.monotonic() - self._answered_at))


def clock_check(skew_seconds: float | None, who: str) -> Check:
    """Whether this machine's clock agrees with that of `who` ("the shop"); None: it does not tell its time."""
    if skew_seconds is None:
        return Check("clock", is_ok=True, detail=f"{who} does not tell its time")
    ahead = "ahead of" if skew_seconds > 0 else "behind"
    if abs(skew_seconds) <= SKEW_SECONDS_NOTED:
        return Check("clock", is_ok=True, detail=f"this machine and {who} agree on the time")
    return Check(
        "clock",
        is_ok=abs(skew_seconds) <= SKEW_SECONDS_MAX,
        detail=f"this machine is {abs(skew_seconds):.0f} s {ahead} {who}",
        hint="set this machine's clock by NTP",
    )
