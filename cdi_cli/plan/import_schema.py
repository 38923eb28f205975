"""From JSON Schema of another system to properties in our file format, as plain data.

What our format cannot say is left out and added to the losses; what is left is valid. Nothing is fetched: a `$ref` is a
loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi_cli.plan.check import SchemaError, compile_schema
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.names import is_name
from cdi_cli.plan.read_keywords import IN_SCHEMAS
from cdi_cli.plan.read_property import JSON_TYPES, NESTING_MAX
from cdi_cli.plan.schema import KEYWORDS

ANY_TYPES = ["string", "number", "boolean", "object", "array", "null"]
"""Every JSON type (a number may be whole): what a schema without `type` allows."""

INTEGER_MAX = 10**19 - 1
"""Larger whole numbers do not survive the plan's YAML exactly."""

_OWN = frozenset({"type", "description", "properties", "items", "required", "additionalProperties"})
_IDLE = frozenset({"$schema", "$id", "id", "key", "labels", "eventMetadata", "definitions", "$defs"})
"""Keywords that decide nothing, as Segment and others write them."""

_SCHEMAS = frozenset({"additionalItems", "additionalProperties", "contains", "else", "if", "not", "propertyNames", "then"})
_LISTS = frozenset({"allOf", "anyOf", "oneOf"})
_TABLES = frozenset({"dependencies", "patternProperties", "properties"})
_NO_NAME = "a name has 1 to 255 printable characters"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a schema stands: event, property path, how deep; whether the plan forbids what it does not name."""

    losses: Losses
    event: str
    forbids_unplanned: bool
    path: str = ""
    depth: int = 0

    def inside(self, step: str) -> Spot:
        """The spot of a property inside, or of a list's elements (`[]`)."""
        path = f"{self.path}{step}" if step == "[]" or not self.path else f"{self.path}.{step}"
        return Spot(self.losses, self.event, self.forbids_unplanned, path, self.depth + 1)

    def rule(self, aspect: str, hint: str = "") -> None:
        """A rule that got lost here."""
        self.losses.rule(aspect, self.event, self.path, hint=hint)

    def note(self, aspect: str, hint: str = "") -> None:
        """Anything else that got lost here."""
        self.losses.note(aspect, self.event, self.path, hint=hint)


def properties_of(schema: dict[str, Any], spot: Spot) -> dict[str, Any]:
    """The properties of an object's schema, by name; a required one without a schema of its own may be anything."""
    table, required = schema.get("properties"), schema.get("required")
    wanted = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    inner = dict(table) if isinstance(table, dict) else {}
    inner.update({name: {} for name in wanted if name not in inner})
    found = {}
    for name, each in inner.items():
        if not is_name(name):
            spot.rule("properties with a name that no plan can have", hint=_NO_NAME)
        elif (read := _property(each, spot.inside(name), is_required=name in wanted)) is not None:
            found[name] = read
    return found


def _property(schema: Any, spot: Spot, *, is_required: bool) -> dict[str, Any] | None:
    """One property, or None where the schema allows no value at all or the plan would be nested too deep."""
    if spot.depth > NESTING_MAX:
        spot.rule(f"what is nested deeper than {NESTING_MAX} levels")
        return None
    if schema is True:
        schema = {}
    if not isinstance(schema, dict):
        spot.rule("properties that allow no value", hint="a plan does not name what must not be there")
        return None
    if "$ref" in schema:
        spot.rule("keyword `$ref`", hint="write out what it refers to")
        schema = {"description": schema.get("description")}
    read: dict[str, Any] = {"type": _types(schema, spot)}
    if is_required:
        read["required"] = True
    if isinstance(description := schema.get("description"), str) and description:
        read["description"] = description
    read |= _keywords(schema, read["type"], spot)
    return read | _structure(schema, read, spot)


def _types(schema: dict[str, Any], spot: Spot) -> Any:
    """The types as our format writes them: one word, or a list."""
    written = schema.get("type")
    if written is None:
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list) and values:
            return _one_or_all(list(dict.fromkeys(_type_of(value) for value in values)))
        return ANY_TYPES
    names = written if isinstance(written, list) else [written]
    known = [name for name in dict.fromkeys(str(each) for each in names) if name in JSON_TYPES]
    if len(known) == len(names) and known:
        return _one_or_all(known)
    spot.rule("types that JSON Schema does not know")
    return ANY_TYPES


def _one_or_all(names: list[str]) -> Any:
    return names[0] if len(names) == 1 else names


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    kinds: tuple[tuple[Any, str], ...] = ((str, "string"), ((int, float), "number"), (dict, "object"), (list, "array"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")


def _keywords(schema: dict[str, Any], types: Any, spot: Spot) -> dict[str, Any]:
    """The other keywords that our format has, without those that it would refuse."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _OWN or key == "$ref":
            continue
        if key not in KEYWORDS:
            spot.note(f"keyword `{key}`", hint="it decides nothing in draft-07") if key not in _IDLE else None
        elif not _is_sound(key, value):
            spot.rule(f"keyword `{key}`", hint="it holds something that a plan cannot say")
        else:
            found[key] = value
    return _valid(found, types, spot)


def _valid(found: dict[str, Any], types: Any, spot: Spot) -> dict[str, Any]:
    """The keywords without those that are not valid draft-07, or whose pattern the linear-time engine does not run."""
    while found:
        try:
            compile_schema({"type": types, **found})
        except SchemaError as error:
            key = str(error.steps[0]) if error.steps and error.steps[0] in found else next(iter(found))
            spot.rule(f"keyword `{key}`", hint=f"not valid here: {error.message}"[:200])
            found = {name: value for name, value in found.items() if name != key}
        else:
            break
    return found


def _is_sound(key: str, value: Any) -> bool:
    """Whether a keyword's value holds only what a plan may: known keywords inside schemas, numbers that stay exact."""
    if key in _SCHEMAS:
        return _is_sound_schema(value)
    if key in _LISTS:
        return isinstance(value, list) and all(_is_sound_schema(each) for each in value)
    if key in _TABLES:
        return isinstance(value, dict) and all(isinstance(each, list) or _is_sound_schema(each) for each in value.values())
    if key == "items":
        return all(_is_sound_schema(each) for each in value) if isinstance(value, list) else _is_sound_schema(value)
    return _is_exact(value)


def _is_sound_schema(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    return all(key in IN_SCHEMAS and _is_sound(key, value) for key, value in schema.items())


def _is_exact(value: Any) -> bool:
    if isinstance(value, dict):
        return "<<" not in value and all(_is_exact(each) for each in value.values())
    if isinstance(value, list):
        return all(_is_exact(each) for each in value)
    return not isinstance(value, int) or abs(value) <= INTEGER_MAX


def _structure(schema: dict[str, Any], read: dict[str, Any], spot: Spot) -> dict[str, Any]:
    """What an object or a list holds."""
    types = read["type"] if isinstance(read["type"], list) else [read["type"]]
    found: dict[str, Any] = {}
    inner = properties_of(schema, spot) if "object" in types else {}
    if inner:
        found["properties"] = inner
    found |= _additional(schema, spot, has_inner=bool(inner))
    items = schema.get("items", True)
    if "array" not in types or items in (True, {}):
        return found
    if isinstance(items, list):
        spot.rule("keyword `items` with one schema per place", hint="a plan has one for all elements")
    elif (element := _property(items, spot.inside("[]"), is_required=False)) is not None:
        found["items"] = element
    return found


def _additional(schema: dict[str, Any], spot: Spot, *, has_inner: bool) -> dict[str, Any]:
    """`additionalProperties` as written, and where it says otherwise than the plan as a whole does."""
    value = schema.get("additionalProperties")
    if isinstance(value, dict) and value:
        if _is_sound_schema(value):
            return {"additionalProperties": value}
        spot.rule("keyword `additionalProperties`", hint="it holds something that a plan cannot say")
        value = None
    if value is False:
        return {} if has_inner and spot.forbids_unplanned else {"additionalProperties": False}
    is_said = value is not None or (has_inner and spot.forbids_unplanned)
    return {"additionalProperties": True} if is_said else {}
