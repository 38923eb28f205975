"""Lint of one property by its JSON Schema rules: rules that contradict each other, do nothing, or cannot be met.

Every function takes a `Spot` and yields findings. Values are judged by the engine that checks events, so that a finding here
is what would happen there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from cdi_cli.plan.check import SchemaError, compile_schema
from cdi_cli.plan.findings import Finding, Severity
from cdi_cli.plan.lint_pattern import is_catastrophic, matches_nothing, widths
from cdi_cli.plan.lint_places import Places
from cdi_cli.plan.model import PlannedEvent, Property
from cdi_cli.plan.schema import property_schema

BOUNDS = (
    ("minimum", "maximum", False, "number"),
    ("exclusiveMinimum", "exclusiveMaximum", True, "number"),
    ("minimum", "exclusiveMaximum", True, "number"),
    ("exclusiveMinimum", "maximum", True, "number"),
    ("minLength", "maxLength", False, "text"),
    ("minItems", "maxItems", False, "list"),
    ("minProperties", "maxProperties", False, "object"),
)
"""Lower bound, upper bound, whether equal ones leave nothing, and what is bounded."""

OF_TYPE: dict[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("minItems", "maxItems", "uniqueItems", "additionalItems", "contains"),
    "object": ("minProperties", "maxProperties", "patternProperties", "propertyNames", "dependencies"),
}
"""Keywords that say something about values of one type only."""

SHOWN_MAX = 5
PATTERNS_MAX = 500
"""So many different patterns of a plan are judged, which bounds the time that a hostile one takes."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A property of an event, and how to find its keywords in the files; `judged`: verdicts about the plan's patterns."""

    event: PlannedEvent
    path: str
    planned: Property
    places: Places
    judged: dict[str, bool]

    def finding(self, severity: Severity, rule: str, message: str, fix: str, *keywords: str) -> Finding:
        """A finding at the first of these keywords, or at the property."""
        place = self.places.of(self.planned.place, *keywords)
        return Finding(severity, f"plan/{rule}", message, event=self.event.name, path=self.path, fix=fix).placed(place)


def bounds(spot: Spot) -> Iterator[Finding]:
    """A lower bound above the upper one."""
    keywords = spot.planned.keywords
    for low, high, is_open, noun in BOUNDS:
        least, most = keywords.get(low), keywords.get(high)
        if not _is_number(least) or not _is_number(most):
            continue
        if least > most or (is_open and least == most):
            message = f"no {noun} can satisfy `{low}: {least}` and `{high}: {most}`"
            yield spot.finding("error", "bounds", message, f"correct `{low}` or `{high}`", low)


def options(spot: Spot) -> Iterator[Finding]:
    """Members of an `enum`, or a `const`, that the other rules of the property forbid; members that are named twice."""
    keywords = spot.planned.keywords
    for keyword in ("enum", "const"):
        if keyword not in keywords:
            continue
        values = keywords[keyword] if keyword == "enum" else [keywords[keyword]]
        broken = [value for value in values if not _is_allowed(spot.planned, keyword, value)]
        if broken:
            shown = ", ".join(f"`{value}`" for value in broken[:SHOWN_MAX])
            more = f" and {len(broken) - SHOWN_MAX} more" if len(broken) > SHOWN_MAX else ""
            is_all = len(broken) == len(values)
            what = f"no value of `{keyword}` can" if is_all else f"{shown}{more} of `{keyword}` can never"
            message = f"{what} pass: the property's other rules forbid {'them' if len(broken) > 1 else 'it'}"
            fix = f"remove what is forbidden from `{keyword}`, or correct the type, pattern or bounds"
            yield spot.finding("error", keyword, message, fix, keyword)
        if keyword == "enum":
            twice = [value for number, value in enumerate(values) if any(_is_same(value, one) for one in values[:number])]
            if twice:
                message = f"`{twice[0]}` is named twice in `enum`"
                yield spot.finding("warning", "enum-twice", message, "remove one of them", "enum")


def patterns(spot: Spot) -> Iterator[Finding]:
    """A pattern that matches nothing, contradicts the lengths, or makes backtracking engines choke."""
    pattern = spot.planned.keywords.get("pattern")
    if not isinstance(pattern, str):
        return
    if matches_nothing(pattern):
        yield spot.finding("error", "pattern-empty", f"no text can match `{pattern}`", "correct the pattern", "pattern")
        return
    if (found := widths(pattern)) is not None:
        least, most = found
        longest, shortest = spot.planned.keywords.get("maxLength"), spot.planned.keywords.get("minLength")
        clash = ""
        if _is_number(longest) and least > longest:
            clash = f"a text that matches has at least {least} characters, but `maxLength` is {longest}"
        elif most is not None and _is_number(shortest) and most < shortest:
            clash = f"a text that matches has at most {most} characters, but `minLength` is {shortest}"
        if clash:
            yield spot.finding("error", "pattern-length", clash, "correct the pattern or the length", "pattern")
    if pattern not in spot.judged and len(spot.judged) < PATTERNS_MAX:
        spot.judged[pattern] = is_catastrophic(pattern)
    if spot.judged.get(pattern):
        message = f"`{pattern}` can take exponential time in engines that backtrack, as destinations use them"
        fix = "let no two repeats inside a repeat match the same text: `(a+)+` is `a+`"
        yield spot.finding("warning", "pattern-backtracking", message, fix, "pattern")


def effects(spot: Spot) -> Iterator[Finding]:
    """Keywords that say nothing about any type the property may have."""
    types = {"number" if name == "integer" else name for name in spot.planned.types}
    for kind, keywords in OF_TYPE.items():
        if kind in types:
            continue
        for keyword in keywords:
            if keyword in spot.planned.keywords:
                message = f"`{keyword}` has no effect: it is about {_NOUNS[kind]}, the property is {_listed(types)}"
                yield spot.finding("warning", "no-effect", message, f"remove `{keyword}`, or correct `type`", keyword)


def examples(spot: Spot) -> Iterator[Finding]:
    """Examples and defaults that the property's own rules forbid."""
    keywords = spot.planned.keywords
    values = [("default", keywords["default"])] if "default" in keywords else []
    listed = keywords.get("examples")
    values += [("examples", value) for value in listed] if isinstance(listed, list) else []
    for keyword, value in values:
        if not _is_allowed(spot.planned, "", value):
            message = f"`{value}` of `{keyword}` breaks the property's own rules"
            yield spot.finding("warning", "example", message, "correct the example or the rules", keyword)


_NOUNS = {"string": "text", "number": "numbers", "array": "lists", "object": "objects"}
PROPERTY_RULES = (bounds, options, patterns, effects, examples)


def _listed(types: set[str]) -> str:
    return " or ".join(f"`{name}`" for name in sorted(types))


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: `true` is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _is_allowed(planned: Property, without: str, value: Any) -> bool:
    """Whether the property's rules, but for one keyword, allow a value; rules that are not sound are judged elsewhere."""
    keywords = {key: rule for key, rule in planned.keywords.items() if key != without}
    try:
        return compile_schema(property_schema(replace(planned, keywords=keywords), allows_unplanned=True)).is_valid(value)
    except SchemaError:
        return True
