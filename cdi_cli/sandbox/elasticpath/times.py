"""Times as the platform writes and reads them: UTC with `Z`, whole seconds or milliseconds, now and then with an offset.

Inside they are milliseconds since 1970. A filter knows two ways to write one: a date or milliseconds, bare; a whole
timestamp in quotes (accounts and products take that bare, too).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from cdi_cli.clock import Instant
from cdi_cli.sandbox.seed.dice import instant

SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1000, 60_000, 3_600_000, 86_400_000
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_EPOCH_MS = re.compile(r"\d{1,14}")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")


def text_of(epoch_ms: int) -> str:
    """`2026-11-22T07:19:55Z`, with milliseconds only where there are some."""
    text = instant(epoch_ms)
    return text if epoch_ms % SECOND_MS else f"{text[:19]}Z"


def text_at_offset(epoch_ms: int, hours: int) -> str:
    """The same moment as clocks show it elsewhere: `2020-07-03T14:11:59-07:00`."""
    there = datetime.fromtimestamp(epoch_ms // SECOND_MS, UTC).astimezone(timezone(timedelta(hours=hours)))
    return there.isoformat(timespec="seconds")


def instant_of(epoch_ms: int) -> Instant:
    """The canonical instant of a moment."""
    return instant(epoch_ms)


def read_bare(text: str) -> int | None:
    """A date or milliseconds since 1970, as the original parser takes them; None for anything else."""
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    return _parse(f"{text}T00:00:00+00:00") if _DATE.fullmatch(text) else None


def read_timestamp(text: str) -> int | None:
    """A whole timestamp, or a date; None for anything else."""
    return _parse(text) if _TIMESTAMP.fullmatch(text) else read_bare(text)


def _parse(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int(moment.timestamp()) * SECOND_MS + moment.microsecond // 1000
