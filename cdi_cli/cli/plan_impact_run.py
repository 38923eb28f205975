"""Running `cdi plan impact`: pipeline, window, plans, checkpoint file, study, exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cdi_cli.cli import output
from cdi_cli.cli.closing import say
from cdi_cli.cli.plan_impact_report import impact_json, print_impact
from cdi_cli.cli.when import parse_when, parse_zone
from cdi_cli.clock import SYSTEM_CLOCK, Instant, Window
from cdi_cli.config.problems import suggestion
from cdi_cli.data import data_folder
from cdi_cli.errors import ConfigError, ExitCode
from cdi_cli.pipeline.impact import Impact, ImpactStudy, open_source
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.shaping import script_settings
from cdi_cli.plan import compile_plan
from cdi_cli.plan.diff_sides import Side, open_side
from cdi_cli.state import open_store

if TYPE_CHECKING:
    from cdi_cli.state._base import Store


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `cdi plan impact`, as it was typed; `sample` None: every record, `fail_over` in percent."""

    candidate: str | None = None
    baseline: str | None = None
    since: str = "1y"
    until: str | None = None
    timezone: str = "UTC"
    sample: int | None = None
    source: str | None = None
    pipeline: str | None = None
    streams: tuple[str, ...] = ()
    fail_over: float | None = None
    is_json: bool = False


def run(project: Project, options: Options) -> int:
    """Study the impact and print it; returns the exit code."""
    name = _pipeline(project, options.source, options.pipeline)
    chosen = project.settings.pipelines[name]
    streams = _streams(project, name, options.streams)
    folder = project.plan_folder(name) or data_folder("tracking_plan")
    denied = project.source_spec(chosen.source).denied_fields
    with ExitStack() as stack:
        candidate, baseline = (
            stack.enter_context(open_side(named or str(folder), folder, denied_fields=denied))
            for named in (options.candidate, options.baseline)
        )
        if project.plan_folder(name) is None:
            candidate, baseline = (_named(side, folder) for side in (candidate, baseline))
        store = stack.enter_context(_reader(project.settings.state))
        found = asyncio.run(_study(project, name, candidate, baseline, streams, options, store))
    if options.is_json:
        output.print_json(impact_json(found, candidate, baseline))
    else:
        print_impact(found, candidate, baseline, output.data())
        if options.candidate is None and options.baseline is None:
            say(output.talk(), "hint: name another plan with `--plan`, or the one of the past with `--baseline HEAD~1`")
    for problem in found.problems:
        say(output.talk(), output.plain(f"warning: not read: {problem}"))
    if found.problems:
        return ExitCode.STOPPED
    worst = max(found.delivered.share, found.mapped.share) * 100
    return int(options.fail_over is not None and worst > options.fail_over)


def _named(side: Side, shipped: Path) -> Side:
    """The plan that ships with cdi is called so, not by where it was installed."""
    return replace(side, shown="the plan that ships with cdi") if side.folder == shipped else side


@contextmanager
def _reader(path: Path) -> Iterator[Store | None]:
    """The checkpoint file opened for reading, without its lock; None where there is none."""
    if not path.exists():
        yield None
        return
    with open_store(path, read_only=True) as store:
        yield cast("Store", store)


async def _study(
    project: Project,
    pipeline: str,
    candidate: Side,
    baseline: Side,
    streams: list[str],
    options: Options,
    store: Store | None,
) -> Impact:
    async with open_source(project, pipeline) as source:
        window = _window(options, await source.server_now())
        study = ImpactStudy(
            project,
            pipeline,
            source,
            baseline=compile_plan(baseline.plan, script_settings(project.settings, pipeline)),
            candidate=compile_plan(candidate.plan, script_settings(project.settings, pipeline)),
            store=store,
        )
        return await study.run(window, streams, options.sample)


def _window(options: Options, server_now: Instant) -> Window:
    """The window that the command line means; it ends at the source's now at the latest."""
    now, zone = SYSTEM_CLOCK.now(), parse_zone(options.timezone)
    since = parse_when(options.since, now=now, zone=zone, option="--since").instant
    until = parse_when(options.until, now=now, zone=zone, option="--until").instant if options.until else server_now
    if not since < min(until, server_now):
        raise ConfigError(
            f"the window ends before it starts: {since} .. {min(until, server_now)}",
            hint="`--since` must be earlier than `--until` and than the source's clock",
        )
    return Window(since, min(until, server_now))


def _streams(project: Project, pipeline: str, wanted: tuple[str, ...]) -> list[str]:
    """The streams to read: those that were named, else those of the pipeline; in reading order."""
    chosen = project.settings.pipelines[pipeline]
    spec = project.source_spec(chosen.source)
    for name in wanted:
        if name not in spec.names:
            raise ConfigError(f"source `{chosen.source}` has no stream `{name}`", hint=suggestion(name, spec.names))
    names = wanted or chosen.streams or tuple(stream.name for stream in spec.streams if stream.is_default)
    return [name for name in spec.names if name in names]


def _pipeline(project: Project, source: str | None, pipeline: str | None) -> str:
    """The pipeline that is meant; raises ConfigError where none or several read the source."""
    if source is None or pipeline is not None:
        name = project.pipeline_name(pipeline)
        if source is not None and project.settings.pipelines[name].source != source:
            raise ConfigError(f"pipeline `{name}` does not read the source `{source}`", hint="leave out one of the two")
        return name
    reading = {name: each.source for name, each in project.settings.pipelines.items()}
    names = [name for name, read in reading.items() if read == source]
    if not names:
        raise ConfigError(f"no pipeline reads a source `{source}`", hint=suggestion(source, list(reading.values())))
    if len(names) > 1:
        raise ConfigError(f"several pipelines read `{source}`", hint=f"choose one with `--pipeline {names[0]}`")
    return names[0]
