"""A preview as plain data, and what of it is masked: one decision for the text, the JSON and the bodies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from cdi_cli.pipeline.preview import Preview, PreviewedEvent, decoded
from cdi_cli.pipeline.preview_lineage import Leaf, Traced, path_of, rebuilt
from cdi_cli.pipeline.preview_mask import entity_fields, masked_record, what


def shown(leaf: Leaf, event: PreviewedEvent, personal: frozenset[str], *, has_data: bool) -> Any:
    """The value of a field of a request: itself, or what kind of value it is where it tells something about a person.

    A field is as personal as the most personal value that it is made of. What was not traced, or holds a text of the
    person's, is masked, too.
    """
    value = leaf.value
    if has_data or value is None or isinstance(value, bool | dict | list) or value == "":
        return value
    classes = [pii for probe in leaf.probes if (pii := event.origins.pii(probe)) != "none"]
    if classes:
        return what(value, classes[0])
    if not isinstance(value, str):
        return value
    folded = value.casefold()
    if any(text in folded for text in personal):
        return what(value)
    return what(value, "not traced") if not leaf.probes and not event.lineage.is_whole else value


def shown_id(event_id: str, personal: frozenset[str], *, has_data: bool) -> str:
    """An event's id; masked where a text of the person's is part of it, as the name of a company may be."""
    return event_id if has_data or not any(text in event_id.casefold() for text in personal) else what(event_id)


def bodies(previews: Sequence[Preview], *, has_data: bool) -> Iterator[str]:
    """Every request body, one to a line; masked ones are no longer what would be sent."""
    for preview in previews:
        for event in preview.events:
            requests = event.lineage.requests if not event.is_beside_the_point else []
            for traced in requests:
                body = _body(traced, event, preview.personal, has_data=has_data)
                yield json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _body(traced: Traced, event: PreviewedEvent, personal: frozenset[str], *, has_data: bool) -> Any:
    return rebuilt(traced, lambda leaf: shown(leaf, event, personal, has_data=has_data))


def preview_json(preview: Preview, *, has_data: bool) -> dict[str, Any]:
    """A preview as plain data."""
    record = decoded(preview.record)
    return {
        "pipeline": preview.pipeline,
        "source": preview.source,
        "destination": preview.destination,
        "stream": preview.stream,
        "record_bytes": preview.record_bytes,
        "record": record if has_data else masked_record(record),
        "entity": entity_fields(preview.entity, has_data=has_data) if preview.entity is not None else None,
        "events": [_event(each, preview.personal, has_data=has_data) for each in preview.events],
        "notes": preview.notes,
    }


def _event(event: PreviewedEvent, personal: frozenset[str], *, has_data: bool) -> dict[str, Any]:
    fate, made = event.fate, event.event
    event_id = shown_id(made.id, personal, has_data=has_data) if made is not None else None
    ledger = [{name: value for name, value in asdict(line).items() if value is not None} for line in event.lines]
    for known in ledger:
        if "event_id" in known:
            known["event_id"] = shown_id(known["event_id"], personal, has_data=has_data)

    def field(leaf: Leaf) -> dict[str, Any]:
        made_of = [{"value": probe.path, "from": event.source(probe) or None} for probe in leaf.probes]
        return {
            "path": path_of(leaf.steps),
            "value": shown(leaf, event, personal, has_data=has_data),
            "made_of": made_of,
        }

    return {
        "event": event.name,
        "trigger": event.kind,
        "id": event_id,
        "at": made.at if made is not None else None,
        "is_sent_if_new": fate.event is not None,
        "withheld": None if fate.event is not None else {"reason": fate.reason, "detail": fate.detail},
        "violations": [{"path": path, "rule": rule, "message": text} for path, rule, text in fate.violations],
        "warnings": list(fate.warnings),
        "rules": list(fate.ruling.rules) if fate.ruling is not None else [],
        "ledger": ledger,
        "requests": [
            {
                "method": traced.draft.method,
                "url": traced.draft.url,
                "bytes": len(traced.draft.body),
                "body": _body(traced, event, personal, has_data=has_data),
                "fields": [field(leaf) for leaf in traced.leaves],
            }
            for traced in event.lineage.requests
        ],
        "left_behind": [{"property": left.path, "why": left.why} for left in event.left],
        "without_value": event.missing,
    }
