"""Condition types of `searchCriteria`: what each lets pass, with the server's habits.

An unknown type is `eq`, without a word. A date that cannot be read lets everything pass. Texts compare as MySQL's default
collation does, without regard to case; a text that is compared with a number counts as the number it begins with.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cdi_cli.sandbox.magento import times

Test = Callable[[Any], bool]
"""Whether a column's value (None: NULL) passes."""

LOWER = frozenset({"gt", "gteq", "moreq", "from"})
UPPER = frozenset({"lt", "lteq", "to"})
_NUMBER = re.compile(r"\s*[+-]?\d*\.?\d*(?:[eE][+-]?\d+)?")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, given: value > given,
    "gteq": lambda value, given: value >= given,
    "moreq": lambda value, given: value >= given,
    "from": lambda value, given: value >= given,
    "lt": lambda value, given: value < given,
    "lteq": lambda value, given: value <= given,
    "to": lambda value, given: value <= given,
}


def test_of(condition: str, text: str, *, is_date: bool) -> Test:
    """The test that a filter makes."""
    if condition == "null":
        return lambda value: value is None
    if condition == "notnull":
        return lambda value: value is not None
    if is_date:
        return _date_test(condition, text)
    if condition in _COMPARE:
        compare = _COMPARE[condition]
        return lambda value: value is not None and compare(*_alike(value, text))
    if condition in ("in", "nin"):
        found = _member(text.split(","))
        return found if condition == "in" else lambda value: value is not None and not found(value)
    if condition in ("like", "nlike"):
        pattern = _pattern(text)
        is_wanted = condition == "like"
        return lambda value: value is not None and (pattern.fullmatch(_text(value)) is not None) is is_wanted
    if condition in ("finset", "nfinset"):
        is_wanted = condition == "finset"
        return lambda value: value is not None and (text.casefold() in _text(value).casefold().split(",")) is is_wanted
    if condition == "neq":
        return lambda value: value is not None and not _equal(value, text)
    return lambda value: value is not None and _equal(value, text)


def _date_test(condition: str, text: str) -> Test:
    given = [times.read(part) for part in (text.split(",") if condition in ("in", "nin") else [text])]
    if None in given:
        return lambda _value: True
    bound = str(given[0])
    if condition in _COMPARE:
        compare = _COMPARE[condition]
        return lambda value: value is not None and compare(value, bound)
    if condition in ("neq", "nin"):
        return lambda value: value is not None and value not in given
    return lambda value: value in given


def _alike(value: Any, text: str) -> tuple[Any, Any]:
    """A value and a given text in a form in which they can be compared."""
    if isinstance(value, int | float):
        return float(value), _number(text)
    return _text(value).casefold(), text.casefold()


def _equal(value: Any, text: str) -> bool:
    one, other = _alike(value, text)
    return bool(one == other)


def _member(texts: list[str]) -> Test:
    words, numbers = {text.casefold() for text in texts}, {_number(text) for text in texts}
    return lambda value: (
        value is not None
        and (float(value) in numbers if isinstance(value, int | float) else _text(value).casefold() in words)
    )


def _number(text: str) -> float:
    match = _NUMBER.match(text)
    try:
        return float(match.group()) if match else 0.0
    except ValueError:
        return 0.0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if letter == "%" else "." if letter == "_" else re.escape(letter) for letter in text)
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
