"""Export to Segment Protocols: a tracking plan whose rules hold JSON Schema (draft-07) of whole messages.

    {"name", "description", "type": "LIVE", "rules": [
        {"type": "TRACK", "key": "Order Completed", "version": 1, "jsonSchema": {...}}]}

`rules` is what `PUT /tracking-plans/{id}/rules` of the Public API takes. A rule's `version` is the plan's major version,
which every event carries as `context.protocols.event_version` (sheet "Segment", Protocols).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.export_routing import routed
from cdi_cli.plan.model import Plan, PlannedEvent
from cdi_cli.plan.schema import event_schema

SCHEMA = "http://json-schema.org/draft-07/schema#"
ONLY_HERE = "this folder stays the source of it"
_SETTINGS_HINT = "set it in the source's schema settings in Segment"
_VIOLATION_ACTIONS = {"block": "BLOCK", "strip": "OMIT_PROPERTIES", "warn": "ALLOW"}


def to_segment(plan: Plan, losses: Losses, *, types: Iterable[str] = ()) -> dict[str, Any]:
    """The plan as Segment's Public API takes it; `types` are the known destination types (for routing).

    Draft-07 is Segment's own language, so no rule gets lost; what else does is added to `losses`.
    """
    version = rule_version(plan)
    rules = []
    for event in routed(plan, "segment", types, losses):
        if event.type == "alias":
            losses.rule("an event of type alias", event.name, hint="Segment has no rules for it")
        else:
            rules.append(_rule(event, plan, version))
    if str(version) != plan.version:
        losses.note(f"of the version `{plan.version}` only {version} is exported", hint="Segment's rules count versions")
    policies = {plan.on_violation, *(event.on_violation for event in plan.events)}
    actions = " or ".join(f"`{_VIOLATION_ACTIONS[policy]}`" for policy in sorted(policies))
    losses.note(f"what happens on a violation ({actions})", hint=_SETTINGS_HINT)
    if plan.unplanned_events == "block":
        losses.note("unplanned events are blocked", hint=f"{_SETTINGS_HINT}: `allowUnplannedEvents: false`")
    note_own_knowledge(plan, losses)
    return {"name": plan.name, "description": plan.description, "type": "LIVE", "rules": rules}


def rule_version(plan: Plan) -> int:
    """The plan's major version as other formats count: from 1."""
    return max(1, int(plan.version.partition(".")[0]))


def message_schema(event: PlannedEvent, *, allows_unplanned: bool) -> dict[str, Any]:
    """The schema of a whole Segment message; its envelope is free."""
    field = event.holder
    inner = event_schema(event, allows_unplanned=allows_unplanned)
    schema: dict[str, Any] = {"$schema": SCHEMA, "type": "object"}
    if event.description:
        schema["description"] = event.description
    schema["properties"] = {"context": {}, "traits": {}, "properties": {}, field: inner}
    if inner.get("required"):
        schema["required"] = [field]
    return schema


def note_own_knowledge(plan: Plan, losses: Losses) -> None:
    """Note what no other format has a place for: mapping, PII classes, versions of single properties, conventions, owner."""
    for event in plan.events:
        if event.is_produced:
            losses.note("triggers of events", event.name, hint=ONLY_HERE)
        if event.template is not None:
            losses.note("templates of events", event.name, hint=ONLY_HERE)
        if event.since or event.deprecated:
            losses.note("`since` and `deprecated`", event.name, hint=ONLY_HERE)
        for path, each in event.walk():
            if each.sources or each.is_constant or each.join is not None or each.script is not None:
                losses.note("where values come from (`from`, `value`, `jsonata`, `join`)", event.name, path, hint=ONLY_HERE)
            if each.pii is not None:
                losses.note("PII classes", event.name, path, hint=ONLY_HERE)
            if each.since or each.deprecated:
                losses.note("`since` and `deprecated`", event.name, path, hint=ONLY_HERE)
    if plan.owner:
        losses.note("the plan's owner", hint=ONLY_HERE)
    if any(getattr(plan.conventions, name) for name in plan.conventions.__slots__):
        losses.note("naming conventions", hint=ONLY_HERE)


def _rule(event: PlannedEvent, plan: Plan, version: int) -> dict[str, Any]:
    schema = message_schema(event, allows_unplanned=plan.allows_unplanned)
    if event.is_any:
        return {"type": event.type.upper(), "version": version, "jsonSchema": schema}
    return {"type": event.type.upper(), "key": event.name, "version": version, "jsonSchema": schema}
