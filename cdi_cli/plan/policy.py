"""Policies: what becomes of an event that breaks the plan.

Each violation has a policy: that of unplanned properties where the plan gives them their own, else that of the event. One
that blocks stops the event; those that strip take their property away; those that warn change nothing. What is left after
stripping is checked again, and may only hold violations that warn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cdi_cli.plan.check import Violation, strip
from cdi_cli.plan.compile import EventRule
from cdi_cli.plan.model import OnViolation

UNPLANNED_RULE = "additionalProperties"
"""The JSON Schema rule that a property breaks which the plan does not name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be sent of an event: `properties`, without those of `stripped`; None where `blocking` stops it.

    `warned`: violations that are sent as they are.
    """

    properties: dict[str, Any] | None
    blocking: tuple[Violation, ...] = ()
    stripped: tuple[Violation, ...] = ()
    warned: tuple[Violation, ...] = ()

    @property
    def omitted(self) -> dict[str, list[str]]:
        """What was left out, in the words of Segment's `context.protocols` (sheet "Segment", Protocols): paths by reason."""
        unplanned = [each.path for each in self.stripped if each.rule == UNPLANNED_RULE]
        broken = [each.path for each in self.stripped if each.rule != UNPLANNED_RULE]
        lists = {"omitted": unplanned, "omitted_on_violation": list(dict.fromkeys(broken))}
        return {key: paths for key, paths in lists.items() if paths}


def policy_of(rule: EventRule, violation: Violation) -> OnViolation:
    """What the plan says is to be done about a violation."""
    return rule.on_unplanned if violation.rule == UNPLANNED_RULE else rule.on_violation


def judge(rule: EventRule, properties: dict[str, Any], violations: Sequence[Violation]) -> Verdict:
    """What becomes of properties in which `rule.check` found these violations; the properties are not touched."""
    by_policy: dict[OnViolation, list[Violation]] = {"block": [], "strip": [], "warn": []}
    for violation in violations:
        by_policy[policy_of(rule, violation)].append(violation)
    warned = tuple(by_policy["warn"])
    if by_policy["block"]:
        return Verdict(None, blocking=tuple(by_policy["block"]), warned=warned)
    if not by_policy["strip"]:
        return Verdict(properties, warned=warned)
    stripped = strip(properties, by_policy["strip"])
    left = rule.check(stripped)
    if blocking := tuple(violation for violation in left if policy_of(rule, violation) != "warn"):
        return Verdict(None, blocking=blocking, warned=warned)
    return Verdict(stripped, stripped=tuple(by_policy["strip"]), warned=left)
