"""Times as Magento keeps and reads them: whole seconds, UTC, no zone.

Whatever cannot be read as a date is no condition at all: the real server answers 200 with the whole table. Offsets are read
and ignored.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from cdi_cli.clock import Instant

DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1)
_days: dict[int, str] = {}
_ACCEPTED = re.compile(
    r"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?:[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d))?"
    r"(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"
)


def text_of(seconds: int) -> str:
    """`2026-11-22 07:19:55` of seconds since 1970; days are cached, this runs several times a record."""
    day, second = divmod(seconds, DAY_SECONDS)
    text = _days.get(day)
    if text is None:
        text = _days[day] = (_EPOCH + timedelta(days=day)).isoformat()
    return f"{text} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def seconds_of(text: str) -> int:
    """Seconds since 1970 of a time as `text_of` writes it."""
    day = (date(int(text[:4]), int(text[5:7]), int(text[8:10])) - _EPOCH).days
    return day * DAY_SECONDS + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])


def instant_of(text: str) -> Instant:
    """The canonical instant of a time."""
    return Instant(f"{text[:10]}T{text[11:]}.000Z")


def read(text: str) -> str | None:
    """A time that was given in a filter, in the stored form; None for what the server cannot read as one."""
    match = _ACCEPTED.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second = match.groups()
    return f"{day} {hour or '00'}:{minute or '00'}:{second or '00'}"
