"""From a planned event to the JSON Schema (draft-07) of its properties."""

from __future__ import annotations

from typing import Any

from cdi_cli.plan.model import PlannedEvent, Property

COMPOSED = ("allOf", "anyOf", "contains", "dependencies", "else", "if", "not", "oneOf", "propertyNames", "then")
"""Keywords that hold whole schemas; they are taken as written, but may not refer to anything."""

KEYWORDS = frozenset(
    {
        *COMPOSED,
        *("enum", "const", "format", "pattern", "minLength", "maxLength", "contentEncoding", "contentMediaType"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minItems", "maxItems", "uniqueItems", "additionalItems"),
        *("minProperties", "maxProperties", "patternProperties", "additionalProperties"),
        *("title", "default", "examples", "readOnly", "writeOnly", "$comment"),
    }
)
"""The draft-07 keywords that may stand beside our own (`type`, `required`, `properties`, `items`, `description`)."""

ANNOTATIONS = frozenset({"title", "default", "examples", "readOnly", "writeOnly", "$comment"})
"""Keywords that explain and decide nothing."""


def event_schema(event: PlannedEvent, *, allows_unplanned: bool) -> dict[str, Any]:
    """The schema that the properties (or traits) of an event must satisfy."""
    return _object({"type": "object"}, event.properties, allows_unplanned=allows_unplanned)


def property_schema(planned: Property, *, allows_unplanned: bool) -> dict[str, Any]:
    """The schema of one property."""
    schema: dict[str, Any] = {"type": planned.types[0] if len(planned.types) == 1 else list(planned.types)}
    if planned.description:
        schema["description"] = planned.description
    schema.update(planned.keywords)
    if schema.get("additionalProperties") is False:
        # Without this the engine names neither the rule nor the property that is not allowed.
        schema["properties"] = {}
    if planned.properties:
        _object(schema, planned.properties, allows_unplanned=allows_unplanned)
    if planned.items is not None:
        schema["items"] = property_schema(planned.items, allows_unplanned=allows_unplanned)
    return schema


def _object(schema: dict[str, Any], inner: tuple[Property, ...], *, allows_unplanned: bool) -> dict[str, Any]:
    schema["properties"] = {each.name: property_schema(each, allows_unplanned=allows_unplanned) for each in inner}
    if required := [each.name for each in inner if each.is_required]:
        schema["required"] = required
    if not allows_unplanned:
        schema.setdefault("additionalProperties", False)
    return schema
