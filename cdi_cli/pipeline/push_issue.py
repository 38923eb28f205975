"""Issuing ready-made events: plan check, consent, routing and encoding as for any other event, with nothing to map.

An event is recognised by its `messageId` alone: one that was delivered is not sent again, whatever it holds now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self, cast

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.destinations import Rejected
from cdi_cli.events import Event, Occurrence, content_of, key_of
from cdi_cli.pipeline.erase_letters import mentions
from cdi_cli.pipeline.issue import Candidate, Issuer
from cdi_cli.pipeline.items import Issue
from cdi_cli.pipeline.push_lines import Line
from cdi_cli.pipeline.push_message import FAMILY, BadMessage, MessageReader, Ready, Unplanned, country_in
from cdi_cli.pipeline.routing import Ruling
from cdi_cli.sources import Reading
from cdi_cli.state._base import DeadLetter, Stage

if TYPE_CHECKING:
    from cdi_cli.commerce import Entity

_LINE = re.compile(r"line (\d{1,15}): ")
UNPLANNED_NAMES_MAX = 50
"""Events that the plan does not have are counted by name up to so many, the others together: a file names what it likes."""


class _Dated(msgspec.Struct):
    """The time of a message."""

    timestamp: Instant | None = None


@dataclass(frozen=True)
class LineIssuer(Issuer):
    """An issuer of lines; `messages` reads them.

    `own_names`: names of pages, by event id and rule; `unplanned`: names seen.
    """

    messages: MessageReader | None = None
    own_names: dict[tuple[str, str], str] = field(default_factory=dict)
    unplanned: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, issuer: Issuer, messages: MessageReader) -> Self:
        """The same issuer for lines; it shares what is on its way."""
        return cls(**{each.name: getattr(issuer, each.name) for each in fields(issuer)} | {"messages": messages})

    def issue(self, stream: str, records: Sequence[bytes], readings: Sequence[list[Reading]], *, stamp: str = "") -> Issue:
        """Everything that a group of lines comes to; they have their ids, or get them by their content."""
        del readings, stamp
        issue = self.issue_lines(stream, records)
        self._leave_known_letters(issue)
        self._part_doubtful(issue)
        return issue

    def issue_lines(self, stream: str, records: Sequence[bytes]) -> Issue:
        """The same without a look at the queue."""
        assert self.messages is not None
        issue = Issue()
        candidates: list[Candidate] = []
        self.own_names.clear()
        for record in records:
            if self.erased and mentions(record, self.erased):
                issue.count(stream, "", "filtered", "erased")
                continue
            found = self.messages.read(record)
            if isinstance(found, Ready):
                self._take_event(issue, candidates, stream, record, found)
            elif isinstance(found, BadMessage):
                issue.reject(self._bad_letter(stream, record, found), (stream, "", "rejected", found.reason))
            else:
                self._leave_unknown(issue, stream, record, found)
        known = self._known(candidates)
        seen: set[bytes] = set()
        for candidate in candidates:
            event = candidate[0]
            if event.key in seen:
                issue.count(stream, event.name, "duplicate", "same_event_twice")
            elif event.key in known:
                issue.count(stream, event.name, "duplicate", "delivered_before")
                issue.mended.append(event.key)
            else:
                self._finish(issue, stream, candidate)
            seen.add(event.key)
        return issue

    def _take_event(self, issue: Issue, candidates: list[Candidate], stream: str, record: bytes, found: Ready) -> None:
        event = found.event
        issue.warnings.extend((event.name, note) for note in found.notes)
        if self.routes and (route := self.routes.get(event.name)) is not None and not route.is_sent:
            issue.count(stream, event.name, "filtered", "not_routed")
            return
        if found.own_name is not None:
            self.own_names.setdefault((event.id, event.name), found.own_name)
        # Nothing was made of an entity here; what asks for one is answered below from the event itself.
        occurrence = Occurrence(event.kind, event.at, cast("Entity", None), {})
        candidates.append((event, found.rule, record, occurrence))

    def _with_contacts(self, issue: Issue, event: Event, candidate: Candidate) -> Event:
        if event.family != FAMILY:
            return super()._with_contacts(issue, event, candidate)
        if self.contacts is None:
            return event
        converted, notes = self.contacts(event, country_in(event))
        issue.warnings.extend((event.name, note) for note in notes)
        return converted

    def _routed(self, event: Event, ruling: Ruling | None) -> Event:
        routed = super()._routed(event, ruling)
        own = self.own_names.get((event.id, event.name))
        return routed if own is None or routed.name != event.name else msgspec.structs.replace(routed, name=own)

    def _leave_unknown(self, issue: Issue, stream: str, record: bytes, found: Unplanned) -> None:
        """An event that the plan does not have: left out, or blocked where the plan says so."""
        if len(self.unplanned) < UNPLANNED_NAMES_MAX:
            self.unplanned.add(found.name)
        name = found.name if found.name in self.unplanned else ""
        if self.plan.unplanned_events == "ignore":
            issue.count(stream, name, "filtered", "unplanned_event")
            return
        bad = BadMessage("unplanned_event", "the plan has no such event", found.event_id, found.name)
        issue.reject(self._bad_letter(stream, record, bad, "plan"), (stream, name, "rejected", bad.reason))

    def _bad_letter(self, stream: str, record: bytes, bad: BadMessage, stage: Stage = "read") -> DeadLetter:
        digest = getattr(record, "digest", b"") or content_of(record)
        return DeadLetter(
            stream=stream,
            reason=bad.reason,
            detail=_at_line(record, bad.detail),
            event_name=bad.name,
            event_id=bad.event_id,
            record=self.scrub(stream, record),
            stage=stage,
            place=key_of(bad.event_id or f"line:{digest.hex()}"),
            digest=digest,
        )

    def letter(
        self,
        stream: str,
        event: Event,
        record: bytes,
        rejected: Rejected,
        stage: Stage,
        violations: tuple[tuple[str, str, str], ...] = (),
    ) -> DeadLetter:
        """The dead letter of an event that cannot be delivered, with the line that it stood in."""
        told: Any = Rejected(rejected.reason, _at_line(record, rejected.detail))
        return super().letter(stream, event, record, told, stage, violations)


def line_of(letter: DeadLetter) -> Line:
    """The line of a dead letter, under the number that it had in its file, with the time that its event was given."""
    found = _LINE.match(letter.detail)
    line = Line(letter.record or b"", int(found[1]) if found is not None else 0)
    if letter.event is not None:
        line.taken_at = msgspec.json.decode(letter.event, type=_Dated).timestamp
    return line


def _at_line(record: bytes, detail: str) -> str:
    number = getattr(record, "number", 0)
    return f"line {number}: {detail}" if number else detail
