"""What a settings model says about a place inside it: its type, its description, and whether it holds a secret."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from cdi_cli.config.document import KeyPath
from cdi_cli.config.types import SecretReference


def field_at(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """The field that a path of keys leads to, or None when the last step is no field of a model."""
    found: FieldInfo | None = None
    annotation: Any = model
    for part in path:
        found = None
        owner = model_in(annotation)
        if owner is not None and isinstance(part, str) and part in (fields := fields_of(owner)):
            found = fields[part]
            annotation = found.annotation
        else:
            annotation = _item_of(annotation)
    return found


def keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that a mapping at this path may have, when it is a model; else none."""
    owner = model_in(annotation_at(model, path))
    return list(fields_of(owner)) if owner is not None else []


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the keys that a file has for them; Python has its own use for some (`is`, `not`)."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def annotation_at(model: type[BaseModel], path: KeyPath) -> Any:
    """The type that a value at this path must have; None where the model does not say."""
    annotation: Any = model
    for part in path:
        owner = model_in(annotation)
        if owner is not None and isinstance(part, str):
            field = fields_of(owner).get(part)
            annotation = field.annotation if field is not None else None
        else:
            annotation = _item_of(annotation)
    return annotation


def is_secret(model: type[BaseModel], path: KeyPath) -> bool:
    """Whether the value at this path must be a reference to a secret."""
    return SecretReference in _leaves(annotation_at(model, path))


def is_path(model: type[BaseModel], path: KeyPath) -> bool:
    """Whether the value at this path is a path of the file system."""
    return Path in _leaves(annotation_at(model, path))


def choices(annotation: Any) -> tuple[str, ...]:
    """The texts that a `Literal` (or an optional one) allows; empty for any other type."""
    found: list[str] = []
    for part in _unions(annotation):
        if get_origin(part) is Literal:
            found += [str(value) for value in get_args(part)]
    return tuple(found)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is, or that its `| None` holds."""
    for part in _unions(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _item_of(annotation: Any) -> Any:
    for part in _unions(annotation):
        arguments = get_args(part)
        if get_origin(part) is dict:
            return arguments[1]
        if get_origin(part) in (list, tuple, set, frozenset) and arguments:
            return arguments[0]
    return None


def _unions(annotation: Any) -> list[Any]:
    """The alternatives of a union, with `Annotated` and type aliases taken off."""
    if get_origin(annotation) is Annotated:
        return _unions(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [part for argument in get_args(annotation) for part in _unions(argument)]
    return [annotation]


def _leaves(annotation: Any) -> set[Any]:
    found: set[Any] = set()
    for part in _unions(annotation):
        found.add(part)
        if get_origin(part) in (list, tuple, dict):
            for argument in get_args(part):
                found |= _leaves(argument)
    return {part for part in found if isinstance(part, type)}
