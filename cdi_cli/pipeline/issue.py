"""Issuing: from a group of records to events that may be sent.

erased people and what is no news out -> map, as the plan says -> dedupe against the ledger -> what a rule sends elsewhere or
filters out -> check -> consent -> what a rule holds back out -> route -> encode -> dedupe against the dead letters. Pure but
for a look into the ledger and the queue; every branch ends in an `Issue`, never in an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cdi_cli.clock import Instant
from cdi_cli.commerce import Order, Product
from cdi_cli.destinations import Destination, Filtered, Rejected
from cdi_cli.events import (
    KINDS,
    Event,
    EventBuilder,
    LifecycleSettings,
    Occurrence,
    changed,
    country_of,
    customer_subject,
    email_subject,
    missing_consent,
    occurrences,
    subjects_of,
    updated,
)
from cdi_cli.pipeline.contacts import Contacts
from cdi_cli.pipeline.cumulative import as_news, is_told
from cdi_cli.pipeline.erase_letters import mentions
from cdi_cli.pipeline.items import IN_DEAD_LETTERS, Issue, Outgoing, origins
from cdi_cli.pipeline.letters import event_letter, kind_letter, mapping_letter, record_letter, record_place
from cdi_cli.pipeline.routing import Rules, Ruling
from cdi_cli.pipeline.scope import Scope
from cdi_cli.plan import CompiledPlan, EventRule, MappingError, Route, Violation, judge
from cdi_cli.sources import Departed, Nothing, Reading, Unreadable
from cdi_cli.state._base import DeadLetter, Departure, KnownLetter, Stage

NEVER_PUBLISHED = "never_published"
Candidate = tuple[Event, EventRule, bytes, Occurrence]
LookUp = Callable[[str, Mapping[bytes, Instant]], Mapping[bytes, bytes]]
"""(family, event keys with their entity's creation time) -> content of those delivered before."""
Letters = Callable[[Iterable[bytes]], Mapping[bytes, KnownLetter]]
"""Places of the dead-letter queue -> what lies there."""
Doubts = Callable[[Iterable[bytes]], Mapping[bytes, object]]
"""Event keys -> those of which it is not known what the destination holds, as an earlier run ended while sending them."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Turns records into outgoing events for one pipeline and one destination.

    `routes`: how the plan lets events go to this destination, for those that do not go as they are; `rules`: the pipeline's
    routing (None: it has none); `contacts`: how e-mail addresses and phone numbers go there (None: as they are). `scope`:
    what is news (None: everything). `letters`: what the dead-letter queue holds; an equal letter is no news and is not
    written again, nor its event sent. `erased`: hashed names of people about whom nothing is sent. `on_their_way`: keys of
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
    rules: Rules | None = None
    contacts: Contacts | None = None
    scope: Scope | None = None
    letters: Letters = field(default=lambda _places: {})
    doubts: Doubts = field(default=lambda _keys: {})
    is_idempotent: bool = True
    erased: set[bytes] = field(default_factory=set)
    on_their_way: set[bytes] = field(default_factory=set)

    def issue(self, stream: str, records: Sequence[bytes], readings: Sequence[list[Reading]], *, stamp: str = "") -> Issue:
        """Everything that a group of records comes to; `stamp` as in `EventBuilder.build`."""
        issue = Issue(stamp=stamp)
        candidates: list[Candidate] = []
        for read, found in zip(records, readings, strict=True):
            before = len(candidates) + issue.total()
            for record, reading in origins(read, found):
                self._take(issue, candidates, stream, reading, record)
            if len(candidates) + issue.total() == before:
                issue.count(stream, "", "filtered", "nothing_to_send")
        self._admit(issue, stream, candidates)
        self._leave_known_letters(issue)
        self._part_doubtful(issue)
        return issue

    def _part_doubtful(self, issue: Issue) -> None:
        """Set apart what an earlier run was sending when it ended."""
        if (
            not self.is_idempotent
            and issue.outgoing
            and (doubts := self.doubts([item.event.key for item in issue.outgoing]))
        ):
            issue.doubtful = [item for item in issue.outgoing if item.event.key in doubts]
            issue.outgoing = [item for item in issue.outgoing if item.event.key not in doubts]

    def _take(self, issue: Issue, candidates: list[Candidate], stream: str, reading: Reading, record: bytes) -> None:
        """One reading of a record: what happened to its entity, or why there is nothing to say."""
        if isinstance(reading, Unreadable) and self.erased and mentions(record, self.erased):
            issue.count(stream, "", "filtered", "erased")
        elif isinstance(reading, Unreadable):
            letter = record_letter(stream, record, reading, self.scrub)
            issue.reject(letter, (stream, "", "rejected", reading.reason))
        elif isinstance(reading, Nothing):
            issue.count(stream, "", "filtered", reading.reason)
        elif isinstance(reading, Departed):
            names = [customer_subject(reading.customer_id), email_subject(reading.email) if reading.email else None]
            departure = Departure(reading.customer_id, reading.at, tuple(name for name in names if name))
            issue.departed.append(departure)
            self.erased.update(departure.subjects)  # for the streams that this run has still to read
            issue.count(stream, "", "filtered", "customer_deleted")
        elif self.erased and not self.erased.isdisjoint(subjects_of(reading)):
            issue.count(stream, "", "filtered", "erased")
        else:
            record_id = reading.product_id if isinstance(reading, Product) else None  # a record holds several variants
            issue.mended.append(record_place(stream, record_id or reading.id))
            for occurrence in occurrences(reading, self.lifecycle):
                self._map(issue, candidates, stream, record, occurrence)

    def settled(self, items: Sequence[Outgoing]) -> None:
        """These events have an outcome that is durably written: from here on the ledger knows them."""
        self.on_their_way.difference_update(item.event.key for item in items)

    def _map(self, issue: Issue, candidates: list[Candidate], stream: str, record: bytes, occurrence: Occurrence) -> None:
        rules = self.plan.rules(occurrence.kind)
        entity = occurrence.entity
        family = occurrence.told_by or KINDS[occurrence.kind].family
        reason = self.scope.why_not(family, entity.created_at, occurrence) if self.scope is not None else None
        if not rules and reason is None:
            self._leave_unplanned(issue, stream, record, occurrence)
        for rule in rules:
            if self.routes and (route := self.routes.get(rule.name)) is not None and not route.is_sent:
                issue.count(stream, rule.name, "filtered", "not_routed")
                continue
            if reason is not None:
                issue.count(stream, rule.name, "filtered", reason)
                continue
            occurrence = as_news(occurrence, rule.name, self.builder, self.delivered)
            try:
                properties = rule.map(occurrence, record)
            except MappingError as error:
                self._leave_unmapped(issue, stream, record, occurrence, (rule, error))
                continue
            event = self.builder.build(occurrence, rule.name, rule.type, properties, stamp=issue.stamp)
            if event is None:
                issue.count(stream, rule.name, "filtered", "no_identity")
            else:
                candidates.append((event, rule, record, occurrence))

    def _admit(self, issue: Issue, stream: str, candidates: list[Candidate]) -> None:
        """Drop what was delivered before, and let the rest through check, consent and encoding."""
        known = self._known(candidates)
        doubts = self._doubts(known)
        seen: set[bytes] = set()
        repeated: list[tuple[bytes, Occurrence, bool]] = []
        for candidate in candidates:
            event, _, record, occurrence = candidate
            if event.key in seen:
                issue.count(stream, event.name, "duplicate", "same_event_twice")
                continue
            seen.add(event.key)
            content = known.get(event.key)
            if content is None and event.whole_key is not None and event.whole_key in known:
                issue.count(stream, event.name, "duplicate", "delivered_before")
                continue
            if content is None and isinstance(occurrence.entity, Product) and not occurrence.entity.is_published:
                issue.count(stream, event.name, "filtered", NEVER_PUBLISHED)  # nothing is there that could be hidden
                issue.mended.append(event.key)
                continue
            is_content = KINDS[event.kind].repeats == "content"
            is_more = content is not None and not is_told(event, occurrence, content)
            if content is None or is_more or (is_content and (content != event.content or event.key in doubts)):
                self._finish(issue, stream, candidate, is_change=is_content and content is not None)
                continue
            issue.count(stream, event.name, "duplicate", "delivered_before")
            issue.mended.append(event.key)  # a letter about another content of it is out of date
            if event.kind == "order.completed":
                repeated.append((record, occurrence, content != event.content))
        if repeated and "order.updated" not in self.lifecycle.off:
            self._revise(issue, stream, repeated)

    def _known(self, candidates: list[Candidate]) -> Mapping[bytes, bytes]:
        by_family: dict[str, dict[bytes, Instant]] = {}
        for event, _, _, _ in candidates:
            keys = by_family.setdefault(event.family, {})
            keys[event.key] = event.created_at
            if event.whole_key is not None:
                keys[event.whole_key] = event.created_at
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
        doubts = self._doubts([candidate[0].key for candidate in revised])
        for candidate in revised:
            event = candidate[0]
            last = known.get(event.key)
            is_other = (last != event.content) if last is not None else (event.entity_id in changed)
            if is_other or event.key in doubts:
                self._finish(issue, stream, candidate, is_change=True)
            else:
                issue.mended.append(event.key)

    def _doubts(self, keys: Collection[bytes]) -> Mapping[bytes, object]:
        """Of which of these it is not known what the destination holds."""
        return self.doubts(keys) if keys else {}

    def _finish(self, issue: Issue, stream: str, candidate: Candidate, *, is_change: bool = False) -> None:
        """Check, judge and encode; `is_change`: the destination may hold another content of the same thing."""
        event, rule, record, _ = candidate
        if event.key in self.on_their_way:
            issue.count(stream, event.name, "duplicate", "same_event_twice")
            return
        ruling = self._rule(event)
        if ruling is not None and ruling.outcome in ("elsewhere", "filter"):
            issue.withhold(stream, event, ruling.reason)
            return
        violations = rule.check(event.properties)
        if violations:
            repaired = self._judge(issue, stream, candidate, violations)
            if repaired is None:
                return
            event = repaired
        if self.require_consent and (category := missing_consent(event, self.require_consent)):
            if not self._is_withdrawal(candidate):
                issue.withhold(stream, event, f"consent:{category}")
                issue.mended.append(event.key)  # a letter of when there was consent must not be replayed
                return
            event = changed(event, properties={})
        if ruling is not None and ruling.is_kept_back:
            letter = self.letter(stream, event, record, Rejected(ruling.reason, ruling.detail), "route")
            issue.reject(letter, (stream, event.name, "rejected", ruling.reason))
            return
        as_sent = self._routed(self._with_contacts(issue, event, candidate), ruling)
        encoded = self.destination.encode(as_sent)
        if isinstance(encoded, Filtered):
            issue.count(stream, event.name, "filtered", encoded.reason)
            return
        if isinstance(encoded, Rejected):
            letter = self.letter(stream, event, record, encoded, "encode")
            issue.reject(letter, (stream, event.name, "rejected", encoded.reason))
            return
        self.on_their_way.add(event.key)
        issue.outgoing.append(Outgoing(event, encoded, record, stream, is_change, as_sent))

    def _is_withdrawal(self, candidate: Candidate) -> bool:
        """Whether the destination knows, or may know, the profile of a person who consents no more: it has to be told."""
        event = candidate[0]
        return event.kind == "customer.profile" and (
            event.key in self._known([candidate]) or event.key in self._doubts([event.key])
        )

    def _with_contacts(self, issue: Issue, event: Event, candidate: Candidate) -> Event:
        """The event with its e-mail addresses and phone numbers as the destination takes them."""
        entity = candidate[3].entity
        if self.contacts is None or isinstance(entity, Product):
            return event
        converted, notes = self.contacts(event, country_of(entity))
        issue.warnings.extend((event.name, note) for note in notes)
        return converted

    def _rule(self, event: Event) -> Ruling | None:
        """What the pipeline's routing says of an event as the plan made it."""
        return self.rules(event) if self.rules is not None else None

    def _routed(self, event: Event, ruling: Ruling | None) -> Event:
        """The event as this destination is to get it; the books and the ledger know it by its own name."""
        own = ruling.route if ruling is not None else None
        route = own if own is not None else self.routes.get(event.name) if self.routes else None
        if route is None:
            return event
        properties = route.reshape(event.properties) if route.reshape is not None else event.properties
        return changed(event, properties=properties, name=route.event_name)

    def _judge(self, issue: Issue, stream: str, candidate: Candidate, violations: Sequence[Violation]) -> Event | None:
        """The event as the plan's policies let it pass (warn, strip), or None when it is blocked to the dead letters."""
        event, rule, record, _ = candidate
        verdict = judge(rule, event.properties, violations)
        if verdict.properties is None:
            rules = tuple((violation.path, violation.rule, violation.message) for violation in violations)
            rejected = Rejected("plan_violation", verdict.blocking[0].message)
            letter = self.letter(stream, event, record, rejected, "plan", rules)
            issue.reject(letter, (stream, event.name, "rejected", "plan_violation"))
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
        letter = kind_letter(stream, kind, occurrence.entity.id, record, self.scrub)
        issue.reject(letter, (stream, kind, "rejected", "unplanned_event"))

    def _leave_unmapped(
        self, issue: Issue, stream: str, record: bytes, occurrence: Occurrence, failed: tuple[EventRule, MappingError]
    ) -> None:
        """An event that a script of the plan fails to make: to the dead letters, unless it was delivered before."""
        rule, error = failed
        event = self.builder.build(occurrence, rule.name, rule.type, {}, stamp=issue.stamp)
        if event is None:
            issue.count(stream, rule.name, "filtered", "no_identity")
            return
        content = self.delivered(event.family, {event.key: event.created_at}).get(event.key)
        is_once = KINDS[event.kind].repeats != "content"
        if content is not None and is_once and is_told(event, occurrence, content):
            issue.count(stream, rule.name, "duplicate", "delivered_before")
            return
        letter = mapping_letter(stream, occurrence, event, record, error, self.scrub)
        issue.reject(letter, (stream, rule.name, "rejected", error.reason))

    def _leave_known_letters(self, issue: Issue) -> None:
        """What lies in the dead letters as it is now is no news; what the destination refused is not offered again."""
        places = [item.event.key for item in issue.outgoing]
        places += [letter.place for letter, _ in issue.rejected]
        places += issue.mended
        known = self.letters(places) if places else {}
        for letter, key in issue.rejected:
            at_place = known.get(letter.place)
            if at_place is not None and (at_place.digest, at_place.stage) == (letter.digest, letter.stage):
                issue.count(key[0], key[1], "duplicate", IN_DEAD_LETTERS)
            else:
                issue.dead.append(letter)
                issue.count(*key)
        issue.rejected.clear()
        issue.resolved += [known[place].id for place in issue.mended if place in known]
        if known:
            outgoing, issue.outgoing = issue.outgoing, []
            for item in outgoing:
                at_place = known.get(item.event.key)
                if at_place is not None and (at_place.digest, at_place.stage) == (item.event.content, "send"):
                    self.on_their_way.discard(item.event.key)
                    issue.count(item.stream, item.event.name, "duplicate", IN_DEAD_LETTERS)
                else:
                    issue.outgoing.append(item)

    def letter(
        self,
        stream: str,
        event: Event,
        record: bytes,
        rejected: Rejected,
        stage: Stage,
        violations: tuple[tuple[str, str, str], ...] = (),
    ) -> DeadLetter:
        """The dead letter of an event that cannot be delivered."""
        return event_letter(stream, event, self.scrub(stream, record), rejected, stage, violations)
