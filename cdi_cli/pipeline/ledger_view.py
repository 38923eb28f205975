"""What the ledger knows of one entity or one event: what was sent where, in which run, and why the rest was not.

The source is asked for the record, and the record goes the way of the data as far as it goes without sending: its events'
ledger keys are looked up, and what would be sent now, or not and why, is told by the same `Issuer` that a run has. Without
the source only those keys are known that follow from the id. No property of an event is shown anywhere here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from cdi_cli.clock import Instant
from cdi_cli.commerce import Product
from cdi_cli.errors import CdiError, StateError
from cdi_cli.events import KINDS, key_of
from cdi_cli.pipeline.items import Issue
from cdi_cli.pipeline.looking import Happening, Way, entity_of, happenings, issuer_of, keys_of_id, open_source, ways_of
from cdi_cli.pipeline.project import Project
from cdi_cli.secrets import REDACTOR
from cdi_cli.sources import Departed, FindBy, Joined, Nothing, Reading, Source, SourceSpec, Unreadable
from cdi_cli.state._base import KnownLetter, LetterFilter, Store, Trace

LineState = Literal["sent", "not_sent"]
LETTERS_MAX = 100
NOT_SENT_YET = "not_sent_yet"
CHANGED = "changed_since"
HASHED_TAIL = ":~"
"""What an id ends in whose last part was too long for it (`events/ids.py`)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery, or one event that was not delivered. `run_started_at` is UTC; `why` a stable code, `detail` words to it.

    `is_current`: whether the event has the content now with which it was delivered; None where that is not known.
    """

    destination: str
    event: str
    event_id: str | None
    state: LineState
    run: int | None = None
    run_started_at: Instant | None = None
    plan_version: str | None = None
    is_current: bool | None = None
    why: str | None = None
    detail: str | None = None
    dead_letter: int | None = None


@dataclass(slots=True)
class View:
    """One entity (or one event) in one pipeline. `notes`: what could not be looked at, in words."""

    pipeline: str
    source: str
    kind: str
    id: str
    number: str | None = None
    created_at: Instant | None = None
    is_from_source: bool = False
    lines: list[Line] = field(default_factory=list)
    other_letters: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known of it."""
        return not self.is_from_source and not self.lines and not self.other_letters


@dataclass(frozen=True, slots=True)
class _Found:
    """A record as the source gave it, with what became of it."""

    stream: str
    record: bytes
    reading: Reading


async def show_entity(
    project: Project, store: Store, pipelines: Sequence[str], family: str, text: str, *, is_offline: bool = False
) -> list[View]:
    """What is known of the entities of a family with this id, number or e-mail, in each pipeline.

    Raises PlanError, SettingsError and StateError; a source that cannot be asked is noted.
    """
    views: list[View] = []
    for pipeline in pipelines:
        ways = ways_of(project, [pipeline])
        notes: list[str] = ["the source was not asked (`--offline`)"] if is_offline else []
        found: list[View] = []
        if not is_offline:
            try:
                async with open_source(project, pipeline) as source:
                    found = await _from_source(source, store, ways, family, text)
            except StateError:
                raise
            except CdiError as error:
                notes.append(f"the source `{ways[0].source_name}` could not be asked: {REDACTOR(error.message)}")
            else:
                notes += [] if found else [f"the source `{ways[0].source_name}` knows no {family} of that id or number"]
        views += found or [_from_id(store, ways, family, text, notes)]
    return views


async def find_records(source: Source, spec: SourceSpec, family: str, text: str) -> list[tuple[str, bytes]]:
    """(stream, record) of what a family's main stream knows by an e-mail address, else by an id, else by a number.

    A product is asked for by its SKU first, which is its id here and may look like the platform's own.
    """
    streams = [stream.name for stream in spec.streams if stream.family == family and stream.is_default]
    streams = streams or [stream.name for stream in spec.streams if stream.family == family]
    ways: tuple[FindBy, ...] = ("number", "id") if family == "product" else ("email",) if "@" in text else ("id", "number")
    for stream in streams:
        for by in ways:
            if records := await source.find(stream, by, text):
                return [(stream, record) for record in records]
    return []


def meant(readings: Sequence[Reading], text: str) -> list[bool]:
    """Which readings of what was found are meant: of a product whose SKU was named that one variant, else all."""
    sku = text.strip().casefold()
    has = [isinstance(each, Product) and (each.sku or "").casefold() == sku for each in readings]
    return has if any(has) else [True] * len(has)


async def _from_source(source: Source, store: Store, ways: Sequence[Way], family: str, text: str) -> list[View]:
    records = await find_records(source, ways[0].source_spec, family, text)
    found: list[_Found] = []
    for stream, record in records:
        (readings,) = await source.read(stream, [record])
        origins = readings.records if isinstance(readings, Joined) else [record] * len(readings)
        found += [_Found(stream, origin, reading) for reading, origin in zip(readings, origins, strict=True)]
    found = [one for one, is_meant in zip(found, meant([each.reading for each in found], text), strict=True) if is_meant]
    made = [
        (way, one, happenings(way, entity, one.record))
        for one in found
        if (entity := entity_of(one.reading)) is not None
        for way in ways
    ]
    keys = {each.event.key for _, _, each_way in made for each in each_way if each.event is not None}
    traces = by_key(store.trace(keys)) if keys else {}
    views: list[View] = []
    for one in found:
        view = _view_of(ways[0], family, one)
        for way, of, each_way in made:
            if of is one:
                issue = issuer_of(way, source, store).issue(one.stream, [one.record], [[one.reading]])
                view.lines += lines_of(way, store, each_way, issue, traces)
        view.other_letters = _other_letters(store, ways, view)
        views.append(view)
    return views


def _view_of(way: Way, family: str, found: _Found) -> View:
    reading = found.reading
    view = View(way.pipeline, way.source_name, family, "", is_from_source=True)
    if isinstance(reading, Unreadable):
        view.id = reading.record_id or "unknown"
        view.notes.append(f"the record cannot be read: {reading.reason}: {reading.detail}")
    elif isinstance(reading, Nothing):
        view.notes.append(f"the record makes no event: {reading.reason}")
    elif isinstance(reading, Departed):
        view.id = reading.customer_id
        view.notes.append(f"the customer was deleted at {reading.at}")
    else:
        view.id, view.created_at = reading.id, reading.created_at
        view.number = getattr(reading, "number", None)
    return view


def lines_of(
    way: Way,
    store: Store,
    made: Sequence[Happening],
    issue: Issue,
    traces: Mapping[tuple[bytes, str, str], list[Trace]],
) -> Iterator[Line]:
    """Every delivery of these events to the way's destination, and why each of the others is not sent; `issue` is theirs."""
    keys = [each.event.key for each in made if each.event is not None]
    letters = store.letters(way.source_name, way.destination_name, keys) if keys else {}
    outgoing = {item.event.key for item in issue.outgoing}
    dying = {letter.place: letter for letter in issue.dead}
    why = _reasons(issue)
    for each in made:
        line = Line(way.destination_name, each.name, None, "not_sent")
        event = each.event
        if event is None:
            yield replace(line, why=why.get(each.name) or why.get("") or "no_identity")
            continue
        repeats = KINDS[each.kind].repeats == "content"
        # Where ids also hold when a content was read, the present content does not tell them.
        event_id = None if repeats and way.source_spec.has_silent_changes else event.id
        line = replace(line, event_id=event_id)
        sent = traces.get((event.key, way.source_name, way.destination_name), [])
        for trace in sent:
            current = trace.content == event.content
            # An earlier content had an id of its own.
            yield _sent(replace(line, event_id=event_id if current or not repeats else None), trace, is_current=current)
        is_settled = bool(sent) and (not repeats or sent[-1].content == event.content)
        letter: KnownLetter | None = letters.get(event.key)
        if letter is not None:
            yield replace(line, why="in_dead_letters", dead_letter=letter.id)
        elif is_settled:
            continue
        elif event.key in outgoing:
            yield replace(line, why=CHANGED if sent else NOT_SENT_YET)
        elif event.key in dying:
            yield replace(line, why=dying[event.key].reason, detail=dying[event.key].detail)
        elif each.kind == "order.updated":
            continue  # nothing changed since the order was sent as completed, or it was not sent yet
        else:
            yield replace(line, why=why.get(each.name) or why.get("") or "delivered_before")


def _reasons(issue: Issue) -> dict[str, str]:
    """Event name ("" for the whole record) -> why it was left out."""
    found: dict[str, str] = {}
    for _, name, outcome, reason in issue.counts:
        if outcome == "filtered":
            found[name] = f"{found[name]}, {reason}" if name in found else reason
    return found


def _sent(line: Line, trace: Trace, *, is_current: bool | None) -> Line:
    return replace(
        line,
        state="sent",
        run=trace.run_id,
        run_started_at=trace.run_started_at,
        plan_version=trace.plan_version,
        is_current=is_current,
    )


def by_key(traces: Sequence[Trace]) -> dict[tuple[bytes, str, str], list[Trace]]:
    """Deliveries by ledger key, source and destination, oldest first."""
    found: dict[tuple[bytes, str, str], list[Trace]] = {}
    for trace in traces:
        found.setdefault((trace.key, trace.source, trace.destination), []).append(trace)
    return found


def _from_id(store: Store, ways: Sequence[Way], family: str, text: str, notes: list[str]) -> View:
    """What follows from the id alone."""
    view = View(ways[0].pipeline, ways[0].source_name, family, text, notes=notes)
    named = [(way, keys_of_id(way, family, text)) for way in ways]
    traces = by_key(store.trace({key for _, keys in named for key in keys}))
    for way, keys in named:
        letters = store.letters(way.source_name, way.destination_name, keys)
        for key, name in keys.items():
            line = Line(way.destination_name, name, None, "not_sent")
            sent = traces.get((key, way.source_name, way.destination_name), [])
            view.lines += [_sent(line, trace, is_current=None) for trace in sent]
            if key in letters:
                view.lines.append(replace(line, why="in_dead_letters", dead_letter=letters[key].id))
    view.other_letters = _other_letters(store, ways, view)
    if "@" in text:
        view.notes.append(f"an e-mail address says nothing without the source: name the {family}'s id")
    elif not view.is_empty:
        view.notes.append("shown is what follows from the id alone: not refunds and deliveries, nor what was not sent")
    return view


def _other_letters(store: Store, ways: Sequence[Way], view: View) -> list[int]:
    """Numbers of the entity's dead letters that no line names."""
    named = {line.dead_letter for line in view.lines}
    targets = {way.destination_name for way in ways}
    letters = store.dead_letters(LetterFilter(entity_id=view.id), limit=LETTERS_MAX) if view.id else []
    return [
        stored.id
        for stored in letters
        if stored.id not in named and stored.source == view.source and stored.destination in targets
    ]


def show_event(project: Project, store: Store, pipelines: Sequence[str], message_id: str) -> list[View]:
    """Where one event was delivered, by its message id; an id that nothing was delivered under has an empty view.

    A profile's or an update's id ends in its content; the ledger keeps the last of them under what stands before that.
    """
    exact, whole = key_of(message_id), message_id.rpartition(":")[0]
    content = message_id.rpartition("-")[2]
    keys = [exact, key_of(whole)] if whole else [exact]
    traces = store.trace(keys)
    views: list[View] = []
    for pipeline in pipelines:
        chosen = project.settings.pipelines[pipeline]
        view = View(pipeline, chosen.source, "event", message_id)
        for trace in traces:
            if trace.source != chosen.source or trace.destination not in chosen.destinations:
                continue
            is_same = trace.key == exact or trace.content.hex() == content
            if is_same or HASHED_TAIL in message_id:
                line = Line(trace.destination, "", message_id if is_same else None, "sent")
                view.lines.append(_sent(line, trace, is_current=None))
        for destination in chosen.destinations:
            for letter in store.letters(chosen.source, destination, keys).values():
                view.lines.append(Line(destination, "", None, "not_sent", why="in_dead_letters", dead_letter=letter.id))
        views.append(view)
    return views
