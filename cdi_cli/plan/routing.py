"""Routing, compiled: what becomes of an event on its way to one destination. Only events that are changed have a `Route`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cdi_cli.plan.model import PlannedEvent, Routing

Reshape = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """How one event goes to a destination: not at all, or under this name with its properties reshaped.

    `reshape` copies what it changes and leaves its argument as it is; None where the properties go as they are. `content` is
    all of it as plain data, for the fingerprint of a job.
    """

    is_sent: bool
    event_name: str
    reshape: Reshape | None
    content: tuple[Any, ...]


@dataclass(slots=True)
class _Branch:
    """What happens to one object or list element: names left out, names changed, branches further in."""

    excluded: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    inner: dict[str, _Branch] = field(default_factory=dict)


def compile_routes(events: Iterable[PlannedEvent], name: str, kind: str) -> dict[str, Route]:
    """Event name -> route, for the destination of that name and type; empty where all events go as they are."""
    routes = {event.name: compile_route(event, found) for event in events if (found := event.route(name, kind)) is not None}
    return {
        event: route for event, route in routes.items() if not route.is_sent or route.reshape or route.event_name != event
    }


def compile_route(event: PlannedEvent, routing: Routing) -> Route:
    """How an event goes there; every path of the routing is one of the event's own."""
    name = routing.event_name or event.name
    content = (routing.is_sent, name, *sorted(routing.exclude), *sorted(routing.rename.items()))
    if not routing.is_sent or not (routing.exclude or routing.rename):
        return Route(routing.is_sent, name, None, content)
    top = _Branch()
    paths = {path: steps_of(event, path) for path in (*routing.exclude, *routing.rename)}
    for path in routing.exclude:
        *outer, last = paths[path]
        _branch(top, outer).excluded.add(last)
    for path, new in routing.rename.items():
        *outer, last = paths[path]
        _branch(top, outer).renamed[last] = new
    return Route(routing.is_sent, name, lambda properties: _reshape(properties, top), content)


def steps_of(event: PlannedEvent, wanted: str) -> list[str]:
    """The property names that a path of the plan consists of; names may hold dots, so the plan is asked, not the text."""
    siblings, prefix = event.properties, ""
    steps: list[str] = []
    while True:
        each = max((each for each in siblings if _leads(f"{prefix}{each.name}", wanted)), key=lambda found: len(found.name))
        steps.append(each.name)
        path = f"{prefix}{each.name}"
        while path != wanted and each.items is not None:
            each, path = each.items, f"{path}[]"
        if path == wanted:
            return steps
        siblings, prefix = each.properties, f"{path}."


def is_inside(path: str, outer: str) -> bool:
    """Whether a property's path is that of another, or of something in it."""
    return _leads(outer, path)


def _leads(path: str, wanted: str) -> bool:
    return wanted == path or wanted.startswith((f"{path}.", f"{path}[]"))


def _branch(top: _Branch, steps: list[str]) -> _Branch:
    branch = top
    for step in steps:
        branch = branch.inner.setdefault(step, _Branch())
    return branch


def _reshape(value: Any, branch: _Branch) -> Any:
    """The value without what is excluded, with its new names; what is left empty is left out."""
    if isinstance(value, list):
        return [made for each in value if (made := _reshape(each, branch)) != {}]
    if not isinstance(value, dict):
        return value
    names: dict[str, Any] = value
    shaped: dict[str, Any] = {}
    for name, held in names.items():
        if name in branch.excluded:
            continue
        inner = branch.inner.get(name)
        made = _reshape(held, inner) if inner is not None else held
        if inner is None or made not in ({}, []):
            shaped[branch.renamed.get(name, name)] = made
    return shaped
