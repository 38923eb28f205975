"""The event: a Segment-spec message with its identity, business time and deterministic id."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cdi_cli.clock import Instant

EventType = Literal["track", "identify", "group", "page", "screen", "alias"]


class Event(msgspec.Struct, gc=False):
    """One message of the tracking plan, ready to be encoded for any destination.

    `name` is the plan's event name (for `identify` and `group` the word itself), `kind` the lifecycle kind it came of.
    `properties` are the track properties or the traits, `body` the same as JSON bytes (encoded once, embedded by
    destinations). `at` is business time. `family`, `entity_id`, `created_at` say which entity it belongs to and when that
    was created. `key` (16 bytes) is where the ledger keeps it: one place per event id, and for a
    kind that repeats with its content one place for all of them, which holds the last `content` (8 bytes) delivered.
    `whole_key`: where the ledger would keep the same said of the whole entity, where that makes a part's event needless.
    """

    id: str
    kind: str
    type: EventType
    name: str
    at: Instant
    user_id: str | None
    anonymous_id: str | None
    properties: dict[str, Any]
    context: dict[str, Any]
    body: bytes
    family: str
    entity_id: str
    created_at: Instant
    key: bytes
    content: bytes
    whole_key: bytes | None = None

    def message(self) -> dict[str, Any]:
        """The event as a Segment-spec message: for people, previews and dead letters, not for the hot path."""
        field = "traits" if self.type in ("identify", "group") else "properties"
        parts: dict[str, Any] = {
            "type": self.type,
            "messageId": self.id,
            "timestamp": self.at,
            "userId": self.user_id,
            "anonymousId": self.anonymous_id,
            "event": self.name if self.type == "track" else None,
            field: self.properties,
            "context": self.context or None,
        }
        return {name: part for name, part in parts.items() if part is not None}
