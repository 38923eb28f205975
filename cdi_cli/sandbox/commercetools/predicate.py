"""Predicates compiled to closures over records, and what a predicate says about the bounds of one field.

Instants are compared as instants, ids in their binary order, everything else by type: a condition on a field that is
absent, or of another type than the literal, does not hold (and `!=` neither), so only `is not defined` finds absence.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

from cdi_cli.clock import parse_instant
from cdi_cli.sandbox.commercetools.fields import DATETIMES, ENUMS
from cdi_cli.sandbox.commercetools.predicate_syntax import (
    And,
    Compare,
    Contains,
    Exists,
    Expression,
    In,
    MatchesIgnoreCase,
    Nested,
    Not,
    Or,
    PredicateError,
    Value,
)
from cdi_cli.sandbox.commercetools.records import id_key

Matcher = Callable[[Any], bool]
"""Takes a `Record` at the root, a parsed JSON object inside `field(...)`."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_KEYS: dict[str, str] = {"id": "key", "createdAt": "created", "lastModifiedAt": "modified", "version": "version"}


def check_fields(expression: Expression, known: frozenset[str]) -> None:
    """Refuse root fields that the resource does not have, and unknown values of the enums that are checked."""
    problems = "".join(_problems(expression, known))
    if problems:
        raise PredicateError(problems)


def _problems(expression: Expression, known: frozenset[str]) -> Iterator[str]:
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _problems(part, known)
        case Not(inner):
            yield from _problems(inner, known)
        case _:
            if expression.field not in known:
                yield f"The field '{expression.field}' does not exist."
            if expression.field in ENUMS and isinstance(expression, Compare | In):
                values = expression.values if isinstance(expression, In) else (expression.value,)
                name, allowed = ENUMS[expression.field]
                yield from (f"Invalid enum value for {name}: {value}" for value in values if value not in allowed)


def compile_root(expression: Expression) -> Matcher:
    """A closure that tells whether a `Record` matches; raises PredicateError for literals that cannot fit."""
    match expression:
        case And(parts):
            cheap_first = sorted(parts, key=_needs_parsing)
            return _all([compile_root(part) for part in cheap_first])
        case Or(parts):
            return _any([compile_root(part) for part in sorted(parts, key=_needs_parsing)])
        case Not(inner):
            return _not(compile_root(inner))
        case Compare(field, op, value) if field in _KEYS:
            return _compare_key(field, op, value)
        case In(field, values, negated) if field in _KEYS:
            wanted = frozenset(_key_value(field, value) for value in values)
            get = operator.attrgetter(_KEYS[field])
            return (lambda record: get(record) not in wanted) if negated else (lambda record: get(record) in wanted)
        case _:
            inner_matcher = _compile(expression)
            return lambda record: inner_matcher(record.parsed())


def _needs_parsing(expression: Expression) -> bool:
    match expression:
        case And(parts) | Or(parts):
            return any(_needs_parsing(part) for part in parts)
        case Not(inner):
            return _needs_parsing(inner)
        case Compare(field) | In(field):
            return field not in _KEYS
        case _:
            return True


def _compare_key(field: str, op: str, value: Value) -> Matcher:
    wanted = _key_value(field, value)
    compare = _OPERATORS[op]
    get = operator.attrgetter(_KEYS[field])
    return lambda record: compare(get(record), wanted)


def _key_value(field: str, value: Value) -> Any:
    """A literal in the form that a record's key attribute has."""
    if field == "version":
        if isinstance(value, bool) or not isinstance(value, int):
            raise PredicateError(f"The value '{value}' is not valid for the field 'version'.")
        return value
    if field != "id":
        return _instant(field, value)
    try:
        return id_key(str(value))
    except ValueError:
        raise PredicateError(f"Invalid UUID: '{value}'") from None


def _instant(field: str, value: Value) -> str:
    try:
        return parse_instant(str(value))
    except ValueError:
        raise PredicateError(f"The value '{value}' is not a valid DateTime for the field '{field}'.") from None


def _compile(expression: Expression) -> Matcher:
    """A closure over one JSON object."""
    match expression:
        case And(parts):
            return _all([_compile(part) for part in parts])
        case Or(parts):
            return _any([_compile(part) for part in parts])
        case Not(inner):
            return _not(_compile(inner))
        case Nested(field, inner):
            return _nested(field, _compile(inner))
        case Exists(field, what, negated):
            return _exists(field, what, negated)
        case Contains(field, values, needs_all):
            return _contains(field, values, needs_all)
        case MatchesIgnoreCase(field, value):
            folded = value.casefold()
            return lambda item: isinstance(item.get(field), str) and item[field].casefold() == folded
        case In(field, values, negated):
            tests = [_compare(field, "=", value) for value in values]
            if negated:
                return lambda item: item.get(field) is not None and not any(test(item) for test in tests)
            return _any(tests)
        case Compare(field, op, value):
            return _compare(field, op, value)


def _compare(field: str, op: str, value: Value) -> Matcher:
    compare = _OPERATORS[op]
    if field in DATETIMES:
        wanted = _instant(field, value)
        return lambda item: isinstance(item.get(field), str) and compare(parse_instant(item[field]), wanted)
    if field == "id" and op not in ("=", "!="):
        key = _key_value("id", value)
        return lambda item: isinstance(item.get("id"), str) and compare(id_key(item["id"]), key)
    if field == "lowercaseEmail":
        # No record shows this field: it can only be asked for.
        return lambda item: isinstance(item.get("email"), str) and compare(item["email"].lower(), value)
    kind = _kind(value)
    return lambda item: _kind(item.get(field)) == kind and compare(item[field], value)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def _nested(field: str, inner: Matcher) -> Matcher:
    def matches(item: dict[str, Any]) -> bool:
        value = item.get(field)
        if isinstance(value, list):
            return any(isinstance(element, dict) and inner(element) for element in value)
        return isinstance(value, dict) and inner(value)

    return matches


def _exists(field: str, what: str, negated: bool) -> Matcher:
    if what == "empty":
        return lambda item: (not item.get(field)) is not negated
    return lambda item: (item.get(field) is not None) is not negated


def _contains(field: str, values: tuple[Value, ...], needs_all: bool) -> Matcher:
    wanted = {(_kind(value), value) for value in values}

    def matches(item: dict[str, Any]) -> bool:
        present = item.get(field)
        if not isinstance(present, list):
            return False
        scalars = {(_kind(value), value) for value in present if isinstance(value, str | int | float)}
        return wanted <= scalars if needs_all else bool(wanted & scalars)

    return matches


def _all(matchers: list[Matcher]) -> Matcher:
    if len(matchers) == 2:
        first, second = matchers
        return lambda item: first(item) and second(item)
    return lambda item: all(matcher(item) for matcher in matchers)


def _any(matchers: list[Matcher]) -> Matcher:
    if len(matchers) == 2:
        first, second = matchers
        return lambda item: first(item) or second(item)
    return lambda item: any(matcher(item) for matcher in matchers)


def _not(matcher: Matcher) -> Matcher:
    return lambda item: not matcher(item)


def bounds(expression: Expression, field: str) -> tuple[Any, Any]:
    """The least and greatest key of `field` (`id`, `createdAt`, `lastModifiedAt`) that can match; None: unbounded.

    Both ends are inclusive and may be generous: they narrow what is looked at, the matcher decides.
    """
    match expression:
        case Compare(name, op, value) if name == field and op != "!=":
            key = _key_value(field, value)
            return (None if op in ("<", "<=") else key), (None if op in (">", ">=") else key)
        case And(parts):
            lows, highs = zip(*(bounds(part, field) for part in parts), strict=True)
            return max(_given(lows), default=None), min(_given(highs), default=None)
        case Or(parts):
            lows, highs = zip(*(bounds(part, field) for part in parts), strict=True)
            low = None if None in lows else min(lows)
            return low, (None if None in highs else max(highs))
        case _:
            return None, None


def _given(values: tuple[Any, ...]) -> list[Any]:
    return [value for value in values if value is not None]


def points(expression: Expression, path: tuple[str, ...]) -> frozenset[str] | None:
    """The only values that the field at `path` can have in a match, if the predicate pins it; else None."""
    match expression:
        case Compare(name, "=", value) if (name,) == path:
            return frozenset({str(value)})
        case In(name, values, False) if (name,) == path:
            return frozenset(str(value) for value in values)
        case Nested(name, inner) if len(path) > 1 and name == path[0]:
            return points(inner, path[1:])
        case And(parts):
            return next((found for part in parts if (found := points(part, path)) is not None), None)
        case _:
            return None
