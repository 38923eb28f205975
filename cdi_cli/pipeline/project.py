"""A project: the settings of a `cdi.yaml` together with what they name (connectors, lifecycle, tracking plan).

`load_project` is where every command starts. It imports a connector only when the file names it, and the plan only when
`Project.plan` is called.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdi_cli import destinations, sources
from cdi_cli.config.document import read_document
from cdi_cli.config.known import Connectors, Known
from cdi_cli.config.load import FILE_NAME, find_settings_file, load_settings
from cdi_cli.config.problems import SettingsError, suggestion
from cdi_cli.config.references import fields_of
from cdi_cli.config.settings import Settings
from cdi_cli.destinations import DestinationSpec
from cdi_cli.errors import ConfigError
from cdi_cli.events import KINDS
from cdi_cli.events.ids import FORMAT_FIELDS
from cdi_cli.sources import SourceSpec

if TYPE_CHECKING:
    from cdi_cli.plan import CompiledPlan, Plan


def known() -> Known:
    """Everything that a settings file may name; a connector is imported when its model is asked for."""
    return Known(
        sources=Connectors(sources.names(), lambda name: _load_source(name).settings),
        destinations=Connectors(destinations.names(), lambda name: _load_destination(name).settings),
        streams=lambda name: _load_source(name).names,
        kinds=tuple(KINDS),
        id_fields=FORMAT_FIELDS,
        switches=lambda name: _load_source(name).switches,
    )


def load_project(path: Path | None = None, *, environment: Mapping[str, str] = os.environ) -> Project:
    """The project of a settings file (found as `find_settings_file` says); raises ConfigError, with all mistakes at once."""
    file = find_settings_file(path, environment=environment)
    named = "" if file == Path.cwd() / FILE_NAME or path is None else f" --config {shlex.quote(str(path))}"
    return Project(load_settings(file, known=known(), environment=environment), named)


@dataclass(frozen=True, slots=True)
class Project:
    """Settings that hold together; `config_flag` is what a command line must end with to find them again."""

    settings: Settings
    config_flag: str = ""

    def pipeline_name(self, name: str | None = None) -> str:
        """The name itself, or that of the only pipeline; raises ConfigError for an unknown one, or several and no name."""
        names = list(self.settings.pipelines)
        if name is None and len(names) == 1:
            return names[0]
        if name is None:
            listed = ", ".join(f"`{each}`" for each in names)
            raise ConfigError(f"there are several pipelines: {listed}", hint=f"choose one with `--pipeline {names[0]}`")
        if name not in names:
            raise ConfigError(f"there is no pipeline `{name}`", hint=suggestion(name, names))
        return name

    def stream_names(self, source: str) -> list[str]:
        """The streams that a source of the file offers, in reading order."""
        return self.source_spec(source).names

    def source_spec(self, source: str) -> SourceSpec:
        """The connector of a source of the file."""
        return _load_source(self.settings.sources[source].type)

    def destination_spec(self, destination: str) -> DestinationSpec:
        """The connector of a destination of the file."""
        return _load_destination(self.settings.destinations[destination].type)

    def plan(self, pipeline: str) -> CompiledPlan:
        """The compiled tracking plan of a pipeline, with what its source never lets out refused.

        Raises PlanError with every mistake of the plan, SettingsError where the pipeline's ids or routing do not fit it.
        """
        from cdi_cli.pipeline.routing_check import check_rules
        from cdi_cli.pipeline.shaping import script_settings
        from cdi_cli.plan import compile_plan, load_plan

        spec = self.source_spec(self.settings.pipelines[pipeline].source)
        loaded = load_plan(self.plan_folder(pipeline), denied_fields=spec.denied_fields)
        check_routing(self.settings, loaded)
        plan = compile_plan(loaded, script_settings(self.settings, pipeline))
        check_ids(self.settings, pipeline, plan)
        check_rules(self.settings, pipeline, plan)
        return plan

    def plan_folder(self, pipeline: str) -> Path | None:
        """The folder of a pipeline's tracking plan; None: the plan that ships with cdi."""
        return self.settings.pipelines[pipeline].plan or self.settings.plan


def check_routing(settings: Settings, plan: Plan) -> None:
    """Raise PlanError unless every destination that an event is routed to is one of the file or a type that is installed."""
    from cdi_cli.plan import PlanError, PlanProblem

    known = sorted({*settings.destinations, *destinations.names()})
    mistakes = tuple(
        PlanProblem(
            routing.place.file,
            routing.place.line,
            f"destinations.{routing.key}",
            f"`{routing.key}` is no destination of {settings.file.name} and no type of one",
            suggestion(routing.key, known),
            routing.place.column,
        )
        for event in plan.events
        for routing in event.routing
        if routing.key not in known
    )
    if mistakes:
        raise PlanError(str(plan.folder), mistakes)


def check_ids(settings: Settings, pipeline: str, plan: CompiledPlan) -> None:
    """Raise SettingsError unless own ids are for events of the plan and tell entities and repeats apart."""
    kinds = {rule.name: rule.kind for kind in plan.kinds for rule in plan.rules(kind)}
    mistakes: list[tuple[str, str, str | None]] = []
    for event, form in settings.pipelines[pipeline].ids.items():
        if event not in kinds:
            mistakes.append((event, f"the tracking plan has no event `{event}`", suggestion(event, kinds)))
        elif KINDS[kinds[event]].repeats != "once" and "discriminator" not in fields_of(form):
            message = f"`{event}` can happen more than once to one {KINDS[kinds[event]].family}: its ids would repeat"
            mistakes.append((event, message, "add `{discriminator}` to the form"))
        elif KINDS[kinds[event]].repeats == "once" and not {"entity_id", "entity_number"} & set(fields_of(form)):
            message = f"every `{event}` would have the same id: it happens once and has no `{{discriminator}}`"
            mistakes.append((event, message, "add `{entity_number}` or `{entity_id}` to the form"))
    if mistakes:
        document = read_document(settings.file)
        for event, message, hint in mistakes:
            document.problem(("pipelines", pipeline, "ids", event), message, hint=hint, at_key=True)
        raise SettingsError(document.problems)


def _load_source(name: str) -> SourceSpec:
    try:
        return sources.load(name)
    except ImportError as error:
        raise _broken("source", name, error) from error


def _load_destination(name: str) -> DestinationSpec:
    try:
        return destinations.load(name)
    except ImportError as error:
        raise _broken("destination", name, error) from error


def _broken(noun: str, name: str, error: ImportError) -> ConfigError:
    return ConfigError(f"the {noun} `{name}` cannot be loaded: {error}", hint="reinstall the package that it comes from")
