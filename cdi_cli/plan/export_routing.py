"""The plan as one destination sees it: events that do not go there are left out, names are those that it gets.

An exported plan describes what arrives, so the routing of the destination's type is applied before anything is written.
Routing for a destination's name in `cdi.yaml` cannot be: one type can be there under several names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.model import Plan, PlannedEvent, Property, Routing


def routed(plan: Plan, kind: str, types: Iterable[str], losses: Losses) -> tuple[PlannedEvent, ...]:
    """The events that go to a destination of the type `kind`, as they arrive; `types` are all known destination types."""
    events: list[PlannedEvent] = []
    known = set(types) | {kind}
    for event in plan.events:
        for other in event.routing:
            if other.key not in known:
                losses.note(f"routing for `{other.key}`", event.name, hint=f"only that for the type `{kind}` is applied")
        route = event.route("", kind)
        if route is None:
            events.append(event)
        elif route.is_sent:
            events.append(_as_sent(event, route))
        else:
            losses.note(f"events that are not sent to `{kind}`", event.name)
    return tuple(events)


def _as_sent(event: PlannedEvent, route: Routing) -> PlannedEvent:
    return replace(
        event, name=route.event_name or event.name, properties=_as_sent_properties(event.properties, "", route), routing=()
    )


def _as_sent_properties(properties: tuple[Property, ...], around: str, route: Routing) -> tuple[Property, ...]:
    found = []
    for each in properties:
        path = f"{around}.{each.name}" if around else each.name
        if path not in route.exclude:
            found.append(_as_sent_property(each, path, route))
    return tuple(found)


def _as_sent_property(each: Property, path: str, route: Routing) -> Property:
    return replace(
        each,
        name=route.rename.get(path, each.name),
        properties=_as_sent_properties(each.properties, path, route),
        items=_as_sent_property(each.items, f"{path}[]", route) if each.items is not None else None,
    )
