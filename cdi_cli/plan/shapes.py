"""Shapes: what a path leads to, told from the annotations of the commerce entities.

A shape decides which JSON type a property may declare, and what code turns the value into JSON.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Money

ShapeKind = Literal["text", "instant", "money", "integer", "boolean", "object", "list", "map", "raw"]

_NOUNS: dict[str, str] = {
    "text": "text",
    "instant": "a time",
    "money": "an amount",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "list": "a list",
    "map": "a table",
    "raw": "a raw value",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands at a path: its kind, the entity of an object, the shape of a list's or table's elements."""

    kind: ShapeKind
    is_optional: bool = False
    entity: type | None = None
    element: Shape | None = None

    @property
    def noun(self) -> str:
        """The shape in a sentence: "an amount", "an object (Address)"."""
        if self.kind == "object" and self.entity is not None:
            return f"an object ({self.entity.__name__})"
        if self.kind == "map" and self.element is not None and self.element.kind == "text":
            return "a table of texts"
        return _NOUNS[self.kind]

    def fields(self) -> list[str]:
        """The names that may follow after a dot; empty where nothing may."""
        return sorted(_fields_of(self.entity)) if self.entity is not None else []

    def inner(self, name: str) -> Shape | None:
        """The shape one step further, None if there is no such step; optional if this or the step is."""
        if self.kind == "map" and self.element is not None:
            return self.element if self.element.is_optional else replace(self.element, is_optional=True)
        inner = _fields_of(self.entity).get(name) if self.entity is not None else None
        if inner is None:
            return None
        return replace(inner, is_optional=True) if self.is_optional else inner


RAW = Shape("raw", is_optional=True)
"""Anything: a value of the raw record, known only when it is read."""


_SIMPLE = frozenset({str, int, float, bool})


def entity_shape(entity: type) -> Shape:
    """The shape of a commerce entity that is always there."""
    return Shape("object", entity=entity)


@lru_cache(maxsize=64)
def _fields_of(entity: type) -> dict[str, Shape]:
    hints = get_type_hints(entity)
    shapes = {field.name: shape_of(hints[field.name]) for field in msgspec.structs.fields(entity)}
    return {name: shape for name, shape in shapes.items() if shape is not None}


def shape_of(annotation: Any) -> Shape | None:
    """The shape of an entity's annotation, or None for one that no property can be made of."""
    if set(get_args(annotation)) == _SIMPLE:
        return RAW  # which of them it is shows only when it is read
    if get_origin(annotation) in (Union, types.UnionType):
        arms = [arm for arm in get_args(annotation) if arm is not type(None)]
        inner = shape_of(arms[0]) if len(arms) == 1 else None
        return replace(inner, is_optional=True) if inner is not None else None
    simple: dict[Any, ShapeKind] = {str: "text", Instant: "instant", int: "integer", bool: "boolean"}
    if annotation in simple:
        return Shape(simple[annotation])
    if annotation is Money:
        return Shape("money", entity=Money)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal and all(isinstance(argument, str) for argument in arguments):
        return Shape("text")
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        element = shape_of(arguments[0])
        return Shape("list", element=element) if element is not None else None
    if origin is dict and arguments[0] is str:
        element = shape_of(arguments[1])
        return Shape("map", element=element) if element is not None else None
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return Shape("object", entity=annotation)
    return None
