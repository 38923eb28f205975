"""Export to JSON Schema: one draft-07 document that judges any Segment message, with one definition per event.

A message is matched by its type and event name; one that the plan does not know passes, unless the plan blocks unplanned
events.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from cdi_cli.plan.export_segment import SCHEMA, message_schema
from cdi_cli.plan.model import Plan, PlannedEvent


def to_json_schema(plan: Plan) -> dict[str, Any]:
    """The schema of every message of the plan; `$defs` holds one schema per event, by its name."""
    definitions = {event.name: _definition(event, plan) for event in plan.events}
    document: dict[str, Any] = {"$schema": SCHEMA, "title": f"{plan.name} {plan.version}"}
    if plan.description:
        document["description"] = plan.description
    document |= {"type": "object", "required": ["type"], "allOf": [_choice(event, plan) for event in plan.events]}
    if plan.unplanned_events == "block":
        document["anyOf"] = [_match(event, plan) for event in plan.events]
    return {**document, "$defs": definitions}


def _definition(event: PlannedEvent, plan: Plan) -> dict[str, Any]:
    schema = message_schema(event, allows_unplanned=plan.allows_unplanned)
    del schema["$schema"]
    return {"title": event.name, **schema}


def _choice(event: PlannedEvent, plan: Plan) -> dict[str, Any]:
    return {"if": _match(event, plan), "then": {"$ref": f"#/$defs/{_pointer(event.name)}"}}


def _match(event: PlannedEvent, plan: Plan) -> dict[str, Any]:
    """What a message of this event looks like from outside."""
    wanted: dict[str, Any] = {"type": {"const": event.type}}
    if not event.is_any:
        wanted["event" if event.type == "track" else "name"] = {"const": event.name}
        return {"properties": wanted, "required": list(wanted)}
    match: dict[str, Any] = {"properties": wanted, "required": list(wanted)}
    if others := [each.name for each in plan.events if each.type == event.type and not each.is_any]:
        match["not"] = {"properties": {"name": {"enum": others}}, "required": ["name"]}
    return match


def _pointer(name: str) -> str:
    """A name as one step of a JSON pointer in a URI fragment (RFC 6901, sections 3 and 6)."""
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="")
