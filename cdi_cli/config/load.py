"""Reading a `cdi.yaml`: find the file, read it, fill in variables, check everything, report all mistakes at once.

This layer knows neither sources nor destinations nor events: what exists is handed in as `Known`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cdi_cli.config.document import Document, KeyPath, read_document
from cdi_cli.config.interpolate import Interpolator
from cdi_cli.config.known import Connectors, Known
from cdi_cli.config.problems import SettingsError, masked, suggestion
from cdi_cli.config.references import check_references
from cdi_cli.config.settings import STATE_DEFAULT, Connector, Settings
from cdi_cli.config.translate import note_mistakes
from cdi_cli.errors import ConfigError

FILE_NAME = "cdi.yaml"
FILE_VARIABLE = "CDI_CONFIG"


class _Unread(BaseModel):
    """Stands in for the settings of a connector that have mistakes."""


def find_settings_file(
    path: Path | None = None, *, environment: Mapping[str, str] = os.environ, folder: Path | None = None
) -> Path:
    """The settings file: `path`, else `$CDI_CONFIG`, else `cdi.yaml` in `folder` (the working one); as absolute path.

    Raises ConfigError when there is none.
    """
    folder = folder or Path.cwd()
    named = path if path is not None else environment.get(FILE_VARIABLE) or None
    file = folder / (named if named is not None else FILE_NAME)
    if file.is_file():
        return file.absolute()
    if file.is_dir() and (file / FILE_NAME).is_file():
        return (file / FILE_NAME).absolute()
    if named is None:
        raise ConfigError(
            f"there is no {FILE_NAME} in this folder",
            where=str(folder),
            hint=f"make one with `cdi init`, or name one with `--config PATH` or {FILE_VARIABLE}",
        )
    origin = f", named by {FILE_VARIABLE}" if path is None else ""
    raise ConfigError(f"there is no settings file {file}{origin}", hint="check the path, or make one with `cdi init`")


def load_settings(file: Path, *, known: Known, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a file, checked; raises SettingsError with every mistake, ConfigError when it cannot be read."""
    document = read_document(file.absolute())
    fill = Interpolator(document, environment)
    data = {key: value for key, value in document.data.items() if key not in ("sources", "destinations")}
    filled: dict[str, Any] = fill(data, Settings, ())
    filled.setdefault("state", document.file.parent / STATE_DEFAULT)
    for section, connectors in (("sources", known.sources), ("destinations", known.destinations)):
        if section in document.data:
            filled[section] = _read_connectors(document, fill, section, connectors)
    settings = _read_settings(document, filled)
    check_references(document, filled, known)
    if document.problems or settings is None:
        raise SettingsError(document.problems)
    return _with_defaults(settings, known)


def _with_defaults(settings: Settings, known: Known) -> Settings:
    """The settings with the switches that a pipeline leaves to its source."""
    pipelines = {}
    for name, pipeline in settings.pipelines.items():
        choices = known.switches(settings.sources[pipeline.source].type).choices
        absent = {key: values[0] for key, values in choices.items() if getattr(pipeline.lifecycle, key) is None}
        lifecycle = pipeline.lifecycle.model_copy(update=absent)
        pipelines[name] = pipeline.model_copy(update={"lifecycle": lifecycle})
    return settings.model_copy(update={"pipelines": pipelines})


def _read_settings(document: Document, filled: dict[str, Any]) -> Settings | None:
    if "file" in filled:
        # `file` is ours to set; as a key of the YAML it is as unknown as any other.
        document.problem(("file",), "unknown key `file`", at_key=True)
        filled = {key: value for key, value in filled.items() if key != "file"}
    try:
        return Settings.model_validate({**filled, "file": document.file})
    except ValidationError as error:
        note_mistakes(document, error, Settings, (), filled)
        return None


def _read_connectors(document: Document, fill: Interpolator, section: str, connectors: Connectors) -> Any:
    """The section as `Connector`s; one with mistakes is replaced by an empty one, so that its mistakes are told once."""
    entries = document.data[section]
    if not isinstance(entries, dict):
        return entries
    return {name: _read_connector(document, fill, (section, name), entry, connectors) for name, entry in entries.items()}


def _read_connector(document: Document, fill: Interpolator, path: KeyPath, entry: Any, connectors: Connectors) -> Connector:
    kind = entry.get("type") if isinstance(entry, dict) else None
    noun = str(path[0]).removesuffix("s")
    unread = Connector.model_construct(type=str(kind), settings=_Unread())
    if not isinstance(entry, dict):
        document.problem(path, f"{noun} `{path[-1]}` must be a mapping", hint=suggestion("", ["type", "..."]))
    elif "type" not in entry:
        document.problem(path, "key `type` is missing", hint=suggestion("", connectors.names))
    elif kind not in connectors.names:
        hint = suggestion(kind, connectors.names) or f"no {noun} is installed"
        document.problem((*path, "type"), f"unknown {noun} type `{masked(str(kind))}`", hint=hint)
    else:
        model = connectors.model(str(kind))
        settings = fill({key: value for key, value in entry.items() if key != "type"}, model, path)
        try:
            return Connector(type=str(kind), settings=model.model_validate(settings))
        except ValidationError as error:
            note_mistakes(document, error, model, path, settings)
    return unread
