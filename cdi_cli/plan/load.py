"""Loading a plan folder: all files read, everything checked, all mistakes reported at once.

    plan.yaml             name, version, owner, conventions, policies (`read_head.py`)
    events/*.yaml         one event each (`read_event.py`)
    groups/*.yaml         properties that several events take together with `groups: [name]`
    definitions/*.yaml    shared properties, named by their file, used with `$ref: name`
    templates/*.jsonata   JSONata that makes a whole event, used with `template: name.jsonata` (`scripts.py`)

The format is explained for people in `tracking_plan/README.md`, for editors by `cdi plan schema` (`file_schema.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cdi_cli.data import data_folder
from cdi_cli.events.ids import slug
from cdi_cli.plan.model import Plan, PlannedEvent, Unused
from cdi_cli.plan.problems import Place, PlanError, Problems
from cdi_cli.plan.read_event import EventReader
from cdi_cli.plan.read_head import Head, read_head
from cdi_cli.plan.read_property import PropertyReader
from cdi_cli.plan.read_script import ScriptReader, template_files
from cdi_cli.plan.scripts import FOLDER
from cdi_cli.plan.yaml_nodes import Node, read_yaml

FILES_MAX = 2_000
BYTES_MAX = 20_000_000
"""All files of a plan together; the limit of a single one is `yaml_nodes.FILE_BYTES_MAX`."""


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
        self._bytes = 0

    def load(self) -> Plan:
        head = self._read_head()
        definitions, groups = (
            {path.stem: node for path, node in self._read_folder(name)} for name in ("definitions", "groups")
        )
        scripts = ScriptReader(self._problems, self._templates(), self._denied)
        properties = PropertyReader(self._problems, definitions, self._denied, scripts, head.version)
        reader = EventReader(self._problems, head, groups, properties, set())
        files = self._read_folder("events")
        events = [reader.event(node) for _, node in files]
        if not files and not len(self._problems):
            place = Place(str(self._folder / "events"))
            self._problems.add(place, "", "the plan has no events", "add one file per event to `events/`")
        reader.check_groups()
        self._check_names(events)
        for event in events:
            reader.check_replacement(event, {event.name for event in events})
        if len(self._problems):
            raise PlanError(str(self._folder), self._problems.sorted())
        unused = [Unused("definition", name, definitions[name].place) for name in definitions if name not in properties.used]
        unused += [Unused("group", name, groups[name].place) for name in groups if name not in reader.used_groups]
        left = {name: file for name, file in scripts.templates.items() if name not in scripts.used}
        unused += [Unused("template", name, Place(str(file))) for name, file in left.items()]
        return Plan(
            name=head.name,
            version=head.version,
            folder=self._folder,
            events=tuple(events),
            owner=head.owner,
            description=head.description,
            conventions=head.conventions,
            on_violation=head.on_violation,
            unplanned_properties=head.unplanned_properties,
            unplanned_events=head.unplanned_events,
            denied_fields=self._denied,
            unused=tuple(unused),
        )

    def _read_folder(self, name: str) -> list[tuple[Path, Node]]:
        """The YAML files of a sub-folder that could be read, by name."""
        found = sorted((self._folder / name).glob("*"))
        for path in found:
            if path.suffix == ".yml":
                self._problems.add(Place(str(path)), "", "the file is not read", "plan files end in `.yaml`: rename it")
        paths = [path for path in found if path.suffix == ".yaml"]
        place = Place(str(self._folder / name))
        if len(paths) > FILES_MAX:
            self._problems.add(place, "", f"the folder holds more than {FILES_MAX:,} files")
            return []
        if not self._has_room(paths, place):
            return []
        nodes = [(path, read_yaml(path, self._problems)) for path in paths if self._is_inside(path)]
        return [(path, node) for path, node in nodes if node is not None and self._is_mapping(node)]

    def _templates(self) -> dict[str, Path]:
        found = {name: file for name, file in template_files(self._folder, self._problems).items() if self._is_inside(file)}
        place = Place(str(self._folder / FOLDER))
        if len(found) > FILES_MAX:
            self._problems.add(place, "", f"the folder holds more than {FILES_MAX:,} files")
            return {}
        return found if self._has_room(found.values(), place) else {}

    def _has_room(self, paths: Iterable[Path], place: Place) -> bool:
        """Whether the plan is still not too large with these files, too."""
        self._bytes += sum(path.stat().st_size for path in paths if path.is_file())
        if self._bytes <= BYTES_MAX:
            return True
        self._problems.add(place, "", f"the plan is larger than {BYTES_MAX:,} bytes")
        return False

    def _is_inside(self, path: Path) -> bool:
        """Whether a file really lies in the plan's folder: a link could show what somebody else may not read."""
        try:
            is_inside = path.resolve(strict=True).is_relative_to(self._folder.resolve())
        except (OSError, RuntimeError):
            is_inside = False
        if not is_inside:
            self._problems.add(Place(str(path)), "", "the file is a link that leads out of the plan", "copy the file here")
        return is_inside

    def _is_mapping(self, node: Node) -> bool:
        if isinstance(node.value, dict):
            return True
        self._problems.add(node.place, "", "the file must hold a mapping", "write `key: value` lines")
        return False

    def _read_head(self) -> Head:
        path = self._folder / "plan.yaml"
        if not path.is_file():
            hint = "a plan is a folder with `plan.yaml` and `events/`; copy the default plan to begin with"
            self._problems.add(Place(str(path)), "", "there is no `plan.yaml`", hint)
            return Head()
        node = read_yaml(path, self._problems) if self._is_inside(path) else None
        return read_head(node, self._problems) if node is not None and self._is_mapping(node) else Head()

    def _check_names(self, events: list[PlannedEvent]) -> None:
        """Two events whose names differ in case or punctuation only would share their ids, where cdi makes both."""
        seen: dict[str, PlannedEvent] = {}
        for event in events:
            if not event.name:
                continue
            first = seen.setdefault(slug(event.name) if event.is_produced else event.name, event)
            if first is not event:
                message = f"`{event.name}` is planned twice, first as `{first.name}` in {first.place.file}"
                self._problems.add(event.place, "event", message, "give one of them another name, or remove it")
