"""Running `cdi dlq recheck` and `cdi dlq replay`: one destination after the other, what came of each, one exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import typer
from rich.table import Table
from rich.text import Text

from cdi_cli.cli import output
from cdi_cli.cli.closing import books_line, books_table, plain_table, reasons_table, report_json, say, warner
from cdi_cli.cli.display import display, duration
from cdi_cli.cli.dlq_choice import Choice, counted, find_numbers, in_doubt_unnamed, seconds_of
from cdi_cli.cli.errors import print_error
from cdi_cli.errors import CdiError, ExitCode
from cdi_cli.pipeline.opening import open_pipeline
from cdi_cli.pipeline.preflight import require_names
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.recheck import FATES, Recheck, Verdict, recheck
from cdi_cli.pipeline.replay import ReplayRequest, run_replay
from cdi_cli.pipeline.replay_parts import Part, parts_of
from cdi_cli.pipeline.report import Report, exit_code
from cdi_cli.pipeline.stop import Stop, on_signals
from cdi_cli.secrets import REDACTOR
from cdi_cli.state import open_store
from cdi_cli.state._base import LetterFilter

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project
    from cdi_cli.state._base import Store

ASKED_ABOVE = 20
"""So many dead letters are replayed without a question."""
SHOWN_MAX = 50
"""Verdicts that are listed one by one; all are counted."""
WORDS = {
    "done": "Replay done",
    "limited": "Replay stopped",
    "stopped": "Replay stopped",
    "interrupted": "Replay interrupted",
}


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, as it was typed."""

    choice: Choice
    rate: float | None = None
    is_dry: bool = False
    is_sure: bool = False
    is_json: bool = False
    wait: str | None = None


@contextmanager
def _opened(project: Project, *, is_dry: bool, wait: str | None = None) -> Iterator[Store | None]:
    path = project.settings.state
    if not path.exists():
        yield None
        return
    with open_store(path, read_only=is_dry, wait_seconds=seconds_of(wait)) as store:
        yield cast("Store", store)


def run_recheck(project: Project, options: Options) -> ExitCode:
    """Judge the chosen dead letters; returns the exit code, having printed everything."""
    with _opened(project, is_dry=True) as store:
        numbers, held = _decided(store, options.choice)
        if store is None or not numbers:
            return _nothing(options, held)
        parts = parts_of(project.settings, store, numbers)
        found = [asyncio.run(_recheck(project, store, part)) for part in parts if part.is_known]
    strangers = [part for part in parts if not part.is_known]
    if options.is_json:
        output.print_json([_recheck_json(each) for each in found])
    else:
        for each in found:
            _print_recheck(each)
    for each in found:
        _tell(each.problems)
    _tell([*_strange(strangers), *_undecided(held)])
    is_failing = any(each.fates()["fails"] or each.left_out for each in found)
    return ExitCode.DEAD_LETTERS if is_failing or strangers or held else ExitCode.OK


async def _recheck(project: Project, store: Store, part: Part) -> Recheck:
    async with open_pipeline(project, part.pipeline, part.destination, is_backfill=part.is_history) as opened:
        return await recheck(opened, store, part.numbers)


def run_replays(project: Project, options: Options) -> ExitCode:
    """Replay the chosen dead letters; returns the exit code, having printed everything."""
    with _opened(project, is_dry=False, wait=options.wait) as store:
        numbers, held = _decided(store, options.choice)
        if store is None or not numbers:
            return _nothing(options, held)
        if not _is_wanted(options, len(numbers)):
            say(output.talk(), "nothing was sent")
            return ExitCode.OK
        parts = parts_of(project.settings, store, numbers)
        outcomes: list[tuple[Report, CdiError | None]] = []
        stopped: CdiError | None = None
        for part in (each for each in parts if each.is_known):
            stop = Stop()
            try:
                outcomes.append(asyncio.run(_replay(project, options, store, part, stop)))
            except CdiError as error:
                stopped = error
                print_error(error, output.talk())
            if stop.asked.is_set():
                break
        stays = len(store.letter_numbers(LetterFilter(numbers=tuple(numbers))))
    if options.is_json:
        output.print_json([report_json(report, kind="replay") for report, _ in outcomes])
    strangers = [part for part in parts if not part.is_known]
    _tell([*_strange(strangers), *_undecided(held)])
    say(output.talk(), f"left the queue: {len(numbers) - stays:,} of {counted(len(numbers))}")
    codes = [exit_code(report.books, error, kind="replay") for report, error in outcomes]
    codes.append(ExitCode.DEAD_LETTERS if stays or held else ExitCode.OK)
    return max(codes if stopped is None else [*codes, ExitCode(stopped.exit_code)])


async def _replay(
    project: Project, options: Options, store: Store, part: Part, stop: Stop
) -> tuple[Report, CdiError | None]:
    progress, talk = Progress(), output.talk()
    request = ReplayRequest(part.numbers, options.choice.words or "dead letters", options.rate, part.is_history)
    async with open_pipeline(project, part.pipeline, part.destination, is_backfill=part.is_history) as opened:
        await require_names(project, opened, warn=warner(talk))
        say(talk, f"replaying {counted(len(part.numbers))} of {part.name}, plan {opened.plan.version}")
        with on_signals(stop), display(progress, talk):
            report, error = await run_replay(opened, store, request, progress, stop)
    if not options.is_json:
        _print_report(report)
    _tell(report.problems)
    if error is not None:
        print_error(error, talk)
        say(talk, "what is not delivered is still in the queue: run the same command again")
    return report, error


def _is_wanted(options: Options, count: int) -> bool:
    """Whether to go on: many are asked about where there is somebody to answer."""
    if options.is_sure or count <= ASKED_ABOVE or not sys.stdin.isatty():
        return True
    return typer.confirm(f"Replay {counted(count)}?", err=True)


def _decided(store: Store | None, choice: Choice) -> tuple[list[int], int]:
    """The chosen dead letters, and how many more are left out: in doubt, and not named as such.

    To replay one of those is to decide that it did not arrive; nobody decides that about all there are.
    """
    doubts = in_doubt_unnamed(store, choice)
    found = find_numbers(store, choice)
    numbers = [number for number in found if number not in doubts]
    return numbers, len(found) - len(numbers)


def _undecided(held: int) -> list[str]:
    if not held:
        return []
    return [f"{counted(held)} in doubt: find out what arrived, then name the others, or `--reason in_doubt`"]


def _nothing(options: Options, held: int) -> ExitCode:
    _tell(_undecided(held))
    if held:
        if options.is_json:
            output.print_json([])
        return ExitCode.DEAD_LETTERS
    if options.is_json:
        output.print_json([])
    else:
        say(output.data(), "no dead letters match" if not options.choice.is_everything else "no dead letters")
    return ExitCode.OK


def _strange(parts: list[Part]) -> list[str]:
    """What to say of letters whose pipeline or destination the settings no longer have."""
    return [f"{counted(len(part.numbers))} of {part.name}, which the settings no longer have: they stay" for part in parts]


def _tell(problems: tuple[str, ...] | list[str]) -> None:
    for problem in problems:
        say(output.talk(), output.plain(REDACTOR(f"not replayed: {problem}")))


def _print_report(report: Report) -> None:
    data, books = output.data(), report.books
    say(data, f"{WORDS[report.status]}: pipeline {report.pipeline} -> {report.destination}, run {report.run_id}")
    say(data, "")
    data.print(books_table(books))
    say(data, "")
    if books.reasons:
        data.print(reasons_table(books))
        say(data, "")
    if books.events:
        parts = [f"{name} {number:,}" for name, number in sorted(books.events.items(), key=lambda one: -one[1])]
        say(data, "delivered: " + ", ".join(parts))
    for (event, what), number in sorted(report.warnings.items()):
        say(data, f"warning: {event}: {what} ({number:,} times)")
    say(data, books_line(books))
    say(data, f"took {duration(report.elapsed_seconds)}, {report.requests:,} batches sent, {report.retries:,} retries")


FATE_WORDS = {"passes": "would be sent", "leaves": "would leave unsent", "fails": "would fail again"}


def _print_recheck(found: Recheck) -> None:
    data, fates = output.data(), found.fates()
    counted = ", ".join(f"{fates[fate]:,} {FATE_WORDS[fate]}" for fate in FATES)
    say(data, f"{found.pipeline} -> {found.destination}, plan {found.plan_version}: {counted}")
    shown = sorted(found.verdicts, key=lambda one: (FATES.index(one.fate), one.number))
    data.print(_verdicts_table(shown[:SHOWN_MAX]))
    if len(shown) > SHOWN_MAX:
        say(data, f"and {len(shown) - SHOWN_MAX:,} more (`--json` lists all)")


def _verdicts_table(verdicts: list[Verdict]) -> Table:
    table = plain_table()
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("event", overflow="fold")
    table.add_column("now", overflow="fold")
    table.add_column("why", overflow="fold")
    for each in verdicts:
        why = output.plain(": ".join(part for part in (each.reason, each.detail) if part))
        name = output.plain(each.event_name or f"{each.stream} record")
        table.add_row(str(each.number), Text(name), FATE_WORDS[each.fate], Text(why))
    return table


def _recheck_json(found: Recheck) -> dict[str, Any]:
    fates = found.fates()
    return {
        "pipeline": found.pipeline,
        "destination": found.destination,
        "plan_version": found.plan_version,
        "counts": {fate: fates[fate] for fate in FATES},
        "problems": list(found.problems),
        "letters": [
            {
                "id": each.number,
                "stream": each.stream,
                "event": each.event_name,
                "entity_id": each.entity_id,
                "now": each.fate,
                "reason": each.reason,
                "detail": each.detail,
                "violations": [{"path": path, "rule": rule, "message": text} for path, rule, text in each.violations],
            }
            for each in found.verdicts
        ],
    }
