"""The circuit breaker: a run that rejects too much of what it makes stops, before it fills the dead letters.

What stops it may not be in the dead letters yet: they are written page by page. So the error itself says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cdi_cli.errors import StoppedError

REASONS_MAX = 3
"""Reasons that the error names, the commonest first."""


class BreakerError(StoppedError):
    """Too much was rejected; `details` says why, a line each."""

    details: tuple[str, ...] = ()


@dataclass(slots=True)
class Breaker:
    """Counts what one run made and how much of it was rejected; `share_max` is between 0 and 1."""

    share_max: float = 1.0
    rejected_min: int = 100
    made: int = 0
    rejected: int = 0
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)

    def note(self, made: int, rejected: int, why: Iterable[tuple[str, str]] = ()) -> None:
        """Count so many items, and those of them (or of earlier ones) that were rejected.

        `why`: (reason, detail) of the rejected ones, as far as known here.
        """
        self.made += made
        self.rejected += rejected
        for reason, detail in why:
            number, first = self.reasons.get(reason, (0, detail))
            self.reasons[reason] = (number + 1, first)

    def check(self) -> None:
        """Raise StoppedError when the rejected share has passed its limit."""
        if self.rejected < self.rejected_min or self.share_max >= 1:
            return
        share = self.rejected / max(self.made, 1)
        if share > self.share_max:
            error = BreakerError(
                f"{self.rejected:,} of {self.made:,} events were rejected ({share:.0%}, the limit is {self.share_max:.0%})",
                hint="see `cdi dlq list`; mend the plan or the settings and run again, or raise "
                "`breaker: {rejected_share_max: ...}` of the pipeline",
            )
            commonest = sorted(self.reasons.items(), key=lambda each: -each[1][0])[:REASONS_MAX]
            error.details = tuple(f"{reason}: {number:,}, the first: {first}" for reason, (number, first) in commonest)
            raise error
