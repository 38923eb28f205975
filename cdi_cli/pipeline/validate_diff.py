"""The difference between expected and actual events, for people: one line per place, values shown by their PII class.

Order Completed (1 of 2)
- properties.total: 45.48
+ properties.total: 46.48
+ properties.loyalty_tier: <contact: text of 4>
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cdi_cli.plan import EventRule
from cdi_cli.plan.model import Pii
from cdi_cli.plan.redact import planned_at, redacted

Steps = tuple[str | int, ...]
_MISSING = object()
_OPEN_FIELDS = ("type", "event", "timestamp")
"""Fields of a message that say nothing about a person."""


def differences(
    expected: Sequence[dict[str, Any]], actual: Sequence[dict[str, Any]], rules: Sequence[EventRule]
) -> list[str]:
    """Lines that say what to change in `expected` to get `actual`; empty when every named part is equal."""
    lines: list[str] = []
    for number in range(max(len(expected), len(actual))):
        wanted = expected[number] if number < len(expected) else None
        found = actual[number] if number < len(actual) else None
        rule = rules[number] if number < len(rules) else None
        name = _name(found if found is not None else wanted or {})
        if found is None or wanted is None:
            lines.append(f"{'-' if found is None else '+'} the event `{name}`")
            continue
        own = list(_of_message(wanted, found, rule))
        if own:
            lines += [f"{name} ({number + 1} of {len(actual)})", *own]
    return lines


def _name(message: dict[str, Any]) -> str:
    return str(message.get("event") or message.get("type") or "event")


def _of_message(wanted: dict[str, Any], found: dict[str, Any], rule: EventRule | None) -> Iterator[str]:
    for field, value in wanted.items():
        yield from _of_value((field,), value, found.get(field, _MISSING), rule)


def _of_value(steps: Steps, wanted: Any, found: Any, rule: EventRule | None) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in dict.fromkeys((*wanted, *found)):
            yield from _of_value((*steps, name), wanted.get(name, _MISSING), found.get(name, _MISSING), rule)
    elif isinstance(wanted, list) and isinstance(found, list):
        for number in range(max(len(wanted), len(found))):
            one = wanted[number] if number < len(wanted) else _MISSING
            other = found[number] if number < len(found) else _MISSING
            yield from _of_value((*steps, number), one, other, rule)
    elif not _is_equal(wanted, found):
        pii = _class_of(steps, rule)
        path = _text(steps)
        if wanted is not _MISSING:
            yield f"- {path}: {redacted(wanted, pii)}"
        if found is not _MISSING:
            yield f"+ {path}: {redacted(found, pii)}"


def _is_equal(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1 is 1.0, but true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _class_of(steps: Steps, rule: EventRule | None) -> Pii | None:
    if steps[0] in _OPEN_FIELDS:
        return "none"
    if steps[0] not in ("properties", "traits") or rule is None:
        return "identifier"
    planned, is_exact = planned_at(rule.planned, steps[1:])
    return planned.pii if planned is not None and is_exact else None


def _text(steps: Steps) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
