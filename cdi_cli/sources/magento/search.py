"""Queries in Magento's words: `searchCriteria` as parameters, and times as the one form that the server understands.

Groups are joined by AND, the filters within one by OR (sheet "magento", section 2.2). A date that the server cannot read
makes it serve the whole table, and an unknown condition becomes `eq`, both without a word: dates and conditions are written
here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from cdi_cli.clock import Instant, instant_from_datetime, to_datetime

Condition = Literal["eq", "gt", "gteq", "in", "lt", "lteq", "nin"]
Params = list[tuple[str, str]]


class Filter(NamedTuple):
    """One comparison."""

    field: str
    condition: Condition
    value: str


Group = tuple[Filter, ...]
"""Filters of which one must hold."""


def criteria(
    groups: Sequence[Group], *, sort: Sequence[str] = (), page_size: int, page: int = 1, fields: str | None = None
) -> Params:
    """The parameters of a list: all groups must hold, ascending by `sort` (the server's default is descending)."""
    params: Params = []
    for number, group in enumerate(groups):
        for place, one in enumerate(group):
            start = f"searchCriteria[filter_groups][{number}][filters][{place}]"
            params += [
                (f"{start}[field]", one.field),
                (f"{start}[value]", one.value),
                (f"{start}[condition_type]", one.condition),
            ]
    for number, name in enumerate(sort):
        start = f"searchCriteria[sortOrders][{number}]"
        params += [(f"{start}[field]", name), (f"{start}[direction]", "ASC")]
    params += [("searchCriteria[pageSize]", str(page_size)), ("searchCriteria[currentPage]", str(page))]
    if fields is not None:
        params.append(("fields", fields))
    return params


def one_of(field: str, values: Sequence[str | int]) -> Group:
    """The field has one of the values, none of which may hold a comma."""
    return (Filter(field, "in", ",".join(map(str, values))),)


def none_of(field: str, values: Sequence[int]) -> Group:
    """The field has none of the values."""
    return (Filter(field, "nin", ",".join(map(str, values))),)


def sql_time(at: Instant) -> str:
    """An instant as `YYYY-MM-DD HH:MM:SS` in UTC, rounded up: the server's clock has whole seconds.

    A row's second is at or after an instant exactly when it is at or after the instant rounded up.
    """
    moment = to_datetime(at)
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def instant_of(text: str, name: str = "time") -> Instant:
    """A served time as an instant; raises ValueError, naming the field but not its value, if it is none."""
    if len(text) == 19 and text[10] in " T" and text.isascii():
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise _no_time(name) from None
        return Instant(f"{text[:10]}T{text[11:]}.000Z")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _no_time(name) from None
    # Other forms are not served by any version we know; without a zone they mean UTC all the same.
    return instant_from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _no_time(name: str) -> ValueError:
    return ValueError(f"Expected a date and time - at `$.{name}`")
