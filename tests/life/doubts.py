"""What may be repeated: a kill, or an answer that was lost, leaves in doubt what was in flight; nothing else may come twice.

What is in doubt is sent again when its record is read again: in the rest of the window that was cut off, or where the record
was changed before that, in a later one. So a doubt ends with a sync that reaches beyond the first whole run after it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cdi_cli.sandbox import SandboxThread
from life.client import Ended

BATCH_EVENTS, IN_FLIGHT = 20, 4
APPLIED = frozenset({"reset_after_apply", "reset_mid_body", "truncate"})
"""Faults in which the other side has done what it was asked."""


@dataclass
class Doubt:
    """So many events that a command left in doubt; `until`: the time of the first whole run after it (None: none yet)."""

    command: str
    events: int
    until: str | None = None


@dataclass
class Doubts:
    """Of one destination. `ranges`: numbers of the messages [from, to) that came of runs that were cut off."""

    name: str
    sandbox: SandboxThread
    open: list[Doubt] = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set, repr=False)
    applied: int = 0
    refused: int = 0
    ever: int = 0

    def note(self, ended: Ended) -> int:
        """Look at what a run sent twice, assert that it was in doubt, and return how much it was."""
        segment = self.sandbox.segment
        fresh = list(segment.applied_ids())[self.applied :]
        repeats = len(segment.duplicates) - self.refused + sum(one in self.ids for one in fresh)
        lost_answers = sum(fault.fired for fault in self.sandbox.faults.all() if fault.kind in APPLIED) * BATCH_EVENTS
        allowed = lost_answers + sum(doubt.events for doubt in self.open)
        assert repeats <= allowed, f"{ended.arguments} repeats {repeats} into {self.name}, not {allowed}"
        if ended.code not in (0, 1):
            self.ranges.append((self.applied, self.applied + len(fresh)))
        self.ids.update(fresh)
        self.applied += len(fresh)
        self.refused = len(segment.duplicates)
        self._weigh(ended, lost_answers)
        return repeats

    def _weigh(self, ended: Ended, lost_answers: int) -> None:
        """What is in doubt after this run, and what no longer is."""
        command = ended.arguments[0]
        if ended.was_killed:
            self._leave(Doubt(command, IN_FLIGHT * BATCH_EVENTS + lost_answers))
        elif ended.code not in (0, 1):
            self._leave(Doubt(command, lost_answers))
        elif command == "sync":
            self._clear(ended)
        else:
            self.open = [doubt for doubt in self.open if doubt.command != command]

    def _leave(self, doubt: Doubt) -> None:
        if doubt.events:
            self.open.append(doubt)
            self.ever += doubt.events

    def _clear(self, ended: Ended) -> None:
        reports = json.loads(ended.out)
        report: dict[str, Any] = next(one for one in reports if one["destination"] == self.name)
        if report["status"] != "done":
            return
        syncs = [doubt for doubt in self.open if doubt.command == "sync"]
        self.open = [
            doubt for doubt in self.open if doubt not in syncs or doubt.until is None or report["until"] <= doubt.until
        ]
        for doubt in syncs:
            doubt.until = doubt.until or self.sandbox.clock.instant()
