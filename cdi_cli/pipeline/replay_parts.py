"""Parts of a replay: dead letters that go to one destination of one pipeline, as history or as news.

A destination may be told that events are history, so that nobody is written to about an old order. Letters that a backfill
left are history however often they were replayed; those of a delta sync are news.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdi_cli.config.settings import Settings
from cdi_cli.pipeline.replay import HISTORY
from cdi_cli.state._base import LetterFilter, Store

RUNS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """The chosen dead letters of one pipeline and destination, by their numbers.

    `is_known` tells whether the settings still have both.
    """

    pipeline: str
    destination: str
    numbers: tuple[int, ...]
    is_history: bool = True
    is_known: bool = True

    @property
    def name(self) -> str:
        """Where from and where to."""
        return f"{self.pipeline} -> {self.destination}"


def parts_of(settings: Settings, store: Store, numbers: Sequence[int]) -> list[Part]:
    """The chosen numbers in parts: as the settings have pipelines and destinations, then what these no longer have."""
    left = set(numbers)
    parts: list[Part] = []
    for pipeline, chosen in settings.pipelines.items():
        for destination in chosen.destinations:
            own = left.intersection(store.letter_numbers(LetterFilter(pipeline=pipeline, destination=destination)))
            history = own & _history(store, pipeline, destination)
            for part, is_history in ((history, True), (own - history, False)):
                if part:
                    parts.append(Part(pipeline, destination, tuple(sorted(part)), is_history))
            left -= own
    strangers: dict[tuple[str, str], list[int]] = {}
    for number in sorted(left):
        stored = store.dead_letter(number)
        if stored is not None:
            strangers.setdefault((stored.pipeline, stored.destination), []).append(number)
    return [*parts, *(Part(*pair, tuple(found), is_known=False) for pair, found in strangers.items())]


def _history(store: Store, pipeline: str, destination: str) -> set[int]:
    """Letters that a backfill left, or a replay of such letters."""
    found: set[int] = set()
    for kind in ("backfill", "replay"):
        for run, job in store.runs(RUNS_MAX, pipeline=pipeline, destination=destination, kind=kind):
            if kind == "backfill" or job.spec.asked.startswith(HISTORY):
                found.update(store.letter_numbers(LetterFilter(run_id=run.id)))
    return found
