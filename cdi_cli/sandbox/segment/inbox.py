"""What became of every message: applied, dropped with a code, or recognised as a repeat.

Repeats are found by `messageId` for 24 hours on the sandbox clock, across all sources; a message without an id gets a new
one and so is never a repeat. `timestamp` is computed as Segment does: what the client sent, corrected by how far its
`sentAt` was off when the request arrived. What the client sent stays in `originalTimestamp`.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from cdi_cli.clock import Instant, instant_from_datetime, parse_instant, to_datetime
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.segment.drops import Message, drop_code

EVENTS_MAX = 2_500
DEDUPE_SECONDS = 24 * 3600.0

Raw = msgspec.Raw


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a request says once for all of its messages."""

    received_at: Instant
    sent_at: str | None = None
    context: bytes = b""
    integrations: bytes = b""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message that was answered 200 and then thrown away, as it was sent."""

    code: str
    message: dict[str, Any]


@dataclass(slots=True)
class SegmentRequest:
    """One accepted call and what became of its messages."""

    path: str
    message_count: int
    body_bytes: int
    applied: int = 0
    duplicates: int = 0
    dropped: int = 0


@dataclass(slots=True)
class Rules:
    """Settings of the imitated workspace: a disabled source, suppressed users, events that the plan blocks."""

    is_disabled: bool = False
    suppressed_users: set[str] = field(default_factory=set)
    blocked_events: set[str] = field(default_factory=set)


class Inbox:
    """Everything a workspace received; read it from any thread."""

    def __init__(self, clock: SandboxClock, *, keep_messages: bool = True) -> None:
        self._clock = clock
        self._keep = keep_messages
        self._seen: dict[str, float] = {}
        self._stored: list[tuple[bytes | Raw, str, Envelope]] = []
        self._applied: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.rules = Rules()
        self.applied_count = 0
        self.duplicates: list[str] = []
        self.dropped_messages: list[Dropped] = []
        self.requests: list[SegmentRequest] = []

    @property
    def applied(self) -> list[dict[str, Any]]:
        """Applied messages in order, with the batch's context merged in and Segment's own fields added."""
        self._unfold(len(self._stored))
        return list(self._applied)

    @property
    def dropped(self) -> list[tuple[str, dict[str, Any]]]:
        """Dropped messages in order: (code, message)."""
        return [(entry.code, entry.message) for entry in list(self.dropped_messages)]

    def applied_slice(self, offset: int, limit: int) -> list[dict[str, Any]]:
        """Some applied messages, without unfolding those behind them."""
        self._unfold(min(offset + limit, len(self._stored)))
        return self._applied[offset : offset + limit]

    def applied_ids(self) -> Iterator[str]:
        """The ids of applied messages, in order."""
        return (message_id for _raw, message_id, _envelope in list(self._stored))

    def receive(self, messages: list[Raw], envelope: Envelope, request: SegmentRequest, code: str | None = None) -> None:
        """Judge the messages of one request; with `code`, all of them are dropped for that reason."""
        if self.rules.is_disabled and code is None:
            code = "source_disabled"
        if not messages and code is None:
            self.dropped_messages.append(Dropped("empty_batch", {}))
        if len(messages) > EVENTS_MAX and code is None:
            code = "too_many_events"
        with self._lock:
            now = self._clock.seconds()
            for raw in messages:
                self._judge(raw, envelope, request, code, now)
            self.requests.append(request)

    def clear(self) -> None:
        """Forget everything received, and all ids."""
        with self._lock:
            self._seen.clear()
            self._stored.clear()
            self._applied.clear()
            self.duplicates.clear()
            self.dropped_messages.clear()
            self.requests.clear()
            self.applied_count = 0

    def _judge(self, raw: Raw, envelope: Envelope, request: SegmentRequest, code: str | None, now: float) -> None:
        try:
            message = _decode_message(raw)
        except msgspec.DecodeError:
            code, message = code or "bad_request", Message()
        code = code or drop_code(message, envelope.context) or self._policy(message)
        if code is not None:
            request.dropped += 1
            self.dropped_messages.append(Dropped(code, _document(raw)))
            return
        message_id = message.messageId or str(uuid.uuid4())
        seen = self._seen.get(message_id)
        if seen is not None and now - seen < DEDUPE_SECONDS:
            request.duplicates += 1
            self.duplicates.append(message_id)
            return
        self._seen[message_id] = now
        request.applied += 1
        self.applied_count += 1
        if self._keep:
            self._stored.append((raw, message_id, envelope))

    def _policy(self, message: Message) -> str | None:
        if message.userId in self.rules.suppressed_users:
            return "suppressed_user"
        return "blocked_by_plan" if message.event in self.rules.blocked_events else None

    def _unfold(self, count: int) -> None:
        with self._lock:
            for raw, message_id, envelope in self._stored[len(self._applied) : count]:
                self._applied.append(_applied(raw, message_id, envelope))


_decode_message = msgspec.json.Decoder(Message).decode


def _document(raw: bytes | Raw) -> dict[str, Any]:
    value = msgspec.json.decode(raw)
    return value if isinstance(value, dict) else {"value": value}


def _applied(raw: bytes | Raw, message_id: str, envelope: Envelope) -> dict[str, Any]:
    """The message as destinations would get it."""
    message = {**_document(raw), "messageId": message_id, "receivedAt": envelope.received_at}
    for name, shared in (("context", envelope.context), ("integrations", envelope.integrations)):
        if shared:
            own = message.get(name)
            message[name] = {**msgspec.json.decode(shared), **(own if isinstance(own, dict) else {})}
    original = message.get("originalTimestamp") or message.get("timestamp")
    if original is not None:
        message["originalTimestamp"] = original
    if envelope.sent_at is not None:
        message["sentAt"] = envelope.sent_at
    message["timestamp"] = _timestamp(original, envelope)
    return message


def _timestamp(original: object, envelope: Envelope) -> str:
    """receivedAt - (sentAt - originalTimestamp); without a usable `sentAt` the original, without that the arrival."""
    at = _moment(original)
    if at is None:
        return envelope.received_at
    sent = _moment(envelope.sent_at)
    skew = to_datetime(envelope.received_at) - sent if sent is not None else None
    return instant_from_datetime(at + skew if skew is not None else at)


def _moment(value: object) -> datetime | None:
    try:
        return to_datetime(parse_instant(value)) if isinstance(value, str) else None
    except ValueError:
        return None
