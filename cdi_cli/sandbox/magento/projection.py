"""The `fields` parameter: which parts of an answer are sent, as `items[entity_id,items[sku]],total_count`."""

from __future__ import annotations

from typing import Any

Wanted = dict[str, "Wanted | None"]
"""Field names; None below a name wants all of it."""


def parse(text: str) -> Wanted:
    """What a `fields` text names; brackets that are not closed are closed at the end."""
    root: Wanted = {}
    open_levels: list[Wanted] = [root]
    name = ""
    for letter in text:
        if letter not in "[],":
            name += letter
            continue
        if name.strip():
            open_levels[-1].setdefault(name.strip(), None)
        if letter == "[":
            below: Wanted = {}
            open_levels[-1][name.strip()] = below
            open_levels.append(below)
        elif letter == "]" and len(open_levels) > 1:
            open_levels.pop()
        name = ""
    if name.strip():
        open_levels[-1].setdefault(name.strip(), None)
    return root


def project(value: Any, wanted: Wanted | None) -> Any:
    """The named parts of a value; of a list, of each of its elements."""
    if wanted is None:
        return value
    if isinstance(value, list):
        return [project(each, wanted) for each in value]
    if isinstance(value, dict):
        return {name: project(value[name], below) for name, below in wanted.items() if name in value}
    return value
