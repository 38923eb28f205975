"""`cdi preview`, without its output: one record on its way to one destination, looked at station by station.

record -> entity -> events -> request, and what was withheld on the way and by what. The source is asked for the record, or a
file holds it; everything after that is the code of a run (`preview_issue.py`). Nothing is sent and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Entity, Order
from cdi_cli.config.problems import suggestion
from cdi_cli.destinations import Destination, DestinationContext, Draft, Drafter, Filtered, Rejected
from cdi_cli.errors import ConfigError
from cdi_cli.events import Event, Occurrence, occurrences, subjects_of, updated
from cdi_cli.pipeline.cumulative import as_news
from cdi_cli.pipeline.issue import Candidate
from cdi_cli.pipeline.ledger_view import Line, by_key, find_records, lines_of, meant
from cdi_cli.pipeline.looking import Happening, Way, issuer_of, open_source, ways_of
from cdi_cli.pipeline.preview_issue import Fate, PreviewIssuer, judge_of
from cdi_cli.pipeline.preview_lineage import Lineage, Probe, trace
from cdi_cli.pipeline.preview_mask import personal_texts
from cdi_cli.pipeline.preview_origin import Origins
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.shaping import consent_fields
from cdi_cli.plan import EventRule, MappingError
from cdi_cli.plan.redact import value_at
from cdi_cli.plan.routing import is_inside
from cdi_cli.sources import Departed, Joined, Nothing, Reading, Source, SourceContext, Unreadable
from cdi_cli.state._base import Store

NAMED_MAX = 5
NAMED_BY = "id, number or e-mail"
_NUMBER = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class GivenRecord:
    """A record that a file holds: which stream it is of (None: the family's), and answers to look-ups by path."""

    record: bytes
    stream: str | None = None
    lookups: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Left:
    """Something of an event that does not reach the destination: the property, and what keeps it back."""

    path: str
    why: str


@dataclass(slots=True)
class PreviewedEvent:
    """One event. `fate`: what becomes of it if it is news; `lines`: what the ledger and the queue know of it.

    `left`: properties that stay behind; `missing`: planned properties for which the record has no value; `with_contacts`:
    the event with its contacts as the destination takes them. `is_asked_for`: it was named.
    """

    name: str
    kind: str
    event: Event | None
    fate: Fate
    rule: EventRule
    origins: Origins
    lines: list[Line] = field(default_factory=list)
    lineage: Lineage = field(default_factory=lambda: Lineage([]))
    left: list[Left] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    with_contacts: Event | None = None
    is_asked_for: bool = False

    @property
    def is_beside_the_point(self) -> bool:
        """Whether it is an update of something that did not change, and nobody asked for it."""
        return self.kind == "order.updated" and not self.lines and not self.is_asked_for

    def source(self, probe: Probe) -> str:
        """What a value was read from, and whether it goes out as a contact that the destination takes otherwise."""
        source = self.origins.source(probe)
        if self.with_contacts is None or probe.place == "event" or not source:
            return source
        held = self.with_contacts.properties if probe.place == "properties" else self.with_contacts.context
        return source if value_at(held, probe.steps) == (probe.value, True) else f"{source}, by `contacts`"


@dataclass(slots=True)
class Preview:
    """One record. `record` is scrubbed already (None where that was not possible); `personal`: its texts about a person."""

    pipeline: str
    source: str
    destination: str
    stream: str
    record: bytes | None
    record_bytes: int
    entity: Entity | None = None
    events: list[PreviewedEvent] = field(default_factory=list)
    personal: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def choose_way(project: Project, pipeline: str | None, destination: str | None) -> Way:
    """The one way that is meant; raises ConfigError where none or several are, PlanError and SettingsError for a plan."""
    pipelines = project.settings.pipelines
    if pipeline is None and destination is not None:
        feeding = [name for name, chosen in pipelines.items() if destination in chosen.destinations]
        pipeline = feeding[0] if len(feeding) == 1 else None
    name = project.pipeline_name(pipeline)
    names = list(pipelines[name].destinations)
    if destination is None and len(names) > 1:
        listed = ", ".join(f"`{each}`" for each in names)
        raise ConfigError(f"pipeline `{name}` has several destinations: {listed}", hint=f"choose `--destination {names[0]}`")
    wanted = destination if destination is not None else names[0]
    if wanted not in names:
        raise ConfigError(f"pipeline `{name}` has no destination `{wanted}`", hint=suggestion(wanted, names))
    return next(way for way in ways_of(project, [name]) if way.destination_name == wanted)


def only_events(previews: Sequence[Preview], names: Sequence[str]) -> None:
    """Leave out all other events (none named: keep all); raises ConfigError for a name that none of them has."""
    known = list(dict.fromkeys(event.name for preview in previews for event in preview.events))
    for name in names:
        if name not in known:
            raise ConfigError(f"the record makes no event `{name}`", hint=suggestion(name, known))
    for preview in previews:
        preview.events = [event for event in preview.events if not names or event.name in names]
        for event in preview.events:
            event.is_asked_for = bool(names)


async def preview(
    project: Project,
    store: Store | None,
    way: Way,
    family: str,
    wanted: str | GivenRecord,
    *,
    is_backfill: bool = False,
) -> list[Preview]:
    """Look at the record of a family with this id, number or e-mail, or at a given one; one preview per entity of it.

    Raises ConfigError where there is none or several, and what the source raises.
    """
    async with _source(project, way, wanted) as source:
        if isinstance(wanted, GivenRecord):
            stream = wanted.stream or _stream_of(way, family)
            records = [(stream, wanted.record)]
        else:
            records = await find_records(source, way.source_spec, family, wanted)
        found: list[tuple[str, bytes, Reading]] = []
        for stream, record in records:
            (readings,) = await source.read(stream, [record])
            own = readings.records if isinstance(readings, Joined) else [record] * len(readings)
            found += [(stream, origin, reading) for reading, origin in zip(readings, own, strict=True)]
        if not isinstance(wanted, GivenRecord):
            are_meant = meant([reading for _, _, reading in found], wanted)
            found = [one for one, is_meant in zip(found, are_meant, strict=True) if is_meant]
        _require_one(found, way, family)
        async with _drafter(project, way, is_backfill=is_backfill) as draft:
            look = _look(project, way, source, store, draft)
            return [_previewed(look, store, *one) for one in found]


def _require_one(found: Sequence[tuple[str, bytes, Reading]], way: Way, family: str) -> None:
    if not found:
        raise ConfigError(
            f"the source `{way.source_name}` knows no {family} of that {'SKU or id' if family == 'product' else NAMED_BY}",
            hint="check it, or preview a record from a file with `--record FILE`",
        )
    if len({record for _, record, _ in found}) > 1:
        entities = [reading for _, _, reading in found if not isinstance(reading, Unreadable | Nothing | Departed)]
        names = [str(getattr(entity, "number", None) or entity.id) for entity in entities]
        more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
        listed = ", ".join(f"`{name}`" for name in names[:NAMED_MAX])
        raise ConfigError(f"{len(found)} records of {family} match", hint=f"name one of them: {listed}{more}")


def _stream_of(way: Way, family: str) -> str:
    streams = [stream for stream in way.source_spec.streams if stream.family == family]
    if not streams:
        raise ConfigError(f"the source `{way.source_name}` has no stream of {family} records")
    return next((stream for stream in streams if stream.is_default), streams[0]).name


@asynccontextmanager
async def _source(project: Project, way: Way, wanted: str | GivenRecord) -> AsyncIterator[Source]:
    """The source to ask, or one that reads a given record without a connection."""
    if not isinstance(wanted, GivenRecord):
        async with open_source(project, way.pipeline) as opened:
            yield opened
        return
    spec = way.source_spec
    if spec.open_offline is None:
        raise ConfigError(f"`{spec.name}` cannot read records offline", hint="name the record by its id instead")
    if wanted.stream is not None and wanted.stream not in spec.names:
        raise ConfigError(f"`{spec.name}` has no stream `{wanted.stream}`", hint=f"it has {', '.join(spec.names)}")
    context = SourceContext(run_id="preview", consent=consent_fields(project.settings.pipelines[way.pipeline].consent))
    source = spec.open_offline(project.settings.sources[way.source_name].settings, context, wanted.lookups)
    try:
        yield source
    finally:
        await source.close()


@asynccontextmanager
async def _drafter(project: Project, way: Way, *, is_backfill: bool) -> AsyncIterator[Drafter]:
    """What shows an event as its destination would get it; one that cannot tell by itself is opened, and sends nothing."""
    spec = project.destination_spec(way.destination_name)
    settings = project.settings.destinations[way.destination_name].settings
    context = DestinationContext(is_backfill=is_backfill)
    if spec.draft is not None:
        yield spec.draft(settings, context)
        return
    destination = spec.open(settings, context)

    def draft(event: Event) -> list[Draft] | Rejected | Filtered:
        encoded = destination.encode(event)
        return [Draft("", spec.title, encoded)] if isinstance(encoded, bytes) else encoded

    try:
        yield draft
    finally:
        await destination.close()


@dataclass(frozen=True, slots=True)
class _Look:
    """One way with its open source, and how its destination would be sent things; `kind`: the destination's type."""

    way: Way
    kind: str
    source: Source
    issuer: PreviewIssuer
    erased: frozenset[bytes] = frozenset()


def _look(project: Project, way: Way, source: Source, store: Store | None, draft: Drafter) -> _Look:
    issuer = PreviewIssuer(
        plan=way.plan,
        builder=way.builder,
        lifecycle=way.lifecycle,
        destination=cast("Destination", judge_of(draft)),
        require_consent=way.require_consent,
        delivered=lambda _family, _keys: {},
        scrub=source.scrub,
        routes=way.routes,
        rules=way.rules,
        contacts=way.contacts,
        draft=draft,
    )
    kind = project.settings.destinations[way.destination_name].type
    return _Look(way, kind, source, issuer, store.erased(way.source_name) if store is not None else frozenset())


def _previewed(look: _Look, store: Store | None, stream: str, record: bytes, reading: Reading) -> Preview:
    way = look.way
    scrubbed = look.source.scrub(stream, record)
    seen = Preview(way.pipeline, way.source_name, way.destination_name, stream, scrubbed, len(record))
    if isinstance(reading, Unreadable):
        seen.notes.append(f"the record cannot be read: {reading.reason}: {reading.detail}")
    elif isinstance(reading, Nothing):
        seen.notes.append(f"the record makes no event: {reading.reason}")
    elif isinstance(reading, Departed):
        seen.notes.append(f"the customer was deleted at {reading.at}")
    else:
        seen.entity, seen.personal = reading, personal_texts(reading)
        seen.events = list(_events(look, store, stream, record, reading))
        if store is None:
            seen.notes.append("there is no checkpoint file yet: nothing was sent before")
        else:
            _look_up(seen.events, look, store, stream, record, reading)
    return seen


def _events(look: _Look, store: Store | None, stream: str, record: bytes, entity: Entity) -> Iterator[PreviewedEvent]:
    way = look.way

    def delivered(family: str, keys: Mapping[bytes, Instant]) -> Mapping[bytes, bytes]:
        return store.delivered(way.source_name, way.destination_name, family, keys) if store is not None else {}

    found = occurrences(entity, way.lifecycle)
    if isinstance(entity, Order) and "order.updated" not in way.lifecycle.off:
        found.append(updated(entity))
    for occurrence in found:
        for rule in way.plan.rules(occurrence.kind):
            yield _event(look, stream, record, as_news(occurrence, rule.name, way.builder, delivered), rule)


def _event(look: _Look, stream: str, record: bytes, occurrence: Occurrence, rule: EventRule) -> PreviewedEvent:
    origins = Origins(rule.planned, occurrence, record)
    try:
        properties = rule.map(occurrence, record)
    except MappingError as error:
        return PreviewedEvent(rule.name, occurrence.kind, None, Fate(None, error.reason, error.detail), rule, origins)
    event = look.way.builder.build(occurrence, rule.name, rule.type, properties)
    if event is None:
        nobody = Fate(None, "no_identity", "the record names nobody it could belong to")
        return PreviewedEvent(rule.name, occurrence.kind, None, nobody, rule, origins)
    candidate: Candidate = (event, rule, record, occurrence)
    if not look.erased.isdisjoint(subjects_of(occurrence.entity)):
        return PreviewedEvent(rule.name, occurrence.kind, event, Fate(None, "erased"), rule, origins)
    fate = look.issuer.fate(stream, candidate)
    made = PreviewedEvent(rule.name, occurrence.kind, event, fate, rule, origins)
    if fate.event is not None:
        made.lineage = trace(fate.event, look.issuer.drawer(candidate, fate))
        made.with_contacts = look.issuer.with_contacts(fate.event, candidate)
        made.left = list(_left(look, fate.event, made))
    made.missing = [each.name for each in rule.planned.properties if each.name not in event.properties]
    return made


def _left(look: _Look, event: Event, made: PreviewedEvent) -> Iterator[Left]:
    """Properties that no field of the request is made of, each once whatever the number of its element, with the reason."""
    used = {_any(probe.path) for one in made.lineage.requests for leaf in one.leaves for probe in leaf.probes}
    planned = made.rule.planned.route(look.way.destination_name, look.kind)
    excluded = planned.exclude if planned is not None else ()
    converted = made.with_contacts.properties if made.with_contacts is not None else event.properties
    told: set[str] = set()
    for probe in made.lineage.unused:
        path = _any(probe.path)
        if path in used or path in told:
            continue
        told.add(path)
        number = _dropping(look.way, made.fate, path)
        if number is not None:
            yield Left(path, f"dropped by rule {number} of the routing")
        elif any(is_inside(path, out) for out in excluded):
            yield Left(path, "kept back by the tracking plan")
        elif not value_at(converted, probe.steps)[1]:
            yield Left(path, "left out by `contacts`")
        else:
            yield Left(path, "no field of the request is made of it")


def _dropping(way: Way, fate: Fate, path: str) -> int | None:
    """The number of the rule that takes a property away, None where none does."""
    applied = fate.ruling.rules if fate.ruling is not None else ()
    rules = way.rules.rules if way.rules is not None else ()
    return next((number for number, rule in rules if number in applied and rule.drops(path)), None)


def _any(path: str) -> str:
    """A path whatever the element: `products[].sku`."""
    return _NUMBER.sub("[]", path)


def _look_up(
    events: Sequence[PreviewedEvent], look: _Look, store: Store, stream: str, record: bytes, entity: Entity
) -> None:
    """Add what the ledger and the queue know of each event, and what a run would do with it now."""
    way = look.way
    keys = {each.event.key for each in events if each.event is not None}
    traces = by_key(store.trace(keys)) if keys else {}
    issue = issuer_of(way, look.source, store).issue(stream, [record], [[entity]])
    for seen in events:
        happening = Happening(seen.name, seen.kind, seen.event)
        seen.lines = list(lines_of(way, store, [happening], issue, traces))


def decoded(raw: bytes | None) -> Any:
    """A record as plain data; None where it cannot be shown."""
    return msgspec.json.decode(raw) if raw is not None else None
