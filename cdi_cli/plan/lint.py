"""Lint: what is wrong with a plan that can be loaded. It would run, and disappoint somebody later.

    findings = lint(plan, ("segment", "mparticle"))

Errors are rules that contradict each other or that a destination refuses; warnings are what a reviewer would ask about. Each
finding stands at the line of the keyword it is about. What a plan must not do at all (a path that leads nowhere, a name
against the conventions) is told by the loader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cdi_cli.plan.findings import Finding, Findings, Severity
from cdi_cli.plan.limits import LIMITS, RESERVED_PROPERTIES, PlanLimits
from cdi_cli.plan.lint_places import Places
from cdi_cli.plan.lint_rules import PROPERTY_RULES, Spot
from cdi_cli.plan.model import Plan, PlannedEvent
from cdi_cli.plan.problems import Place, listing

_TROUBLE = {".": "a dot", "[": "a bracket", "]": "a bracket", "/": "a slash"}


def lint(plan: Plan, destinations: Iterable[str] = ()) -> Findings:
    """Everything to be said about a plan; `destinations` are the types whose limits count."""
    found = Findings()
    places, judged = Places(plan.folder), dict[str, bool]()
    for finding in _of_plan(plan, sorted(set(destinations) & set(LIMITS))):
        found.add(finding)
    for event in plan.events:
        for finding in _of_event(event, places, judged):
            found.add(finding)
    return found


def head_place(plan: Plan) -> Place:
    """The start of `plan.yaml`, for what concerns the plan as a whole."""
    return Place(str(plan.folder / "plan.yaml"))


def _of_plan(plan: Plan, destinations: list[str]) -> Iterator[Finding]:
    for one in plan.unused:
        message = f"no event uses the {one.noun} `{one.name}`"
        yield Finding("warning", "plan/unused", message, fix="use it, or remove its file").placed(one.place)
    for name in destinations:
        yield from _limits(plan, name, LIMITS[name])


def _limits(plan: Plan, name: str, limits: PlanLimits) -> Iterator[Finding]:
    """What a destination makes of the plan's size and names."""
    sent = [event for event in plan.events if (route := event.route("", name)) is None or route.is_sent]
    tracked = [event for event in sent if event.type == "track"]
    if limits.event_names is not None and len(tracked) > limits.event_names:
        most = limits.event_names
        message = f"{len(tracked):,} events are planned, {limits.title} takes {most:,} names and drops the rest"
        fix = "make one event of those that differ by a value only, and make the value a property"
        yield Finding("error", "plan/event-count", message, fix=fix).placed(tracked[most].place)
    if limits.event_names_shown is not None and len(tracked) > limits.event_names_shown:
        message = f"{len(tracked):,} events are planned, {limits.title} shows {limits.event_names_shown:,}"
        place = tracked[limits.event_names_shown].place
        yield Finding("warning", "plan/event-count", message, fix="make fewer events with more properties").placed(place)
    for event in sent:
        yield from _event_limits(event, limits)


def _event_limits(event: PlannedEvent, limits: PlanLimits) -> Iterator[Finding]:
    def finding(rule: str, message: str, fix: str, *, is_error: bool = True, place: Place = event.place) -> Finding:
        severity: Severity = "error" if is_error else "warning"
        return Finding(severity, f"plan/{rule}", message, event=event.name, fix=fix).placed(place)

    if limits.event_name_characters is not None and len(event.name) > limits.event_name_characters:
        most = limits.event_name_characters
        yield finding("event-length", f"{limits.title} cuts names of more than {most} characters", "choose a shorter name")
    if event.name in limits.reserved_events:
        better = limits.reserved_events[event.name]
        fix = f"use `{better}`" if better else "choose another name"
        yield finding("reserved", f"`{event.name}` has a meaning of its own in {limits.title}", fix)
    count = len(event.properties)
    if limits.properties is not None and count > limits.properties:
        message = f"the event has {count:,} properties, {limits.title} takes {limits.properties:,}"
        place = event.properties[limits.properties].place
        yield finding("property-count", message, "leave some out, or route them elsewhere", place=place)
    elif limits.properties_shown is not None and count > limits.properties_shown:
        message = f"the event has {count:,} properties, {limits.title} shows {limits.properties_shown:,}"
        place = event.properties[limits.properties_shown].place
        yield finding("property-count", message, "leave some out", is_error=False, place=place)
    for path, planned in event.walk():
        most_characters = limits.property_name_characters
        if most_characters is not None and len(planned.name) > most_characters:
            message = f"{limits.title} cuts names of more than {most_characters} characters: `{path[:40]}…`"
            yield finding("property-length", message, "choose a shorter name", place=planned.place)


def _of_event(event: PlannedEvent, places: Places, judged: dict[str, bool]) -> Iterator[Finding]:
    if not event.description.strip():
        message = f"`{event.name}` has no description"
        fix = "add `description:`, a sentence that a marketer understands"
        yield Finding("warning", "plan/description", message, event=event.name, fix=fix).placed(event.place)
    for path, planned in event.walk():
        spot = Spot(event, path, planned, places, judged)
        yield from _words(spot)
        if spot.event.is_produced:
            yield from _mapping(spot)
        for rule in PROPERTY_RULES:
            yield from rule(spot)


def _words(spot: Spot) -> Iterator[Finding]:
    """What a property lacks for people, and names that tools misread."""
    planned, path = spot.planned, spot.path
    is_leaf = not planned.properties and planned.items is None
    if planned.name and not planned.description.strip():
        yield spot.finding("warning", "description", f"`{planned.name}` has no description", "add `description:`")
    if is_leaf and planned.pii is None and not planned.is_constant:
        message = f"`{planned.name or path}` has no PII class: its values are treated as personal data"
        yield spot.finding("warning", "pii", message, "add `pii:` none, identifier, contact or sensitive")
    if planned.name in RESERVED_PROPERTIES:
        message = f"`{planned.name}` is a name that JavaScript objects already have"
        yield spot.finding("error", "reserved", message, "choose another name")
    odd = sorted({noun for character, noun in _TROUBLE.items() if character in planned.name})
    if odd or planned.name != planned.name.strip():
        what = listing(odd).replace("`", "") if odd else "blanks around it"
        message = f"the name `{planned.name}` has {what}: paths and warehouses misread it"
        yield spot.finding("warning", "name", message, "choose another name")


def _mapping(spot: Spot) -> Iterator[Finding]:
    """Whether something produces the property, always where it is required."""
    planned = spot.planned
    is_composed = bool(planned.properties) or planned.items is not None or planned.is_scripted
    if not planned.sources and not planned.is_constant and not is_composed:
        message = f"nothing produces `{planned.name or spot.path}`: it has no `from`, `value` or `jsonata`"
        yield spot.finding("warning", "never-produced", message, "say where its value comes from, or remove it")
    if (
        planned.is_required
        and planned.sources
        and not planned.is_scripted
        and all(path.shape.is_optional for path in planned.sources)
    ):
        paths = listing(path.text for path in planned.sources)
        message = f"`{planned.name}` is required, but {paths} can be without a value: such events break the plan"
        fix = "add a path that always has one, or drop `required`"
        yield spot.finding("warning", "may-be-missing", message, fix, "from")
    if planned.is_required and planned.deprecated is not None:
        message = f"`{planned.name}` is deprecated since {planned.deprecated.since} and still required"
        yield spot.finding("warning", "deprecated-required", message, "drop `required`, or keep it alive", "deprecated")
