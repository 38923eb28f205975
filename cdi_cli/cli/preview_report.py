"""A preview for people: a section per station, at most so many lines of each, in as many columns as the terminal has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.text import Text

from cdi_cli.cli.ledger_report import line_words, why_text
from cdi_cli.cli.output import plain
from cdi_cli.cli.preview_json import shown, shown_id
from cdi_cli.pipeline.ledger_view import Line
from cdi_cli.pipeline.preview import Preview, PreviewedEvent, decoded
from cdi_cli.pipeline.preview_lineage import Leaf, Traced, path_of
from cdi_cli.pipeline.preview_mask import entity_fields, masked_record
from cdi_cli.secrets import REDACTOR

if TYPE_CHECKING:
    from rich.console import Console

RECORD_LINES = 12
ENTITY_LINES = 16
FIELD_LINES = 40
WIDE_COLUMNS = 110
NAME_COLUMNS = 28
VALUE_COLUMNS_MAX = 48
HEAD, DIM, GOOD, HELD = "bold", "dim", "green", "yellow"


@dataclass(frozen=True, slots=True)
class Style:
    """What is shown of a preview."""

    has_data: bool = False
    is_full: bool = False


Row = list[tuple[str, str]]
"""The parts of a line with the style of each."""


def print_previews(previews: Sequence[Preview], console: Console, style: Style) -> None:
    """Print previews, one after the other; of a record that is several entities the first, and the others by their names."""
    shown_whole = previews if style.is_full else previews[:1]
    for number, preview in enumerate(shown_whole):
        if number:
            console.print()
        for row in _rows(preview, console.width, style):
            line = Text()
            for text, look in row:
                line.append(plain(REDACTOR(text)), style=look or None)
            console.print(line, soft_wrap=True)
    if len(shown_whole) < len(previews):
        others = [each.entity.id for each in previews[len(shown_whole) :] if each.entity is not None]
        console.print()
        for row in _wrapped("The record is more than that (`--full`): ", others, console.width):
            console.print(Text(plain("".join(text for text, _ in row)), style=HELD), soft_wrap=True)


def _rows(preview: Preview, width: int, style: Style) -> Iterator[Row]:
    yield [(f"{preview.source} -> {preview.destination}", HEAD), (f"  pipeline {preview.pipeline}; nothing is sent", DIM)]
    for note in preview.notes:
        yield [(f"note: {note}", HELD)]
    record = decoded(preview.record)
    if record is not None:
        yield []
        yield [("Record", HEAD), (f"  {preview.stream}, {preview.record_bytes:,} bytes, as the source sent it", DIM)]
        yield from _table(record if style.has_data else masked_record(record), width, RECORD_LINES, style)
    if preview.entity is None:
        return
    yield []
    yield [("Entity", HEAD), (f"  {type(preview.entity).__name__}, the same for every platform", DIM)]
    yield from _table(entity_fields(preview.entity, has_data=style.has_data), width, ENTITY_LINES, style)
    yield []
    yield [("Events", HEAD)]
    if not preview.events:
        yield [("  none: the plan has no event for it, or nothing has happened that makes one", "")]
    for event in preview.events:
        yield from _summary(event, width)
    for event in preview.events:
        if event.fate.event is not None and not event.is_beside_the_point:
            yield []
            yield from _event(event, preview, width, style)


def _summary(event: PreviewedEvent, width: int) -> Iterator[Row]:
    words, look = _status(event)
    first, *more = wrap(f"  {event.name}: {words}", width, subsequent_indent="    ", break_long_words=False)
    start = len(event.name) + 3
    yield [(first[:start], ""), (first[start:], look)]
    yield from ([(line, look)] for line in more)
    for path, rule, sentence in event.fate.violations:
        yield [(f"    {path or 'event'}: {sentence} (rule: {rule})", HELD)]


def _status(event: PreviewedEvent) -> tuple[str, str]:
    """What became or would become of an event in words, and their colour."""
    fate = event.fate
    if event.is_beside_the_point:
        return "made when the order changes after it was delivered", DIM
    if fate.event is None:
        why = fate.detail or why_text(Line("", event.name, None, "not_sent", why=fate.reason))
        sent = [line_words(line) for line in event.lines if line.state == "sent"]
        held = [line_words(line) for line in event.lines if line.dead_letter is not None]
        return "; ".join([f"withheld: {why}", *sent, *held]), HELD
    told = "; ".join(dict.fromkeys(line_words(line) for line in event.lines))
    is_held = any(line.state != "sent" and line.why not in ("not_sent_yet", "changed_since") for line in event.lines)
    return told or "would be sent", HELD if is_held else GOOD


def _table(fields: dict[str, Any], width: int, lines_max: int, style: Style) -> Iterator[Row]:
    """Names and values, one to a line; what holds more than one value is told by its size, unless all is asked for."""
    rows = list(fields.items()) if not style.is_full else list(_flat(fields, ""))
    limit = len(rows) if style.is_full else lines_max
    columns = min(max((len(name) for name, _ in rows[:limit]), default=0), NAME_COLUMNS)
    for name, value in rows[:limit]:
        room = width - columns - 4
        yield [(f"  {name:<{columns}}  ", ""), (_value(value, room if not style.is_full else 10_000), "")]
    if len(rows) > limit:
        yield [(f"  ... and {len(rows) - limit} more (`--full`)", DIM)]


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _flat(each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield from _flat(each, f"{path}[{number}]")
    else:
        yield path, value


def _value(value: Any, room: int) -> str:
    if isinstance(value, dict):
        names = ", ".join(value)
        text = f"{{{names}}}"
    elif isinstance(value, list):
        text = f"a list of {len(value)}" if value else "an empty list"
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= room else f"{text[: max(room - 1, 1)]}…"


def _event(event: PreviewedEvent, preview: Preview, width: int, style: Style) -> Iterator[Row]:
    made = event.event
    yield [(event.name, HEAD), (f"  {event.kind}, {made.at}" if made is not None else "", DIM)]
    if made is not None:
        yield [(f"  {shown_id(made.id, preview.personal, has_data=style.has_data)}", DIM)]
    for traced in event.lineage.requests:
        method = f"{traced.draft.method} " if traced.draft.method else ""
        yield [(f"  {method}{traced.draft.url}", ""), (f"  {len(traced.draft.body):,} bytes", DIM)]
        yield from _fields(traced, event, preview, width, style)
    if not event.lineage.is_whole:
        yield [("  the event is too large to trace every value of it", HELD)]
    for title, texts in (("left behind", _left(event)), ("changed", event.fate.warnings)):
        if texts:
            yield [(f"  {title}", HEAD)]
            for text in texts:
                lines = wrap(text, width, initial_indent="    ", subsequent_indent="      ", break_long_words=False)
                yield from ([(line, HELD)] for line in lines)
    if event.missing:
        yield from _wrapped("  no value for ", event.missing, width)


def _left(event: PreviewedEvent) -> list[str]:
    """What stays behind, by the reason."""
    found: dict[str, list[str]] = {}
    for left in event.left:
        found.setdefault(left.why, []).append(left.path)
    return [f"{', '.join(paths)}: {why}" for why, paths in found.items()]


def _wrapped(start: str, words: Sequence[str], width: int) -> Iterator[Row]:
    line = start
    for number, word in enumerate(words):
        more = f"{word}{', ' if number < len(words) - 1 else ''}"
        if len(line) + len(more.rstrip()) > width and line.strip():
            yield [(line.rstrip(), DIM)]
            line = " " * 4
        line += more
    yield [(line, DIM)]


def _fields(traced: Traced, event: PreviewedEvent, preview: Preview, width: int, style: Style) -> Iterator[Row]:
    """The fields of a request, each below what it is in."""
    limit = len(traced.leaves) if style.is_full else FIELD_LINES
    for parent, group in groupby(traced.leaves[:limit], key=lambda leaf: leaf.steps[:-1]):
        if parent:
            yield [(f"    {path_of(parent)}", DIM)]
        leaves = list(group)
        columns = min(max(len(path_of(leaf.steps[-1:])) for leaf in leaves), NAME_COLUMNS)
        for leaf in leaves:
            value = shown(leaf, event, preview.personal, has_data=style.has_data)
            yield from _field(leaf, value, columns, _origin(leaf, event, is_wide=width >= WIDE_COLUMNS), width, style)
    if len(traced.leaves) > limit:
        yield [(f"    ... and {len(traced.leaves) - limit} more (`--full`)", DIM)]


def _field(leaf: Leaf, value: Any, columns: int, origin: str, width: int, style: Style) -> Iterator[Row]:
    name = path_of(leaf.steps[-1:])
    text = json.dumps(value, ensure_ascii=False)
    room = 100_000 if style.is_full else min(VALUE_COLUMNS_MAX, width - columns - 8)
    text = text if len(text) <= room else f'{text[: max(room - 2, 1)]}…"'
    left = f"      {name:<{columns}}  {text}"
    if not origin:
        yield [(left, "")]
    elif len(left) + len(origin) + 5 <= width:
        column = max(len(left) + 1, min(width // 2, width - len(origin) - 4))
        yield [(f"{left:<{column}}", ""), (f" <- {origin}", DIM)]
    else:
        yield [(left, "")]
        yield [(f"{' ' * (columns + 8)}<- {origin}", DIM)]


def _origin(leaf: Leaf, event: PreviewedEvent, *, is_wide: bool) -> str:
    """What a field is made of: the nearest thing to the record; where there is room, the event's property before it."""
    texts = []
    for probe in leaf.probes:
        source = event.source(probe)
        texts.append(f"{probe.path} <- {source}" if is_wide and source and len(leaf.probes) == 1 else source or probe.path)
    named = list(dict.fromkeys(texts))
    more = f" and {len(named) - 2} more" if len(named) > 2 else ""
    return ", ".join(named[:2]) + more
