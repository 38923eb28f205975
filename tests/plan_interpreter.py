"""A slow, independent reading of a plan: walks the property tree for every event, with reflection and plain JSON.

It shares no code with the compiled mapping; the two must agree on every event.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from cdi_cli.commerce import Money
from cdi_cli.events.lifecycle import Occurrence
from cdi_cli.plan import PlannedEvent, Property
from cdi_cli.plan.paths import Path

MISSING = object()


def interpret(
    event: PlannedEvent, occurrence: Occurrence, raw: bytes, denied: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The properties of an occurrence, as the plan says."""
    try:
        record = json.loads(raw)
    except ValueError:
        record = None
    roots = {**occurrence.subjects, "record": record if isinstance(record, dict) else None}
    return _object(event.properties, roots, denied)


def _object(properties: tuple[Property, ...], roots: dict[str, Any], denied: frozenset[str]) -> dict[str, Any]:
    found = {each.name: _value(each, roots, denied) for each in properties}
    return {name: value for name, value in found.items() if value is not MISSING}


def _value(each: Property, roots: dict[str, Any], denied: frozenset[str]) -> Any:
    if each.is_constant:
        return each.constant
    source = next((value for path in each.sources if (value := _source(path, roots, denied)) is not MISSING), MISSING)
    if each.properties:
        if not each.sources:
            return _object(each.properties, roots, denied) or MISSING
        if source is MISSING or not _is_object(source):
            return source
        return _object(each.properties, {**roots, "item": source}, denied) or MISSING
    if source is MISSING:
        return MISSING
    if each.join is not None:
        return each.join.join(source) if _is_list_of_texts(source) else source
    if each.items is not None and isinstance(source, (list, tuple)):
        elements = [_value(each.items, {**roots, "item": element}, denied) for element in source]
        return [element for element in elements if element is not MISSING] or MISSING
    return _json(source)


def _source(path: Path, roots: dict[str, Any], denied: frozenset[str]) -> Any:
    value = roots[path.root]
    for step in path.steps:
        if value is None:
            return MISSING
        if isinstance(step, str):
            held = value if isinstance(value, dict) else _fields(value)
            value = held.get(step)
        elif isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            name, wanted = step
            matching = (
                [e for e in value if isinstance(e, dict) and _digits(e.get(name)) == wanted]
                if isinstance(value, list)
                else []
            )
            value = matching[0] if matching else None
    if path.root in ("record", "item") and path.shape.kind == "raw":
        value = _clean(value, denied)
    if isinstance(value, dict) and path.shape.kind == "map":
        value = _table(value)
    return MISSING if value is None or value == "" or value in ((), {}) else value


def _fields(value: Any) -> dict[str, Any]:
    """The fields of an entity; none for anything else."""
    return {name: getattr(value, name) for name in getattr(value, "__struct_fields__", ())}


def _table(values: dict[str, Any]) -> dict[str, Any]:
    """A table of an entity, or an entity in it, as JSON: what is empty is left out."""
    made = {name: _inside(value) for name, value in values.items()}
    return {name: value for name, value in made.items() if value is not None and value != "" and value not in ([], {})}


def _inside(value: Any) -> Any:
    if isinstance(value, dict) or (hasattr(value, "__struct_fields__") and not isinstance(value, Money)):
        return _table(value if isinstance(value, dict) else _fields(value))
    return _json(value)


def _digits(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _clean(value: Any, denied: frozenset[str]) -> Any:
    """A raw value without nulls, emptiness and denied fields."""
    if isinstance(value, dict):
        inner = {name: _clean(each, denied) for name, each in value.items() if name not in denied}
        return {name: each for name, each in inner.items() if each is not None} or None
    if isinstance(value, list):
        return [each for each in (_clean(each, denied) for each in value) if each is not None] or None
    return None if value == "" else value


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) or hasattr(value, "__struct_fields__")


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value)


def _json(value: Any) -> Any:
    if isinstance(value, Money):
        exact = Decimal(value.minor) / 10**value.digits if abs(value.minor) < 10**15 else None
        if exact is None:
            return format(Decimal(value.minor).scaleb(-value.digits), "f")
        return float(exact) if value.digits else value.minor
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    return value
