"""Running `cdi push` for the command line: each file into each destination in turn, a closing table each, one exit code."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, cast

from cdi_cli.cli import output
from cdi_cli.cli.afterwards import tell
from cdi_cli.cli.closing import books_line, books_table, reasons_table, report_json, say, warner
from cdi_cli.cli.display import display, duration
from cdi_cli.cli.dlq_choice import seconds_of
from cdi_cli.cli.errors import print_error
from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.config.problems import suggestion
from cdi_cli.errors import CdiError, ConfigError, ExitCode, StateError
from cdi_cli.pipeline.dry import DryDestination, DryStore
from cdi_cli.pipeline.figures import figures_of
from cdi_cli.pipeline.opening import open_pipeline
from cdi_cli.pipeline.preflight import require_names
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.push import PushRequest, run_push
from cdi_cli.pipeline.push_lines import STDIN, EventFile, LineSource, open_events
from cdi_cli.pipeline.report import Report, exit_code
from cdi_cli.pipeline.stop import Stop, on_signals
from cdi_cli.pipeline.work import Hooks
from cdi_cli.plan.findings import counted
from cdi_cli.secrets import REDACTOR
from cdi_cli.state import open_store

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project
    from cdi_cli.sources import Source
    from cdi_cli.state._base import Job, Store

WORDS = {
    "done": "Push done",
    "limited": "Push stopped at --limit",
    "stopped": "Push stopped",
    "interrupted": "Push interrupted",
}
Outcome = tuple[str, Report, CdiError | None]
"""What a file is called, its report for one destination, and what stopped it."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `cdi push`, as it was typed."""

    pipeline: str
    files: tuple[str, ...]
    destination: str | None = None
    takes_now: bool = False
    is_history: bool = True
    rate: float | None = None
    limit: int | None = None
    is_dry: bool = False
    wait: str | None = None
    is_json: bool = False


def run(project: Project, options: Options) -> ExitCode:
    """Push each file into each destination of the pipeline; returns the exit code, having printed everything."""
    known = project.settings.pipelines[options.pipeline].destinations
    if options.destination is not None and options.destination not in known:
        raise ConfigError(
            f"pipeline `{options.pipeline}` has no destination `{options.destination}`",
            hint=suggestion(options.destination, known),
        )
    names = (options.destination,) if options.destination else known
    outcomes: list[Outcome] = []
    prevented: CdiError | None = None
    with _store(project, options) as store:
        try:
            _each(project, options, names, store, outcomes)
        except CdiError as error:
            if not outcomes:
                raise
            print_error(error, output.talk())
            prevented = error
        if not options.is_dry:
            now = SYSTEM_CLOCK.instant()
            figures = [figures_of(one, exit_code(one.books, error, kind="push"), now, error) for _, one, error in outcomes]
            tell(project, store, figures)
    if options.is_json:
        reports = [report_json(report, kind="push", file=name, is_dry_run=options.is_dry) for name, report, _ in outcomes]
        output.print_json(reports[0] if len(reports) == 1 else reports)
    codes = [exit_code(report.books, error, kind="push") for _, report, error in outcomes]
    return max(codes if prevented is None else [*codes, ExitCode(prevented.exit_code)])


def _store(project: Project, options: Options) -> AbstractContextManager[Store]:
    path = project.settings.state
    if not options.is_dry:
        return cast("AbstractContextManager[Store]", open_store(path, wait_seconds=seconds_of(options.wait)))
    if not path.exists():
        return nullcontext(cast("Store", DryStore(None)))
    return cast("AbstractContextManager[Store]", open_store(path, read_only=True))


def _each(project: Project, options: Options, names: tuple[str, ...], store: Store, outcomes: list[Outcome]) -> None:
    """Push every file everywhere, adding to `outcomes`; raises what keeps the next one from being begun."""
    for path in options.files:
        with open_events(path, project.settings.state.parent) as file:
            for name in names:
                stop = Stop()
                outcomes.append((file.name, *asyncio.run(_push(project, options, file, name, store, stop))))
                if stop.asked.is_set():
                    is_last = path == options.files[-1] and name == names[-1]
                    if not is_last:
                        raise stop.error()
                    return


async def _push(
    project: Project, options: Options, file: EventFile, destination: str, store: Store, stop: Stop
) -> tuple[Report, CdiError | None]:
    progress, talk = Progress(), output.talk()

    def on_job(_job: Job, is_resumed: bool) -> None:
        verb = "dry run of" if options.is_dry else "resuming" if is_resumed else "pushing"
        say(talk, output.plain(f"{verb} {file.name} into {options.pipeline} -> {destination}"))

    source = cast("Source", LineSource(file))
    request = PushRequest(options.is_history, options.takes_now, options.rate, options.limit)
    async with open_pipeline(
        project, options.pipeline, destination, is_backfill=options.is_history, source=source
    ) as opened:
        if options.is_dry:
            store = cast("Store", DryStore(None if isinstance(store, DryStore) else store))
            opened.destination = DryDestination(opened.destination)
            request = PushRequest(options.is_history, options.takes_now, float("inf"), options.limit)
        else:
            await require_names(project, opened, is_push=True, warn=warner(talk))
        with on_signals(stop), display(progress, talk):
            report, error = await run_push(opened, store, file, request, progress, stop, Hooks(on_job))
    if not options.is_json:
        _print_report(file, report, is_dry=options.is_dry)
    _print_next(project, options, report, error)
    return report, error


def _print_report(file: EventFile, report: Report, *, is_dry: bool) -> None:
    data, books = output.data(), report.books
    what = WORDS[report.status].replace("Push", "Dry run") if is_dry else WORDS[report.status]
    run = "" if is_dry else f", run {report.run_id}"
    say(data, output.plain(f"{what}: {file.name} into {report.pipeline} -> {report.destination}{run}"))
    say(data, "")
    data.print(books_table(books))
    say(data, "")
    if books.reasons:
        data.print(reasons_table(books))
        say(data, "")
    if books.events:
        parts = [f"{name} {number:,}" for name, number in sorted(books.events.items(), key=lambda one: -one[1])]
        say(data, output.plain(f"{'would be delivered' if is_dry else 'delivered'}: " + ", ".join(parts)))
    for note, found in groupby(
        sorted((note, event, number) for (event, note), number in report.warnings.items()), itemgetter(0)
    ):
        events, numbers = zip(*((event, number) for _, event, number in found), strict=True)
        say(data, output.plain(f"warning: {', '.join(events)}: {note} ({counted(sum(numbers), 'time')})"))
    say(data, books_line(books))
    say(data, f"took {duration(report.elapsed_seconds)}, {report.requests:,} batches sent, {report.retries:,} retries")


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
    if rejected := report.books.total("rejected"):
        say(
            talk, f"{counted(rejected, 'dead letter')}: see `{output.command()} dlq list --stream push{project.config_flag}`"
        )
    if report.status != "done":
        same = "the same input" if STDIN in options.files else "the same file"
        files = " ".join(shlex.quote(path) for path in options.files)
        more = f" --destination {options.destination}" if options.destination is not None else ""
        more += "".join(
            word for word, is_given in ((" --now", options.takes_now), (" --live", not options.is_history)) if is_given
        )
        command = f"{output.command()} push {files} --pipeline {options.pipeline}{more}{project.config_flag}"
        say(talk, output.plain(f"resume with {same}: {command}"))
