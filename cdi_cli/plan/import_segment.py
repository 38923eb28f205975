"""Import of a Segment Protocols tracking plan.

Understood are what the Public API answers (`{"rules": [...]}`, also inside `{"data": ...}`), a saved plan of Typewriter,
and a bare list of rules. A rule's schema describes the whole message (`properties.properties.properties`) or, as Typewriter
saves it, the properties alone.
"""

from __future__ import annotations

import re
from typing import Any

from cdi_cli.errors import ConfigError
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.import_document import ImportedEvent, ImportedPlan, list_of, table_of, text_of
from cdi_cli.plan.import_schema import Spot, properties_of
from cdi_cli.plan.model import PLANNED_TYPES, VIEWS, holder_of
from cdi_cli.plan.names import is_name

NEVER = "0001-01-01T00:00:00.000Z"
"""How Segment writes a point in time that never came."""

ENVELOPE = frozenset(
    {
        *("type", "event", "name", "userId", "anonymousId", "groupId", "previousId", "messageId", "timestamp", "sentAt"),
        *("receivedAt", "originalTimestamp", "context", "integrations", "version", "channel", "traits", "properties"),
    }
)
"""The fields of a message (sheet "Segment", section 3)."""

_DONE = frozenset(
    {"$schema", "$id", "id", "type", "description", "title", "properties", "required", "labels", "eventMetadata"}
)
_VERSION = re.compile(r"v?(\d{1,5})(\.\d{1,5})?(\.\d{1,5})?")


def from_segment(document: Any, losses: Losses) -> ImportedPlan:
    """The plan that a document describes; raises ConfigError where it holds no rules."""
    holder = table_of(table_of(document).get("data")) or table_of(document)
    plan = table_of(holder.get("trackingPlan")) or holder
    rules = document if isinstance(document, list) else holder.get("rules")
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        hint = "take it from `GET /tracking-plans/{id}/rules` of Segment's Public API"
        raise ConfigError("the document holds no list of `rules`", hint=hint)
    chosen = _latest(rules, losses)
    forbids = bool(chosen) and all(_is_closed(rule) for rule in chosen)
    major = max((_version(rule) for rule in chosen), default=1)
    return ImportedPlan(
        name=text_of(plan.get("display_name")) or text_of(plan.get("name")) or "imported",
        version=f"{major}.0.0",
        description=text_of(plan.get("description")),
        forbids_unplanned=forbids,
        events=[event for rule in chosen if (event := _event(rule, losses, forbids_unplanned=forbids)) is not None],
    )


def _version(rule: dict[str, Any]) -> int:
    version = rule.get("version")
    if isinstance(version, int) and not isinstance(version, bool):
        return min(max(version, 1), 99_999)
    found = _VERSION.fullmatch(text_of(version))
    return max(1, int(found.group(1))) if found is not None else 1


def _name(rule: dict[str, Any]) -> str:
    kind = _kind(rule)
    return kind if kind in ("identify", "group") else text_of(rule.get("key")) or (kind if kind in VIEWS else "")


def _kind(rule: dict[str, Any]) -> str:
    return text_of(rule.get("type")).lower()


def _latest(rules: list[dict[str, Any]], losses: Losses) -> list[dict[str, Any]]:
    """The rules that become events, the newest version of each; every other one is a loss."""
    chosen: dict[str, dict[str, Any]] = {}
    for rule in rules:
        kind, name = text_of(rule.get("type")).upper(), _name(rule)
        shown = name[:80] or kind
        if kind == "COMMON":
            losses.rule("rules of type COMMON", shown, hint="a plan has no rule for all events: put it into each of them")
        elif kind.lower() not in PLANNED_TYPES:
            losses.rule("rules of an unknown type", shown, hint=f"a plan has the types {', '.join(PLANNED_TYPES)}")
        elif not is_name(name):
            losses.rule("events without a name that a plan can have", shown, hint="1 to 255 printable characters")
        elif name in chosen and _kind(chosen[name]) != _kind(rule):
            losses.rule("a second event of one name", shown, hint="a plan has one event of a name, whatever its type")
        elif name in chosen:
            older, newer = sorted((chosen[name], rule), key=_version)
            hint = "a plan has one version of an event: keep the other in a folder of its own"
            losses.rule(f"version {_version(older)} beside version {_version(newer)}", name, hint=hint)
            chosen[name] = newer
        else:
            chosen[name] = rule
    return list(chosen.values())


def _split(rule: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """A rule's schema, the part of it that describes the properties or traits, and whether it is the whole message."""
    schema = table_of(rule.get("jsonSchema"))
    field = holder_of(_kind(rule))
    outer = table_of(schema.get("properties"))
    inner = outer.get(field)
    # A property of an event can be called `properties` too; a message has nothing but its envelope around it.
    if isinstance(inner, dict) and outer.keys() <= ENVELOPE:
        return schema, inner, True
    is_message = bool(outer) and outer.keys() <= {"context", "traits", "properties"}
    return schema, {} if is_message else schema, is_message


def _is_closed(rule: dict[str, Any]) -> bool:
    return _split(rule)[1].get("additionalProperties") is False


def _event(rule: dict[str, Any], losses: Losses, *, forbids_unplanned: bool) -> ImportedEvent | None:
    name = _name(rule)
    schema, inner, is_message = _split(rule)
    spot = Spot(losses, name, forbids_unplanned)
    if is_message:
        _note_envelope(schema, spot, holder_of(_kind(rule)))
    for key, value in inner.items():
        if key == "additionalProperties":
            if isinstance(value, dict) and value:
                spot.rule("a schema for unplanned properties", hint="a plan forbids or allows them")
            elif value is False and not forbids_unplanned:
                spot.rule("unplanned properties are forbidden in some events", hint="say it for the whole plan")
        elif key not in _DONE:
            spot.rule(f"keyword `{key}` on the event as a whole", hint="a plan has rules for single properties")
    for key in ("labels", "deprecatedAt"):
        if (value := rule.get(key) or schema.get(key)) and value != NEVER:
            spot.note(f"`{key}`", hint="a plan says `deprecated` with a version" if key == "deprecatedAt" else "")
    return ImportedEvent(name, _kind(rule), text_of(schema.get("description")), properties_of(inner, spot))


def _note_envelope(schema: dict[str, Any], spot: Spot, field: str) -> None:
    """Note rules for the message around the properties: a plan has none."""
    hint = "a plan describes properties and traits only"
    for name, each in table_of(schema.get("properties")).items():
        if name != field and each not in ({}, True, {"type": "object"}):
            spot.rule(f"rules for `{name}`", hint=hint)
    for name in list_of(schema.get("required")):
        if name != field:
            spot.rule(f"`{name}` is required", hint=hint)
    for key in schema.keys() - _DONE - {"$id"}:
        spot.rule(f"keyword `{key}` on the message as a whole", hint=hint)
