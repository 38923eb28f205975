"""Scope: which happenings are news, and which were there before anybody asked for them.

An old order that somebody touches today is not a new purchase. What belongs to a window that was backfilled, or happened
since the delta sync began, is in scope; anything else is history that nobody asked for. Kinds that state how an entity is
now (profiles) are always in scope.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cdi_cli.clock import Instant, Window
from cdi_cli.events import KINDS, Occurrence

BEFORE_FIRST_SIGHT = "before_first_sight"
BEYOND_RETENTION = "beyond_retention"
EARLIEST = Instant("0001-01-01T00:00:00.000Z")


@dataclass(frozen=True, slots=True)
class Scope:
    """What is news for one pipeline and one destination.

    `origins`: per family, since when everything is (without one, nothing of that family by itself); `windows`: per family,
    the windows of creation time that were backfilled. `forgotten_before`: up to which creation time a family's ledger was
    dropped.
    """

    origins: dict[str, Instant] = field(default_factory=dict)
    windows: dict[str, tuple[Window, ...]] = field(default_factory=dict)
    forgotten_before: Callable[[str], Instant | None] = field(default=lambda _family: None)

    def why_not(self, family: str, created_at: Instant, occurrence: Occurrence) -> str | None:
        """The reason for which an occurrence is not sent, or None when it is in scope."""
        if KINDS[occurrence.kind].repeats == "content":
            return None
        forgotten = self.forgotten_before(family)
        if forgotten is not None and created_at < forgotten:
            return BEYOND_RETENTION
        origin = self.origins.get(family)
        # Without a time of its own it may have happened long ago, and only the entity's creation tells.
        at = (occurrence.reached_at or occurrence.at) if occurrence.is_dated else created_at
        # By creation, too: an order imported today is new here, though its business time is years ago.
        if origin is not None and max(at, created_at) >= origin:
            return None
        if any(created_at in window for window in self.windows.get(family, ())):
            return None
        return BEFORE_FIRST_SIGHT
