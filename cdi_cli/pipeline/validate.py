"""`cdi validate`, without its output: what is checked, in which order, and what is said about it.

    findings = Findings()
    subjects = open_subjects(project, findings)      # the plan or plans; mistakes are findings
    report = await validate_plans(subjects, findings)

Order: the plan by itself, the mapping against what can happen, the fixtures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cdi_cli.data import data_folder
from cdi_cli.events import KINDS, origins_of
from cdi_cli.pipeline.shaping import lifecycle_of
from cdi_cli.pipeline.validate_fixtures import Tally, check_fixtures, find_files
from cdi_cli.pipeline.validate_subject import Subject
from cdi_cli.plan.findings import Finding, Findings, Report, Step, counted
from cdi_cli.plan.lint import head_place, lint
from cdi_cli.plan.problems import listing

NEEDS = {"order.updated": "order.completed"}
"""A kind that happens only after another was delivered."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What to check besides the plans: folders with `fixtures/`, more destination types; whether to rewrite fixtures.

    `pipeline`: the only one whose fixtures count (None: all).
    """

    folders: tuple[Path, ...] = ()
    pipeline: str | None = None
    destinations: tuple[str, ...] = ()
    is_update: bool = False
    steps: list[Step] = field(default_factory=list)


def report_of(findings: Findings, steps: Iterable[Step]) -> Report:
    """The report of everything that was found."""
    return Report(tuple(steps), findings.sorted(), findings.dropped)


async def validate_plans(subjects: Sequence[Subject], findings: Findings, scope: Scope) -> Report:
    """Check plans, mapping and fixtures; raises ConfigError for a fixture file that cannot be read."""
    steps = scope.steps
    for subject in subjects:
        types = subject.destination_types() | set(scope.destinations)
        for finding in lint(subject.plan, types).sorted():
            findings.add(finding)
        for finding in _mapping(subject):
            findings.add(finding)
        plan = subject.plan
        properties = sum(1 for event in plan.events for _ in event.walk())
        size = f"{counted(len(plan.events), 'event')}, {counted(properties, 'property', 'properties')}"
        steps.append(Step("plan", f"{plan.name} {plan.version}: {size}"))
    if not subjects:
        steps.append(Step("plan", "cannot be loaded: correct the mistakes below, then the rest is checked"))
        return report_of(findings, steps)
    steps.append(Step("mapping", "every `from:` resolves, every required property has a source"))
    if scripts := [script for subject in subjects for event in subject.plan.events for script in event.scripts]:
        templates = sum(bool(script.name) for script in scripts)
        counts = f"{counted(templates, 'template')}, {counted(len(scripts) - templates, 'expression')}"
        steps.append(Step("scripts", f"{counts}: read by the engine, nothing forbidden in them"))
    steps.append(Step("fixtures", await _fixtures(subjects, findings, scope)))
    return report_of(findings, steps)


def _mapping(subject: Subject) -> Iterator[Finding]:
    """Kinds that can happen and trigger nothing, and events that nothing can trigger."""
    reachable: set[str] = set()
    for pipeline in subject.pipelines:
        possible = _possible(subject, pipeline)
        reachable |= possible
        missing = [kind for kind in sorted(possible) if not subject.compiled.rules(kind)]
        for kind in missing:
            message = f"`{kind}` can happen in the pipeline `{pipeline}` and triggers no event: {KINDS[kind].description}"
            fix = f"plan an event with `trigger: {kind}`, or turn it off with `lifecycle: {{off: [{kind}]}}`"
            yield Finding("warning", "mapping/unplanned-kind", message, fix=fix).placed(head_place(subject.plan))
    if not subject.pipelines:
        return
    spare = set.intersection(*(_opt_in(subject, pipeline) for pipeline in subject.pipelines))
    for event in (event for event in subject.plan.events if event.is_produced and event.trigger not in spare):
        needed = NEEDS.get(event.trigger)
        is_reachable = event.trigger in reachable and (needed is None or bool(subject.compiled.rules(needed)))
        if not is_reachable:
            which = listing(subject.pipelines)
            message = f"`{event.name}` can never happen: no pipeline makes `{needed or event.trigger}` ({which})"
            fix = "read the stream it comes from, turn its kind on in `lifecycle`, or remove the event"
            yield Finding("warning", "mapping/unreachable", message, event=event.name, fix=fix).placed(event.place)


def _possible(subject: Subject, pipeline: str) -> set[str]:
    """The kinds that a pipeline's streams and lifecycle can make."""
    assert subject.project is not None
    chosen = subject.settings(pipeline)
    spec = subject.project.source_spec(chosen.source)
    names = chosen.streams or tuple(stream.name for stream in spec.streams if stream.is_default)
    families = {spec.stream(name).family for name in names}
    lifecycle = lifecycle_of(chosen.lifecycle)
    on = {kind for kind, one in KINDS.items() if origins_of(one, lifecycle) & families and kind not in lifecycle.off}
    return {kind for kind in on if NEEDS.get(kind, kind) in on}


def _opt_in(subject: Subject, pipeline: str) -> set[str]:
    """Kinds whose streams are only read where a pipeline names them: not to read the catalogue is no mistake of the plan."""
    assert subject.project is not None
    spec = subject.project.source_spec(subject.settings(pipeline).source)
    usual = {stream.family for stream in spec.streams if stream.is_default}
    lifecycle = lifecycle_of(subject.settings(pipeline).lifecycle)
    return {name for name, kind in KINDS.items() if not origins_of(kind, lifecycle) & usual}


async def _fixtures(subjects: Sequence[Subject], findings: Findings, scope: Scope) -> str:
    files = list(dict.fromkeys(file for folder in scope.folders for file in find_files(folder)))
    if files:
        tally = await check_fixtures(subjects, files, findings, pipeline=scope.pipeline, is_update=scope.is_update)
        more = f", {counted(tally.updated, 'line')} rewritten" if scope.is_update else ""
        return f"{_counts(tally)} from {counted(len(files), 'file')}{more}"
    if any(subject.plan.folder == data_folder("tracking_plan") for subject in subjects):
        shipped = find_files(data_folder("examples") / "quickstart")
        tally = await check_fixtures(subjects, shipped, findings, pipeline=scope.pipeline, is_compared=False)
        return f"{_counts(tally)}, those that ship with cdi; put your own into `fixtures/*.jsonl`"
    return "none; put records of your shop into `fixtures/*.jsonl`, with the events that you expect"


def _counts(tally: Tally) -> str:
    return f"{counted(tally.fixtures, 'record')} made {counted(tally.events, 'event')}"
