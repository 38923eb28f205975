"""Dead letters as the pipeline writes them: what failed, where, and the one place that the queue has for it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cdi_cli.destinations import Rejected
from cdi_cli.events import Event, Occurrence, content_of, key_of
from cdi_cli.plan import MappingError
from cdi_cli.sources import Unreadable
from cdi_cli.state._base import DeadLetter, Stage

Scrub = Callable[[str, bytes], bytes | None]
encode_message = msgspec.json.Encoder().encode


def event_letter(
    stream: str,
    event: Event,
    record: bytes | None,
    rejected: Rejected,
    stage: Stage,
    violations: tuple[tuple[str, str, str], ...] = (),
) -> DeadLetter:
    """The letter of an event that cannot be delivered; `record` is scrubbed already. Its place is that of the event."""
    return DeadLetter(
        stream=stream,
        reason=rejected.reason,
        detail=rejected.detail,
        entity_id=event.entity_id,
        event_name=event.name,
        event_id=event.id,
        violations=violations,
        record=record,
        event=encode_message(event.message()),
        stage=stage,
        place=event.key,
        digest=event.content,
    )


def record_letter(stream: str, record: bytes, unreadable: Unreadable, scrub: Scrub) -> DeadLetter:
    """The letter of a record that no entity could be made of."""
    kept = scrub(stream, record)
    name = unreadable.record_id or content_of(record).hex()
    return DeadLetter(
        stream=stream,
        reason=unreadable.reason,
        detail=unreadable.detail,
        entity_id=unreadable.record_id,
        record=kept,
        stage="read",
        place=record_place(stream, name),
        digest=content_of(record),
    )


def record_place(stream: str, record_id: str) -> bytes:
    """The place in the queue of a record that cannot be read."""
    return key_of(f"record:{stream}:{record_id}")


def mapping_letter(
    stream: str, occurrence: Occurrence, event: Event, record: bytes, error: MappingError, scrub: Scrub
) -> DeadLetter:
    """The letter of an event that a script of the plan fails to make; `event`: the same without its properties."""
    return DeadLetter(
        stream=stream,
        reason=error.reason,
        detail=error.detail,
        entity_id=event.entity_id,
        event_name=event.name,
        event_id=event.id,
        record=scrub(stream, record),
        stage="map",
        place=event.key,
        digest=content_of(f"{occurrence.entity.version}:{error.detail}".encode()),
    )


def kind_letter(stream: str, kind: str, entity_id: str, record: bytes, scrub: Scrub) -> DeadLetter:
    """The letter of something that happened and that no event of the plan is triggered by."""
    return DeadLetter(
        stream=stream,
        reason="unplanned_event",
        detail=f"the plan has no event with the trigger `{kind}`",
        entity_id=entity_id,
        event_name=kind,
        record=scrub(stream, record),
        place=key_of(f"unplanned:{stream}:{kind}:{entity_id}"),
        digest=content_of(record),
    )
