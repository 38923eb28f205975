"""Running a backfill for the command line: window, store, display, closing table, exit code."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from cdi_cli.cli import output
from cdi_cli.cli.afterwards import tell
from cdi_cli.cli.closing import print_report, report_json, say, warner
from cdi_cli.cli.display import display, duration
from cdi_cli.cli.errors import print_error
from cdi_cli.cli.when import parse_when, parse_zone
from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.config.problems import suggestion
from cdi_cli.errors import CdiError, ConfigError, ExitCode, StateError
from cdi_cli.pipeline.backfill import Request, run_backfill
from cdi_cli.pipeline.dry import DryDestination, DryStore, UserCounter
from cdi_cli.pipeline.figures import figures_of
from cdi_cli.pipeline.opening import Opened, open_pipeline
from cdi_cli.pipeline.preflight import require_names
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Report, exit_code
from cdi_cli.pipeline.stop import Stop, on_signals
from cdi_cli.pipeline.sync import COMPACT_SECONDS_MAX
from cdi_cli.pipeline.withheld import withheld_file
from cdi_cli.pipeline.work import Hooks
from cdi_cli.plan.findings import counted
from cdi_cli.secrets import REDACTOR
from cdi_cli.state import open_store

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project
    from cdi_cli.state._base import Job, Store

Outcome = tuple[Report, CdiError | None, dict[str, Any]]
"""One destination's report, what stopped it, and what `--json` says besides."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `cdi backfill`, as it was typed."""

    pipeline: str
    destination: str | None = None
    since: str | None = None
    until: str | None = None
    timezone: str = "UTC"
    streams: tuple[str, ...] = ()
    mode: Literal["auto", "resume", "restart"] = "auto"
    workers: int | None = None
    rate: float | None = None
    limit: int | None = None
    is_dry: bool = False
    withheld: Path | None = None
    is_json: bool = False

    @property
    def asked(self) -> str:
        """The window in the user's own words: what makes two command lines the same job."""
        return f"{self.since or ''} .. {self.until or 'now'} {self.timezone}"


def run(project: Project, options: Options) -> ExitCode:
    """Backfill each destination of the pipeline in turn; returns the exit code, having printed everything."""
    settings = project.settings.pipelines[options.pipeline]
    if options.destination is not None and options.destination not in settings.destinations:
        raise ConfigError(
            f"pipeline `{options.pipeline}` has no destination `{options.destination}`",
            hint=suggestion(options.destination, settings.destinations),
        )
    request = make_request(project, options, SYSTEM_CLOCK.now())
    names = (options.destination,) if options.destination else settings.destinations
    with _open(project, options) as store:
        if request.mode == "resume":
            names = _unfinished(store, options.pipeline, names)
        outcomes, prevented = _each(project, options, request, names, store)
        if not options.is_dry:
            now = SYSTEM_CLOCK.instant()
            if all(error is None for _, error, _ in outcomes):
                store.compact(seconds_max=COMPACT_SECONDS_MAX)
            tell(project, store, [figures_of(one, exit_code(one.books, error), now, error) for one, error, _ in outcomes])
    if options.is_json:
        reports = [report_json(report, **more) for report, _, more in outcomes]
        output.print_json(reports[0] if len(reports) == 1 else reports)
    codes = [exit_code(report.books, error) for report, error, _ in outcomes]
    return max(codes if prevented is None else [*codes, ExitCode(prevented.exit_code)])


def _unfinished(store: Store, pipeline: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The destinations that have something to resume; all of them when none has, so that the first can say so."""
    jobs = [(name, store.find_job(pipeline, name)) for name in names]
    return tuple(name for name, job in jobs if job is not None and job.status == "open") or names


def _each(
    project: Project, options: Options, request: Request, names: tuple[str, ...], store: Store
) -> tuple[list[Outcome], CdiError | None]:
    """What came of each destination, and what kept the next one from being begun; raises it when that is the first."""
    outcomes: list[Outcome] = []
    for name in names:
        stop = Stop()
        try:
            outcomes.append(asyncio.run(_backfill(project, options, request, name, store, stop=stop)))
        except CdiError as error:
            if not outcomes:
                raise
            print_error(error, output.talk())
            return outcomes, error
        if stop.asked.is_set():
            return outcomes, None if name == names[-1] else stop.error()
    return outcomes, None


def make_request(project: Project, options: Options, now: datetime) -> Request:
    """The request that the command line means; raises ConfigError for a date, stream or zone that is none."""
    zone = parse_zone(options.timezone)
    since = parse_when(options.since, now=now, zone=zone, option="--since") if options.since else None
    until = parse_when(options.until, now=now, zone=zone, option="--until") if options.until else None
    settings = project.settings.pipelines[options.pipeline]
    known = project.stream_names(settings.source)
    for name in options.streams:
        if name not in known:
            raise ConfigError(f"source `{settings.source}` has no stream `{name}`", hint=suggestion(name, known))
    if since and until and not since.instant < until.instant:
        raise ConfigError(
            f"the window ends before it starts: {since.instant} .. {until.instant}",
            hint="`--since` must be earlier than `--until`",
        )
    if since is None and until is not None and options.mode != "resume":
        raise ConfigError("a window needs a start", hint="add `--since`")
    if any(one is not None and one.is_zone_assumed for one in (since, until)):
        say(output.talk(), f"dates without a zone are read as {options.timezone} (`--timezone` changes that)")
    return Request(
        since=since.instant if since else None,
        until=until.instant if until else None,
        asked=options.asked,
        streams=options.streams,
        mode="resume" if options.since is None and options.mode == "auto" else options.mode,
        workers=options.workers or settings.workers,
        rate=options.rate,
        limit=options.limit,
    )


def _open(project: Project, options: Options) -> AbstractContextManager[Store]:
    path = project.settings.state
    if not options.is_dry:
        return cast("AbstractContextManager[Store]", open_store(path))
    if not path.exists():
        return nullcontext(cast("Store", DryStore(None)))
    return cast("AbstractContextManager[Store]", open_store(path, read_only=True))


async def _backfill(
    project: Project, options: Options, request: Request, destination: str, store: Store, *, stop: Stop
) -> Outcome:
    progress, users = Progress(), UserCounter()
    talk = output.talk()

    def on_job(job: Job, is_resumed: bool) -> None:
        window = job.spec.window
        verb = "resuming" if is_resumed else "dry run of" if options.is_dry else "backfilling"
        say(
            talk,
            f"{verb} {options.pipeline} -> {destination}: {window.since} .. {window.until}, plan {job.spec.plan_version}",
        )

    listing = withheld_file(options.withheld, pipeline=options.pipeline, destination=destination)
    async with open_pipeline(project, options.pipeline, destination) as opened:
        configured = request.rate or opened.destination.limits.events_per_second
        if options.is_dry:
            store = cast("Store", DryStore(None if isinstance(store, DryStore) else store))
            opened.destination = DryDestination(opened.destination)
            request = replace(request, rate=float("inf"), mode="auto")
        else:
            await require_names(project, opened, is_backfill=True, warn=warner(talk))
        with listing as on_withheld, on_signals(stop), display(progress, talk):
            hooks = Hooks(on_job, users.see if options.is_dry else (lambda _items: None), on_withheld)
            report, error = await run_backfill(opened, store, request, progress, stop, hooks)
        more = _estimate(report, users, configured, opened) if options.is_dry else {}
    if not options.is_json:
        print_report(report, output.data(), is_dry=options.is_dry)
        if more:
            say(output.data(), _estimate_text(more))
    _print_next(project, options, report, error)
    return report, error, more


def _estimate(report: Report, users: UserCounter, rate: float, opened: Opened) -> dict[str, Any]:
    events = report.books.total("delivered")
    return {
        "is_dry_run": True,
        "estimate": {
            "events": events,
            "users": users.count(),
            "users_are_exact": users.is_exact,
            "source_pages": report.pages,
            "batches": report.requests,
            "events_per_second": rate,
            "seconds_at_rate": round(events / rate, 1),
            "destination": opened.destination_name,
        },
    }


def _estimate_text(more: dict[str, Any]) -> str:
    estimate = more["estimate"]
    about = "" if estimate["users_are_exact"] else "about "
    return (
        f"dry run, nothing was sent: {estimate['events']:,} events for {about}{estimate['users']:,} users (MTU), "
        f"{estimate['source_pages']:,} source pages and {estimate['batches']:,} batches; "
        f"{duration(estimate['seconds_at_rate'])} at {estimate['events_per_second']:g} events/s"
    )


def _print_next(project: Project, options: Options, report: Report, error: CdiError | None) -> None:
    """Say on stderr what went wrong and what to do next."""
    talk = output.talk()
    for problem in report.problems:
        say(talk, output.plain(REDACTOR(f"not read: {problem}")))
    if error is not None:
        print_error(error, talk)
    if options.is_dry:
        return
    if not isinstance(error, StateError):
        say(talk, f"checkpoint: {project.settings.state}")
    if report.books.total("rejected"):
        say(talk, f"{counted(report.books.total('rejected'), 'dead letter')}: see `{_command(project, 'dlq list')}`")
    if report.status != "done":
        say(talk, f"resume with: {_command(project, f'backfill --pipeline {options.pipeline} --resume')}")


def _command(project: Project, rest: str) -> str:
    """A command line for this project, as short as it can be."""
    return f"{output.command()} {rest}{project.config_flag}"
