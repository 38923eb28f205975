"""Reading the files of `events/` and `groups/`: one event each, or several properties that events share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cdi_cli.events.lifecycle import KINDS
from cdi_cli.plan.model import (
    MADE_OF,
    NO_TRIGGER,
    ON_VIOLATION,
    OWN_NAMED,
    PLANNED_TYPES,
    VIEWS,
    WITH_TRAITS,
    Deprecation,
    PlannedEvent,
    Property,
    holder_of,
)
from cdi_cli.plan.names import CASES, NAME_CHARACTERS_MAX, is_name, is_past
from cdi_cli.plan.problems import Problems, listing, suggest
from cdi_cli.plan.read_head import Head
from cdi_cli.plan.read_mapping import MappingReader, read_deprecation, read_version
from cdi_cli.plan.read_property import PropertyReader, Surroundings
from cdi_cli.plan.read_routing import read_routing
from cdi_cli.plan.script_input import inputs_of
from cdi_cli.plan.scripts import Script
from cdi_cli.plan.shapes import RAW, entity_shape
from cdi_cli.plan.yaml_nodes import Node

EVENT_KEYS = (
    *("event", "type", "trigger", "description", "on_violation", "since", "deprecated"),
    *("destinations", "groups", "template", "properties", "traits"),
)
GROUP_KEYS = ("description", "properties", "traits")
TYPES = PLANNED_TYPES
GROUPS_MAX = 20


@dataclass(slots=True)
class EventReader:
    """Reads the events of one plan; `groups` are the files of `groups/` by name, `used_groups` those some event takes."""

    problems: Problems
    head: Head
    groups: dict[str, Node]
    properties: PropertyReader
    used_groups: set[str]

    def event(self, node: Node) -> PlannedEvent:
        """One event; what is wrong with it is noted."""
        reader = MappingReader(node, self.problems)
        reader.check_keys(EVENT_KEYS)
        name = reader.text("event", is_required=True)
        kind = reader.choice("type", TYPES, "track")
        self._check_name(reader, name, kind)
        trigger = reader.choice("trigger", (*KINDS, NO_TRIGGER), None, is_required=True)
        if trigger is not None and kind in MADE_OF and trigger not in (allowed := (*MADE_OF[kind], NO_TRIGGER)):
            message = f"an event of type `{kind}` cannot be triggered by `{trigger}`"
            reader.note("trigger", message, f"write one of {listing(allowed)}")
        since = read_version(reader, "since", self.head.version)
        template = self._template(reader, trigger)
        groups, properties = self._properties(reader, kind, trigger)
        event = PlannedEvent(
            name=name,
            type=kind,
            trigger=trigger or "",
            description=reader.text("description"),
            on_violation=reader.choice("on_violation", ON_VIOLATION, self.head.on_violation),
            properties=properties,
            place=node.value["event"].place if "event" in node.value else node.place,
            since=since,
            deprecated=read_deprecation(node.get("deprecated"), since, self.problems, "deprecated", self.head.version),
            groups=groups,
            template=template,
        )
        self._check_replacements(event.properties, {path for path, _ in event.walk()}, "")
        routing = reader.mapping("destinations")
        return replace(event, routing=read_routing(routing, event)) if routing is not None else event

    def _template(self, reader: MappingReader, trigger: str | None) -> Script | None:
        """What makes the whole event, where a file does."""
        node = reader.node.get("template")
        if node is None or trigger is None:
            return None
        if trigger == NO_TRIGGER:
            reader.note(
                "template", "an event that others send has no `template`", "name the event's `trigger`, or remove it"
            )
            return None
        return self.properties.scripts.template(node, inputs_of(trigger))

    def _properties(
        self, reader: MappingReader, kind: str, trigger: str | None
    ) -> tuple[tuple[str, ...], tuple[Property, ...]]:
        """The names of the groups that an event takes, and its properties: theirs first, its own win over them."""
        word = holder_of(kind)
        other = "properties" if word == "traits" else "traits"
        if reader.node.get(other) is not None:
            message = f"an event of type `{kind}` has `{word}`, not `{other}`"
            reader.note(other, message, f"rename the key to `{word}`")
        conventions = self.head.conventions
        self.properties.case = conventions.trait_case if kind in WITH_TRAITS else conventions.property_case
        holder = reader.node.get(word)
        is_produced = trigger != NO_TRIGGER
        if is_produced and holder is None and reader.node.get(other) is None and reader.node.get("groups") is None:
            reader.note("", f"the event has no `{word}`", "name at least one")
        roots = {"record": RAW} if is_produced else {}
        if trigger is not None and is_produced:
            roots.update({subject: entity_shape(entity) for subject, entity in KINDS[trigger].subjects.items()})
        is_templated = reader.node.get("template") is not None
        inputs = inputs_of(trigger) if trigger is not None and is_produced else {}
        around = Surroundings("", roots, is_produced=is_produced, inputs=inputs, is_scripted=is_templated)
        found: dict[str, Property] = {}
        groups = dict.fromkeys(self._known_groups(reader))
        own = set(holder.value) if holder is not None and isinstance(holder.value, dict) else set()
        shared = [(group, node) for group in groups if trigger is not None for node in self._holders(group)]
        for group, node in shared:
            for each in self.properties.read_all(node, around, without=own):
                if each.name in found:
                    message = f"`{each.name}` is in the groups `{found[each.name].group}` and `{group}`"
                    reader.note("groups", message, "name it in the event itself, which wins, or take one of the groups")
                found[each.name] = replace(each, group=group)
        if holder is not None and trigger is not None:
            found.update({each.name: each for each in self.properties.read_all(holder, around)})
        return tuple(groups), tuple(found.values())

    def _known_groups(self, reader: MappingReader) -> Iterator[str]:
        nodes = reader.texts("groups")
        if len(nodes) > GROUPS_MAX:
            reader.note("groups", f"an event takes at most {GROUPS_MAX} groups", "put some of them together")
            return
        for node in nodes:
            if node.value in self.groups:
                self.used_groups.add(node.value)
                yield node.value
            else:
                known = f"the plan has {listing(sorted(self.groups))}" if self.groups else "it has none"
                hint = suggest(node.value, self.groups) or f"only files of `groups/` can be named; {known}"
                self.problems.add(node.place, "groups", f"`{node.value}` is no group of this plan", hint)

    def _holders(self, name: str) -> list[Node]:
        node = self.groups[name]
        return [holder for key in ("properties", "traits") if (holder := node.get(key)) is not None]

    def check_groups(self) -> None:
        """Note what is wrong with the group files themselves, whether or not an event takes them."""
        for node in self.groups.values():
            reader = MappingReader(node, self.problems)
            reader.check_keys(GROUP_KEYS)
            reader.text("description")
            if (node.get("properties") is None) == (node.get("traits") is None):
                reader.note("traits", "a group has either `properties` or `traits`", "name what it holds under one of them")

    def _check_name(self, reader: MappingReader, name: str, kind: str) -> None:
        if kind in OWN_NAMED:
            if name and name != kind:
                reader.note("event", f"an event of type `{kind}` is named `{kind}`", f"write `event: {kind}`")
            return
        if not name or (kind in VIEWS and name == kind):
            return
        if not is_name(name):
            limit = f"an event name has 1 to {NAME_CHARACTERS_MAX} printable characters"
            reader.note("event", limit, "choose a shorter name")
            return
        case = self.head.conventions.event_case
        if case is not None and not CASES[case].fullmatch(name):
            reader.note("event", f"`{name}` is not in {case} case", "the conventions of `plan.yaml` ask for it")
        elif kind not in VIEWS and self.head.conventions.event_tense == "past" and not is_past(name):
            message = f"`{name}` does not end in a verb in the past tense"
            reader.note("event", message, "name the object, then what happened to it, as in `Order Completed`")

    def _check_replacements(self, siblings: tuple[Property, ...], paths: set[str], prefix: str) -> None:
        """Note replacements of deprecated properties that the event does not have."""
        names = {each.name for each in siblings}
        for each in siblings:
            path = f"{prefix}{each.name}"
            if each.deprecated and (wanted := each.deprecated.replacement) and wanted not in names | paths:
                hint = suggest(wanted, sorted(names | paths)) or "name a property of this event"
                self.problems.add(each.place, path, f"the replacement `{wanted}` is not planned in this event", hint)
            self._check_replacements(each.properties, paths, f"{path}.")
            if each.items is not None:
                self._check_replacements(each.items.properties, paths, f"{path}[].")

    def check_replacement(self, event: PlannedEvent, names: set[str]) -> None:
        """Note a replacement of a deprecated event that the plan does not have."""
        wanted = event.deprecated.replacement if isinstance(event.deprecated, Deprecation) else ""
        if wanted and wanted not in names:
            hint = suggest(wanted, sorted(names)) or "name an event of this plan"
            self.problems.add(event.place, "deprecated", f"the replacement `{wanted}` is no event of this plan", hint)
