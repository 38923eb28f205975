"""The closing table of a run, and the same as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from cdi_cli.cli.display import duration
from cdi_cli.cli.output import plain
from cdi_cli.pipeline.report import Books, Report
from cdi_cli.secrets import REDACTOR

COLUMNS = ("delivered", "filtered", "rejected", "duplicate", "pending")
WORDS = {
    "done": "Backfill done",
    "limited": "Stopped at --limit",
    "stopped": "Backfill stopped",
    "interrupted": "Backfill interrupted",
}


def print_report(report: Report, console: Console, *, is_dry: bool = False) -> None:
    """Print the closing table: one line per stream, the reasons, the events, and whether the books close."""
    what = WORDS[report.status].replace("Backfill", "Dry run") if is_dry else WORDS[report.status]
    run = "" if is_dry else f", run {report.run_id}"
    say(console, f"{what}: pipeline {report.pipeline} -> {report.destination}{run}")
    say(console, f"window: {report.since} .. {report.until} (UTC, end excluded)")
    say(console, "")
    console.print(books_table(report.books))
    say(console, "")
    if report.books.reasons:
        console.print(reasons_table(report.books))
        say(console, "")
    if report.books.events:
        parts = [f"{name} {number:,}" for name, number in sorted(report.books.events.items(), key=lambda one: -one[1])]
        say(console, "delivered: " + ", ".join(parts))
    for (event, what), number in sorted(report.warnings.items()):
        say(console, f"warning: {event}: {what} ({number:,} times)")
    say(console, books_line(report.books))
    rate = report.books.total("delivered") / max(report.elapsed_seconds, 0.001)
    say(
        console,
        f"took {duration(report.elapsed_seconds)}: {rate:,.0f} events/s, {report.pages:,} pages read, "
        f"{report.requests:,} batches sent, {report.retries:,} retries",
    )


def plain_table(*, show_footer: bool = False) -> Table:
    """A table of two spaces between columns and a line under its head: as narrow as it can be, and easy to read piped."""
    return Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, show_footer=show_footer)


def books_table(books: Books) -> Table:
    """Streams down, outcomes across."""
    table = plain_table(show_footer=len(books.streams) > 1)
    table.add_column("stream", footer="total", no_wrap=True)
    for name in ("pulled", "events", *COLUMNS):
        column = "issued" if name == "events" else name
        table.add_column(name, justify="right", footer=f"{books.total(column):,}", no_wrap=True)
    for line in books.streams:
        cells = [line.pulled, line.issued, *(getattr(line, name) for name in COLUMNS)]
        table.add_row(line.stream, *(f"{cell:,}" for cell in cells))
    return table


def reasons_table(books: Books) -> Table:
    """Why items were filtered, rejected or duplicates."""
    table = plain_table()
    for name in ("stream", "outcome", "reason"):
        table.add_column(name, overflow="fold")
    table.add_column("count", justify="right")
    for (stream, outcome, reason), number in sorted(books.reasons.items()):
        table.add_row(stream, outcome, reason, f"{number:,}")
    return table


def books_line(books: Books) -> str:
    """One line that says whether the books close, and what does not add up if they do not."""
    if books.errors:
        return "books DO NOT close: " + "; ".join(books.errors)
    parts = " + ".join(f"{books.total(name):,} {name}" for name in COLUMNS)
    return f"books close: {books.total('issued'):,} events = {parts}"


def report_json(report: Report, **more: Any) -> dict[str, Any]:
    """The report as plain data, for `--json`; keys are stable."""
    books = report.books
    return {
        "pipeline": report.pipeline,
        "destination": report.destination,
        "job": report.job_id,
        "run": report.run_id,
        "status": report.status,
        "since": report.since,
        "until": report.until,
        "is_resumed": report.is_resumed,
        "remaining_partitions": report.remaining,
        "streams": {
            line.stream: {
                "pulled": line.pulled,
                "events": line.issued,
                **{name: getattr(line, name) for name in COLUMNS},
            }
            for line in books.streams
        },
        "reasons": [
            {"stream": stream, "outcome": outcome, "reason": reason, "count": number}
            for (stream, outcome, reason), number in sorted(books.reasons.items())
        ],
        "events": books.events,
        "warnings": [
            {"event": event, "warning": what, "count": number} for (event, what), number in report.warnings.items()
        ],
        "books": {"close": not books.errors, "errors": list(books.errors)},
        "problems": list(report.problems),
        "elapsed_seconds": round(report.elapsed_seconds, 3),
        "pages": report.pages,
        "batches": report.requests,
        "retries": report.retries,
        "waited_seconds": round(report.waited_seconds, 3),
        **more,
    }


def say(console: Console, text: str) -> None:
    """One line of plain text, never cut, never read as markup."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def warner(console: Console) -> Callable[[str], None]:
    """What says a warning there, without secrets and control characters."""
    return lambda text: say(console, plain(REDACTOR(text)))
