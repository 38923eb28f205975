"""The report of a run, and its books: what was pulled must be accounted for, event by event."""

from __future__ import annotations

from dataclasses import dataclass, field

from cdi_cli.errors import CdiError, ExitCode
from cdi_cli.pipeline.items import IN_DEAD_LETTERS
from cdi_cli.pipeline.progress import Progress
from cdi_cli.state._base import OUTCOMES, Counts, JobKind


@dataclass(frozen=True, slots=True)
class StreamBooks:
    """One stream's line: records pulled, items issued, and where every item ended."""

    stream: str
    pulled: int
    issued: int
    delivered: int
    filtered: int
    rejected: int
    duplicate: int

    @property
    def pending(self) -> int:
        """Items that are neither delivered nor decided; the next run makes them again."""
        return self.issued - self.delivered - self.filtered - self.rejected - self.duplicate


@dataclass(frozen=True, slots=True)
class Books:
    """All streams, the reasons behind filtered, rejected and duplicate, and what does not add up (empty: they close)."""

    streams: tuple[StreamBooks, ...]
    reasons: dict[tuple[str, str, str], int]
    events: dict[str, int]
    errors: tuple[str, ...]

    def total(self, column: str) -> int:
        """The sum of one column over all streams."""
        return sum(getattr(line, column) for line in self.streams)


@dataclass(frozen=True, slots=True)
class Stored:
    """What the checkpoint file holds of a run: its counters, and how many ledger entries and dead letters it wrote."""

    counts: Counts
    pulled: dict[str, int]
    ledger_entries: int
    dead_letters: int


def close_books(progress: Progress, stored: Stored, *, is_finished: bool) -> Books:
    """Compare what the run issued with what the checkpoint file says became of it.

    Five things must hold: every record pulled made at least one item; no item is settled twice; after a finished run none
    is pending; the cursors then moved past exactly the records that were pulled; and the ledger and the dead letters hold
    exactly as many entries as the counters claim.
    """
    settled: dict[tuple[str, str], int] = {}
    reasons: dict[tuple[str, str, str], int] = {}
    events: dict[str, int] = {}
    for (stream, event, outcome, reason), number in stored.counts.items():
        settled[stream, outcome] = settled.get((stream, outcome), 0) + number
        if reason:
            reasons[stream, outcome, reason] = reasons.get((stream, outcome, reason), 0) + number
        if outcome == "delivered":
            events[event] = events.get(event, 0) + number
    names = [*progress.pulled, *(stream for stream, _ in settled if stream not in progress.pulled)]
    lines = tuple(
        StreamBooks(
            stream,
            progress.pulled[stream],
            progress.issued[stream],
            **{outcome: settled.get((stream, outcome), 0) for outcome in OUTCOMES},
        )
        for stream in dict.fromkeys(names)
    )
    errors = [*_line_errors(lines, is_finished=is_finished), *_store_errors(lines, stored)]
    if is_finished:
        errors += _pulled_errors(lines, stored)
    return Books(lines, reasons, events, tuple(errors))


def _line_errors(lines: tuple[StreamBooks, ...], *, is_finished: bool) -> list[str]:
    errors = []
    for line in lines:
        if line.issued < line.pulled:
            errors.append(f"{line.stream}: {line.pulled - line.issued} records made no item")
        if line.pending < 0:
            errors.append(f"{line.stream}: {-line.pending} items were settled twice")
        if is_finished and line.pending > 0:
            errors.append(f"{line.stream}: {line.pending} items are unaccounted for")
    return errors


def _pulled_errors(lines: tuple[StreamBooks, ...], stored: Stored) -> list[str]:
    counted = [(line.stream, line.pulled, stored.pulled.get(line.stream, 0)) for line in lines]
    return [
        f"{stream}: {pulled} records were pulled, the checkpoint file counts {number}"
        for stream, pulled, number in counted
        if pulled != number
    ]


def _store_errors(lines: tuple[StreamBooks, ...], stored: Stored) -> list[str]:
    errors = []
    delivered = sum(line.delivered for line in lines)
    rejected = sum(line.rejected for line in lines)
    if stored.ledger_entries != delivered:
        errors.append(f"the ledger holds {stored.ledger_entries} entries of this run, the counters say {delivered}")
    if stored.dead_letters != rejected:
        errors.append(f"the dead letters hold {stored.dead_letters} entries of this run, the counters say {rejected}")
    return errors


def exit_code(books: Books, error: CdiError | None, *, kind: JobKind = "backfill") -> ExitCode:
    """How the process ends: never 0 with loss.

    What lies in the dead letters unchanged is told by every backfill, but only once by a sync and a reconciliation, which
    cron starts again and again.
    """
    if error is not None:
        return ExitCode(error.exit_code)
    if books.errors:
        return ExitCode.STOPPED
    known = sum(number for (_, _, reason), number in books.reasons.items() if reason == IN_DEAD_LETTERS)
    if books.total("rejected") or (known and kind not in ("sync", "reconcile")):
        return ExitCode.DEAD_LETTERS
    return ExitCode.OK


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did, for the closing table and for `--json`.

    `status`: "done", "stopped" (resumable), "limited" (`--limit` reached), "interrupted". `remaining` counts partitions
    that are not finished; of a sync, streams that are behind. Times in seconds. `lag_seconds`: how far a sync's slowest
    stream is behind the source's clock.
    """

    pipeline: str
    destination: str
    job_id: int
    run_id: int
    since: str
    until: str
    status: str
    books: Books
    elapsed_seconds: float
    retries: int
    waited_seconds: float
    requests: int
    pages: int
    remaining: int
    is_resumed: bool
    warnings: dict[tuple[str, str], int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    kind: JobKind = "backfill"
    lag_seconds: float | None = None
