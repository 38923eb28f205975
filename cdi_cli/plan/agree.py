"""Whether a path and the property it feeds agree: an amount is a number, a time is text, a list is an array."""

from __future__ import annotations

from cdi_cli.plan.paths import Path
from cdi_cli.plan.problems import listing
from cdi_cli.plan.shapes import Shape

Disagreement = tuple[str, str | None]
"""Message and hint."""

_TYPES: dict[str, tuple[str, ...]] = {
    "text": ("string",),
    "instant": ("string",),
    "money": ("number",),
    "integer": ("integer", "number"),
    "boolean": ("boolean",),
    "object": ("object",),
    "map": ("object",),
    "list": ("array",),
}


def disagreement(path: Path, types: tuple[str, ...], join: str | None) -> Disagreement | None:
    """Why a value at `path` can never be of the declared types, or None when it can."""
    shape = path.shape
    if join is not None:
        return _joined(path, types)
    if shape.kind == "raw":
        return None
    fitting = _TYPES[shape.kind]
    if not set(fitting) & set(types):
        hint = f"declare `type: {fitting[0]}`"
        if shape.kind == "list" and is_text(shape.element) and "string" in types:
            hint = 'add `join: ", "` to make one text of them'
        return f"`{path.text}` is {shape.noun}, but the property is declared as {listing(types)}", hint
    if shape.kind == "money" and "string" in types:
        # An amount too large for a JSON number leaves the mapping as text, so that the check finds it.
        return f"`{path.text}` is an amount and cannot be declared as text too", "declare `type: number`"
    return None


def _joined(path: Path, types: tuple[str, ...]) -> Disagreement | None:
    if "string" not in types:
        return "`join` makes one text of a list", "declare `type: string`"
    if path.shape.kind != "raw" and not (path.shape.kind == "list" and is_text(path.shape.element)):
        return f"`{path.text}` is {path.shape.noun}, and only a list of texts can be joined", "remove `join`"
    return None


def is_text(shape: Shape | None) -> bool:
    """Whether the shape is text that can stand in a sentence."""
    return shape is not None and shape.kind in ("text", "instant")


def is_same(first: Shape, second: Shape) -> bool:
    """Whether values of both shapes can be mapped by the same code."""
    return (first.kind, first.entity, first.element) == (second.kind, second.entity, second.element)
