"""The JSON Schema of a `cdi.yaml`, for editors: the settings models with one variant for each connector type."""

from __future__ import annotations

from typing import Any

from cdi_cli.config.known import Connectors, Known
from cdi_cli.config.settings import SLUG_PATTERN, Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{model}"


def json_schema(known: Known) -> dict[str, Any]:
    """The schema of a whole file; connectors are told apart by their `type`, whose own settings follow."""
    schema = Settings.model_json_schema(ref_template=_REFERENCE)
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    definitions.pop("Connector", None)
    schema["properties"].pop("file", None)
    schema["required"] = [name for name in schema["required"] if name != "file"]
    for section, connectors in (("sources", known.sources), ("destinations", known.destinations)):
        description = schema["properties"][section].get("description", "")
        schema["properties"][section] = {
            "type": "object",
            "description": description,
            "minProperties": 1,
            "propertyNames": {"pattern": SLUG_PATTERN},
            "additionalProperties": {"anyOf": _variants(section, connectors, definitions)},
        }
    lifecycle = definitions["LifecyclePolicy"]["properties"]
    lifecycle["off"]["items"] = {"type": "string", "enum": list(known.kinds)}
    return {"$schema": DIALECT, **schema, "title": "cdi.yaml"}


def _variants(section: str, connectors: Connectors, definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """A definition for each connector; names inside are prefixed, since two connectors may both have a `Lookups`."""
    references = []
    for name in connectors.names:
        prefix = f"{section}.{name}"
        template = "#/$defs/" + prefix + ".{model}"
        schema = connectors.model(name).model_json_schema(ref_template=template)
        for inner, definition in schema.pop("$defs", {}).items():
            definitions[f"{prefix}.{inner}"] = definition
        properties = {key: value for key, value in schema.get("properties", {}).items() if key != "type"}
        schema["properties"] = {"type": {"const": name, "description": f"The connector `{name}`"}, **properties}
        schema["required"] = ["type", *(key for key in schema.get("required", []) if key != "type")]
        definitions[prefix] = schema
        references.append({"$ref": f"#/$defs/{prefix}"})
    return references
