"""The catalogue: a plan in the words of those who use its events, ready to be shown as a page or as Markdown.

Everything is text here; what it looks like is decided in `catalogue_html.py` and `catalogue_markdown.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cdi_cli.events.lifecycle import KINDS
from cdi_cli.plan.catalogue_examples import NO_EXAMPLE, example_of
from cdi_cli.plan.model import Deprecation, Plan, PlannedEvent, Property

PERSONAL = ("identifier", "contact", "sensitive")
"""PII classes that tell something about a person."""

POLICIES = {
    "block": "It is kept back as a dead letter",
    "strip": "It is sent without the offending properties",
    "warn": "It is sent as it is, and counted",
}
_LIMITS = {
    "minimum": "At least {}",
    "maximum": "At most {}",
    "exclusiveMinimum": "More than {}",
    "exclusiveMaximum": "Less than {}",
    "multipleOf": "A multiple of {}",
    "minLength": "At least {} characters",
    "maxLength": "At most {} characters",
    "minItems": "At least {} elements",
    "maxItems": "At most {} elements",
    "format": "Format `{}`",
    "pattern": "Pattern `{}`",
}
_NOT_RULES = frozenset({"additionalProperties", "title", "default", "examples", "readOnly", "writeOnly", "$comment"})
_VALUES_SHOWN = 20
_NOUNS = {
    "string": ("text", "texts"),
    "number": ("number", "numbers"),
    "integer": ("whole number", "whole numbers"),
    "boolean": ("true or false", "true or false"),
    "object": ("object", "objects"),
    "array": ("list", "lists"),
    "null": ("null", "nulls"),
}
"""JSON types as people say them, one and several."""


@dataclass(frozen=True, slots=True)
class Row:
    """One property: its path from the event (`products[].sku`), how deep it lies, and what there is to know about it.

    `example` is JSON text, "" where there is none. `origin`: the paths that its value comes from, the first one wins.
    `elsewhere`: what it is called at a destination, or that it does not go there.
    """

    path: str
    name: str
    depth: int
    types: str
    is_required: bool
    description: str
    rules: tuple[str, ...]
    pii: str
    example: str
    origin: tuple[str, ...]
    since: str
    deprecated: str
    elsewhere: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event. `destinations`: where it goes, by type or name. `example`: its properties as JSON text."""

    name: str
    anchor: str
    type: str
    description: str
    when: str
    is_produced: bool
    on_violation: str
    since: str
    deprecated: str
    destinations: tuple[str, ...]
    elsewhere: tuple[str, ...]
    rows: tuple[Row, ...]
    example: str

    @property
    def personal(self) -> tuple[str, ...]:
        """The PII classes of its properties that tell something about a person."""
        return tuple(name for name in PERSONAL if any(row.pii == name for row in self.rows))

    @property
    def required_count(self) -> int:
        """How many properties it always has."""
        return sum(row.is_required and row.depth == 0 for row in self.rows)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A whole plan, its events by name."""

    name: str
    version: str
    owner: str
    description: str
    unplanned: str
    destinations: tuple[str, ...]
    entries: tuple[Entry, ...]


def catalogue_of(plan: Plan, types: Iterable[str] = ()) -> Catalogue:
    """The catalogue of a plan; `types` are the destination types that there are, beside those that the plan names."""
    known = sorted({*types, *(route.key for event in plan.events for route in event.routing)})
    anchors: set[str] = set()
    ordered = sorted(plan.events, key=lambda event: event.name.casefold())
    refuses = plan.unplanned_properties
    own = {"allow": "pass as they are", "forbid": "break the plan"}.get(refuses, "are kept back with their event")
    unplanned = {"strip": "are left out", "warn": "are sent, and counted"}.get(refuses, own)
    return Catalogue(
        name=plan.name,
        version=plan.version,
        owner=plan.owner,
        description=plan.description,
        unplanned=f"Properties that are not listed here {unplanned}",
        destinations=tuple(known),
        entries=tuple(_entry(event, known, anchors) for event in ordered),
    )


def _entry(event: PlannedEvent, known: list[str], anchors: set[str]) -> Entry:
    routes = {route.key: route for route in event.routing}
    sent = tuple(key for key in known if key not in routes or routes[key].is_sent)
    elsewhere = tuple(f"`{key}` gets it as `{route.event_name}`" for key, route in routes.items() if route.event_name)
    examples = {each.name: value for each in event.properties if (value := example_of(each)) is not NO_EXAMPLE}
    return Entry(
        name=event.name,
        anchor=_anchor(event.name, anchors),
        type=event.type,
        description=event.description,
        when=KINDS[event.trigger].description if event.is_produced else "Others send it; cdi only checks it",
        is_produced=event.is_produced,
        on_violation=POLICIES[event.on_violation] if event.is_produced else "",
        since=event.since,
        deprecated=_deprecation(event.deprecated),
        destinations=sent if event.is_produced else (),
        elsewhere=elsewhere,
        rows=tuple(_rows(event.properties, "", 0, (), event)),
        example=json.dumps(examples, indent=2, ensure_ascii=False) if examples else "",
    )


def _anchor(name: str, taken: set[str]) -> str:
    """A name for links to the event: letters, digits and hyphens, one of its own."""
    stem = "-".join("".join(each if each.isascii() and each.isalnum() else " " for each in name.lower()).split()) or "event"
    number, found = 1, stem
    while found in taken:
        number += 1
        found = f"{stem}-{number}"
    taken.add(found)
    return found


def _rows(
    properties: Iterable[Property], around: str, depth: int, item: tuple[str, ...], event: PlannedEvent
) -> Iterator[Row]:
    for each in properties:
        path = f"{around}{each.name}"
        yield _row(each, path, depth, item, event)
        yield from _inner(each, path, depth, item, event)


def _inner(each: Property, path: str, depth: int, item: tuple[str, ...], event: PlannedEvent) -> Iterator[Row]:
    """The rows of what a property holds; the elements of a list are told with it, unless they hold something themselves."""
    sources = _origin(each, item) if each.sources else item
    yield from _rows(each.properties, f"{path}.", depth + 1, sources, event)
    if each.items is not None:
        inside = tuple(f"{source}[]" for source in sources)
        element = _origin(each.items, inside) if each.items.sources else inside
        yield from _rows(each.items.properties, f"{path}[].", depth + 1, element, event)
        if each.items.items is not None:
            yield from _inner(each.items, f"{path}[]", depth, inside, event)


def _row(each: Property, path: str, depth: int, item: tuple[str, ...], event: PlannedEvent) -> Row:
    example = example_of(each)
    is_plain = not each.properties and (each.items is None or not each.items.properties)
    rules = [*_rules(each), *(f"Each: {rule[0].lower()}{rule[1:]}" for rule in (_rules(each.items) if each.items else ()))]
    return Row(
        path=path,
        name=each.name,
        depth=depth,
        types=_types(each),
        is_required=each.is_required,
        description=each.description,
        rules=tuple(rules),
        pii=each.pii or "",
        example=json.dumps(example, ensure_ascii=False) if is_plain and example is not NO_EXAMPLE else "",
        origin=(made,) if (made := event.made_by(_steps(path))) else _origin(each, item),
        since=each.since,
        deprecated=_deprecation(each.deprecated),
        elsewhere=tuple(_elsewhere(path, event)),
    )


def _steps(path: str) -> tuple[str | int, ...]:
    return tuple(0 if part == "[]" else part for part in path.replace("[]", ".[]").split("."))


def _types(each: Property) -> str:
    """The types in a word or two: "list of objects"."""
    if each.types == ("array",) and each.items is not None:
        return f"list of {' or '.join(_NOUNS[name][1] for name in each.items.types)}"
    return " or ".join(_NOUNS[name][0] for name in each.types)


def _origin(each: Property, item: tuple[str, ...]) -> tuple[str, ...]:
    """The paths that feed a property, from the record or entity on: `item` is replaced by what it stands for."""
    if each.is_constant:
        return (f"always {json.dumps(each.constant, ensure_ascii=False)}",)
    found: list[str] = []
    for source in each.sources:
        is_inner = source.root == "item" and len(item) == 1
        found.append(f"{item[0]}{source.text.removeprefix('item')}" if is_inner else source.text)
    return tuple(found)


def _rules(each: Property) -> Iterator[str]:
    """The rules of a property as sentences."""
    for key, value in each.keywords.items():
        if key in _LIMITS:
            yield _LIMITS[key].format(value)
        elif key == "enum" and isinstance(value, list):
            shown = ", ".join(_value(each) for each in value[:_VALUES_SHOWN])
            yield f"One of {shown}{f' and {len(value) - _VALUES_SHOWN} more' if len(value) > _VALUES_SHOWN else ''}"
        elif key == "const":
            yield f"Always {_value(value)}"
        elif key == "uniqueItems":
            yield "No element twice" if value else "Elements may repeat"
        elif key not in _NOT_RULES:
            yield f"`{key}`: {_value(value)}"


def _value(value: Any) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value, ensure_ascii=False)}`"


def _deprecation(deprecated: Deprecation | None) -> str:
    if deprecated is None:
        return ""
    reason = f": {deprecated.reason}" if deprecated.reason else ""
    instead = f"; use `{deprecated.replacement}` instead" if deprecated.replacement else ""
    return f"Deprecated since {deprecated.since}{reason}{instead}"


def _elsewhere(path: str, event: PlannedEvent) -> Iterator[str]:
    for route in event.routing:
        if not route.is_sent:
            continue
        if path in route.exclude:
            yield f"Not sent to `{route.key}`"
        elif path in route.rename:
            yield f"`{route.rename[path]}` in `{route.key}`"
