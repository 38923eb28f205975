"""The JSON Schema (draft-07) of plan files, for editors that complete and check while you type.

Made from the tables that the loader reads by, so a key that one knows the other knows: `PLAN_KEYS`, `EVENT_KEYS`,
`OWN_KEYS`, `KEYWORDS` and so on. The schema sees one file at a time; what only the whole plan can tell (paths, references,
conventions) is left to the loader.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cdi_cli.events.lifecycle import KINDS
from cdi_cli.plan.model import NO_TRIGGER, ON_VIOLATION, PII, UNPLANNED_EVENTS, UNPLANNED_PROPERTIES, WITH_TRAITS
from cdi_cli.plan.names import NAME_CHARACTERS_MAX
from cdi_cli.plan.paths import PATH_CHARACTERS_MAX
from cdi_cli.plan.read_event import EVENT_KEYS, GROUP_KEYS, GROUPS_MAX, TYPES
from cdi_cli.plan.read_head import CONVENTIONS, PLAN_KEYS
from cdi_cli.plan.read_keywords import IN_SCHEMAS
from cdi_cli.plan.read_mapping import DEPRECATION_KEYS
from cdi_cli.plan.read_property import JSON_TYPES, OWN_KEYS, SOURCES_MAX
from cdi_cli.plan.read_routing import KEY_PATTERN, ROUTING_KEYS, SELECTION_KEYS
from cdi_cli.plan.schema import KEYWORDS
from cdi_cli.plan.versions import PATTERN

DIALECT = "http://json-schema.org/draft-07/schema#"
FOLDERS = {"plan": "plan.yaml", "event": "events/*.yaml", "group": "groups/*.yaml", "definition": "definitions/*.yaml"}
"""Kind of file -> where such files lie in the plan's folder."""

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS_MAX}
_PATH: Schema = {"type": "string", "maxLength": PATH_CHARACTERS_MAX, "pattern": r"^[a-z_]+([.\[]|$)"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_NUMBER: Schema = {"type": "number"}
_FLAG: Schema = {"type": "boolean"}
_SCHEMA: Schema = {"$ref": "#/definitions/schema"}
_SCHEMAS: Schema = {"type": "array", "minItems": 1, "items": _SCHEMA}
_PROPERTIES: Schema = {"$ref": "#/definitions/properties"}
_VERSION: Schema = {"type": "string", "pattern": PATTERN}


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _choice(values: Iterable[str], description: str) -> Schema:
    return {"enum": list(values), "description": description}


def _names(description: str, **more: Any) -> Schema:
    listed = {"type": "array", "minItems": 1, "items": _TEXT, **more}
    return {"anyOf": [_TEXT, listed], "description": description}


_COMMON = {
    "description": _said(_TEXT, "For people, and for the catalogue"),
    "since": _said(_VERSION, "The version of the plan that brought it"),
    "deprecated": _said({"$ref": "#/definitions/deprecated"}, "It should no longer be used; it is still sent"),
    "on_violation": _choice(
        ON_VIOLATION, "block: to the dead letters; strip: without the offending properties; warn: as it is"
    ),
}
_HEAD: Schema = {
    **_COMMON,
    "name": _said({"type": "string", "minLength": 1}, "Name of the plan; every event carries it"),
    "version": _said(_VERSION, 'Semantic version, in quotes: "1.4.0"; every event carries it'),
    "owner": _said(_TEXT, "Who answers for the plan"),
    "conventions": {
        "type": "object",
        "description": "How names are written",
        "properties": {key: {"enum": list(known)} for key, known in CONVENTIONS.items()},
        "additionalProperties": False,
    },
    "unplanned_properties": _choice(
        UNPLANNED_PROPERTIES, "A property that the plan does not name; forbid: like any violation; allow: it passes"
    ),
    "unplanned_events": _choice(UNPLANNED_EVENTS, "Something that happened and triggers no event of the plan"),
}
_EVENT: Schema = {
    **_COMMON,
    "event": _said(_NAME, "The event's name; the type's own for identify, group and alias"),
    "type": _choice(TYPES, "track (default), or what else Segment's spec has"),
    "trigger": _choice((*KINDS, NO_TRIGGER), "What must have happened; none: others send it, and cdi only checks it"),
    "destinations": {
        "type": "object",
        "description": "Name or type of a destination: false keeps the event away, a mapping changes what goes there",
        "propertyNames": {"pattern": KEY_PATTERN},
        "additionalProperties": {"anyOf": [_FLAG, {"$ref": "#/definitions/routing"}]},
    },
    "groups": _names("Groups of `groups/` whose properties the event takes", maxItems=GROUPS_MAX),
    "template": _said(
        {"type": "string", "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\.jsonata$"},
        "A file of `templates/` that makes all of its properties",
    ),
    "properties": _PROPERTIES,
    "traits": _PROPERTIES,
}
_PROPERTY: Schema = {
    **_COMMON,
    "type": {
        "anyOf": [{"enum": list(JSON_TYPES)}, {"type": "array", "minItems": 1, "items": {"enum": list(JSON_TYPES)}}],
        "description": "JSON type, or a list of them",
    },
    "required": _said(_FLAG, "An event without it breaks the plan"),
    "from": {
        "anyOf": [_PATH, {"type": "array", "minItems": 1, "maxItems": SOURCES_MAX, "items": _PATH}],
        "description": "Where the value comes from: a path, or several of which the first with a value wins",
    },
    "value": {"description": "A constant, instead of `from`"},
    "jsonata": _said({"type": "string", "minLength": 1}, "A JSONata expression that makes the value, instead of `from`"),
    "join": _said(_TEXT, "A list of texts becomes one text, with this between them"),
    "pii": _choice(PII, "What the value tells about a person; only `none` is ever quoted in messages"),
    "properties": _said(_PROPERTIES, "What an object holds"),
    "items": _said({"$ref": "#/definitions/property"}, "What each element of a list is"),
    "$ref": _said(_TEXT, "A definition of `definitions/` by its name; keys beside it win"),
}
_KEYWORDS: Schema = {
    **dict.fromkeys(("format", "pattern", "contentEncoding", "contentMediaType", "title", "$comment"), _TEXT),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _COUNT),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    "multipleOf": {"type": "number", "exclusiveMinimum": 0},
    **dict.fromkeys(("uniqueItems", "readOnly", "writeOnly"), _FLAG),
    "enum": {"type": "array", "minItems": 1},
    "examples": {"type": "array"},
    "const": {},
    "default": {},
    **dict.fromkeys(("allOf", "anyOf", "oneOf"), _SCHEMAS),
    **dict.fromkeys(
        ("additionalItems", "additionalProperties", "contains", "else", "if", "not", "propertyNames", "then"), _SCHEMA
    ),
    "patternProperties": {"type": "object", "additionalProperties": _SCHEMA},
    "dependencies": {
        "type": "object",
        "additionalProperties": {"anyOf": [_SCHEMA, {"type": "array", "items": _TEXT}]},
    },
}
_INNER: Schema = {
    **_KEYWORDS,
    "type": _PROPERTY["type"],
    "description": _TEXT,
    "required": {"type": "array", "items": _TEXT},
    "properties": {"type": "object", "additionalProperties": _SCHEMA},
    "items": {"anyOf": [_SCHEMA, _SCHEMAS]},
}
_SELECTION: Schema = {
    "exclude": _names("Paths of properties that stay behind, as in `products[].coupon`"),
    "rename": {"type": "object", "description": "Path of a property: its name there", "additionalProperties": _NAME},
}
_ROUTING: Schema = {
    "rename": _said(_NAME, "The event's name there"),
    "properties": {"$ref": "#/definitions/selection"},
    "traits": {"$ref": "#/definitions/selection"},
}
_DEPRECATION: Schema = {
    "since": _VERSION,
    "reason": _said(_TEXT, "Why"),
    "replacement": _said(_TEXT, "What to use instead: an event, or a property of the same event"),
}


def _table(keys: Iterable[str], described: Schema, **more: Any) -> Schema:
    """An object with these keys and no others; raises KeyError for a key of the loader that is not described here."""
    properties = {key: described[key] for key in sorted(keys)}
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _exclusive() -> list[Schema]:
    """Keys that may not stand beside each other."""
    return [
        {"required": pair} for pair in (["from", "value"], ["jsonata", "from"], ["jsonata", "value"], ["jsonata", "join"])
    ]


def _definitions() -> Schema:
    profile = {"properties": {"type": {"enum": list(WITH_TRAITS)}}, "required": ["type"]}
    one_holder = {"if": profile, "then": {"not": {"required": ["properties"]}}, "else": {"not": {"required": ["traits"]}}}
    holders = {"oneOf": [{"required": ["properties"]}, {"required": ["traits"]}]}
    produced = {"anyOf": [{"required": ["type"]}, {"required": ["$ref"]}], "not": {"anyOf": _exclusive()}}
    property_keys = OWN_KEYS | KEYWORDS
    described = {**_KEYWORDS, **_PROPERTY}
    return {
        "plan": _table(PLAN_KEYS, _HEAD, required=["name", "version"]),
        "event": _table(EVENT_KEYS, _EVENT, required=["event", "trigger"], **one_holder),
        "group": _table(GROUP_KEYS, {**_EVENT, **_COMMON}, **holders),
        "definition": _table(property_keys, described),
        "property": _table(property_keys, described, **produced),
        "properties": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _NAME,
            "additionalProperties": {"$ref": "#/definitions/property"},
        },
        "schema": {"anyOf": [_FLAG, _table(IN_SCHEMAS, _INNER)]},
        "routing": _table(ROUTING_KEYS, _ROUTING),
        "selection": _table(SELECTION_KEYS, _SELECTION),
        "deprecated": {"anyOf": [_VERSION, _table(DEPRECATION_KEYS, _DEPRECATION, required=["since"])]},
    }


def file_schema(kind: str | None = None) -> Schema:
    """The schema of one kind of plan file (a key of `FOLDERS`), or of any of them; every call gives a fresh one."""
    chosen = [kind] if kind is not None else list(FOLDERS)
    title = FOLDERS[kind] if kind is not None else "a file of a tracking plan"
    references = [{"$ref": f"#/definitions/{each}"} for each in chosen]
    word = "allOf" if kind is not None else "anyOf"
    return {"$schema": DIALECT, "title": title, word: references, "definitions": _definitions()}


def add_schemas(folder: Path) -> None:
    """Write the schemas into a plan's folder, and into each of its files the line that leads an editor to its schema."""
    import json

    target = folder / "schemas"
    target.mkdir()
    for kind, pattern in FOLDERS.items():
        name = f"{kind}.schema.json"
        (target / name).write_text(json.dumps(file_schema(kind), indent=2) + "\n", encoding="utf-8")
        for path in sorted(folder.glob(pattern)):
            way = "../schemas" if path.parent != folder else "schemas"
            text = path.read_text(encoding="utf-8")
            path.write_text(f"# yaml-language-server: $schema={way}/{name}\n{text}", encoding="utf-8")
