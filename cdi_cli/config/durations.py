"""Durations as people write them: `90s`, `5m`, `2h`, `1d`; whole seconds inside."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from cdi_cli.errors import ConfigError

_FORM = re.compile(r"(\d{1,10})\s*([smhd]?)")
SECONDS_MAX = 36_500 * 86_400
"""A hundred years: more is a slip of the keys, and leaves the calendar when it is taken from a date."""

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION_PATTERN = r"^\d{1,10}\s*[smhd]?$"


def parse_duration(text: object) -> int:
    """The seconds that a text such as `5m` means; a bare number is seconds. Raises ValueError for anything else, and for
    more than a hundred years."""
    match = (
        _FORM.fullmatch(str(text).strip().lower()) if isinstance(text, str | int) and not isinstance(text, bool) else None
    )
    if match is None:
        msg = f"`{text}` is not a duration; write for example 90s, 5m, 2h or 1d"
        raise ValueError(msg)
    seconds = int(match.group(1)) * _SECONDS[match.group(2)]
    if seconds > SECONDS_MAX:
        msg = f"`{text}` is too long for a duration: 36500d at most"
        raise ValueError(msg)
    return seconds


def duration_text(seconds: int) -> str:
    """Whole seconds as `parse_duration` reads them, in the largest unit that they are a multiple of: 240 is `4m`."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"


def at_least(seconds: int) -> AfterValidator:
    """A bound of a duration whose error text is a duration too."""

    def check(value: int) -> int:
        if value < seconds:
            msg = f"must be at least {duration_text(seconds)}"
            raise ValueError(msg)
        return value

    return AfterValidator(check)


def parse_option(text: str, option: str, hint: str | None = None) -> int:
    """The seconds that an option of the command line means; raises ConfigError naming the option."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}", hint=hint) from None


def _validated(value: Any) -> int:
    return parse_duration(value)


_SCHEMA = {"type": ["string", "integer"], "pattern": DURATION_PATTERN, "minimum": 0, "maximum": SECONDS_MAX}
Duration = Annotated[int, BeforeValidator(_validated), WithJsonSchema(_SCHEMA)]
"""A settings field that holds seconds and is written as a duration."""
