"""Writing an imported plan: a new folder of YAML files, which `load_plan` can read, or nothing at all.

The loader has the last word: an event that it refuses with its mapping is written without, and one that it refuses
altogether is left out and told. The folder appears whole, under its name, or not.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cdi_cli.errors import ConfigError
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.import_document import ImportedEvent, ImportedPlan
from cdi_cli.plan.import_mapping import without_mapping
from cdi_cli.plan.load import load_plan
from cdi_cli.plan.model import Plan
from cdi_cli.plan.problems import PlanError
from cdi_cli.plan.scripts import FOLDER

FILE_NAME_CHARACTERS_MAX = 60
LINE_CHARACTERS_MAX = 120
INDENT = 2
WIDTH = 1_000_000
"""Texts are never broken by the writer: a description of several lines is rare, and then quoted."""

_NOT_IN_FILE_NAME = re.compile(r"[^a-z0-9]+")
_PLAIN = re.compile(r"(?![eE][-+]?[0-9])[A-Za-z_][A-Za-z0-9_ .()/-]*")
"""Texts that may stand without quotes, if YAML itself has nothing against it: `E12` would be half a number."""

_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
"""Words that are no text to some reader of YAML."""


def write_plan(plan: ImportedPlan, folder: Path, losses: Losses, *, origin: str) -> Plan:
    """Write the plan to a new folder and load it; `origin` says in the files where they came from.

    Raises ConfigError where the folder exists and is not empty, cannot be written, or where no event is left to write.
    """
    refuse_existing(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that it can be renamed into it.
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ConfigError(f"the folder cannot be written: {error.strerror}", where=str(folder)) from None
    try:
        _write_accepted(plan, scratch / "plan", losses, origin)
        _move(scratch / "plan", folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return load_plan(folder)


def refuse_existing(folder: Path) -> None:
    """Raise ConfigError unless the folder is free: it does not exist, or it is empty."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        hint = "name a new folder, or remove this one yourself"
        raise ConfigError("the folder exists, and nothing is overwritten", where=str(folder), hint=hint)


def _move(source: Path, folder: Path) -> None:
    try:
        if folder.is_dir():
            folder.rmdir()
        source.rename(folder)
    except OSError as error:
        raise ConfigError(f"the folder cannot be written: {error.strerror}", where=str(folder)) from None


def _write_accepted(plan: ImportedPlan, folder: Path, losses: Losses, origin: str) -> None:
    """Write the events that the loader takes: with their mapping, else without, else not at all."""
    while plan.events:
        files = _write(plan, folder, origin)
        try:
            load_plan(folder)
        except PlanError as error:
            _give_in(plan, files, error, losses)
            shutil.rmtree(folder)
        else:
            return
    raise ConfigError("the document holds no event that a plan can have", hint="the losses above say why")


def _give_in(plan: ImportedPlan, files: dict[str, ImportedEvent], error: PlanError, losses: Losses) -> None:
    """Take back the mapping of the events that were refused, or the events that had none."""
    refused = {problem.file: problem for problem in reversed(error.problems)}
    for file, problem in refused.items():
        event = files.get(file)
        if event is None:
            raise error
        if "trigger" in event.extra:
            event.extra, event.todo = {}, (problem.path or event.name,)
            event.properties = without_mapping(event.properties)
        else:
            plan.events.remove(event)
            losses.rule("events that a plan cannot have", event.name, hint=problem.message)


def _write(plan: ImportedPlan, folder: Path, origin: str) -> dict[str, ImportedEvent]:
    """Write all files; returns which event is in which."""
    (folder / "events").mkdir(parents=True)
    _write_file(folder / "plan.yaml", f"# {origin}\n" + dump(plan.head()))
    for name in {str(event.extra["template"]) for event in plan.events if "template" in event.extra}:
        (folder / FOLDER).mkdir(exist_ok=True)
        _write_file(folder / FOLDER / name, plan.templates[name])
    files: dict[str, ImportedEvent] = {}
    taken: set[str] = set()
    for event in plan.events:
        path = folder / "events" / f"{file_name(event.name, taken)}.yaml"
        _write_file(path, _comment(event) + dump(event.file()))
        files[str(path)] = event
    return files


def _write_file(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _comment(event: ImportedEvent) -> str:
    if not event.todo:
        return ""
    shown = ", ".join(event.todo[:5]) + (f" and {len(event.todo) - 5} more" if len(event.todo) > 5 else "")
    return f"# Checked, but not made by cdi: say with `from:` where this comes from, and name a `trigger:`\n#   {shown}\n"


def file_name(name: str, taken: set[str]) -> str:
    """A file name for an event, one that no other event has; `taken` is added to."""
    stem = _NOT_IN_FILE_NAME.sub("_", name.lower()).strip("_")[:FILE_NAME_CHARACTERS_MAX].strip("_") or "event"
    number, found = 1, stem
    while found in taken:
        number += 1
        found = f"{stem}_{number}"
    taken.add(found)
    return found


if TYPE_CHECKING:
    _Base = yaml.SafeDumper
else:
    # libyaml's writer is several times quicker; PyYAML may have been built without it.
    _Base = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _FlowMapping(dict[str, Any]):
    """A mapping that is written on one line."""


class _FlowList(list[Any]):
    """A list that is written on one line."""


class _Dumper(_Base):
    """Writes what `yaml_nodes` reads back as the same values: no aliases, texts in quotes where they look otherwise."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class calls it so
        """Never refer to a value by an alias."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_representer(
    _FlowMapping, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)
)
_Dumper.add_representer(
    _FlowList, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def dump(content: dict[str, Any]) -> str:
    """Plain data as YAML; a short property without parts stands on one line."""
    return _dump({key: _compact(value) if key in ("properties", "traits") else value for key, value in content.items()})


def _dump(value: Any) -> str:
    shown: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False)
    return shown


def _compact(table: dict[str, Any], depth: int = 1) -> dict[str, Any]:
    return {name: _compact_property(name, schema, depth) for name, schema in table.items()}


def _compact_property(name: str, schema: dict[str, Any], depth: int) -> dict[str, Any]:
    shown = {key: _FlowList(value) if isinstance(value, list) else value for key, value in schema.items()}
    if "properties" not in schema and "items" not in schema:
        flow = _FlowMapping(shown)
        return flow if len(_dump({name: flow})) + INDENT * depth <= LINE_CHARACTERS_MAX else shown
    if "properties" in schema:
        shown["properties"] = _compact(schema["properties"], depth + 2)
    if "items" in schema:
        shown["items"] = _compact_property("items", schema["items"], depth + 1)
    return shown
