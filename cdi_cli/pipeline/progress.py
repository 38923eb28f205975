"""What a run has done so far, in memory: for the display, and as the first of the two sides that the books compare."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cdi_cli.state._base import OutcomeName


@dataclass(slots=True)
class Progress:
    """Counters of one run, written by the pipeline, read by the display.

    `pulled`, `issued`: records read and items made of them, by stream. An item is an event, or a record that made none.
    `settled`: (stream, outcome) of items whose outcome is durably stored. `expected`: records per stream, as the source
    counted them (None: it could not); `already`: what earlier runs read of that. `events`: delivered by event name.
    `pages` were read from the source, `requests` are batches sent.
    """

    pulled: Counter[str] = field(default_factory=Counter)
    issued: Counter[str] = field(default_factory=Counter)
    settled: Counter[tuple[str, OutcomeName]] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    warnings: Counter[tuple[str, str]] = field(default_factory=Counter)
    expected: dict[str, int | None] = field(default_factory=dict)
    already: Counter[str] = field(default_factory=Counter)
    stream: str = ""
    retries: int = 0
    waited_seconds: float = 0.0
    requests: int = 0
    pages: int = 0

    def retried(self, _seconds: float) -> None:
        """One request is about to be tried again."""
        self.retries += 1

    def waited(self, seconds: float) -> None:
        """The other side asked for a pause."""
        self.waited_seconds += seconds

    def delivered(self) -> int:
        """Events delivered and settled, over all streams."""
        return sum(count for (_, outcome), count in self.settled.items() if outcome == "delivered")
