"""What one attempt to run came to, in the few figures that metrics and notifications need.

An attempt that never became a run (a secret is missing, the platform refuses the credentials) has figures too: it is what
an alarm is about, and the checkpoint file knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi_cli.clock import Instant
from cdi_cli.errors import CdiError, ExitCode
from cdi_cli.pipeline.report import Report
from cdi_cli.secrets import REDACTOR
from cdi_cli.state._base import OUTCOMES, JobKind, OutcomeName

GOOD_CODES = frozenset({ExitCode.OK, ExitCode.DEAD_LETTERS})
"""A run that ends with one of these did all there was to do."""
NEUTRAL_CODES = frozenset({ExitCode.LOCKED, ExitCode.INTERRUPTED, ExitCode.TERMINATED})
"""Another run was at work, or somebody stopped this one: neither a failure nor a success."""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One attempt of one pipeline into one destination; `run_id` is None when it ended before it became a run.

    `outcomes` counts this run's events by stream and outcome. `message`: what stopped it, redacted, without personal data.
    """

    pipeline: str
    destination: str
    kind: JobKind
    ended_at: Instant
    exit_code: int
    duration_seconds: float
    run_id: int | None = None
    outcomes: Mapping[tuple[str, OutcomeName], int] = field(default_factory=dict)
    message: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether it did all there was to do; new dead letters may have come of it."""
        return self.exit_code in GOOD_CODES

    @property
    def is_failure(self) -> bool:
        """Whether it went wrong by itself."""
        return not self.is_good and self.exit_code not in NEUTRAL_CODES

    @property
    def rejected(self) -> int:
        """Events and records that became dead letters in it."""
        return sum(number for (_, outcome), number in self.outcomes.items() if outcome == "rejected")


def figures_of(report: Report, code: int, ended_at: Instant, error: CdiError | None = None) -> RunFigures:
    """The figures of a run that wrote a report; `error` is what stopped it."""
    message = error.message if error is not None else "; ".join(report.books.errors) or None
    return RunFigures(
        pipeline=report.pipeline,
        destination=report.destination,
        kind=report.kind,
        ended_at=ended_at,
        exit_code=int(code),
        duration_seconds=report.elapsed_seconds,
        run_id=report.run_id,
        outcomes={(line.stream, name): getattr(line, name) for line in report.books.streams for name in OUTCOMES},
        message=None if message is None else REDACTOR(message),
    )


def figures_of_failure(
    pipeline: str, destination: str, kind: JobKind, error: CdiError, ended_at: Instant, duration_seconds: float = 0.0
) -> RunFigures:
    """The figures of an attempt that ended before it became a run."""
    return RunFigures(
        pipeline=pipeline,
        destination=destination,
        kind=kind,
        ended_at=ended_at,
        exit_code=int(error.exit_code),
        duration_seconds=duration_seconds,
        message=REDACTOR(error.message),
    )
