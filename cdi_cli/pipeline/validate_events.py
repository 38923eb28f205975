"""Checking events that somebody else made: Segment-spec messages, by their names, against the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from cdi_cli.pipeline.validate_files import STDIN, BadLine, read_messages
from cdi_cli.pipeline.validate_violations import note_violations
from cdi_cli.plan import CompiledPlan, EventRule, Plan
from cdi_cli.plan.findings import Finding, Findings, Severity
from cdi_cli.plan.lint import head_place
from cdi_cli.plan.model import PLANNED_TYPES, VIEWS
from cdi_cli.plan.problems import Place, suggest

NAME_CHARACTERS_MAX = 80


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a message stood, as text; and as file and line where it stood in a file."""

    text: str
    place: Place | None = None


Where = Callable[[], Seen]


def _seen(path: str, line: int, number: int) -> Seen:
    element = f", message {number}" if number else ""
    if path == STDIN:
        return Seen(f"standard input:{line}{element}")
    return Seen(f"{path}:{line}{element}", Place(path, line))


class EventChecker:
    """Checks messages against one plan; `events` counts them, `failed` those with a finding."""

    def __init__(self, plan: Plan, compiled: CompiledPlan, findings: Findings) -> None:
        self._plan = plan
        self._findings = findings
        self._rules: dict[tuple[str, str], EventRule] = {}
        for rule in (*compiled.others, *(rule for kind in compiled.kinds for rule in compiled.rules(kind))):
            self._rules[rule.type, "" if rule.planned.is_any else rule.name] = rule
        self.events = 0
        self.failed = 0
        self.names: Counter[str] = Counter()

    def check_files(self, paths: Iterable[str]) -> None:
        """Check all messages of some files; raises ConfigError for one that cannot be opened."""
        for path in paths:
            for message, line, number in read_messages(path):
                self.check(message, partial(_seen, path, line, number))

    def check(self, message: Any, where: Where) -> bool:
        """Check one message; whether nothing was found."""
        self.events += 1
        is_good = self._check(message, where)
        self.failed += not is_good
        return is_good

    def _check(self, message: Any, where: Where) -> bool:
        if isinstance(message, BadLine):
            return self._bad(message.reason, "message/json", "write one JSON object on each line", where)
        if not isinstance(message, dict):
            return self._bad("the message is no JSON object", "message/shape", "send Segment-spec messages", where)
        kind = message.get("type", "track" if "event" in message else None)
        if kind not in PLANNED_TYPES:
            fix = f"set `type` to one of {', '.join(PLANNED_TYPES)}"
            return self._bad("the message has no known `type`", "message/type", fix, where)
        name = message.get("event") if kind == "track" else message.get("name") if kind in VIEWS else ""
        if kind == "track" and (not isinstance(name, str) or not name):
            return self._bad("the track message has no `event`", "message/event", "name the event in `event`", where)
        is_good = self._check_identity(message, name or kind, where)
        name = name if isinstance(name, str) else ""
        rule = self._rules.get((kind, name)) or self._rules.get((kind, ""))
        if rule is None:
            self._unplanned(kind, name, where)
            return False
        self.names[rule.name] += 1
        field = rule.planned.holder
        properties = message.get(field) if message.get(field) is not None else {}
        if not isinstance(properties, dict):
            return self._bad(f"`{field}` is no object", "message/properties", "send an object", where, event=rule.name)
        violations = rule.check(properties)
        if violations:
            note_violations(self._findings, rule, properties, violations, lambda: where().text)
        return is_good and not violations

    def _check_identity(self, message: dict[str, Any], event: str, where: Where) -> bool:
        for key in ("userId", "anonymousId"):
            if message.get(key) not in (None, ""):
                return True
        fix = "send `userId` or `anonymousId`: Segment drops what has neither"
        return self._bad("the message names nobody", "message/identity", fix, where, event=event[:NAME_CHARACTERS_MAX])

    def _bad(self, message: str, rule: str, fix: str, where: Where, *, event: str = "") -> bool:
        """Note a message that is no event at all."""

        def make() -> Finding:
            seen = where()
            finding = Finding("error", rule, message, event=event, fix=fix, seen_at=seen.text)
            return finding.placed(seen.place or head_place(self._plan))

        self._findings.count((rule, event), make)
        return False

    def _unplanned(self, kind: str, name: str, where: Where) -> None:
        shown = (name or kind)[:NAME_CHARACTERS_MAX]

        def make() -> Finding:
            severity: Severity = "error" if self._plan.unplanned_events == "block" else "warning"
            near = suggest(name, [known for _, known in self._rules if known]) if name else None
            what = f"the event `{shown}`" if name else f"the type `{kind}`"
            fix = f"{near} Or plan it" if near else "plan it with a file in `events/`, or stop sending it"
            finding = Finding(
                severity, "event/unplanned", f"{what} is not in the plan", event=shown, fix=fix, seen_at=where().text
            )
            return finding.placed(head_place(self._plan))

        self._findings.count(("event/unplanned", kind, name), make)
