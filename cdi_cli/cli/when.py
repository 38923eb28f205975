"""Dates on the command line: ISO dates, date-times, and words like `90d` or `yesterday`.

A bare date is midnight in a zone that is always said in the output (UTC unless `--timezone` names another).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.parser import isoparse
from dateutil.relativedelta import relativedelta

from cdi_cli.clock import Instant, instant_from_datetime
from cdi_cli.errors import ConfigError

_RELATIVE = re.compile(r"(\d{1,5})\s*(mo|[smhdwy])(?:\s+ago)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks", "mo": "months", "y": "years"}
FORMS = "2026-01-31, 2026-01-31T08:00:00+01:00, 90d, 12h, 6mo, 2y, today, yesterday or now"


@dataclass(frozen=True, slots=True)
class When:
    """A moment named on the command line: the instant, and whether a zone had to be assumed to find it."""

    instant: Instant
    is_zone_assumed: bool


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name; raises ConfigError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"unknown time zone `{name}`", hint="use an IANA name such as Europe/Berlin or UTC") from None


def parse_when(text: str, *, now: datetime, zone: ZoneInfo, option: str) -> When:
    """The moment that `text` names, seen from `now` (aware) in `zone`; raises ConfigError naming `option`.

    Days (`90d`, `yesterday`, a bare date) start at midnight in `zone`; `12h` counts back from `now` itself.
    """
    word = text.strip().lower()
    local = now.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if word == "now":
        return When(instant_from_datetime(now), is_zone_assumed=False)
    if word in ("today", "yesterday"):
        day = midnight if word == "today" else midnight - timedelta(days=1)
        return When(instant_from_datetime(day), is_zone_assumed=True)
    if match := _RELATIVE.fullmatch(word):
        amount, unit = int(match.group(1)), match.group(2)
        spans: dict[str, Any] = {_UNITS[unit]: amount}
        back = relativedelta(**spans)
        try:
            if unit in "smh":
                return When(instant_from_datetime(now - back), is_zone_assumed=False)
            return When(instant_from_datetime(midnight - back), is_zone_assumed=True)
        except (ValueError, OverflowError):
            raise ConfigError(f"{option} `{text}` lies before the year 1", hint="name a later date") from None
    return _parse_iso(text.strip(), zone, option)


def _parse_iso(text: str, zone: ZoneInfo, option: str) -> When:
    try:
        moment = isoparse(text)
        is_bare = moment.tzinfo is None
        return When(instant_from_datetime(moment.replace(tzinfo=zone) if is_bare else moment), is_zone_assumed=is_bare)
    except (ValueError, OverflowError):
        raise ConfigError(f"{option} `{text}` is not a date", hint=f"use one of: {FORMS}") from None
