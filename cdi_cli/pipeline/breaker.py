"""The circuit breaker: a run that rejects too much of what it makes stops, before it fills the dead letters."""

from __future__ import annotations

from dataclasses import dataclass

from cdi_cli.errors import StoppedError


@dataclass(slots=True)
class Breaker:
    """Counts what one run made and how much of it was rejected; `share_max` is between 0 and 1."""

    share_max: float = 1.0
    rejected_min: int = 100
    made: int = 0
    rejected: int = 0

    def note(self, made: int, rejected: int) -> None:
        """Count so many items, and those of them (or of earlier ones) that were rejected."""
        self.made += made
        self.rejected += rejected

    def check(self) -> None:
        """Raise StoppedError when the rejected share has passed its limit."""
        if self.rejected < self.rejected_min or self.share_max >= 1:
            return
        share = self.rejected / max(self.made, 1)
        if share > self.share_max:
            raise StoppedError(
                f"{self.rejected:,} of {self.made:,} events were rejected ({share:.0%}, the limit is {self.share_max:.0%})",
                hint="see `cdi dlq list`; mend the plan or the settings and run again, or raise "
                "`breaker: {rejected_share_max: ...}` of the pipeline",
            )
