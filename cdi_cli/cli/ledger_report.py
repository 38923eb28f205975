"""What the ledger knows, in words and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from cdi_cli.pipeline.ledger_view import Line, View
from cdi_cli.state._base import LedgerSize

WORDS = {
    "not_sent_yet": "the next run that reads the record sends it",
    "changed_since": "its content changed since; the next run that reads the record sends it",
    "before_first_sight": "it happened before the first backfill or sync looked (see `cdi backfill --since`)",
    "beyond_retention": "it is older than the ledger is kept (`ledger: {keep: ...}`)",
    "not_routed": "the plan does not send this event to this destination",
    "no_identity": "the record names nobody it could belong to",
    "erased": "the person was erased (`cdi erase`) or deleted in the source",
    "delivered_before": "the same was said of the whole before",
    "unplanned_event": "the plan has no event for it",
}


def view_lines(view: View) -> Iterator[str]:
    """One entity or event in one pipeline."""
    number = f" ({view.number})" if view.number else ""
    created = f", created {view.created_at}" if view.created_at else ""
    yield f"{view.kind} {view.id}{number}{created}"
    for destination, lines in groupby(view.lines, key=lambda line: line.destination):
        yield f"{view.pipeline} -> {destination}"
        for line in lines:
            yield from _line(line)
    if not view.lines:
        yield f"{view.pipeline}: nothing was sent"
    if view.other_letters:
        yield f"also in dead letters: {', '.join(map(str, view.other_letters))} (`cdi dlq show {view.other_letters[0]}`)"
    for note in view.notes:
        yield f"note: {note}"


def _line(line: Line) -> Iterator[str]:
    name = f"  {line.event}: " if line.event else "  "
    if line.state == "sent":
        state = {True: ", content as now", False: ", content has changed since", None: ""}[line.is_current]
        yield f"{name}sent by run {line.run}, begun {line.run_started_at}, under plan {line.plan_version}{state}"
    elif line.dead_letter is not None:
        yield f"{name}not sent: in the dead letters (`cdi dlq show {line.dead_letter}`)"
    else:
        yield f"{name}not sent: {why_text(line)}"
    if line.event_id:
        yield f"    {line.event_id}"


def why_text(line: Line) -> str:
    """Why an event was not sent, in words."""
    why = line.why or ""
    if line.detail is not None:
        return f"it would be rejected: {why}: {line.detail}"
    if why.startswith("consent:"):
        return f"consent for {why.removeprefix('consent:')} was not given"
    return WORDS.get(why, why)


def size_json(size: LedgerSize, file_bytes: int) -> dict[str, Any]:
    """The ledger's size as plain data."""
    return {
        "entries": size.entries,
        "rows": size.rows,
        "bytes": size.size_bytes,
        "bytes_per_event": round(size.size_bytes / size.entries, 1) if size.entries else None,
        "file_bytes": file_bytes,
    }


def size_lines(size: LedgerSize, file_bytes: int) -> Iterator[str]:
    """The ledger's size in words."""
    yield f"events:          {size.entries:,} in {size.rows:,} rows"
    yield f"bytes:           {size.size_bytes:,}"
    if size.entries:
        yield f"bytes per event: {size.size_bytes / size.entries:.1f}"
    yield f"checkpoint file: {file_bytes:,} bytes"
