"""Loading a plan folder: all files read, everything checked, all mistakes reported at once.

    plan.yaml             name, version, owner, description, conventions, on_violation, unplanned_properties
    events/*.yaml         one event each
    definitions/*.yaml    shared properties, named by their file, used with `$ref: name`

The format is explained for people in `tracking_plan/README.md`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from cdi_cli.data import data_folder
from cdi_cli.events.ids import slug
from cdi_cli.events.lifecycle import KINDS
from cdi_cli.plan.model import ON_VIOLATION, Conventions, OnViolation, Plan, PlannedEvent
from cdi_cli.plan.problems import Place, PlanError, Problems, listing, suggest
from cdi_cli.plan.read_property import CASES, PropertyReader, Surroundings
from cdi_cli.plan.shapes import RAW, entity_shape
from cdi_cli.plan.yaml_nodes import Node, read_yaml

FILES_MAX = 2_000
EVENT_NAME_CHARACTERS_MAX = 255
"""The longest event name that every destination takes (mParticle: 255 characters; sheet "mParticle")."""

PLAN_KEYS = ("name", "version", "owner", "description", "conventions", "on_violation", "unplanned_properties")
EVENT_KEYS = ("event", "type", "trigger", "description", "on_violation", "properties", "traits")
CONVENTION_KEYS = ("event_case", "property_case", "trait_case")
TYPES = ("track", "identify")
_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")


def load_plan(folder: Path | None = None, *, denied_fields: frozenset[str] = frozenset()) -> Plan:
    """The plan of a folder (None: the default plan that ships with cdi); raises PlanError with every mistake in it.

    `denied_fields` are names of record fields that no plan may map (`SourceSpec.denied_fields`).
    """
    return _Loader(folder if folder is not None else data_folder("tracking_plan"), denied_fields).load()


class _Loader:
    """Reads one plan folder."""

    def __init__(self, folder: Path, denied: frozenset[str]) -> None:
        self._folder = folder
        self._denied = denied
        self._problems = Problems()
        self._on_violation: OnViolation = "block"
        self._conventions = Conventions()

    def load(self) -> Plan:
        head = self._read_head()
        definitions = {path.stem: node for path, node in self._read_folder("definitions")}
        reader = PropertyReader(self._problems, definitions, self._denied)
        files = self._read_folder("events")
        events = [event for _, node in files if (event := self._event(node, reader)) is not None]
        if not files and not len(self._problems):
            place = Place(str(self._folder / "events"))
            self._problems.add(place, "", "the plan has no events", "add one file per event to `events/`")
        self._check_names(events)
        if len(self._problems):
            raise PlanError(str(self._folder), self._problems.sorted())
        return Plan(
            folder=self._folder,
            events=tuple(events),
            conventions=self._conventions,
            denied_fields=self._denied,
            **head,
        )

    def _read_folder(self, name: str) -> list[tuple[Path, Node]]:
        """The YAML files of a sub-folder that could be read, by name."""
        found = sorted((self._folder / name).glob("*"))
        for path in found:
            if path.suffix == ".yml":
                self._problems.add(Place(str(path)), "", "the file is not read", "plan files end in `.yaml`: rename it")
        paths = [path for path in found if path.suffix == ".yaml"]
        if len(paths) > FILES_MAX:
            self._problems.add(Place(str(self._folder / name)), "", f"the folder holds more than {FILES_MAX:,} files")
            return []
        nodes = [(path, read_yaml(path, self._problems)) for path in paths]
        return [(path, node) for path, node in nodes if node is not None and self._is_mapping(node)]

    def _is_mapping(self, node: Node) -> bool:
        if isinstance(node.value, dict):
            return True
        self._problems.add(node.place, "", "the file must hold a mapping", "write `key: value` lines")
        return False

    def _read_head(self) -> dict[str, Any]:
        """What `plan.yaml` says about the plan as a whole."""
        path = self._folder / "plan.yaml"
        if not path.is_file():
            hint = "a plan is a folder with `plan.yaml` and `events/`; copy the default plan to begin with"
            self._problems.add(Place(str(path)), "", "there is no `plan.yaml`", hint)
            return {}
        node = read_yaml(path, self._problems)
        if node is None or not self._is_mapping(node):
            return {}
        self._check_keys(node, PLAN_KEYS)
        version = self._text(node, "version", is_required=True)
        if version and not _VERSION.fullmatch(version):
            self._note(node, "version", f"`{version}` is not a semantic version", 'write it as in `version: "1.0.0"`')
        self._on_violation = self._choice(node, "on_violation", ON_VIOLATION, "block")
        self._conventions = self._read_conventions(node)
        return {
            "name": self._text(node, "name", is_required=True),
            "version": version,
            "owner": self._text(node, "owner"),
            "description": self._text(node, "description"),
            "allows_unplanned": self._choice(node, "unplanned_properties", ("allow", "forbid"), "forbid") == "allow",
        }

    def _read_conventions(self, head: Node) -> Conventions:
        node = head.get("conventions")
        if node is None:
            return Conventions()
        if not isinstance(node.value, dict):
            self._problems.add(node.place, "conventions", "must be a mapping", f"with the keys {listing(CONVENTION_KEYS)}")
            return Conventions()
        self._check_keys(node, CONVENTION_KEYS)
        return Conventions(**{key: self._choice(node, key, tuple(CASES), None) for key in CONVENTION_KEYS})

    def _event(self, node: Node, reader: PropertyReader) -> PlannedEvent | None:
        """One event, or None when its file has mistakes that leave nothing to compare with others."""
        self._check_keys(node, EVENT_KEYS)
        name = self._text(node, "event", is_required=True)
        kind = self._choice(node, "type", TYPES, "track")
        self._check_event_name(node, name, kind)
        trigger = self._choice(node, "trigger", tuple(KINDS), None, is_required=True)
        roots = {"record": RAW}
        if trigger is not None:
            roots.update({subject: entity_shape(entity) for subject, entity in KINDS[trigger].subjects.items()})
        word, other = ("traits", "properties") if kind == "identify" else ("properties", "traits")
        if node.get(other) is not None:
            self._note(node, other, f"an event of type `{kind}` has `{word}`, not `{other}`", f"rename the key to `{word}`")
        reader.case = self._conventions.trait_case if kind == "identify" else self._conventions.property_case
        holder = node.get(word)
        if holder is None and node.get(other) is None:
            self._note(node, "", f"the event has no `{word}`", "name at least one")
        properties = reader.read_all(holder, Surroundings("", roots)) if holder is not None and trigger is not None else ()
        return PlannedEvent(
            name=name,
            type=kind,
            trigger=trigger or "",
            description=self._text(node, "description"),
            on_violation=self._choice(node, "on_violation", ON_VIOLATION, self._on_violation),
            properties=properties,
            place=node.value["event"].place if "event" in node.value else node.place,
        )

    def _check_event_name(self, node: Node, name: str, kind: str) -> None:
        if kind == "identify":
            if name and name != "identify":
                self._note(node, "event", "an event of type `identify` is named `identify`", "write `event: identify`")
            return
        if len(name) > EVENT_NAME_CHARACTERS_MAX or not name.isprintable():
            limit = f"an event name has 1 to {EVENT_NAME_CHARACTERS_MAX} printable characters"
            self._note(node, "event", limit, "choose a shorter name")
            return
        case = self._conventions.event_case
        if name and case is not None and not CASES[case].fullmatch(name):
            self._note(node, "event", f"`{name}` is not in {case} case", "the conventions of `plan.yaml` ask for it")

    def _check_names(self, events: list[PlannedEvent]) -> None:
        """Two events whose names differ in case or punctuation only would share their ids."""
        seen: dict[str, PlannedEvent] = {}
        for event in events:
            if not event.name:
                continue
            first = seen.setdefault(slug(event.name), event)
            if first is not event:
                message = f"`{event.name}` is planned twice, first as `{first.name}` in {first.place.file}"
                self._problems.add(event.place, "event", message, "give one of them another name, or remove it")

    def _check_keys(self, node: Node, known: tuple[str, ...]) -> None:
        for key, inner in node.value.items():
            if key not in known:
                hint = suggest(key, known) or f"known keys are {listing(known)}"
                self._problems.add(inner.place, key, f"unknown key `{key}`", hint)

    def _text(self, node: Node, key: str, *, is_required: bool = False) -> str:
        inner = node.get(key)
        if inner is None:
            if is_required:
                self._note(node, "", f"`{key}` is missing", f"add `{key}: ...`")
            return ""
        if not isinstance(inner.value, str) or (is_required and not inner.value.strip()):
            self._note(node, key, f"`{key}` must be text", "put it in quotes")
            return ""
        return inner.value

    def _choice(
        self, node: Node, key: str, known: tuple[str, ...], default: str | None, *, is_required: bool = False
    ) -> Any:
        inner = node.get(key)
        if inner is None:
            if is_required:
                self._note(node, "", f"`{key}` is missing", f"one of {listing(known)}")
            return default
        if inner.value not in known:
            hint = suggest(str(inner.value), known)
            choices = f"one of {listing(known)}"
            self._note(node, key, f"`{inner.plain()}` is no known `{key}`", f"{hint} {choices}" if hint else choices)
            return default
        return inner.value

    def _note(self, node: Node, key: str, message: str, hint: str | None) -> None:
        place = (node.get(key) or node).place if key else node.place
        self._problems.add(place, key, message, hint)
