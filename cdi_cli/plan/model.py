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
from cdi_cli.plan.scripts import Script

OnViolation = Literal["block", "strip", "warn"]
UnplannedProperties = Literal["forbid", "block", "strip", "warn", "allow"]
UnplannedEvents = Literal["ignore", "block"]
Pii = Literal["none", "identifier", "contact", "sensitive"]
PlannedType = Literal["track", "identify", "group", "page", "screen", "alias"]

ON_VIOLATION: tuple[OnViolation, ...] = ("block", "strip", "warn")
UNPLANNED_PROPERTIES: tuple[UnplannedProperties, ...] = ("forbid", *ON_VIOLATION, "allow")
UNPLANNED_EVENTS: tuple[UnplannedEvents, ...] = ("ignore", "block")
PII: tuple[Pii, ...] = ("none", "identifier", "contact", "sensitive")
PLANNED_TYPES: tuple[PlannedType, ...] = ("track", "identify", "group", "page", "screen", "alias")
WITH_TRAITS: tuple[PlannedType, ...] = ("identify", "group")
"""Types that describe somebody: they hold `traits`, the others `properties`."""

OWN_NAMED: tuple[PlannedType, ...] = ("identify", "group", "alias")
"""Types of which there is one event, named as the type is."""

VIEWS: tuple[PlannedType, ...] = ("page", "screen")
"""Types whose events have names of their own; one named as its type stands for all that have no file of their own."""

MADE_OF: dict[str, frozenset[str]] = {
    "group": frozenset({"group.member"}),
    "page": frozenset(),
    "screen": frozenset(),
    "alias": frozenset(),
}
"""Type -> the triggers that it can have besides `none`, where not all fit."""

NO_TRIGGER = "none"
"""The trigger of an event that others send (a web site, an app): cdi checks it and does not make it."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since which version of the plan something should no longer be used, why, and what replaces it ("" where not said).

    What is deprecated is still mapped, checked and sent.
    """

    since: str
    reason: str = ""
    replacement: str = ""


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an event, of an object, or (with the name "") the element of a list.

    `types`: JSON types it may have. `sources`: where its value comes from, the first that has a value; or `constant`
    where `is_constant`; or what `script` makes. `is_scripted`: a script makes it, its own or that of what it is in, so that
    `sources` and `constant` are not used. `join`: a list of texts becomes one text. `pii`: its class, taken from the object
    around it where it has none of its own; None where nobody said. `keywords`: the other JSON Schema draft-07 keywords, as
    written. `since`: the version of the plan that brought it ("" where nobody said). `group`: the group of the plan that it
    came with, "" for one of the event's own.
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
    since: str = ""
    deprecated: Deprecation | None = None
    group: str = ""
    script: Script | None = None
    is_scripted: bool = False

    def child(self, name: str) -> Property | None:
        """The property of that name inside this object."""
        return next((inner for inner in self.properties if inner.name == name), None)


@dataclass(frozen=True, slots=True)
class Routing:
    """How an event goes to one destination, whose name in `cdi.yaml` or whose type is `key`; the name wins over the type.

    `is_sent`: whether it goes there at all. `event_name`: its name there, "" for its own. `exclude`: property paths as
    `PlannedEvent.walk` gives them that stay behind. `rename`: property path -> the name it has there.
    """

    key: str
    place: Place
    is_sent: bool = True
    event_name: str = ""
    exclude: tuple[str, ...] = ()
    rename: dict[str, str] = field(default_factory=dict)


def holder_of(kind: str) -> str:
    """The key under which an event of a type has what it holds."""
    return "traits" if kind in WITH_TRAITS else "properties"


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """One event of the plan: what triggers it, what it holds, and what to do with one that does not keep to it.

    `groups`: the groups whose properties it takes; they are among `properties`. `routing`: one entry per destination that
    gets it otherwise than as it is. `template`: what makes all of its properties, where they are not mapped one by one.
    """

    name: str
    type: PlannedType
    trigger: str
    description: str
    on_violation: OnViolation
    properties: tuple[Property, ...]
    place: Place
    since: str = ""
    deprecated: Deprecation | None = None
    groups: tuple[str, ...] = ()
    routing: tuple[Routing, ...] = ()
    template: Script | None = None

    @property
    def scripts(self) -> tuple[Script, ...]:
        """What is evaluated to make it: its template, or the expressions of its properties."""
        if self.template is not None:
            return (self.template,)
        return tuple(each.script for _, each in self.walk() if each.script is not None)

    def script_at(self, steps: tuple[str | int, ...]) -> tuple[Script, tuple[str | int, ...]] | None:
        """The script that makes the property at some steps, with the steps inside its result; None where none does."""
        if self.template is not None:
            return self.template, steps
        inner, planned = self.properties, None
        for number, step in enumerate(steps):
            planned = planned.items if isinstance(step, int) and planned is not None else _named(inner, step)
            if planned is None:
                return None
            if planned.script is not None:
                return planned.script, steps[number + 1 :]
            inner = planned.properties
        return None

    def made_by(self, steps: tuple[str | int, ...]) -> str:
        """The script and its line that makes the property at some steps: `template order_completed.jsonata:12`; else ""."""
        found = self.script_at(steps)
        return found[0].title(found[0].maker(found[1])) if found is not None else ""

    @property
    def is_produced(self) -> bool:
        """Whether cdi makes this event, or only checks it."""
        return self.trigger != NO_TRIGGER

    @property
    def holder(self) -> str:
        """The key under which messages and files have what the event holds: `traits` or `properties`."""
        return holder_of(self.type)

    @property
    def is_any(self) -> bool:
        """Whether it stands for every event of its type that has no file of its own."""
        return self.type != "track" and self.name == self.type

    def route(self, name: str, kind: str) -> Routing | None:
        """How it goes to the destination of that name and type, or None when it goes there as it is."""
        by_key = {each.key: each for each in self.routing}
        return by_key.get(name) or by_key.get(kind)

    def walk(self) -> Iterator[tuple[str, Property]]:
        """Every property with its path (`products[].sku`), from the outside in: the lineage, the PII classes."""
        for outer in self.properties:
            yield from _walk(outer.name, outer)


def _named(properties: tuple[Property, ...], name: str | int) -> Property | None:
    return next((each for each in properties if each.name == name), None)


def _walk(path: str, outer: Property) -> Iterator[tuple[str, Property]]:
    yield path, outer
    for inner in outer.properties:
        yield from _walk(f"{path}.{inner.name}", inner)
    if outer.items is not None:
        yield from _walk(f"{path}[]", outer.items)


@dataclass(frozen=True, slots=True)
class Conventions:
    """How names are written: `title` (Order Completed), `snake` (order_id), `camel` (firstName); None: any way.

    `event_tense`: "past" where an event's name must end in a verb in the past tense.
    """

    event_case: str | None = None
    property_case: str | None = None
    trait_case: str | None = None
    event_tense: str | None = None


@dataclass(frozen=True, slots=True)
class Unused:
    """A definition, group or template of the plan that no event uses; `noun` says which."""

    noun: Literal["definition", "group", "template"]
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Plan:
    """A tracking plan without mistakes.

    `on_violation`: what becomes of an event that breaks the plan, where the event's file says nothing itself.
    `unplanned_properties`: what a property is that the plan does not name: a violation like any other ("forbid"), one with
    a policy of its own, or none ("allow"). `unplanned_events`: what becomes of something that happened and that no event of
    the plan is triggered by. `denied_fields`: record fields that are cut out of every raw value.
    """

    name: str
    version: str
    folder: FilePath
    events: tuple[PlannedEvent, ...]
    owner: str = ""
    description: str = ""
    conventions: Conventions = Conventions()
    on_violation: OnViolation = "block"
    unplanned_properties: UnplannedProperties = "forbid"
    unplanned_events: UnplannedEvents = "ignore"
    denied_fields: frozenset[str] = frozenset()
    unused: tuple[Unused, ...] = ()

    @property
    def allows_unplanned(self) -> bool:
        """Whether properties that the plan does not name are let through without a word."""
        return self.unplanned_properties == "allow"
