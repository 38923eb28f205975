"""From a violation of an event to a finding: the plan's line, the value as it may be shown, and what would fix it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cdi_cli.plan import EventRule, Violation, policy_of
from cdi_cli.plan.findings import Finding, Findings, Severity
from cdi_cli.plan.redact import planned_at, redacted, value_at

FIXES = {
    "required": "send it, or drop `required` from the plan",
    "additionalProperties": "add it to the plan, or stop sending it",
    "type": "send the type that the plan declares, or correct `type`",
    "enum": "send one of the planned values, or add this one to `enum`",
    "const": "send the planned value, or correct `const`",
    "pattern": "send what the pattern describes, or correct `pattern`",
    "format": "send a valid one, or drop `format`",
}
FIXES_MAPPED = {
    "required": "give `from:` a further path that always has a value, or drop `required`",
    "additionalProperties": "add it to the plan",
    "type": "map a value of that type, or correct `type`",
    "format": "correct it in the shop, drop `format`, or let the event's `on_violation: strip` leave it out",
}
FIX_OTHERWISE = "correct the value, or the rule in the plan"


def note_violations(
    findings: Findings,
    rule: EventRule,
    properties: dict[str, Any],
    violations: Sequence[Violation],
    where: Callable[[], str],
    *,
    is_mapped: bool = False,
) -> None:
    """Note each violation of an event; those of the same property and rule are one finding with a count."""
    for violation in violations:
        path = _general(violation)
        findings.count(
            ("event", rule.name, path, violation.rule),
            lambda violation=violation, path=path: _finding(  # type: ignore[misc]
                rule, properties, violation, path, where(), is_mapped=is_mapped
            ),
        )


def _general(violation: Violation) -> str:
    """The path without the numbers of list elements: `products[].sku`."""
    text = ""
    for step in violation.steps:
        text += "[]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _finding(
    rule: EventRule, properties: dict[str, Any], violation: Violation, path: str, seen_at: str, *, is_mapped: bool
) -> Finding:
    planned, is_exact = planned_at(rule.planned, violation.steps)
    value, has_value = value_at(properties, violation.steps)
    severity: Severity = "error" if policy_of(rule, violation) == "block" else "warning"
    fix = (FIXES_MAPPED.get(violation.rule) if is_mapped else None) or FIXES.get(violation.rule, FIX_OTHERWISE)
    pii = planned.pii if planned is not None and is_exact else None
    return Finding(
        severity,
        f"event/{violation.rule}",
        violation.message,
        event=rule.name,
        path=path,
        fix=fix,
        seen_at=seen_at,
        sample=redacted(value, pii) if has_value else "",
    ).placed(planned.place if planned is not None else rule.planned.place)
