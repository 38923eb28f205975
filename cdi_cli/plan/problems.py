"""Mistakes in a plan: each with its place, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from cdi_cli.errors import ConfigError


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a plan file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class PlanProblem:
    """One mistake: where it stands, which part of the file it concerns, what is wrong, and what to do."""

    file: str
    line: int
    path: str
    message: str
    hint: str | None = None
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {f'{self.path}: ' if self.path else ''}{self.message}"


class PlanError(ConfigError):
    """The tracking plan has mistakes; `problems` lists all of them, in reading order."""

    def __init__(self, folder: str, problems: tuple[PlanProblem, ...]) -> None:
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__(f"the tracking plan has {count}", where=folder, hint="correct the places listed and run again")
        self.problems = problems


class Problems:
    """Collects the mistakes of one plan; the same mistake at the same place counts once."""

    def __init__(self) -> None:
        self._found: dict[PlanProblem, None] = {}

    def add(self, place: Place, path: str, message: str, hint: str | None = None) -> None:
        """Note a mistake."""
        self._found[PlanProblem(place.file, place.line, path, message, hint, place.column)] = None

    def __len__(self) -> int:
        return len(self._found)

    def sorted(self) -> tuple[PlanProblem, ...]:
        """All mistakes, by file, line and column."""
        return tuple(sorted(self._found, key=lambda problem: (problem.file, problem.line, problem.column)))


def suggest(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest known word, or None when nothing is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else None


def listing(words: Iterable[str]) -> str:
    """Words as a sentence lists them: in backticks, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)
