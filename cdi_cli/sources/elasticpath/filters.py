"""Filters, and the dialects in which their times can be written (sheet "elasticpath", section 2.1).

    quoted   ge(updated_at,"2026-01-31T23:59:59.999Z")      the newer parser, exact
    plain    ge(updated_at,2026-01-31T23:59:59.999Z)        catalogue lists only, exact
    epoch    ge(updated_at,1769903999999)                   the older parser: milliseconds since 1970, exact
    day      ge(updated_at,2026-01-31)                      the older parser: whole days

A store says of a dialect that it does not read it ("Could not parse the supplied filter"), and then the next one is tried.
What a window holds is looked at once more here, whatever the dialect.
"""

from __future__ import annotations

from calendar import timegm
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from cdi_cli.clock import Instant, Window, shift, to_datetime

Dialect = Literal["quoted", "plain", "epoch", "day"]
DIALECTS: tuple[Dialect, ...] = ("quoted", "epoch", "day")
CATALOGUE_DIALECTS: tuple[Dialect, ...] = ("quoted", "plain", "epoch", "day")
VALUE_CHARACTERS_MAX = 255
IDS_PER_REQUEST = 50
"""Of 36 characters and their separators, percent-encoded: under the 8 KB that a request may have."""
_DAY = timedelta(days=1)


def written(at: Instant, dialect: Dialect) -> str:
    """A time as an operand; in whole days it is rounded down."""
    if dialect == "quoted":
        return f'"{at}"'
    if dialect == "plain":
        return at
    if dialect == "day":
        return at[:10]
    moment = to_datetime(at)
    return str(timegm(moment.utctimetuple()) * 1000 + moment.microsecond // 1000)


def between(field: str, window: Window, dialect: Dialect) -> str:
    """The filter for a window; in whole days it holds for more than that."""
    until = window.until
    if dialect == "day" and until != start_of_day(until):
        until = shift(start_of_day(until), _DAY)
    return f"ge({field},{written(window.since, dialect)}):lt({field},{written(until, dialect)})"


def start_of_day(at: Instant) -> Instant:
    """Midnight (UTC) of the day of an instant."""
    return Instant(f"{at[:10]}T00:00:00.000Z")


def is_exact(dialect: Dialect) -> bool:
    """Whether a dialect tells one millisecond from the next."""
    return dialect != "day"


def equals(field: str, value: str) -> str:
    """The filter for one value, which must be `quotable`."""
    return f'eq({field},"{value}")'


def one_of(field: str, values: Sequence[str]) -> str:
    """The filter for any of some ids."""
    return f"in({field},{','.join(values)})"


def quotable(value: str) -> str | None:
    """A value of a look-up without blanks around it; None for one that no record can have, or that cannot be written."""
    text = value.strip()
    if not text or len(text) > VALUE_CHARACTERS_MAX or not text.isprintable():
        return None
    return None if any(sign in text for sign in '"\\*') else text
