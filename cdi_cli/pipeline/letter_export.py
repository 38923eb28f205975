"""Dead letters for other programs: JSON Lines or CSV, whole or without personal data.

A line of JSON, and the header of the CSV, have the keys of `FIELDS`, then `message` (the event as it was to be sent) and
`record` (the source's, scrubbed). Redacted, there is no record, and the message has only what the plan says is not personal.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from cdi_cli.config.settings import Settings
from cdi_cli.plan import Plan, PlannedEvent, Property
from cdi_cli.state._base import LetterFilter, Store, StoredDeadLetter

FIELDS = (
    *("id", "at", "first_at", "times", "pipeline", "source", "destination", "stream", "entity_id", "event", "event_id"),
    *("stage", "reason", "detail", "violations", "plan_version", "run"),
)
PAYLOAD = ("message", "record")
CHUNK_LETTERS = 100
"""Dead letters that are held at once."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula at the start of a cell (sheet "reliability", S6)."""
HARMLESS = ("type", "event", "messageId", "timestamp")
"""Parts of a message that say nothing of a person but which of the shop's records it is about."""

Redact = Callable[[StoredDeadLetter, dict[str, Any]], dict[str, Any]]
Row = dict[str, Any]


def rows(store: Store, numbers: list[int], redact: Redact | None = None) -> Iterator[Row]:
    """The chosen letters as plain data, lowest number first; `redact` makes of a message what may be shown of it."""
    ordered = sorted(numbers)
    for start in range(0, len(ordered), CHUNK_LETTERS):
        chunk = tuple(ordered[start : start + CHUNK_LETTERS])
        found = store.dead_letters(LetterFilter(numbers=chunk), limit=len(chunk))
        for stored in sorted(found, key=lambda one: one.id):
            yield _row(stored, redact)


def _row(stored: StoredDeadLetter, redact: Redact | None) -> Row:
    letter = stored.letter
    row: Row = {
        "id": stored.id,
        "at": stored.at,
        "first_at": stored.first_at,
        "times": stored.times,
        "pipeline": stored.pipeline,
        "source": stored.source,
        "destination": stored.destination,
        "stream": letter.stream,
        "entity_id": letter.entity_id,
        "event": letter.event_name,
        "event_id": letter.event_id,
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "violations": [{"path": path, "rule": rule, "message": text} for path, rule, text in letter.violations],
        "plan_version": stored.plan_version,
        "run": stored.run_id,
    }
    if redact is None:
        return {**row, "message": _json(letter.event), "record": _json(letter.record)}
    message = msgspec.json.decode(letter.event) if letter.event else None
    return {**row, "message": redact(stored, message) if message is not None else None}


def _json(raw: bytes | None) -> msgspec.Raw | None:
    """A kept payload in one line, digit by digit as it was."""
    return msgspec.Raw(msgspec.json.format(raw, indent=-1)) if raw is not None else None


def json_lines(exported: Iterable[Row]) -> Iterator[bytes]:
    """Each row as a line of JSON."""
    for row in exported:
        yield msgspec.json.encode(row) + b"\n"


def csv_lines(exported: Iterable[Row], *, has_record: bool) -> Iterator[bytes]:
    """A header and each row as CSV (RFC 4180, UTF-8), no cell of which a spreadsheet takes for a formula."""
    names = (*FIELDS, *(PAYLOAD if has_record else PAYLOAD[:1]))
    yield _csv_line(names)
    for row in exported:
        yield _csv_line([_cell(row[name]) for name in names])


def _csv_line(cells: Iterable[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return f"'{text}" if text.startswith(FORMULA) else text


def redactor(settings: Settings, load: Callable[[str], Plan]) -> Redact:
    """What leaves personal data out of messages, by the plan of each letter's pipeline; `load` gives that plan.

    Of an event that no plan names any more, no property is kept.
    """
    plans: dict[str, dict[str, PlannedEvent]] = {}

    def planned(stored: StoredDeadLetter) -> PlannedEvent | None:
        name = stored.pipeline
        if name not in plans:
            plans[name] = {event.name: event for event in load(name).events} if name in settings.pipelines else {}
        return plans[name].get(stored.letter.event_name or "")

    def redact(stored: StoredDeadLetter, message: dict[str, Any]) -> dict[str, Any]:
        event = planned(stored)
        shown = {name: message[name] for name in HARMLESS if name in message}
        field = "traits" if "traits" in message else "properties"
        kept = _harmless(message.get(field), event.properties) if event is not None else {}
        return {**shown, field: kept}

    return redact


def _harmless(values: Any, properties: tuple[Property, ...]) -> dict[str, Any]:
    """The values whose property the plan calls `pii: none`."""
    held = values if isinstance(values, dict) else {}
    kept = ((each.name, _harmless_value(held[each.name], each)) for each in properties if each.name in held)
    return {name: value for name, value in kept if value is not None}


def _harmless_value(value: Any, planned: Property) -> Any:
    if isinstance(value, dict):
        return _harmless(value, planned.properties) or None
    if isinstance(value, list) and planned.items is not None:
        items = planned.items
        return [one for each in value if (one := _harmless_value(each, items)) is not None] or None
    return value if planned.pii == "none" and not isinstance(value, list) else None
