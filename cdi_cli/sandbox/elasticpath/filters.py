"""`filter=op(field,value):op(field,value)`: two parsers, at most ten conditions, all of them to hold.

The original parser takes bare operands: dates as `YYYY-MM-DD` or milliseconds since 1970, texts without `:` `+` `,` or
brackets. The new one is used when an operand is quoted, and takes whole timestamps. Whatever neither understands, a field
that a collection does not know, an operator that a field does not have: one and the same 400.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cdi_cli.sandbox.elasticpath.replies import bad_filter
from cdi_cli.sandbox.elasticpath.times import DAY_MS, read_bare, read_timestamp

CONDITIONS_MAX = 10
_RANGE = frozenset({"gt", "ge", "lt", "le"})
_TEXT, _EXACT, _LOOSE = frozenset({"eq", "like"}), frozenset({"eq"}), frozenset({"eq", "like", "ilike"})
_KINDS: dict[str, frozenset[str]] = {
    "date": _RANGE | {"eq"},
    "number": _RANGE,
    "text": _TEXT | {"in"},
    "exact": _EXACT | {"in"},
    "member": _LOOSE,
    "key": _RANGE | {"eq", "in"},
}
"""What can be done with a kind of field."""
_OPEN = re.compile(r"\s*(?P<op>[a-z_]+)\(\s*(?P<field>[A-Za-z_.]+)\s*,")
_BARE = re.compile(r"""\s*(?P<bare>[^",():+]*)\s*(?=[,)])""")
_TIME = re.compile(r"\s*(?P<bare>\d{4}-\d\d-\d\dT[0-9:.]+Z)\s*(?=[,)])")
_QUOTED = re.compile(r"""\s*"(?P<quoted>(?:[^"\\]|\\.)*)"\s*(?=[,)])""")


@dataclass(frozen=True, slots=True)
class Operand:
    """A value of a condition, and whether it stood in quotes."""

    text: str
    is_quoted: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `bounds` are the milliseconds that a date operand stands for, from and below."""

    op: str
    field: str
    operands: tuple[Operand, ...]
    bounds: tuple[int, int] | None = None

    @property
    def value(self) -> str:
        """The first operand."""
        return self.operands[0].text


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a collection can be filtered by: field -> kind; `bare_timestamps`: whole timestamps need no quotes."""

    fields: Mapping[str, str]
    bare_timestamps: bool = False


def parse(text: str, grammar: Grammar, *, has_new_parser: bool = True) -> list[Condition]:
    """The conditions of a filter; raises the 400."""
    conditions: list[Condition] = []
    place = 0
    while place < len(text):
        condition, place = _condition(text, place, grammar)
        conditions.append(_judged(condition, grammar, has_new_parser=has_new_parser))
        if place < len(text):
            if text[place] != ":":
                raise bad_filter()
            place += 1
            if place == len(text):
                raise bad_filter()
    if not conditions or len(conditions) > CONDITIONS_MAX:
        raise bad_filter()
    return conditions


def _condition(text: str, place: int, grammar: Grammar) -> tuple[Condition, int]:
    opened = _OPEN.match(text, place)
    if opened is None:
        raise bad_filter()
    place, operands = opened.end(), []
    while True:
        found = _QUOTED.match(text, place)
        if found is not None:
            operands.append(Operand(re.sub(r"\\(.)", r"\1", found["quoted"]), True))
        else:
            found = _bare(text, place, grammar)
            operands.append(Operand(found["bare"].strip(), False))
        place = found.end()
        if text[place] == ")":
            return Condition(opened["op"], opened["field"], tuple(operands)), place + 1
        place += 1


def _bare(text: str, place: int, grammar: Grammar) -> re.Match[str]:
    found = _TIME.match(text, place) if grammar.bare_timestamps else None
    found = found or _BARE.match(text, place)
    if found is None or not found["bare"].strip():
        raise bad_filter()
    return found


def _judged(condition: Condition, grammar: Grammar, *, has_new_parser: bool) -> Condition:
    kind = grammar.fields.get(condition.field)
    is_many = len(condition.operands) > 1
    if kind is None or condition.op not in _KINDS[kind] or (is_many and condition.op != "in"):
        raise bad_filter()
    if any(each.is_quoted for each in condition.operands) and not has_new_parser:
        raise bad_filter()
    if kind == "date":
        operand = condition.operands[0]
        is_whole = operand.is_quoted or grammar.bare_timestamps
        at = (read_timestamp if is_whole else read_bare)(operand.text)
        if at is None:
            raise bad_filter()
        width = DAY_MS if len(operand.text) == 10 else 1
        return Condition(condition.op, condition.field, condition.operands, (at, at + width))
    if kind == "number" and not condition.value.lstrip("-").isdecimal():
        raise bad_filter()
    return condition


def test_of(condition: Condition) -> Callable[[Any], bool]:
    """Whether a value holds a condition; None, which a record without the field has, never does."""
    if condition.bounds is not None:
        return _date_test(condition.op, *condition.bounds)
    texts = [each.text for each in condition.operands]
    match condition.op:
        case "eq":
            return lambda value: value is not None and str(value) == texts[0]
        case "in":
            return lambda value: value is not None and str(value) in texts
        case "like":
            return lambda value: value is not None and _pattern(texts[0]).fullmatch(str(value)) is not None
        case "ilike":
            return lambda value: (
                value is not None and _pattern(texts[0].casefold()).fullmatch(str(value).casefold()) is not None
            )
    return _range_test(condition.op, texts[0])


def _date_test(op: str, start: int, end: int) -> Callable[[Any], bool]:
    # A bare date is the moment at which its day begins; only `eq` takes the whole day.
    tests: dict[str, Callable[[int], bool]] = {
        "eq": lambda at: start <= at < end,
        "gt": lambda at: at > start,
        "ge": lambda at: at >= start,
        "lt": lambda at: at < start,
        "le": lambda at: at <= start,
    }
    test = tests[op]
    return lambda value: value is not None and test(value)


def _range_test(op: str, text: str) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        if value is None:
            return False
        left, right = (value, int(text)) if isinstance(value, int) else (str(value), text)
        found = {"gt": left > right, "ge": left >= right, "lt": left < right, "le": left <= right}  # type: ignore[operator]
        return found[op]

    return test


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """`*` stands for any signs; nothing else is special."""
    return re.compile("".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", text)), re.DOTALL)
