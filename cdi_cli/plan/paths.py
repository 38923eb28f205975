"""Paths: where a property's value comes from, as text and taken apart.

    order.shipping_address.city                         a field of a commerce entity
    record.custom.fields.loyalty-tier                   any field of the raw record
    record.lineItems[0].sku                             an element by its number, from 0
    record.custom_attributes[attribute_code=tier].value the first element whose field has this value
    item.sku                                            inside `items` or an object with its own `from`: the current element

The first word is the root: a subject of the event's trigger, `record`, or `item`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cdi_cli.plan.problems import listing, suggest
from cdi_cli.plan.shapes import RAW, Shape

PATH_CHARACTERS_MAX = 500
STEPS_MAX = 20

Step = str | int | tuple[str, str]
"""A field name, an element number, or (field, value): the first element whose field has that value."""

_ROOT = re.compile(r"[a-z_]+")
_STEP = re.compile(r"\.([^.\[\]\s]+)|\[(\d{1,4})\]|\[([^=\[\]]+)=([^\[\]]+)\]")


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was found to exist, with the shape of what it leads to."""

    text: str
    root: str
    steps: tuple[Step, ...]
    shape: Shape


class PathError(Exception):
    """A path that is badly written or leads nowhere; the message says why, `hint` what to write instead."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def split_path(text: str) -> tuple[str, tuple[Step, ...]]:
    """Root and steps of a path; raises PathError for text that is not a path."""
    root = _ROOT.match(text)
    if root is None or len(text) > PATH_CHARACTERS_MAX:
        raise PathError(f"`{text[:80]}` is not a path", "write it as in `order.number` or `record.custom.fields.tier`")
    steps: list[Step] = []
    position = root.end()
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise PathError(
                f"`{text}` is not a path: cannot read `{text[position:]}`", "separate names by dots, without spaces"
            )
        name, number, field, wanted = step.groups()
        steps.append(name if name is not None else int(number) if number is not None else (field, wanted))
        position = step.end()
    if len(steps) > STEPS_MAX:
        raise PathError(f"`{text}` has more than {STEPS_MAX} steps")
    return root.group(), tuple(steps)


def names_of(steps: tuple[Step, ...]) -> set[str]:
    """Every field name that the steps mention, also the value that a selector looks for (it can be a field's name)."""
    names: set[str] = set()
    for step in steps:
        if isinstance(step, str):
            names.add(step)
        elif isinstance(step, tuple):
            names.update(step)
    return names


def resolve(text: str, roots: dict[str, Shape], denied: frozenset[str]) -> Path:
    """The path, checked step by step against what the roots hold; raises PathError where it leads nowhere."""
    root, steps = split_path(text)
    if root not in roots:
        if root == "item":
            raise PathError("`item` stands for the current element and has no meaning here", "use it inside `items`")
        raise PathError(
            f"`{root}` is not known here", suggest(root, roots) or f"a path starts with one of {listing(sorted(roots))}"
        )
    if root == "record" and not steps:
        raise PathError("`record` alone is the whole record", "name a field, as in `record.custom.fields.tier`")
    if roots[root] is RAW:
        if found := sorted(names_of(steps) & denied):
            raise PathError(f"the record field `{found[0]}` must never be mapped", "the source protects this field")
        return Path(text, root, steps, RAW)
    return Path(text, root, steps, _walk(root, steps, roots[root]))


def _walk(root: str, steps: tuple[Step, ...], shape: Shape) -> Shape:
    so_far = root
    for step in steps:
        if shape.kind == "list":
            raise PathError(f"`{so_far}` is a list", "map its elements with `items:`")
        if not isinstance(step, str):
            raise PathError(f"`{so_far}` has no elements to choose from", "only a list of the raw record has")
        inner = shape.inner(step)
        if inner is None:
            fields = shape.fields()
            if not fields:
                raise PathError(f"`{so_far}` is {shape.noun} and has no field `{step}`", f"use `{so_far}` itself")
            near = suggest(step, fields)
            known = f"it has {listing(fields)}"
            raise PathError(f"`{so_far}` has no field `{step}`", near or known)
        shape = inner
        so_far = f"{so_far}.{step}"
    return shape
