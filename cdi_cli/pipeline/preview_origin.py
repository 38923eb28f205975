"""Where a value of an event comes from: the plan's `from:`, with the numbers of the elements that it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cdi_cli.commerce import Customer
from cdi_cli.events import Occurrence
from cdi_cli.pipeline.explain import dig_path
from cdi_cli.pipeline.preview_lineage import Probe, Steps
from cdi_cli.plan import PlannedEvent, Property
from cdi_cli.plan.model import Pii
from cdi_cli.plan.paths import Path
from cdi_cli.plan.redact import planned_at

_CONTEXT = {"groupId": "business_unit", "traits.email": "email", "locale": "locale"}
_TIMES = {
    "order.completed": "order.placed_at",
    "order.updated": "order.updated_at",
    "customer.profile": "customer.updated_at",
}
_PERSONAL: dict[str, Pii] = {"userId": "identifier", "anonymousId": "identifier"}


class Origins:
    """Tells of one event's values where they come from, and how personal they are."""

    def __init__(self, planned: PlannedEvent, occurrence: Occurrence, record: bytes) -> None:
        self._planned = planned
        self._occurrence = occurrence
        try:
            decoded = msgspec.json.decode(record)
        except msgspec.DecodeError:
            decoded = None
        self._roots: dict[str, Any] = {**occurrence.subjects, "record": decoded}

    def pii(self, probe: Probe) -> Pii | None:
        """The class of a value; None where nobody gave it one, which counts as personal."""
        if probe.place == "properties":
            planned, _ = planned_at(self._planned, probe.steps)
            return planned.pii if planned is not None else None
        if probe.place == "context":
            return "contact" if probe.steps[0] == "traits" else "none"
        return _PERSONAL.get(str(probe.steps[0]), "none")

    def source(self, probe: Probe) -> str:
        """What the value was read from; "" where the plan does not know it."""
        if probe.place == "properties":
            made = self._planned.made_by(probe.steps)
            return made or _source(self._planned.properties, probe.steps, self._roots)
        entity = self._occurrence.entity
        noun = type(entity).__name__.lower()
        if probe.place == "context":
            return self._of_context(probe.path.removeprefix("context."), noun)
        name = probe.steps[0]
        if name == "timestamp":
            own = _TIMES.get(self._occurrence.kind)
            return own or self._field_of(self._occurrence.at) or "when it happened"
        if name == "messageId":
            return "`ids` and the entity"
        if name == "event":
            return "the tracking plan"
        value = str(probe.value)
        named = "id" if isinstance(entity, Customer) else "customer_id"
        field = next((each for each in (named, "anonymous_id") if getattr(entity, each, None) == value), None)
        return f"{noun}.{field}" if field is not None else f"{noun}.email, by `identity`"

    def _of_context(self, path: str, noun: str) -> str:
        if path.startswith("shop."):
            return f"{noun}.{path.removeprefix('shop.')}"
        if path.startswith("consent."):
            return f"{noun}.consent, by `consent`"
        if path.startswith(("protocols", "trackingPlan")):
            return "the tracking plan"
        return f"{noun}.{_CONTEXT[path]}" if path in _CONTEXT else ""

    def _field_of(self, value: str) -> str:
        """The field of what happened that has a value: the last subject is the nearest, a refund before its order."""
        for name, subject in reversed(self._occurrence.subjects.items()):
            for field in getattr(subject, "__struct_fields__", ()):
                if field != "id" and getattr(subject, field) == value:
                    return f"{name}.{field}"
        return ""


def _source(siblings: tuple[Property, ...], steps: Steps, roots: Mapping[str, Any]) -> str:
    planned: Property | None = None
    item = ""
    text = ""
    for step in steps:
        if isinstance(step, int):
            planned = planned.items if planned is not None else None
            elements = roots.get("item")
            is_there = isinstance(elements, list | tuple) and step < len(elements)
            roots = {**roots, "item": elements[step] if is_there and elements is not None else None}
            text = item = f"{text}[{step}]"
        else:
            planned = next((each for each in siblings if each.name == step), None)
        if planned is None:
            return ""
        siblings = planned.properties
        if isinstance(step, int) and not planned.sources:
            continue
        if planned.is_constant:
            return "a constant of the plan"
        chosen = _chosen(planned.sources, roots)
        if chosen is not None:
            text = f"{item}{chosen.text.removeprefix('item')}" if chosen.root == "item" and item else chosen.text
            if planned.properties or planned.items is not None:
                roots = {**roots, "item": dig_path(roots.get(chosen.root), chosen.steps)}
                item = text
    return text


def _chosen(sources: tuple[Path, ...], roots: Mapping[str, Any]) -> Path | None:
    """The first that has a value, as the mapping takes them; else the first."""
    filled = (path for path in sources if dig_path(roots.get(path.root), path.steps) not in (None, "", ()))
    return next(filled, sources[0] if sources else None)
