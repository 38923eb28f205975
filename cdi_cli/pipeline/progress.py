"""What a run has done so far, in memory: for the display, and as the first of the two sides that the books compare."""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field

from cdi_cli.state._base import OutcomeName

LOG = logging.getLogger("cdi.pipeline")


@dataclass(slots=True)
class Progress:
    """Counters of one run, written by the pipeline, read by the display.

    `pulled`, `issued`: records read and items made of them, by stream. An item is an event, or a record that made none.
    `settled`: (stream, outcome) of items whose outcome is durably stored. `expected`: records per stream, as the source
    counted them (None: it could not); `already`: what earlier runs read of that. `events`: delivered by event name.
    `pages` were read from the source, `requests` are batches sent. `looks_from`: until then (monotonic) events that may have
    arrived wait to be looked for.
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
    looks_from: float = 0.0

    def retried(self, seconds: float) -> None:
        """One request is about to be tried again, in so many seconds."""
        self.retries += 1
        LOG.warning("a request is tried again", extra={"in_seconds": round(seconds, 3), "stream": self.stream})

    def waited(self, seconds: float) -> None:
        """The other side asked for a pause."""
        self.waited_seconds += seconds
        LOG.warning("the destination asked for a pause", extra={"seconds": round(seconds, 3)})

    def waited_to_look(self, seconds: float) -> None:
        """Events may have arrived, and it takes so long until they can be looked for."""
        self.looks_from = max(self.looks_from, time.monotonic() + seconds)
        LOG.warning("events may have arrived: they are looked for after a pause", extra={"in_seconds": round(seconds)})

    def delivered(self) -> int:
        """Events delivered and settled, over all streams; may be called from another thread."""
        # dict() copies in one step; a list of items is made one by one, and the run may add to the counter in between.
        return sum(count for (_, outcome), count in dict(self.settled).items() if outcome == "delivered")
