"""Losses: what a plan says and another format cannot, collected while converting, told in groups.

A loss of a *rule* means that the other side lets through (or refuses) what this side does not; anything else is knowledge
that simply has no place there: where a value comes from, PII classes, who owns the plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PLACES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that got lost: what, of which event and property ("" for the plan as a whole), and what to do about it."""

    aspect: str
    event: str = ""
    path: str = ""
    is_rule: bool = False
    hint: str = ""

    @property
    def place(self) -> str:
        """Event and property as people read them; "" for the plan as a whole."""
        return " ".join(part for part in (self.event, self.path) if part)


class Losses:
    """Collects the losses of one conversion; the same one counts once."""

    def __init__(self) -> None:
        self._found: dict[Loss, None] = {}

    def note(self, aspect: str, event: str = "", path: str = "", *, hint: str = "") -> None:
        """Knowledge that has no place on the other side; no event is judged otherwise."""
        self._found[Loss(aspect, event, path, False, hint)] = None

    def rule(self, aspect: str, event: str = "", path: str = "", *, hint: str = "") -> None:
        """A rule (or a whole event) that the other side will not have."""
        self._found[Loss(aspect, event, path, True, hint)] = None

    def all(self) -> tuple[Loss, ...]:
        """Every loss, rules first, in the order in which they were found."""
        return tuple(sorted(self._found, key=lambda loss: not loss.is_rule))

    def rules(self) -> tuple[Loss, ...]:
        """The losses of rules."""
        return tuple(loss for loss in self._found if loss.is_rule)


@dataclass(frozen=True, slots=True)
class LossGroup:
    """Losses of one kind: how many, the first places, what to do."""

    aspect: str
    is_rule: bool
    hint: str
    count: int
    places: tuple[str, ...]

    @property
    def where(self) -> str:
        """The first places and how many more there are; "" for a loss of the plan as a whole."""
        shown = ", ".join(f"`{place}`" for place in self.places[:PLACES_SHOWN])
        rest = len(self.places) - PLACES_SHOWN
        return f"{shown} and {rest} more" if rest > 0 else shown


def grouped(losses: Iterable[Loss]) -> list[LossGroup]:
    """The losses by kind, in order of their first occurrence."""
    groups: dict[tuple[bool, str, str], list[Loss]] = {}
    for loss in losses:
        groups.setdefault((loss.is_rule, loss.aspect, loss.hint), []).append(loss)
    return [
        LossGroup(aspect, is_rule, hint, len(found), tuple(loss.place for loss in found if loss.place))
        for (is_rule, aspect, hint), found in groups.items()
    ]
