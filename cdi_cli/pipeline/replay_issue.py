"""Issuing dead letters again: the record of each goes through plan, mapping, consent, routing and encoding as they are now.

A letter that holds an event stands for that event alone, under the id that it had: whatever else its record says was settled
long ago. One of something unplanned stands for all events of its lifecycle kind, one of an unreadable record for everything
that the record makes. A letter stays in the queue where its place in it is still taken, by what is rejected again or by an
event on its way; otherwise it leaves with its page.

What an earlier replay was sending when it ended is looked for before it is sent, except for a letter in doubt: that somebody
replays it is the decision that its event did not arrive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from cdi_cli.commerce import Entity, Order
from cdi_cli.events import KINDS, Event, Occurrence, occurrences, subjects_of, updated
from cdi_cli.pipeline.cumulative import as_news, is_told
from cdi_cli.pipeline.issue import Candidate, Issuer
from cdi_cli.pipeline.items import Issue, add_counts, origins
from cdi_cli.pipeline.letters import mapping_letter
from cdi_cli.pipeline.push_issue import LineIssuer, line_of
from cdi_cli.pipeline.push_lines import PUSH_STREAM
from cdi_cli.pipeline.routing import QUARANTINE, Ruling
from cdi_cli.plan import MappingError
from cdi_cli.sources import Departed, Joined, Nothing, Reading, Unreadable
from cdi_cli.state._base import IN_DOUBT, CountKey, DeadLetter, StoredDeadLetter

NOT_MADE = "no_longer_made"
"""The reason of letters whose event nothing makes any more: another plan, another setting, another name."""
KEPT_UNDER_OTHER_ID = frozenset({"once", "content"})
"""Kinds of which an entity has one event of a name, so that it is recognised even where the form of ids was changed."""


class LetterRecord(bytes):
    """The record of a dead letter as a page holds it, together with the letter."""

    stored: StoredDeadLetter

    def __new__(cls, stored: StoredDeadLetter) -> LetterRecord:
        record = bytes.__new__(cls, stored.letter.record or b"")
        record.stored = stored
        return record


@dataclass(frozen=True)
class LetterIssuer(LineIssuer):
    """An issuer of dead letters; `tried` are keys of events that this run has sent or rejected already.

    `released`: places of letters in quarantine. That somebody replays them is what they waited for.
    """

    tried: set[bytes] = field(default_factory=set)
    released: set[bytes] = field(default_factory=set)

    def issue(self, stream: str, records: Sequence[bytes], readings: Sequence[list[Reading]], *, stamp: str = "") -> Issue:
        """Everything that a group of letters comes to; `records` are `LetterRecord`s, whose events have their ids."""
        del stream, stamp
        whole = Issue()
        for record, found in zip(records, readings, strict=True):
            assert isinstance(record, LetterRecord)
            one = self.issue_letter(record.stored, found)
            whole.outgoing += one.outgoing
            whole.dead += one.dead
            whole.doubtful += one.doubtful
            whole.departed += one.departed
            whole.resolved += one.resolved
            whole.warnings += one.warnings
            whole.withheld += one.withheld
            add_counts(whole.counts, one.counts)
        return whole

    def issue_letter(self, stored: StoredDeadLetter, found: list[Reading]) -> Issue:
        """What one letter comes to; `resolved` holds its number where nothing keeps it in the queue."""
        letter = stored.letter
        if letter.reason.startswith(QUARANTINE):
            self.released.add(letter.place)
        is_decided = letter.place in self.tried
        is_whole = letter.event_id is None and letter.event_name is None
        if letter.stream == PUSH_STREAM:
            one = self.issue_lines(letter.stream, [line_of(letter)])
        elif unreadable := _unreadable(found):
            one = Issue()
            one.reject(
                replace(letter, reason=unreadable.reason, detail=unreadable.detail, violations=(), stage="read"),
                _key(letter, unreadable.reason),
            )
        elif is_whole:
            one = Issuer.issue(self, letter.stream, [letter.record or b""], [found])
        else:
            one = self._issue_own(letter, found)
        self._leave_known_letters(one)
        if not is_whole and letter.reason != IN_DOUBT:
            self._part_doubtful(one)
        if letter.event_id is None:
            one.dead = [_kept(each, letter) for each in one.dead]
        places = {item.event.key for item in (*one.outgoing, *one.doubtful)} | {each.place for each in one.dead}
        if not is_decided and not (letter.place and letter.place in places):
            one.resolved.append(stored.id)
        return one

    def _issue_own(self, letter: DeadLetter, found: list[Reading]) -> Issue:
        """The letter's own event, or those of its own kind; the letter itself where its record makes none any more."""
        issue = Issue()
        candidates: list[Candidate] = []
        is_anybody = True
        for record, reading in origins(letter.record or b"", found):
            if isinstance(reading, Unreadable | Nothing | Departed) or not self.erased.isdisjoint(subjects_of(reading)):
                self._take(issue, candidates, letter.stream, reading, record)
                continue
            for occurrence in self._happened(reading):
                if letter.event_id is not None:
                    is_anybody &= self._map_event(issue, candidates, letter, record, occurrence)
                elif occurrence.kind == letter.event_name:
                    self._map(issue, candidates, letter.stream, record, occurrence)
        self._let_in(issue, letter.stream, candidates)
        if issue.total() == 0 and not is_anybody:
            issue.count(letter.stream, letter.event_name or "", "filtered", "no_identity")
        elif issue.total() == 0:
            detail = "under the present plan and settings this record makes no such event"
            issue.reject(replace(letter, reason=NOT_MADE, detail=detail, violations=()), _key(letter, NOT_MADE))
        return issue

    def _happened(self, entity: Entity) -> Iterator[Occurrence]:
        """All that a record says has happened, with the update that a run makes only of an order delivered before."""
        yield from occurrences(entity, self.lifecycle)
        if isinstance(entity, Order) and "order.updated" not in self.lifecycle.off:
            yield updated(entity)

    def _map_event(
        self, issue: Issue, candidates: list[Candidate], letter: DeadLetter, record: bytes, occurrence: Occurrence
    ) -> bool:
        """Take the letter's event, if this occurrence makes it; returns False where it would belong to nobody.

        Scope is not asked: what is in the queue was news when it came there.
        """
        for rule in self.plan.rules(occurrence.kind):
            if rule.name != letter.event_name:
                continue
            occurrence = as_news(occurrence, rule.name, self.builder, self.delivered)
            failed: MappingError | None = None
            properties: dict[str, Any] = {}
            try:
                properties = rule.map(occurrence, record)
            except MappingError as error:
                failed = error
            event = self.builder.build(occurrence, rule.name, rule.type, properties)
            if event is None:
                return False
            if not _is_event_of(letter, event):
                continue
            if failed is not None:
                self._reject_unmapped(issue, letter, occurrence, event, record, failed)
                continue
            route = self.routes.get(rule.name)
            if route is not None and not route.is_sent:
                issue.count(letter.stream, rule.name, "filtered", "not_routed")
            else:
                same = msgspec.structs.replace(event, id=letter.event_id)
                candidates.append((same, rule, record, occurrence))
        return True

    def _reject_unmapped(
        self, issue: Issue, letter: DeadLetter, occurrence: Occurrence, event: Event, record: bytes, failed: MappingError
    ) -> None:
        """The letter again, with why its event cannot be made now; once, however many records tell of it."""
        if event.key in self.tried:
            issue.count(letter.stream, event.name, "duplicate", "same_event_twice")
            return
        self.tried.add(event.key)
        new = mapping_letter(letter.stream, occurrence, event, record, failed, self.scrub)
        issue.reject(replace(new, event_id=letter.event_id), _key(letter, failed.reason))

    def _let_in(self, issue: Issue, stream: str, candidates: list[Candidate]) -> None:
        """Let through what was not delivered meanwhile, whatever else that order or customer was sent."""
        known = self._known(candidates)
        for candidate in candidates:
            event = candidate[0]
            content = known.get(event.key)
            is_known = content is not None and (
                is_told(event, candidate[3], content) if KINDS[event.kind].repeats != "content" else content == event.content
            )
            is_whole_known = content is None and event.whole_key is not None and event.whole_key in known
            if is_known or is_whole_known:
                issue.count(stream, event.name, "duplicate", "delivered_before")
            else:
                self._finish(issue, stream, candidate, is_change=KINDS[event.kind].repeats == "content")

    def _rule(self, event: Event) -> Ruling | None:
        is_released = event.key in self.released
        return self.rules(event, is_released=is_released) if self.rules is not None else None

    def _finish(self, issue: Issue, stream: str, candidate: Candidate, *, is_change: bool = False) -> None:
        event = candidate[0]
        if event.key in self.tried:
            issue.count(stream, event.name, "duplicate", "same_event_twice")
            return
        before = len(issue.outgoing) + len(issue.rejected)
        super()._finish(issue, stream, candidate, is_change=is_change)
        if len(issue.outgoing) + len(issue.rejected) > before:
            self.tried.add(event.key)


def _is_event_of(letter: DeadLetter, event: Event) -> bool:
    """Whether an event of the letter's name is the letter's own."""
    if event.key == letter.place or event.id == letter.event_id:
        return True
    kind = KINDS[event.kind]  # of what several records tell, one record may tell several
    return kind.repeats in KEPT_UNDER_OTHER_ID and not kind.told_by and event.entity_id == letter.entity_id


def _unreadable(found: list[Reading]) -> Unreadable | None:
    """Why the letter's own record cannot be read; None where it can be, or only leads to others."""
    return next((each for each in found if isinstance(each, Unreadable) and not isinstance(found, Joined)), None)


def _kept(new: DeadLetter, letter: DeadLetter) -> DeadLetter:
    """A letter in the place of one that is there, with its digest: the queue's record is scrubbed, and has another."""
    return replace(new, digest=letter.digest) if new.place == letter.place else new


def _key(letter: DeadLetter, reason: str) -> CountKey:
    return (letter.stream, letter.event_name or "", "rejected", reason)
