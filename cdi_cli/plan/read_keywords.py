"""Reading the JSON Schema keywords of a property: which there are, and whether they are valid draft-07.

The engine that checks every event also decides here whether a rule is sound; the slower `jsonschema` is imported only to say
what is wrong with one that is not. Patterns run on a regular-expression engine without look-around and back-references: it
takes linear time on any text, so a plan from outside cannot stall a run.
"""

from __future__ import annotations

from typing import Any

from cdi_cli.plan.check import SchemaError, compile_schema
from cdi_cli.plan.model import Property
from cdi_cli.plan.problems import Problems, suggest
from cdi_cli.plan.schema import KEYWORDS, property_schema
from cdi_cli.plan.yaml_nodes import Node

_ONE_SCHEMA = ("additionalItems", "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_LIST_OF_SCHEMAS = ("allOf", "anyOf", "items", "oneOf")
_TABLE_OF_SCHEMAS = ("dependencies", "patternProperties", "properties")
IN_SCHEMAS = KEYWORDS | {"type", "required", "properties", "items", "description"}


def read_keywords(layers: list[Node], path: str, problems: Problems) -> dict[str, Any]:
    """The keywords of a property and of the definitions beneath it, as plain data, in a stable order.

    One that holds a schema with unknown keywords is left out, the mistake noted.
    """
    found: dict[str, Any] = {}
    for layer in layers:
        for key, node in layer.value.items():
            if key in KEYWORDS and key not in found and _is_sound(key, node, path, problems):
                found[key] = node.plain()
    return dict(sorted(found.items()))


def _is_sound(key: str, node: Node, path: str, problems: Problems) -> bool:
    """Whether the schemas that a keyword holds name known keywords only (`$ref` is none of them); mistakes are noted."""
    if key not in _ONE_SCHEMA and key not in _LIST_OF_SCHEMAS and key not in _TABLE_OF_SCHEMAS:
        return True
    value = node.value
    if key in _TABLE_OF_SCHEMAS and isinstance(value, dict):
        schemas = list(value.values())
    else:
        schemas = value if key in _LIST_OF_SCHEMAS and isinstance(value, list) else [node]
    is_sound = True
    for schema in schemas:
        for inner, inner_node in schema.value.items() if isinstance(schema.value, dict) else ():
            if inner not in IN_SCHEMAS:
                hint = "use `$ref` only where a whole property stands" if inner[:1] == "$" else suggest(inner, IN_SCHEMAS)
                problems.add(inner_node.place, path, f"`{inner}` is not allowed inside `{key}`", hint)
                is_sound = False
            elif not _is_sound(inner, inner_node, path, problems):
                is_sound = False
    return is_sound


def has_valid_keywords(read: Property, layers: list[Node], path: str, problems: Problems) -> bool:
    """Whether the property's own rules (without those of what it holds) are valid draft-07; mistakes are noted."""
    schema = property_schema(read, allows_unplanned=True)
    try:
        compile_schema(schema)
    except SchemaError as error:
        for steps, message in _explain(schema) or [(error.steps, error.message)]:
            keyword = str(steps[0]) if steps else ""
            holder = next((layer for layer in layers if layer.get(keyword) is not None), layers[0])
            message = f"`{keyword}` is not valid JSON Schema: {message}"
            problems.add(holder.find(steps).place, path, message, "see JSON Schema draft-07")
        return False
    return True


def _explain(schema: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """What `jsonschema` finds wrong with a schema, as (steps to the place, sentence)."""
    from jsonschema import Draft7Validator

    validator = Draft7Validator(Draft7Validator.META_SCHEMA, format_checker=Draft7Validator.FORMAT_CHECKER)
    return [(tuple(error.absolute_path), error.message) for error in validator.iter_errors(schema)]


def is_valid_constant(schema: dict[str, Any], constant: Node) -> bool:
    """Whether a constant satisfies the rules of its own property; rules that are not sound are not judged."""
    try:
        return compile_schema(schema).is_valid(constant.plain())
    except SchemaError:
        return True
