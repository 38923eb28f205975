"""How long to wait before a request is repeated: full jitter, or what the server asks for.

`Schedule` is the hook that stamina calls with each failure; stamina counts the attempts and sleeps.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cdi_cli._http_types import RetryPolicy
from cdi_cli.errors import ProtocolError, TransientError

EPOCH_SECONDS_MIN = 1e9
"""A reset header at least this large is a point in time, not a duration."""


class AttemptFailedError(TransientError):
    """One attempt did not get a usable answer."""

    def __init__(
        self, cause: str, *, pause_seconds: float | None = None, is_throttled: bool = False, is_lost: bool = False
    ) -> None:
        """`cause` says why in a few words, `pause_seconds` what the server asked for, `is_throttled` that we are too fast.

        `is_lost`: the request may have arrived, its answer did not.
        """
        super().__init__(cause)
        self.cause = cause
        self.is_lost = is_lost
        self.pause_seconds = pause_seconds
        self.is_throttled = is_throttled


def pause_asked_for(status: int, headers: Mapping[str, str], cap_seconds: float) -> float | None:
    """The seconds that `Retry-After` (seconds or HTTP-date) or, on 429, `X-RateLimit-Reset` asks for; None if none does.

    Dates are compared with the server's own `Date` where it sends one, so that a wrong clock here does not matter.
    Garbage, zero, negative values and the past count as "none", long ones are capped.
    """
    seconds = _seconds_of(headers.get("retry-after"), headers)
    if seconds is None and status == 429:
        seconds = _seconds_of(headers.get("x-ratelimit-reset"), headers)
    if seconds is None or not seconds > 0:
        return None
    return min(seconds, cap_seconds)


def _seconds_of(text: str | None, headers: Mapping[str, str]) -> float | None:
    if not text or len(text) > 64:
        return None
    try:
        number = float(text)
    except ValueError:
        moment = _moment(text)
        return None if moment is None else (moment - _server_now(headers)).total_seconds()
    if number >= EPOCH_SECONDS_MIN and "." not in text and len(text) == 10:
        return number - _server_now(headers).timestamp()
    return number


def _server_now(headers: Mapping[str, str]) -> datetime:
    return _moment(headers.get("date", "")) or datetime.now(UTC)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


class Schedule:
    """Decides after each failure of one request: give up (False), or wait that many seconds."""

    def __init__(self, policy: RetryPolicy, on_retry: Callable[[float], None], on_wait: Callable[[float], None]) -> None:
        self._policy = policy
        self._on_retry = on_retry
        self._on_wait = on_wait
        self._started = time.monotonic()
        self._paused = 0.0
        self.failures = 0

    @property
    def seconds(self) -> float:
        """How long the request has been going on."""
        return time.monotonic() - self._started

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, TransientError | ProtocolError):
            return False
        self.failures += 1
        if not self._policy.is_repeatable and (not isinstance(error, AttemptFailedError) or error.is_lost):
            return False
        pause = error.pause_seconds if isinstance(error, AttemptFailedError) else None
        wait = self._own_wait() if pause is None else pause
        if pause is not None or (isinstance(error, AttemptFailedError) and error.is_throttled):
            self._on_wait(wait)
        if self.failures >= self._policy.attempts:
            return False
        if pause is None and self.seconds - self._paused + wait > self._policy.total_seconds:
            return False
        self._paused += pause or 0.0
        self._on_retry(wait)
        return wait

    def _own_wait(self) -> float:
        policy = self._policy
        doubled = policy.wait_initial_seconds * 2.0 ** min(self.failures - 1, 32)
        return random.uniform(0.0, min(policy.wait_max_seconds, doubled))
