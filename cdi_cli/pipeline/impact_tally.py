"""Tallies: how many events a plan rejects, and by which rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cdi_cli.plan import EventRule, Violation, judge
from cdi_cli.plan.check import Steps, path_text
from cdi_cli.plan.redact import planned_at, redacted, value_at

NOT_PLANNED = "unplanned_event"
"""The rule that an event breaks which the plan does not have."""


@dataclass(slots=True)
class RuleTally:
    """How many events break one rule at one path (`products[].sku`), and the first of them.

    `message` quotes nothing that the plan does not class `pii: none`, `found` is the value redacted by its class ("" where
    there is none), `seen_at` the stream and the platform's id of the record.
    """

    path: str
    rule: str
    message: str
    found: str
    seen_at: str
    count: int = 0


@dataclass(slots=True)
class Tally:
    """What a plan says about the events of one name.

    `rejected`: it would not let them pass. `altered`: it would, without the properties that it strips. `warned`: it would,
    with a warning.
    """

    event: str
    checked: int = 0
    rejected: int = 0
    altered: int = 0
    warned: int = 0
    rules: dict[tuple[str, str], RuleTally] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The share that is rejected, 0 to 1."""
        return self.rejected / self.checked if self.checked else 0.0


class Tallies:
    """The tallies of all events, by name."""

    def __init__(self) -> None:
        self.by_event: dict[str, Tally] = {}

    @property
    def checked(self) -> int:
        """How many events were checked."""
        return sum(tally.checked for tally in self.by_event.values())

    @property
    def rejected(self) -> int:
        """How many of them are rejected."""
        return sum(tally.rejected for tally in self.by_event.values())

    @property
    def share(self) -> float:
        """The share that is rejected, 0 to 1."""
        return self.rejected / self.checked if self.checked else 0.0

    def check(self, rule: EventRule, properties: dict[str, Any], seen_at: str) -> None:
        """Count what a rule of the plan says about an event's properties."""
        tally = self._of(rule.name)
        violations = rule.check(properties)
        if not violations:
            return
        verdict = judge(rule, properties, violations)
        tally.rejected += verdict.properties is None
        tally.altered += bool(verdict.stripped)
        tally.warned += verdict.properties is not None and not verdict.stripped
        self._note(tally, rule, violations, properties, seen_at)

    def check_unplanned(self, event: str, seen_at: str) -> None:
        """Count an event that the plan does not have."""
        tally = self._of(event)
        tally.rejected += 1
        known = tally.rules.setdefault(
            ("", NOT_PLANNED), RuleTally("", NOT_PLANNED, "the plan has no such event", "", seen_at)
        )
        known.count += 1

    def _of(self, event: str) -> Tally:
        tally = self.by_event.setdefault(event, Tally(event))
        tally.checked += 1
        return tally

    @staticmethod
    def _note(
        tally: Tally, rule: EventRule, violations: Sequence[Violation], properties: dict[str, Any], seen_at: str
    ) -> None:
        """Count each rule that an event breaks once, however many elements of a list break it."""
        counted: set[tuple[str, str]] = set()
        for violation in violations:
            key = (pattern(violation.steps), violation.rule)
            if key in counted:
                continue
            counted.add(key)
            known = tally.rules.get(key)
            if known is None:
                found = _found(rule, properties, violation.steps)
                known = tally.rules[key] = RuleTally(*key, violation.message, found, seen_at)
            known.count += 1


def pattern(steps: Steps) -> str:
    """The path of a violation without the numbers of elements: `products[].sku`."""
    return path_text(tuple("[]" if isinstance(step, int) else step for step in steps)).replace(".[]", "[]")


def _found(rule: EventRule, properties: dict[str, Any], steps: Steps) -> str:
    """The value that breaks the rule, redacted; a property that is not in the plan has no class and is never shown."""
    value, is_there = value_at(properties, steps)
    planned, is_planned = planned_at(rule.planned, steps)
    return redacted(value, planned.pii if planned is not None and is_planned else None) if is_there else ""
