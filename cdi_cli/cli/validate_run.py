"""What `cdi validate` does: find the plan, check what was asked for, write the report, say how it ended."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from cdi_cli.cli import output
from cdi_cli.cli.closing import say
from cdi_cli.cli.when import parse_when, parse_zone
from cdi_cli.clock import SYSTEM_CLOCK, Window
from cdi_cli.config.load import FILE_NAME
from cdi_cli.errors import ConfigError, ExitCode
from cdi_cli.pipeline.project import Project, load_project
from cdi_cli.pipeline.validate import Scope, report_of, validate_plans
from cdi_cli.pipeline.validate_dlq import check_dead_letters
from cdi_cli.pipeline.validate_events import EventChecker
from cdi_cli.pipeline.validate_live import check_sample, pipeline_of_source
from cdi_cli.pipeline.validate_subject import Subject, find_plan_folder, open_subjects
from cdi_cli.plan.findings import Findings, Report, Severity, Step, counted
from cdi_cli.plan.limits import LIMITS
from cdi_cli.plan.problems import listing, suggest
from cdi_cli.secrets import REDACTOR

LETTERS_MAX = 10_000
"""So many dead letters are checked, the newest: each is held with its record."""


@dataclass(frozen=True, slots=True)
class Request:
    """The command line of `cdi validate`; `window` is since, until and zone as they were written."""

    files: tuple[str, ...]
    config: Path | None
    plan: Path | None
    pipeline: str | None
    source: str | None
    sample: int
    window: tuple[str, str | None, str]
    is_dlq: bool
    destinations: tuple[str, ...]
    is_update: bool
    form: str
    findings_max: int
    fail_on: Severity


def run(request: Request) -> ExitCode:
    """Check and report; raises ConfigError where nothing could be checked."""
    _check_modes(request)
    project = _project(request)
    findings = Findings()
    folder = request.plan if request.plan is not None or project is not None else find_plan_folder()
    subjects = open_subjects(project, findings, folder=folder, pipeline=_pipeline(request, project))
    report = asyncio.run(_report(request, project, subjects, findings))
    output.print_text(REDACTOR(written(report, request)))
    return ExitCode.FINDINGS if report.fails(request.fail_on) else ExitCode.OK


def written(report: Report, request: Request) -> str:
    """The report in the format that was asked for."""
    most, fail_on = request.findings_max, request.fail_on
    if request.form == "json":
        from cdi_cli.plan.report_json import as_json

        return as_json(report, most, fail_on)
    if request.form == "junit":
        from cdi_cli.plan.report_junit import junit

        return junit(report, most, fail_on)
    if request.form == "sarif":
        from cdi_cli.plan.report_sarif import sarif

        return sarif(report, most)
    if request.form == "github":
        from cdi_cli.plan.report_github import github

        return "\n".join(output.plain(line) for line in github(report, most).split("\n"))
    from cdi_cli.plan.report_text import text

    return "\n".join(output.plain(line) for line in text(report, most).split("\n"))


def _check_modes(request: Request) -> None:
    modes = {"files of events": bool(request.files), "--source": request.source is not None, "--dlq": request.is_dlq}
    chosen = [name for name, is_on in modes.items() if is_on]
    if len(chosen) > 1:
        raise ConfigError(f"{' and '.join(chosen)} exclude each other", hint="run the command once for each")
    if request.is_update and chosen:
        raise ConfigError("`--update` is about fixtures and goes with nothing else", hint="run `cdi validate --update`")
    for name in request.destinations:
        if name not in LIMITS:
            hint = suggest(name, LIMITS) or f"known are {listing(LIMITS)}"
            raise ConfigError(f"nothing is known about the limits of `{name}`", hint=hint)


def _project(request: Request) -> Project | None:
    """The project, None where there is none and none is needed."""
    is_needed = request.config is not None or request.source is not None or request.is_dlq or request.pipeline is not None
    if is_needed or _has_settings():
        return load_project(request.config)
    return None


def _has_settings() -> bool:
    import os

    return "CDI_CONFIG" in os.environ or Path(FILE_NAME).is_file()


def _pipeline(request: Request, project: Project | None) -> str | None:
    """The only pipeline whose plan counts, None for all: events of files are checked against one plan."""
    if project is None:
        return None
    if request.source is not None:
        return pipeline_of_source(project, request.source, request.pipeline)
    if request.files and request.plan is None and request.pipeline is None:
        folders = {project.plan_folder(name) for name in project.settings.pipelines}
        return project.pipeline_name(None) if len(folders) > 1 else next(iter(project.settings.pipelines))
    return request.pipeline


async def _report(request: Request, project: Project | None, subjects: list[Subject], findings: Findings) -> Report:
    if not subjects or not (request.files or request.source is not None or request.is_dlq):
        scope = Scope(
            folders=_folders(project, subjects),
            pipeline=request.pipeline,
            destinations=request.destinations,
            is_update=request.is_update,
        )
        return await validate_plans(subjects, findings, scope)
    plan = subjects[0].plan
    steps = [Step("plan", f"{plan.name} {plan.version}")]
    if request.files:
        steps.append(_check_files(request, subjects[0], findings))
    elif project is not None and request.source is not None:
        steps.append(await _check_source(request, subjects[0], findings))
    elif project is not None:
        steps.append(await _check_letters(project, subjects, findings))
    return report_of(findings, steps)


def _folders(project: Project | None, subjects: list[Subject]) -> tuple[Path, ...]:
    """Where `fixtures/` may be: beside the settings, or in the working folder and beside the plan."""
    if project is not None:
        return (project.settings.file.parent,)
    beside = [subject.plan.folder.resolve().parent for subject in subjects]
    return tuple(dict.fromkeys((Path.cwd(), *beside)))


def _check_files(request: Request, subject: Subject, findings: Findings) -> Step:
    started = time.perf_counter()
    checker = EventChecker(subject.plan, subject.compiled, findings)
    checker.check_files(request.files)
    seconds = time.perf_counter() - started
    good = checker.events - checker.failed
    return Step("events", f"{counted(checker.events, 'message')} in {seconds:.2f} s, {good:,} without a finding")


async def _check_source(request: Request, subject: Subject, findings: Findings) -> Step:
    since, until, zone_name = request.window
    zone, now = parse_zone(zone_name), SYSTEM_CLOCK.now()
    start = parse_when(since, now=now, zone=zone, option="--since").instant
    end = parse_when(until or "now", now=now, zone=zone, option="--until").instant
    if start >= end:
        raise ConfigError(f"the window ends before it starts: {start} .. {end}", hint="correct `--since` or `--until`")
    window = Window(start, end)
    talk = output.talk()
    say(talk, f"pulling up to {request.sample:,} records of each stream, created {start} .. {end}; nothing is sent")
    pipeline = subject.pipelines[0] if subject.pipelines else ""
    if not pipeline:
        raise ConfigError("the pipeline's ids do not fit the plan", hint="run `cdi validate` to see why")
    found = await check_sample(subject, pipeline, window, request.sample, findings)
    streams = ", ".join(f"{stream} {records:,}" for stream, records in found.records.items())
    return Step("sample", f"{streams}: {counted(found.events, 'event')}, {found.events - found.failed:,} without a finding")


async def _check_letters(project: Project, subjects: list[Subject], findings: Findings) -> Step:
    from cdi_cli.state import open_store

    path = project.settings.state
    if not path.exists():
        return Step("dlq", "no dead letters: nothing ran yet")
    with open_store(path, read_only=True) as store:
        letters = store.dead_letters(limit=LETTERS_MAX)
        total = sum(store.dead_letter_reasons().values())
    outcome = await check_dead_letters(subjects, letters, findings)
    parts = [f"{outcome.passing:,} would pass now", f"{outcome.failing:,} would not"]
    parts += [f"{outcome.unknown:,} cannot be judged from here"] if outcome.unknown else []
    newest = f"the newest {outcome.letters:,} of " if total > outcome.letters else ""
    return Step("dlq", f"{newest}{counted(total, 'dead letter')}: {', '.join(parts)}")
