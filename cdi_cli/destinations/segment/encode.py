"""Events as bytes of a Segment batch, and the envelope around them.

One event: `{"type","messageId","timestamp","userId"?,"anonymousId"?,"event"?,"properties"|"traits","context"?}`, the
properties embedded as they were encoded once. The envelope:

    {"writeKey":K,"sentAt":T,"context":{"library":{...},"channel":"server"},"integrations":{...}?,"batch":[...]}

Segment merges the envelope's `context` and `integrations` into each event and limits the merged event to 32,768 bytes
(sheet "Segment", sections 2, 3, 5); `Encoder` counts it so.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from cdi_cli import __version__
from cdi_cli.clock import Instant
from cdi_cli.destinations._base import Filtered, Rejected
from cdi_cli.destinations.segment.rules import group_id, violation
from cdi_cli.events import PRODUCT_FAMILY, Event
from cdi_cli.secrets import Secret

EVENT_BYTES_MAX = 32_768
BODY_BYTES_MAX = 512_000
"""What Segment takes before compression; its own SDK stays under 475,000, and so do batches cut by `Limits`."""
BATCH_BYTES = 475_000

BATCH_CONTEXT = {"library": {"name": "cdi", "version": __version__}, "channel": "server"}

_json = msgspec.json.Encoder()


class _Message(msgspec.Struct, rename="camel", gc=False):
    """The wire form, in wire order; what is unset is left out."""

    type: str
    message_id: str
    timestamp: str
    user_id: str | UnsetType = UNSET
    anonymous_id: str | UnsetType = UNSET
    previous_id: str | UnsetType = UNSET
    group_id: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    properties: msgspec.Raw | UnsetType = UNSET
    traits: msgspec.Raw | UnsetType = UNSET
    context: dict[str, Any] | UnsetType = UNSET


class Encoder:
    """Encodes events and bodies for one write key and one `integrations` object."""

    def __init__(self, write_key: Secret, integrations: dict[str, bool] | None) -> None:
        self._write_key = write_key
        context = _json.encode(BATCH_CONTEXT)
        chosen = b"" if integrations is None else b',"integrations":' + _json.encode(integrations)
        self._tail = b',"context":' + context + chosen + b',"batch":['
        self._added_without_context = len(b',"context":') + len(context) + len(chosen)
        self._added_to_context = len(context) - len(b"{}") + len(b",") + len(chosen)
        self.event_bytes_max = EVENT_BYTES_MAX - min(self._added_without_context, self._added_to_context)

    @property
    def overhead_bytes(self) -> int:
        """What the envelope adds to the events and the commas between them."""
        return len(self.body(b"", Instant("2026-01-01T00:00:00.000Z")))

    def event(self, event: Event) -> bytes | Rejected | Filtered:
        """The event's place in the batch, or why Segment would drop it; never raises. It has no catalogue of products."""
        if event.family == PRODUCT_FAMILY:
            return Filtered("no_catalogue")
        if rejected := violation(event):
            return rejected
        try:
            encoded = _json.encode(_message(event))
        except UnicodeEncodeError:
            return Rejected("segment_not_unicode", "a text of the event is not valid Unicode")
        except (TypeError, ValueError, OverflowError, RecursionError):
            return Rejected("segment_not_json", "the event's context holds a value that JSON cannot express")
        merged = len(encoded) + (self._added_to_context if event.context else self._added_without_context)
        if merged > EVENT_BYTES_MAX:
            return Rejected(
                "segment_event_too_large",
                f"the event takes {merged:,} bytes with what the batch adds to it, Segment takes {EVENT_BYTES_MAX:,}",
            )
        return encoded

    def body(self, joined: bytes, sent_at: Instant) -> bytes:
        """The request body around events that were joined by commas; `sent_at` is the time of this very attempt."""
        key = _json.encode(self._write_key.reveal())
        return b'{"writeKey":' + key + b',"sentAt":"' + sent_at.encode() + b'"' + self._tail + joined + b"]}"


def _message(event: Event) -> _Message:
    kind = event.type
    message = _Message(kind, event.id, event.at)
    if event.user_id is not None:
        message.user_id = event.user_id
    if kind == "alias":
        message.previous_id = event.anonymous_id or UNSET
        return message
    if event.anonymous_id is not None:
        message.anonymous_id = event.anonymous_id
    if event.context:
        message.context = event.context
    if kind == "track":
        message.event = event.name
        message.properties = msgspec.Raw(event.body)
    elif kind == "identify":
        message.traits = msgspec.Raw(event.body)
    elif kind == "group":
        message.group_id = group_id(event) or UNSET
        message.traits = msgspec.Raw(event.body)
    else:
        if event.name != kind:  # else the page has no name of its own
            message.name = event.name
        message.properties = msgspec.Raw(event.body)
    return message
