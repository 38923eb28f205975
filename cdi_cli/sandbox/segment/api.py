"""The HTTP Tracking API: `POST /v1/batch`, the single calls, and what they refuse out loud.

Nearly everything is answered `200 {"success":true}`; only malformed JSON or gzip, a missing write key and the size
limits are answered 400.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from cdi_cli.sandbox import compression
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.segment.drops import KINDS
from cdi_cli.sandbox.segment.inbox import Envelope, Inbox, SegmentRequest

EVENT_BYTES_MAX = 32_768
BODY_BYTES_MAX = 512_000
_ABSENT = msgspec.Raw()
_SUCCESS = b'{"success":true}'


class _Batch(msgspec.Struct):
    batch: list[msgspec.Raw]
    writeKey: Any = None
    sentAt: Any = None
    context: msgspec.Raw = _ABSENT
    integrations: msgspec.Raw = _ABSENT


class _Single(msgspec.Struct):
    writeKey: Any = None
    sentAt: Any = None


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_single = msgspec.json.Decoder(_Single).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Refusal(Exception):
    """A request that Segment answers 400."""


class SegmentApi:
    """Answers requests below `/segment/`."""

    def __init__(self, inbox: Inbox, clock: SandboxClock, write_key: str) -> None:
        self._inbox = inbox
        self._clock = clock
        self._write_key = write_key

    def handle(self, request: Request) -> Response:
        """The answer to a request; `request.path` still begins with `/segment`."""
        call = request.path.removeprefix("/segment/v1/")
        if request.method != "POST" or call not in KINDS | {"batch", "import"}:
            return Response(404, b"404 page not found\n", content_type="text/plain; charset=utf-8")
        try:
            body = _content(request)
            if call in KINDS:
                self._single(request, call, body)
            else:
                self._batch(request, body)
        except _Refusal as refusal:
            return refused(400, str(refusal))
        return Response(200, _SUCCESS)

    def _batch(self, request: Request, body: bytes) -> None:
        try:
            batch = _decode_batch(body)
        except msgspec.DecodeError as error:
            raise _Refusal("malformed JSON") from error
        context, integrations = _object(batch.context), _object(batch.integrations)
        shared = len(context) + len(integrations)
        for raw in batch.batch:
            if (
                len(memoryview(raw)) + shared > EVENT_BYTES_MAX
                and _merged_bytes(raw, context, integrations) > EVENT_BYTES_MAX
            ):
                raise _Refusal("Exceed payload limit")
        self._receive(request, batch.batch, batch.writeKey, batch.sentAt, (context, integrations), len(body))

    def _single(self, request: Request, call: str, body: bytes) -> None:
        if len(body) > EVENT_BYTES_MAX:
            raise _Refusal("Exceed payload limit")
        try:
            single = _decode_single(body)
            fields = {**_decode_fields(body), "type": msgspec.Raw(msgspec.json.encode(call))}
        except msgspec.DecodeError as error:
            raise _Refusal("malformed JSON") from error
        fields.pop("writeKey", None)
        raw = msgspec.Raw(msgspec.json.encode(fields))
        self._receive(request, [raw], single.writeKey, single.sentAt, (b"", b""), len(body))

    def _receive(
        self,
        request: Request,
        messages: list[msgspec.Raw],
        body_key: object,
        sent_at: object,
        shared: tuple[bytes, bytes],
        body_bytes: int,
    ) -> None:
        key = body_key if body_key is not None else _basic_user(request)
        if not isinstance(key, str) or not key:
            raise _Refusal("missing write key")
        code = None if key == self._write_key else "unknown_source"
        if not request.headers.get("content-type", "").startswith("application/json"):
            code = "bad_request"
        envelope = Envelope(self._clock.instant(), sent_at if isinstance(sent_at, str) else None, *shared)
        self._inbox.receive(messages, envelope, SegmentRequest(request.path, len(messages), body_bytes), code)


def refused(status: int, message: str) -> Response:
    """A refusal in Segment's form."""
    return Response(status, msgspec.json.encode({"success": False, "message": message}))


def _content(request: Request) -> bytes:
    body = request.body
    if request.headers.get("content-encoding", "").lower() == "gzip":
        try:
            body = compression.gunzip(body, BODY_BYTES_MAX)
        except compression.BadGzipError as error:
            raise _Refusal("Malformed gzip content") from error
    if len(body) > BODY_BYTES_MAX:
        raise _Refusal("Exceed payload limit")
    return body


def _object(raw: msgspec.Raw) -> bytes:
    text = bytes(raw)
    return text if text[:1] == b"{" else b""


def _merged_bytes(raw: msgspec.Raw, context: bytes, integrations: bytes) -> int:
    """The size of a message once the batch's context and integrations are merged into it."""
    try:
        message = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return len(memoryview(raw))
    if not isinstance(message, dict):
        return len(memoryview(raw))
    size = len(memoryview(raw))
    for name, shared in (("context", context), ("integrations", integrations)):
        if not shared:
            continue
        own = message.get(name)
        if not isinstance(own, dict):
            size += len(shared) + len(name) + 4  # ,"name":
            continue
        extra = {key: value for key, value in msgspec.json.decode(shared).items() if key not in own}
        size += len(msgspec.json.encode(extra)) - 1 if extra else 0
    return size


def _basic_user(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None
