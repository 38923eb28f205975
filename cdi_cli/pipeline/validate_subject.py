"""What is validated: the plan or plans of a project, or a plan folder alone, with the pipelines that use each.

A plan that cannot be loaded is a finding like any other, so that a pull request shows it at its line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cdi_cli import sources
from cdi_cli.config.settings import PipelineSettings
from cdi_cli.errors import ConfigError
from cdi_cli.pipeline.project import Project, check_ids, check_routing
from cdi_cli.pipeline.routing_check import check_rules
from cdi_cli.plan import CompiledPlan, Place, Plan, PlanError, compile_plan, load_plan
from cdi_cli.plan.findings import Finding, Findings, of_problem

FOLDERS = ("tracking_plan", ".")
"""Where a plan is looked for when there are neither settings nor `--plan`."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One plan, ready to run, and what uses it: `pipelines` of `project`, none where there is no project."""

    plan: Plan
    compiled: CompiledPlan
    project: Project | None = None
    pipelines: tuple[str, ...] = ()

    def settings(self, pipeline: str) -> PipelineSettings:
        """The settings of one of the pipelines."""
        assert self.project is not None
        return self.project.settings.pipelines[pipeline]

    def destination_types(self) -> set[str]:
        """The types of the destinations that the pipelines feed."""
        if self.project is None:
            return set()
        configured = self.project.settings.destinations
        return {configured[name].type for pipeline in self.pipelines for name in self.settings(pipeline).destinations}


def find_plan_folder() -> Path:
    """The plan folder of a repository that has no settings file; raises ConfigError where there is none."""
    for name in FOLDERS:
        if (Path(name) / "plan.yaml").is_file():
            return Path(name)
    raise ConfigError(
        "there is neither a settings file nor a tracking plan here",
        hint="run it beside `cdi.yaml` or `tracking_plan/`, or name one with `--config` or `--plan`",
    )


def open_subjects(
    project: Project | None, findings: Findings, *, folder: Path | None = None, pipeline: str | None = None
) -> list[Subject]:
    """Each plan once, with the pipelines that use it; plans that cannot be loaded are left out and noted.

    `folder` stands for the plan of every pipeline; `pipeline` leaves the others out.
    """
    if project is None:
        denied = frozenset[str]().union(*(sources.load(name).denied_fields for name in sources.names()))
        subject = _open(folder, denied, findings)
        return [subject] if subject is not None else []
    names = [project.pipeline_name(pipeline)] if pipeline is not None else list(project.settings.pipelines)
    groups: dict[tuple[Path | None, frozenset[str]], list[str]] = {}
    for name in names:
        denied = project.source_spec(project.settings.pipelines[name].source).denied_fields
        groups.setdefault((folder or project.plan_folder(name), denied), []).append(name)
    opened = (_open(path, denied, findings, project, pipelines) for (path, denied), pipelines in groups.items())
    return [subject for subject in opened if subject is not None]


def _open(
    folder: Path | None,
    denied: frozenset[str],
    findings: Findings,
    project: Project | None = None,
    pipelines: Iterable[str] = (),
) -> Subject | None:
    try:
        plan = load_plan(folder, denied_fields=denied)
        compiled = compile_plan(plan)
        if project is not None:
            check_routing(project.settings, plan)
    except PlanError as error:
        for problem in error.problems:
            findings.add(of_problem(problem))
        return None
    fitting = []
    for name in pipelines:
        assert project is not None
        try:
            check_ids(project.settings, name, compiled)
            check_rules(project.settings, name, compiled)
        except ConfigError as error:
            for one in getattr(error, "problems", ()):
                part = "routing" if one.path.startswith(f"pipelines.{name}.routing") else "ids"
                finding = Finding("error", f"settings/{part}", one.message, path=one.path, fix=one.hint or "")
                findings.add(finding.placed(Place(str(one.file), one.line, one.column)))
        else:
            fitting.append(name)
    return Subject(plan, compiled, project, tuple(fitting))
