"""Issuing: from a group of records to events that may be sent.

map, as the plan says -> dedupe against the ledger -> check -> consent -> encode. Pure but for one look into the ledger;
every branch ends in an `Issue`, never in an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Order
from cdi_cli.destinations import Destination, Rejected
from cdi_cli.events import Event, EventBuilder, LifecycleSettings, Occurrence, missing_consent, occurrences, updated
from cdi_cli.pipeline.items import Issue, Outgoing
from cdi_cli.plan import CompiledPlan, EventRule, Violation, strip
from cdi_cli.sources import Nothing, Reading, Unreadable
from cdi_cli.state._base import DeadLetter

Candidate = tuple[Event, EventRule, bytes, Occurrence]
LookUp = Callable[[str, Mapping[bytes, Instant]], Mapping[bytes, bytes]]
"""(family, event keys with their entity's creation time) -> content of those delivered before."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Turns records into outgoing events for one pipeline and one destination."""

    plan: CompiledPlan
    builder: EventBuilder
    lifecycle: LifecycleSettings
    destination: Destination
    require_consent: tuple[str, ...]
    delivered: LookUp
    scrub: Callable[[str, bytes], bytes | None]

    def issue(self, stream: str, records: Sequence[bytes], readings: Sequence[list[Reading]]) -> Issue:
        """Everything that a group of records comes to."""
        issue = Issue()
        candidates: list[Candidate] = []
        for record, found in zip(records, readings, strict=True):
            before = len(candidates) + issue.total()
            for reading in found:
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

    def _map(self, issue: Issue, candidates: list[Candidate], stream: str, record: bytes, occurrence: Occurrence) -> None:
        for rule in self.plan.rules(occurrence.kind):
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
        for candidate in candidates:
            event, _, record, occurrence = candidate
            if event.key in seen:
                issue.count(stream, event.name, "duplicate", "same_event_twice")
                continue
            seen.add(event.key)
            content = known.get(event.key)
            if content is None:
                self._finish(issue, stream, candidate)
                continue
            issue.count(stream, event.name, "duplicate", "delivered_before")
            if event.kind == "order.completed" and content != event.content and "order.updated" not in self.lifecycle.off:
                self._revise(issue, stream, record, occurrence)

    def _known(self, candidates: list[Candidate]) -> Mapping[bytes, bytes]:
        by_family: dict[str, dict[bytes, Instant]] = {}
        for event, _, _, _ in candidates:
            by_family.setdefault(event.family, {})[event.key] = event.created_at
        known: dict[bytes, bytes] = {}
        for family, keys in by_family.items():
            known.update(self.delivered(family, keys))
        return known

    def _revise(self, issue: Issue, stream: str, record: bytes, occurrence: Occurrence) -> None:
        """A completed order whose content is no longer what was delivered: Order Updated, once per content."""
        if not isinstance(occurrence.entity, Order):
            return
        revised: list[Candidate] = []
        self._map(issue, revised, stream, record, updated(occurrence.entity))
        known = self._known(revised)
        for candidate in revised:
            if candidate[0].key in known:
                issue.count(stream, candidate[0].name, "duplicate", "delivered_before")
            else:
                self._finish(issue, stream, candidate)

    def _finish(self, issue: Issue, stream: str, candidate: Candidate) -> None:
        event, rule, record, _ = candidate
        violations = rule.check(event.properties)
        if violations:
            repaired = self._judge(issue, stream, candidate, violations)
            if repaired is None:
                return
            event = repaired
        if self.require_consent and (category := missing_consent(event, self.require_consent)):
            issue.count(stream, event.name, "filtered", f"consent:{category}")
            return
        encoded = self.destination.encode(event)
        if isinstance(encoded, Rejected):
            issue.count(stream, event.name, "rejected", encoded.reason)
            issue.dead.append(self.letter(stream, event, record, encoded))
            return
        issue.outgoing.append(Outgoing(event, encoded, record))

    def _judge(self, issue: Issue, stream: str, candidate: Candidate, violations: Sequence[Violation]) -> Event | None:
        """The event as the plan's policy lets it pass (warn, strip), or None when it is blocked to the dead letters."""
        event, rule, record, occurrence = candidate
        if rule.on_violation == "warn":
            issue.warnings.extend((event.name, f"{violation.path}: {violation.rule}") for violation in violations)
            return event
        if rule.on_violation == "strip":
            stripped = strip(event.properties, violations)
            if not rule.check(stripped):
                issue.warnings.extend((event.name, f"{violation.path}: stripped") for violation in violations)
                # The id of a once-only event does not depend on its content, and neither may the ledger's digest: it
                # stands for what the record said, so that a repeat is recognised.
                again = self.builder.build(occurrence, rule.name, rule.type, stripped)
                return msgspec.structs.replace(again, id=event.id, key=event.key, content=event.content) if again else None
        issue.count(stream, event.name, "rejected", "plan_violation")
        rules = tuple((violation.path, violation.rule, violation.message) for violation in violations)
        rejected = Rejected("plan_violation", violations[0].message)
        issue.dead.append(self.letter(stream, event, record, rejected, rules))
        return None

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
