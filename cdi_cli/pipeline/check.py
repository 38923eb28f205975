"""Testing a project before it runs: settings, plan, secrets, both sides of every pipeline, the checkpoint file.

Nothing is sent and nothing is changed. A connector is only asked when its secrets are there. Everything is tested, whatever
failed before it, so that one run of `cdi check` shows all that has to be done.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from cdi_cli.checks import Check
from cdi_cli.config.show import secrets_of
from cdi_cli.destinations import DestinationContext, Planned, Preflight
from cdi_cli.errors import CdiError, ConfigError, ExitCode, LockedError
from cdi_cli.pipeline.opening import default_streams
from cdi_cli.pipeline.planned import planned_for
from cdi_cli.pipeline.preflight import families_of, names_checks
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.routing import rules_of
from cdi_cli.pipeline.shaping import consent_fields, is_paid_at_needed, lifecycle_of
from cdi_cli.sources import ConsentField, SourceContext

ATTEMPTS_MAX = 2
"""A person waits for the answer: a server that is down is said to be down after a second try."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check, and how the process should end if it failed."""

    check: Check
    exit_code: ExitCode = ExitCode.USAGE


class _Open(Protocol):
    """What an open source and an open destination have in common."""

    async def check(self) -> list[Check]:
        """Test credentials and reachability."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


def exit_code(findings: list[Finding]) -> ExitCode:
    """0 when all is well; wrong settings come before a trouble of the other side."""
    failed = {finding.exit_code for finding in findings if not finding.check.is_ok}
    return min(failed, default=ExitCode.OK)


async def check_project(project: Project, pipeline: str | None = None) -> list[Finding]:
    """Test one pipeline, or all; never raises for what a test finds."""
    names = [pipeline] if pipeline is not None else list(project.settings.pipelines)
    findings = [Finding(_settings(project))]
    findings += [Finding(_plan(project, name, is_only=len(names) == 1)) for name in names]
    secrets, broken = _secrets(project, names)
    findings += secrets
    ask_names = _NameChecks(project, names)
    results = await asyncio.gather(*(_connector(*connector, broken, ask_names) for connector in _connectors(project, names)))
    findings += [finding for result in results for finding in result]
    findings.append(_state(project.settings.state))
    return findings


def _settings(project: Project) -> Check:
    settings = project.settings
    counts = [
        f"{len(part)} {noun}{'' if len(part) == 1 else 's'}"
        for noun, part in (
            ("source", settings.sources),
            ("destination", settings.destinations),
            ("pipeline", settings.pipelines),
        )
    ]
    return Check("settings", True, f"{settings.file.name}: {', '.join(counts)}")


def _plan(project: Project, pipeline: str, *, is_only: bool) -> Check:
    name = "plan" if is_only else f"plan of {pipeline}"
    try:
        plan = project.plan(pipeline)
    except CdiError as error:
        problems = getattr(error, "problems", ())
        first = f": {problems[0].file}:{problems[0].line}: {problems[0].message}" if problems else ""
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        hint = (problems[0].hint if problems else None) or error.hint
        return Check(name, False, f"{'mistake' if problems else error.message}{first}{more}", hint)
    events = sum(len(plan.rules(kind)) for kind in plan.kinds)
    return Check(name, True, f"{plan.name} {plan.version}: {events} events")


def _secrets(project: Project, pipelines: list[str]) -> tuple[list[Finding], set[str]]:
    """A finding for each secret of the pipelines' connectors, and the connectors that lack one."""
    findings, broken = [], set()
    used = {f"{section}.{name}" for section, name, *_ in _connectors(project, pipelines)}
    for path, secret in secrets_of(project.settings).items():
        owner = ".".join(path.split(".")[:2])
        if owner not in used:
            continue
        try:
            secret.resolve()
        except ConfigError as error:
            broken.add(owner)
            findings.append(Finding(Check(f"secret {path.partition('.')[2]}", False, error.message, error.hint)))
        else:
            findings.append(Finding(Check(f"secret {path.partition('.')[2]}", True, f"{secret.text} is set")))
    return findings, broken


_Connector = tuple[str, str, str, Callable[[], _Open]]


def _connectors(project: Project, pipelines: list[str]) -> list[_Connector]:
    """Section, name, type and opener of every source and destination of these pipelines, each once."""
    found: dict[tuple[str, str], Callable[[], _Open]] = {}
    settings = project.settings
    for pipeline in (settings.pipelines[name] for name in pipelines):
        consent = consent_fields(pipeline.consent)
        siblings = [other for each in pipelines if (other := settings.pipelines[each]).source == pipeline.source]
        with_paid_at = any(is_paid_at_needed(other.lifecycle) for other in siblings)

        def open_source(
            name: str = pipeline.source, consent: dict[str, ConsentField] = consent, with_paid_at: bool = with_paid_at
        ) -> _Open:
            context = SourceContext(consent=consent, attempts_max=ATTEMPTS_MAX, with_paid_at=with_paid_at)
            return project.source_spec(name).open(settings.sources[name].settings, context)

        found.setdefault(("sources", pipeline.source), open_source)
        for destination in pipeline.destinations:

            def open_destination(name: str = destination) -> _Open:
                return project.destination_spec(name).open(
                    settings.destinations[name].settings, DestinationContext(is_backfill=True)
                )

            found.setdefault(("destinations", destination), open_destination)
    types = {"sources": settings.sources, "destinations": settings.destinations}
    return [(section, name, types[section][name].type, opener) for (section, name), opener in found.items()]


class _NameChecks:
    """Asks a destination about the names that the plans of some pipelines may send there, if it can tell."""

    def __init__(self, project: Project, pipelines: list[str]) -> None:
        self._project = project
        self._pipelines = pipelines

    async def __call__(self, name: str, opened: object) -> list[Check]:
        """The checks; none where the destination cannot tell. A panel that cannot be asked is one that is not ok."""
        if not isinstance(opened, Preflight):
            return []
        try:
            return await names_checks(opened, self._planned(name), self._project.settings.destinations[name].settings)
        except CdiError as error:
            return [Check("names", False, error.message, error.hint)]

    def _planned(self, name: str) -> list[Planned]:
        """What all of the pipelines may send there; one whose plan is wrong, which is told elsewhere, sends nothing."""
        settings = self._project.settings
        found: dict[Planned, None] = {}
        for pipeline in self._pipelines:
            chosen = settings.pipelines[pipeline]
            if name not in chosen.destinations:
                continue
            try:
                plan = self._project.plan(pipeline)
            except CdiError:
                continue
            spec = self._project.source_spec(chosen.source)
            families = families_of(spec, chosen.streams or default_streams(spec, is_sync=True))
            rules = rules_of(settings, pipeline, name, plan)
            lifecycle = lifecycle_of(chosen.lifecycle)
            kind = settings.destinations[name].type
            found |= dict.fromkeys(planned_for(plan, (name, kind), rules, lifecycle, families))
        return list(found)


async def _connector(
    section: str, name: str, kind: str, opener: Callable[[], _Open], broken: set[str], ask_names: _NameChecks
) -> list[Finding]:
    """What a source or destination says about itself; not asked when a secret of it is missing."""
    if f"{section}.{name}" in broken:
        return [Finding(Check(name, False, "not tested: a secret is missing, see above"))]
    try:
        opened = opener()
        try:
            checks = await opened.check()
            # Who was refused already would be refused once more: one line is enough.
            names = await ask_names(name, opened) if checks and checks[0].is_ok else []
        finally:
            await opened.close()
    except CdiError as error:
        return [Finding(Check(name, False, error.message, error.hint), ExitCode(error.exit_code))]
    # A connector begins its names with its type; the name in the file says more.
    coded = [(check, ExitCode.STOPPED) for check in checks] + [(check, ExitCode.USAGE) for check in names]
    return [Finding(replace(check, name=f"{name}: {check.name.removeprefix(f'{kind} ')}"), code) for check, code in coded]


def _state(path: Path) -> Finding:
    """Whether the checkpoint file can be written; one that does not exist yet is not made."""
    from cdi_cli.state import open_store

    try:
        if not path.exists():
            return Finding(_state_folder(path), ExitCode.STOPPED)
        with open_store(path):
            return Finding(Check("checkpoint", True, f"{path}: writable, not in use"))
    except LockedError as error:
        return Finding(Check("checkpoint", True, error.message, "a run is going on; another cannot start beside it"))
    except CdiError as error:
        return Finding(Check("checkpoint", False, error.message, error.hint), ExitCode.STOPPED)


def _state_folder(path: Path) -> Check:
    folder = next(parent for parent in path.parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Check("checkpoint", True, f"{path}: made by the first run")
    except OSError as error:
        hint = "give this user write permission, or name another place with `state:`"
        return Check("checkpoint", False, f"cannot write in {folder}: {error.strerror}", hint)
