"""Values as a report may show them: as they are where the plan says `pii: none`, else only what kind of value it was."""

from __future__ import annotations

from typing import Any

import msgspec

from cdi_cli.plan.findings import counted
from cdi_cli.plan.model import Pii, PlannedEvent, Property

CHARACTERS_MAX = 60


def planned_at(event: PlannedEvent, steps: tuple[str | int, ...]) -> tuple[Property | None, bool]:
    """The deepest property that the steps reach in the plan, and whether that is the place itself."""
    planned: Property | None = None
    inner = event.properties
    for step in steps:
        if isinstance(step, int):
            following = planned.items if planned is not None else None
        else:
            following = next((each for each in inner if each.name == step), None)
        if following is None:
            return planned, False
        planned, inner = following, following.properties
    return planned, True


def value_at(properties: Any, steps: tuple[str | int, ...]) -> tuple[Any, bool]:
    """The value at the steps, and whether there is one."""
    value = properties
    for step in steps:
        is_there = step in value if isinstance(value, dict) else isinstance(value, list) and _is_index(step, value)
        if not is_there:
            return None, False
        value = value[step]
    return value, True


def _is_index(step: str | int, values: list[Any]) -> bool:
    return isinstance(step, int) and step < len(values)


def redacted(value: Any, pii: Pii | None) -> str:
    """A value as text: itself where it tells nothing about a person, else its kind and class: `<contact: text of 12>`."""
    if value is None or isinstance(value, bool):
        return str(value).lower() if value is not None else "null"
    if isinstance(value, dict):
        return f"an object with {counted(len(value), 'field')}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if pii == "none":
        text = msgspec.json.encode(value).decode()
        return text if len(text) <= CHARACTERS_MAX else f"{text[: CHARACTERS_MAX - 1]}…"
    return f"<{pii or 'unclassified'}: {f'text of {len(value)}' if isinstance(value, str) else 'a number'}>"
