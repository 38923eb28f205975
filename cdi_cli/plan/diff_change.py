"""Changes between two plans: what each is, how it is classed, and where it stands on both sides.

A change is classed from the point of view of whoever reads the events (a warehouse model, a segment, a dashboard):

* breaking: a reader that did everything right before may now fail, or read something else under the same name;
* compatible: a reader may rely on everything it relied on before;
* cosmetic: no event and no promise about events changes.

A breaking change is *suspected* where the plan alone cannot tell: another mapping source may hold the same value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from cdi_cli.plan.problems import Place

Level = Literal["breaking", "compatible", "cosmetic"]
LEVELS: tuple[Level, ...] = ("breaking", "compatible", "cosmetic")
QUOTED_CHARACTERS_MAX = 60
QUOTED_VALUES_MAX = 8


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `kind` is a stable code (`property_removed`), `message` what changed, `reason` why it is of its level.

    `spots` are the (event, property path) that it concerns, ("", "") for the plan as a whole: a definition that several
    events share changes once. `before` and `after` are its places, None on the side where there is none; `nearest` is a
    place on the after side that is always there.
    """

    kind: str
    level: Level
    message: str
    reason: str
    spots: tuple[tuple[str, str], ...]
    before: Place | None
    after: Place | None
    nearest: Place
    is_suspected: bool = False

    @property
    def events(self) -> tuple[str, ...]:
        """The names of the events that it concerns; empty for the plan as a whole."""
        return tuple(dict.fromkeys(event for event, _ in self.spots if event))


@dataclass(frozen=True, slots=True)
class Spot:
    """Where two plans are being compared: an event, a property path inside it, and the places on both sides."""

    event: str
    path: str
    before: Place | None
    after: Place | None
    nearest: Place

    def change(self, kind: str, level: Level, message: str, reason: str, *, is_suspected: bool = False) -> Change:
        """A change at this spot."""
        spots = ((self.event, self.path),)
        return Change(kind, level, message, reason, spots, self.before, self.after, self.nearest, is_suspected)

    def inside(self, path: str, before: Place | None, after: Place | None) -> Spot:
        """The spot of a property inside; places are None on the side that lacks it."""
        return Spot(self.event, path, before, after, after or self.nearest)


def merged(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes that are the same but for the event or path they concern as one, worst level first, else in their order."""
    found: dict[Change, Change] = {}
    for change in changes:
        key = replace(change, spots=(), nearest=change.after or Place(""))
        first = found.get(key)
        found[key] = replace(first, spots=(*first.spots, *change.spots)) if first is not None else change
    return tuple(sorted(found.values(), key=lambda change: LEVELS.index(change.level)))


def quote(value: Any) -> str:
    """A value of a plan in a sentence: as JSON without a backtick of its own, in backticks, shortened."""
    text = json.dumps(value, ensure_ascii=False).replace("`", "\\u0060")
    return f"`{text if len(text) <= QUOTED_CHARACTERS_MAX else f'{text[: QUOTED_CHARACTERS_MAX - 1]}…'}`"


def quote_all(values: Iterable[Any]) -> str:
    """Values in a sentence; of many, the first ones."""
    every = list(values)
    shown = ", ".join(quote(value) for value in every[:QUOTED_VALUES_MAX])
    more = len(every) - QUOTED_VALUES_MAX
    return f"{shown} and {more} more" if more > 0 else shown
