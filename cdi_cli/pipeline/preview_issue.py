"""What would become of one event on its way to a destination if it was news: through check, consent, rules and encoding.

The very code of a run decides (`Issuer._finish`); it is only asked about one event at a time, and not of the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from cdi_cli.destinations import Draft, Drafter, Filtered, Rejected
from cdi_cli.events import Event
from cdi_cli.pipeline.issue import Candidate, Issuer
from cdi_cli.pipeline.items import Issue
from cdi_cli.pipeline.routing import NOT_ROUTED, Ruling

Drawn = list[Draft] | Rejected | Filtered
Draw = Callable[[Event, str | None], Drawn]
"""An event as the plan made it, and another name for it or None -> what it would be sent as."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What would become of an event: `event` as it passes the plan, None where it is stopped and `reason` says by what.

    `ruling`: what the pipeline's rules say. `violations` are (path, rule, sentence); `warnings` what was stripped or let
    through.
    """

    event: Event | None
    reason: str = ""
    detail: str = ""
    ruling: Ruling | None = None
    violations: tuple[tuple[str, str, str], ...] = ()
    warnings: tuple[str, ...] = ()


class _Judge:
    """The destination as far as it takes no connection: it refuses what a drafter refuses."""

    def __init__(self, draft: Drafter) -> None:
        self._draft = draft

    def encode(self, event: Event) -> bytes | Rejected | Filtered:
        """Empty bytes for an event that would be taken."""
        drawn = self._draft(event)
        return b"" if isinstance(drawn, list) else drawn


def _nothing(_event: Event) -> Drawn:
    return []


@dataclass(frozen=True)
class PreviewIssuer(Issuer):
    """An issuer of single events; `draft` shows what they are sent as."""

    draft: Drafter = field(default=_nothing)

    def fate(self, stream: str, candidate: Candidate) -> Fate:
        """What would become of an event."""
        event = candidate[0]
        route = self.routes.get(event.name)
        if route is not None and not route.is_sent:
            return Fate(None, NOT_ROUTED, "the tracking plan keeps it away from this destination")
        issue = Issue()
        self.on_their_way.clear()
        self._finish(issue, stream, candidate)
        ruling = self._rule(event)
        warnings = tuple(text for _, text in issue.warnings)
        if issue.outgoing:
            return Fate(issue.outgoing[0].event, ruling=ruling, warnings=warnings)
        if issue.rejected:
            letter = issue.rejected[0][0]
            return Fate(None, letter.reason, letter.detail, ruling, letter.violations, warnings)
        reason = next((why for _, _, _, why in issue.counts), "")
        return Fate(None, reason, ruling.detail if ruling is not None else "", ruling, (), warnings)

    def with_contacts(self, event: Event, candidate: Candidate) -> Event:
        """The event with its contacts as the destination takes them."""
        return self._with_contacts(Issue(), event, candidate)

    def drawer(self, candidate: Candidate, fate: Fate) -> Draw:
        """What other contents of the same event would be sent as."""

        def draw(event: Event, name: str | None) -> Drawn:
            routed = self._routed(self.with_contacts(event, candidate), fate.ruling)
            return self.draft(routed if name is None else msgspec.structs.replace(routed, name=name))

        return draw


def judge_of(draft: Drafter) -> _Judge:
    """A destination that encodes nothing and refuses what the drafter refuses."""
    return _Judge(draft)
