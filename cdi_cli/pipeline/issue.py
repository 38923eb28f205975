"""Issuing: from a group of records to events that may be sent.

map, as the plan says -> dedupe against the ledger -> check -> consent -> route -> encode. Pure but for one look into the
ledger; every branch ends in an `Issue`, never in an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Order
from cdi_cli.destinations import Destination, Rejected
from cdi_cli.events import (
    KINDS,
    Event,
    EventBuilder,
    LifecycleSettings,
    Occurrence,
    changed,
    missing_consent,
    occurrences,
    updated,
)
from cdi_cli.pipeline.items import Issue, Outgoing
from cdi_cli.plan import CompiledPlan, EventRule, Route, Violation, judge
from cdi_cli.sources import Joined, Nothing, Reading, Unreadable
from cdi_cli.state._base import DeadLetter

Candidate = tuple[Event, EventRule, bytes, Occurrence]
LookUp = Callable[[str, Mapping[bytes, Instant]], Mapping[bytes, bytes]]
"""(family, event keys with their entity's creation time) -> content of those delivered before."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Turns records into outgoing events for one pipeline and one destination.

    `routes`: how events go to this destination, for those that do not go as they are. `on_their_way`: keys of
    events issued but not yet settled, which the ledger cannot know; `settled()` takes them out.
    """

    plan: CompiledPlan
    builder: EventBuilder
    lifecycle: LifecycleSettings
    destination: Destination
    require_consent: tuple[str, ...]
    delivered: LookUp
    scrub: Callable[[str, bytes], bytes | None]
    routes: Mapping[str, Route] = field(default_factory=dict)
    on_their_way: set[bytes] = field(default_factory=set)

    def issue(self, stream: str, records: Sequence[bytes], readings: Sequence[list[Reading]]) -> Issue:
        """Everything that a group of records comes to."""
        issue = Issue()
        candidates: list[Candidate] = []
        for read, found in zip(records, readings, strict=True):
            before = len(candidates) + issue.total()
            origins = found.records if isinstance(found, Joined) else [read] * len(found)
            for reading, record in zip(found, origins, strict=True):
                if isinstance(reading, Unreadable):
                    self._bury_record(issue, stream, record, reading)
                elif isinstance(reading, Nothing):
                    issue.count(stream, "", "filtered", reading.reason)
                else:
                    for occurrence in occurrences(reading, self.lifecycle):
                        self._map(issue, candidates, stream, record, occurrence)
            if len(candidates) + issue.total() == before:
                issue.count(stream, "", "filtered", "nothing_to_send")
        self._admit(issue, stream, candidates)
        return issue

    def settled(self, items: Sequence[Outgoing]) -> None:
        """These events have an outcome that is durably written: from here on the ledger knows them."""
        self.on_their_way.difference_update(item.event.key for item in items)

    def _map(self, issue: Issue, candidates: list[Candidate], stream: str, record: bytes, occurrence: Occurrence) -> None:
        rules = self.plan.rules(occurrence.kind)
        if not rules:
            self._leave_unplanned(issue, stream, record, occurrence)
        for rule in rules:
            if self.routes and (route := self.routes.get(rule.name)) is not None and not route.is_sent:
                issue.count(stream, rule.name, "filtered", "not_routed")
                continue
            properties = rule.map(occurrence, record)
            event = self.builder.build(occurrence, rule.name, rule.type, properties)
            if event is None:
                issue.count(stream, rule.name, "filtered", "no_identity")
            else:
                candidates.append((event, rule, record, occurrence))

    def _admit(self, issue: Issue, stream: str, candidates: list[Candidate]) -> None:
        """Drop what was delivered before, and let the rest through check, consent and encoding."""
        known = self._known(candidates)
        seen: set[bytes] = set()
        repeated: list[tuple[bytes, Occurrence, bool]] = []
        for candidate in candidates:
            event, _, record, occurrence = candidate
            if event.key in seen:
                issue.count(stream, event.name, "duplicate", "same_event_twice")
                continue
            seen.add(event.key)
            content = known.get(event.key)
            if content is None or (KINDS[event.kind].repeats == "content" and content != event.content):
                self._finish(issue, stream, candidate)
                continue
            issue.count(stream, event.name, "duplicate", "delivered_before")
            if event.kind == "order.completed":
                repeated.append((record, occurrence, content != event.content))
        if repeated and "order.updated" not in self.lifecycle.off:
            self._revise(issue, stream, repeated)

    def _known(self, candidates: list[Candidate]) -> Mapping[bytes, bytes]:
        by_family: dict[str, dict[bytes, Instant]] = {}
        for event, _, _, _ in candidates:
            by_family.setdefault(event.family, {})[event.key] = event.created_at
        known: dict[bytes, bytes] = {}
        for family, keys in by_family.items():
            known.update(self.delivered(family, keys))
        return known

    def _revise(self, issue: Issue, stream: str, repeated: Sequence[tuple[bytes, Occurrence, bool]]) -> None:
        """Order Updated for completed orders whose content is no longer what was delivered last.

        Last is the last Order Updated, else Order Completed, whose content differs from the present one where the flag says.
        """
        revised: list[Candidate] = []
        changed: set[str] = set()
        for record, occurrence, has_changed in repeated:
            if isinstance(occurrence.entity, Order):
                self._map(issue, revised, stream, record, updated(occurrence.entity))
                changed |= {occurrence.entity.id} if has_changed else set()
        known = self._known(revised)
        for candidate in revised:
            event = candidate[0]
            last = known.get(event.key)
            if (last != event.content) if last is not None else (event.entity_id in changed):
                self._finish(issue, stream, candidate)

    def _finish(self, issue: Issue, stream: str, candidate: Candidate) -> None:
        event, rule, record, _ = candidate
        if event.key in self.on_their_way:
            issue.count(stream, event.name, "duplicate", "same_event_twice")
            return
        violations = rule.check(event.properties)
        if violations:
            repaired = self._judge(issue, stream, candidate, violations)
            if repaired is None:
                return
            event = repaired
        if self.require_consent and (category := missing_consent(event, self.require_consent)):
            issue.count(stream, event.name, "filtered", f"consent:{category}")
            return
        encoded = self.destination.encode(self._routed(event) if self.routes else event)
        if isinstance(encoded, Rejected):
            issue.count(stream, event.name, "rejected", encoded.reason)
            issue.dead.append(self.letter(stream, event, record, encoded))
            return
        self.on_their_way.add(event.key)
        issue.outgoing.append(Outgoing(event, encoded, record))

    def _routed(self, event: Event) -> Event:
        """The event as this destination is to get it; the books and the ledger know it by its own name."""
        route = self.routes.get(event.name)
        if route is None:
            return event
        properties = route.reshape(event.properties) if route.reshape is not None else event.properties
        return changed(event, properties=properties, name=route.event_name)

    def _judge(self, issue: Issue, stream: str, candidate: Candidate, violations: Sequence[Violation]) -> Event | None:
        """The event as the plan's policies let it pass (warn, strip), or None when it is blocked to the dead letters."""
        event, rule, record, _ = candidate
        verdict = judge(rule, event.properties, violations)
        if verdict.properties is None:
            issue.count(stream, event.name, "rejected", "plan_violation")
            rules = tuple((violation.path, violation.rule, violation.message) for violation in violations)
            rejected = Rejected("plan_violation", verdict.blocking[0].message)
            issue.dead.append(self.letter(stream, event, record, rejected, rules))
            return None
        issue.warnings.extend((event.name, f"{violation.path}: {violation.rule}") for violation in verdict.warned)
        issue.warnings.extend((event.name, f"{violation.path}: stripped") for violation in verdict.stripped)
        if not verdict.stripped:
            return event
        protocols = {**event.context.get("protocols", {}), **verdict.omitted}
        return changed(event, properties=verdict.properties, context={**event.context, "protocols": protocols})

    def _leave_unplanned(self, issue: Issue, stream: str, record: bytes, occurrence: Occurrence) -> None:
        """Something happened that no event of the plan is triggered by: left out, or blocked where the plan says so."""
        kind = occurrence.kind
        if self.plan.unplanned_events == "ignore":
            issue.count(stream, kind, "filtered", "unplanned_event")
            return
        issue.count(stream, kind, "rejected", "unplanned_event")
        issue.dead.append(
            DeadLetter(
                stream=stream,
                reason="unplanned_event",
                detail=f"the plan has no event with the trigger `{kind}`",
                entity_id=occurrence.entity.id,
                event_name=kind,
                record=self.scrub(stream, record),
            )
        )

    def letter(
        self,
        stream: str,
        event: Event,
        record: bytes,
        rejected: Rejected,
        violations: tuple[tuple[str, str, str], ...] = (),
    ) -> DeadLetter:
        """The dead letter of an event that cannot be delivered."""
        return DeadLetter(
            stream=stream,
            reason=rejected.reason,
            detail=rejected.detail,
            entity_id=event.entity_id,
            event_name=event.name,
            event_id=event.id,
            violations=violations,
            record=self.scrub(stream, record),
            event=encode_message(event.message()),
        )

    def _bury_record(self, issue: Issue, stream: str, record: bytes, reading: Unreadable) -> None:
        issue.count(stream, "", "rejected", reading.reason)
        issue.dead.append(
            DeadLetter(
                stream=stream,
                reason=reading.reason,
                detail=reading.detail,
                entity_id=reading.record_id,
                record=self.scrub(stream, record),
            )
        )


def encode_message(message: dict[str, Any]) -> bytes:
    """A message as JSON, for the dead letters."""
    return msgspec.json.encode(message)
