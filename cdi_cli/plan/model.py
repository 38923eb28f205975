"""A plan as data: what the YAML files say, checked, with the place of everything, nothing compiled yet.

Tooling reads this: a catalogue, a diff, an export, the lineage of a property (`PlannedEvent.walk`). `compile_plan` makes
of it what runs on every event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Literal

from cdi_cli.plan.paths import Path
from cdi_cli.plan.problems import Place

OnViolation = Literal["block", "strip", "warn"]
Pii = Literal["none", "identifier", "contact", "sensitive"]
PlannedType = Literal["track", "identify"]

ON_VIOLATION: tuple[OnViolation, ...] = ("block", "strip", "warn")
PII: tuple[Pii, ...] = ("none", "identifier", "contact", "sensitive")


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an event, of an object, or (with the name "") the element of a list.

    `types`: JSON types it may have. `sources`: where its value comes from, the first that has a value; or `constant`
    where `is_constant`. `join`: a list of texts becomes one text. `pii`: its class, taken from the object around it where
    it has none of its own; None where nobody said. `keywords`: the other JSON Schema draft-07 keywords, as written.
    """

    name: str
    types: tuple[str, ...]
    place: Place
    is_required: bool = False
    description: str = ""
    pii: Pii | None = None
    sources: tuple[Path, ...] = ()
    is_constant: bool = False
    constant: Any = None
    join: str | None = None
    keywords: dict[str, Any] = field(default_factory=dict)
    properties: tuple[Property, ...] = ()
    items: Property | None = None

    def child(self, name: str) -> Property | None:
        """The property of that name inside this object."""
        return next((inner for inner in self.properties if inner.name == name), None)


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """One event of the plan: what triggers it, what it holds, and what to do with one that does not keep to it."""

    name: str
    type: PlannedType
    trigger: str
    description: str
    on_violation: OnViolation
    properties: tuple[Property, ...]
    place: Place

    def walk(self) -> Iterator[tuple[str, Property]]:
        """Every property with its path (`products[].sku`), from the outside in: the lineage, the PII classes."""
        for outer in self.properties:
            yield from _walk(outer.name, outer)


def _walk(path: str, outer: Property) -> Iterator[tuple[str, Property]]:
    yield path, outer
    for inner in outer.properties:
        yield from _walk(f"{path}.{inner.name}", inner)
    if outer.items is not None:
        yield from _walk(f"{path}[]", outer.items)


@dataclass(frozen=True, slots=True)
class Conventions:
    """How names are written: `title` (Order Completed), `snake` (order_id), `camel` (firstName); None: any way."""

    event_case: str | None = None
    property_case: str | None = None
    trait_case: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A tracking plan without mistakes.

    `allows_unplanned`: properties that the plan does not name are let through. `denied_fields`: record fields that are
    cut out of every raw value.
    """

    name: str
    version: str
    folder: FilePath
    events: tuple[PlannedEvent, ...]
    owner: str = ""
    description: str = ""
    conventions: Conventions = Conventions()
    allows_unplanned: bool = False
    denied_fields: frozenset[str] = frozenset()
