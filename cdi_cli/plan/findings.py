"""Findings: what `cdi validate` found, each with its rule, its place and what would fix it; and the report of them all.

A finding about the plan stands at a line of the plan. A finding about events stands at the line of the plan that they break,
`seen_at` says where the first of them was. Equal findings are one with a count, so that ten thousand broken events are a
handful of lines. Nothing in a finding holds a value that the plan does not class `pii: none`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cdi_cli.plan.problems import Place, PlanProblem

Severity = Literal["error", "warning"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning")

DISTINCT_MAX = 10_000
"""So many different findings are kept apart; a hostile file of events could hold any number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, `count` times.

    `rule` is a stable id (`plan/bounds`, `event/required`, `fixture/differs`). `file`, `line`, `column`: the place to
    look at, "" and 0 where there is none. `event`, `path`: which event and which property (`products[].sku`) it concerns.
    `message` says what was found, `fix` what to do. `seen_at`: where the first one was seen (`events.jsonl:12`).
    `sample`: its value, redacted by PII class. `details`: further lines, as a diff.
    """

    severity: Severity
    rule: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    event: str = ""
    path: str = ""
    fix: str = ""
    seen_at: str = ""
    sample: str = ""
    details: tuple[str, ...] = ()
    count: int = 1

    @property
    def where(self) -> str:
        """The place as people write it: `plan.yaml:3:1`, the file alone without a line, "" without a file."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def placed(self, place: Place) -> Finding:
        """The same finding at a place."""
        return replace(self, file=place.file, line=place.line, column=place.column)


def of_problem(problem: PlanProblem) -> Finding:
    """The finding for a mistake that kept the plan from being loaded."""
    return Finding(
        "error",
        "plan/mistake",
        problem.message,
        file=problem.file,
        line=problem.line,
        column=problem.column,
        path=problem.path,
        fix=problem.hint or "",
    )


class Findings:
    """Collects findings; equal ones become one with a count."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], tuple[Finding, list[int]]] = {}
        self.dropped = 0
        """How many findings were not kept, because too many others were."""

    def add(self, finding: Finding) -> None:
        """Note a finding; one with the same rule, place and message counts with it."""
        key = (finding.severity, finding.rule, finding.where, finding.message)
        self.count(key, lambda: finding, finding.count)

    def count(self, key: tuple[str, ...], make: Callable[[], Finding], times: int = 1) -> None:
        """Note what `key` stands for; `make` is called for the first of it only."""
        known = self._found.get(key)
        if known is not None:
            known[1][0] += times
        elif len(self._found) < DISTINCT_MAX:
            self._found[key] = (make(), [times])
        else:
            self.dropped += times

    def sorted(self) -> tuple[Finding, ...]:
        """All findings: by event (those of no event first), then file and line, errors before warnings at one place."""
        found = [replace(finding, count=count[0]) for finding, count in self._found.values()]
        return tuple(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[str, str, int, int, int, str, str]:
    rank = SEVERITIES.index(finding.severity)
    return (finding.event, finding.file, finding.line, finding.column, rank, finding.path, finding.rule)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: its name (`plan`, `mapping`, `fixtures`, `events`) and how much of it there was."""

    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, and all that was found. `dropped`: findings beyond those that are kept apart."""

    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    dropped: int = 0

    def total(self, severity: Severity) -> int:
        """How many times something of this severity was found."""
        return sum(finding.count for finding in self.findings if finding.severity == severity)

    def fails(self, fail_on: Severity) -> bool:
        """Whether anything as severe as `fail_on`, or more, was found."""
        worst = {finding.severity for finding in self.findings}
        return bool(worst) if fail_on == "warning" else "error" in worst or self.dropped > 0

    def summary(self) -> str:
        """One line: how many errors and warnings."""
        if not self.findings:
            return "no findings"
        return " and ".join(counted(self.total(one), one) for one in SEVERITIES if self.total(one))


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 event`, `2,000 events`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def shown_file(file: str) -> str:
    """A file as seen from the working folder, with forward slashes, if it lies below it; else as it is."""
    try:
        return Path(file).resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file


def relative(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings with their files as seen from the working folder: what a repository's own tools expect."""
    return tuple(replace(finding, file=shown_file(finding.file)) if finding.file else finding for finding in findings)
