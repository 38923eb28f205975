"""Running a delta sync or a reconciliation for the command line: destinations side by side, a line each, one exit code."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cdi_cli.cli import output
from cdi_cli.cli.afterwards import tell
from cdi_cli.cli.closing import report_json, say, warner
from cdi_cli.cli.display import duration
from cdi_cli.cli.errors import print_error
from cdi_cli.cli.when import parse_when, parse_zone
from cdi_cli.clock import SYSTEM_CLOCK, Instant
from cdi_cli.config.durations import parse_option
from cdi_cli.config.problems import suggestion
from cdi_cli.errors import CdiError, ConfigError, ExitCode, StoppedError
from cdi_cli.logs import run_context
from cdi_cli.pipeline.figures import RunFigures, figures_of, figures_of_failure
from cdi_cli.pipeline.opening import open_pipeline
from cdi_cli.pipeline.preflight import require_names
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.reconcile import run_reconcile
from cdi_cli.pipeline.report import Report, exit_code
from cdi_cli.pipeline.stop import Stop, on_signals
from cdi_cli.pipeline.sync import COMPACT_SECONDS_MAX, SyncRequest, run_sync
from cdi_cli.pipeline.withheld import withheld_file
from cdi_cli.pipeline.work import Hooks
from cdi_cli.plan.findings import counted
from cdi_cli.secrets import REDACTOR
from cdi_cli.state import open_store

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project
    from cdi_cli.state._base import Store

Kind = Literal["sync", "reconcile"]


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `cdi sync`, as it was typed; empty tuples mean all."""

    pipelines: tuple[str, ...]
    destinations: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    since: str | None = None
    timezone: str = "UTC"
    max_duration: str | None = None
    wait: str | None = None
    rate: float | None = None
    metrics_file: str | None = None
    withheld: Path | None = None
    kind: Kind = "sync"
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one destination's run came to: its report (None: it did not begin) and what stopped it."""

    pipeline: str
    destination: str
    report: Report | None
    error: CdiError | None
    kind: Kind = "sync"

    @property
    def name(self) -> str:
        """What ran, where from and where to."""
        return f"{self.kind} {self.pipeline} -> {self.destination}"

    @property
    def code(self) -> ExitCode:
        """The exit code that this alone would give."""
        if self.report is None:
            return ExitCode(self.error.exit_code) if self.error is not None else ExitCode.STOPPED
        return exit_code(self.report.books, self.error, kind=self.kind)

    def figures(self) -> RunFigures:
        """The same for metrics and notifications."""
        now = SYSTEM_CLOCK.instant()
        if self.report is not None:
            return figures_of(self.report, self.code, now, self.error)
        error = self.error or StoppedError(f"the {self.kind} did not begin")
        return figures_of_failure(self.pipeline, self.destination, self.kind, error, now)


def run(project: Project, options: Options) -> ExitCode:
    """Sync all that was asked for; returns the exit code, having printed everything."""
    request = make_request(project, options)
    pairs = chosen(project, options)
    wait_seconds = _duration(options.wait, "--wait") or 0.0
    stop = Stop()
    with open_store(project.settings.state, wait_seconds=wait_seconds) as store:
        outcomes = asyncio.run(_all(project, options, request, pairs, store, stop))
        if not stop.asked.is_set() and not any(one.code is ExitCode.STOPPED for one in outcomes):
            store.compact(seconds_max=COMPACT_SECONDS_MAX)
        tell(project, store, [one.figures() for one in outcomes], options.metrics_file)
    _print(project, options, outcomes)
    return max(one.code for one in outcomes)


def make_request(project: Project, options: Options) -> SyncRequest:
    """The request that the command line means; raises ConfigError for a date, duration or zone that is none."""
    since: Instant | None = None
    if options.since:
        when = parse_when(options.since, now=SYSTEM_CLOCK.now(), zone=parse_zone(options.timezone), option="--since")
        since = when.instant
    known = {name for each in options.pipelines for name in project.stream_names(project.settings.pipelines[each].source)}
    for name in options.streams:
        if name not in known:
            raise ConfigError(f"no source has a stream `{name}`", hint=suggestion(name, sorted(known)))
    return SyncRequest(
        since=since,
        streams=options.streams,
        duration_seconds=_duration(options.max_duration, "--max-duration"),
        rate=options.rate,
    )


def chosen(project: Project, options: Options) -> list[tuple[str, str]]:
    """(pipeline, destination) of everything that is to run; raises ConfigError for an unknown destination."""
    pairs = [
        (pipeline, destination)
        for pipeline in options.pipelines
        for destination in project.settings.pipelines[pipeline].destinations
    ]
    known = {destination for _, destination in pairs}
    for name in options.destinations:
        if name not in known:
            raise ConfigError(f"no pipeline has a destination `{name}`", hint=suggestion(name, sorted(known)))
    return [pair for pair in pairs if not options.destinations or pair[1] in options.destinations]


def _duration(text: str | None, option: str) -> float | None:
    return None if text is None else float(parse_option(text, option))


async def _all(
    project: Project, options: Options, request: SyncRequest, pairs: list[tuple[str, str]], store: Store, stop: Stop
) -> list[Outcome]:
    """Every destination at once: each waits for its own retries only."""
    with on_signals(stop):
        return list(await asyncio.gather(*(_one(project, options, request, pair, store, stop) for pair in pairs)))


async def _one(
    project: Project, options: Options, request: SyncRequest, pair: tuple[str, str], store: Store, stop: Stop
) -> Outcome:
    pipeline, destination = pair
    kind = options.kind
    run_kind = run_reconcile if kind == "reconcile" else run_sync
    try:
        with (
            run_context(pipeline=pipeline, destination=destination),
            withheld_file(options.withheld, pipeline=pipeline, destination=destination) as on_withheld,
        ):
            async with open_pipeline(project, pipeline, destination, is_backfill=False) as opened:
                hooks = Hooks(on_withheld=on_withheld)
                await require_names(project, opened, warn=warner(output.talk()))
                report, error = await run_kind(opened, store, request, Progress(), stop, hooks)
    except CdiError as failure:
        return Outcome(pipeline, destination, None, failure, kind)
    return Outcome(pipeline, destination, report, error, kind)


def _print(project: Project, options: Options, outcomes: list[Outcome]) -> None:
    talk = output.talk()
    if options.is_json:
        reports = [_json(one) for one in outcomes]
        output.print_json(reports[0] if len(reports) == 1 else reports)
    for one in outcomes:
        if one.report is not None:
            if not options.is_json:
                say(output.data(), f"{one.name}: {summary(one.report)}")
            for problem in one.report.problems:
                say(talk, output.plain(REDACTOR(f"not read: {problem}")))
            for mistake in one.report.books.errors:
                say(talk, f"{one.name}: books DO NOT close: {mistake}")
        if one.error is not None:
            if len(outcomes) > 1:
                say(talk, f"{one.name} stopped:")
            print_error(one.error, talk)
    if rejected := sum(one.report.books.total("rejected") for one in outcomes if one.report is not None):
        say(talk, f"{counted(rejected, 'new dead letter')}: see `{output.command()} dlq list{project.config_flag}`")


def _json(one: Outcome) -> dict[str, Any]:
    error = None if one.error is None else {"message": REDACTOR(one.error.message), "exit_code": int(one.error.exit_code)}
    if one.report is None:
        return {"pipeline": one.pipeline, "destination": one.destination, "status": "not_started", "error": error}
    return report_json(one.report, lag_seconds=_rounded(one.report.lag_seconds), error=error)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def summary(report: Report) -> str:
    """What a sync or a reconciliation did, in one line."""
    books = report.books
    where = f"created {report.since} .. {report.until}" if report.kind == "reconcile" else f"up to {report.until}"
    if report.lag_seconds is not None:
        where += f", lag {duration(max(report.lag_seconds, 0.0))}"
    tail = f"{where} (run {report.run_id}, {duration(report.elapsed_seconds)})"
    parts: list[str] = []
    if delivered := books.total("delivered"):
        events = ", ".join(f"{name} {number:,}" for name, number in sorted(books.events.items(), key=lambda one: -one[1]))
        parts.append(f"{delivered:,} delivered ({events})")
    parts += [f"{number:,} {name}" for name in ("filtered", "rejected") if (number := books.total(name))]
    if pending := books.total("pending"):
        parts.append(f"{pending:,} pending")
    found = ", ".join(parts) if parts else "nothing new"
    rest = {"limited": "; time is over, the next run goes on", "stopped": "; stopped", "interrupted": "; interrupted"}
    return f"{found}; {tail}{rest.get(report.status, '')}"
