"""The Events API (`POST /v2/events`, `/v2/bulkevents`, `/v2/bulkevents/historical`) with stubs of IDSync and OpenDSR.

Nearly everything is answered 202 with an empty body. Aloud are refused: no or wrong credentials, malformed JSON, an event
without `event_type`, unknown partner identities, a request that is too large, too many batches a second (sheet "mParticle",
sections 1, 2, 4).
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import timedelta
from typing import Any

import msgspec

from cdi_cli.clock import shift
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.http_server import Request, Response
from cdi_cli.sandbox.mparticle.inbox import MparticleInbox, MparticleRequest

PREFIX = "/mparticle"
BODY_BYTES_MAX = 256_000
_CALLS = {"/v2/events", "/v2/bulkevents", "/v2/bulkevents/historical"}
_MODIFY = re.compile(r"/v1/-?\d+/modify")
_EVENT_TYPE_MISSING = 'Required event field "event_type" is missing or empty.'


class _RefusalError(Exception):
    """The request is answered 400; the text is the message."""


class MparticleApi:
    """Answers requests below `/mparticle/`; `key` and `secret` are those of the feed, and here of the workspace too."""

    def __init__(self, inbox: MparticleInbox, clock: SandboxClock, key: str, secret: str) -> None:
        self._inbox = inbox
        self._clock = clock
        self._credentials = f"{key}:{secret}"

    def handle(self, request: Request) -> Response:
        """The answer to a request; `request.path` still begins with `/mparticle`."""
        path = request.path.removeprefix(PREFIX)
        is_known = path in _CALLS or path.rstrip("/") == "/v3/requests" or _MODIFY.fullmatch(path) is not None
        if request.method != "POST" or not is_known:
            return Response(404)
        if "authorization" not in request.headers:
            return refused(401)
        if _pair(request.headers["authorization"]) != self._credentials:
            return refused(403)
        try:
            if path in _CALLS:
                return self._events(request, path)
            return self._erase(request) if path.startswith("/v3/") else self._modify(request, path)
        except _RefusalError as refusal:
            return refused(400, str(refusal))

    def _events(self, request: Request, path: str) -> Response:
        if len(request.body) >= BODY_BYTES_MAX:
            return refused(self._inbox.too_large_status, "The request is too large.")
        decoded = _decoded(request.body)
        batches = [decoded] if path == "/v2/events" else decoded
        if not isinstance(batches, list):
            raise _RefusalError("The request body is not an array of event batches.")
        for batch in batches:
            _check_aloud(batch)
        now = self._clock.seconds()
        exceeded = self._inbox.limiter.take(len(batches), now)
        if exceeded is not None:
            return Response(429, headers={"X-mp-rate-limit-exceeded": exceeded})
        call = MparticleRequest(path, len(batches), len(request.body))
        self._inbox.receive(batches, call, is_historical=path.endswith("/historical"))
        used = self._inbox.limiter.percentage_used(now)
        return Response(202, headers={"X-mp-rate-limit-percentage-used": str(used)})

    def _erase(self, request: Request) -> Response:
        wish = _decoded(request.body)
        if not isinstance(wish, dict) or not {"regulation", "subject_request_id", "subject_request_type"} <= wish.keys():
            raise _RefusalError("A required field is missing.")
        self._inbox.erasures.append(wish)
        now = self._clock.instant()
        answer = {
            "received_time": now,
            "expected_completion_time": shift(now, timedelta(days=21)),
            "encoded_request": base64.b64encode(request.body).decode(),
            "subject_request_id": wish["subject_request_id"],
            "controller_id": "1",
        }
        return Response(201, msgspec.json.encode(answer))

    def _modify(self, request: Request, path: str) -> Response:
        wish = _decoded(request.body)
        if not isinstance(wish, dict) or not isinstance(wish.get("identity_changes"), list):
            raise _RefusalError("A required field is missing.")
        self._inbox.modifications.append({"mpid": path.split("/")[2], **wish})
        return Response(202)


def refused(status: int, message: str = _EVENT_TYPE_MISSING) -> Response:
    """A refusal in mParticle's form: 400 and 413 say why, all others have no body."""
    if status not in (400, 413):
        return Response(status)
    return Response(status, msgspec.json.encode({"errors": [{"code": "BAD_REQUEST", "message": message}]}))


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _RefusalError("The request body is not valid JSON.") from error


def _check_aloud(batch: Any) -> None:
    """What mParticle says at once: an event without a type, and partner identities, of which none is registered here."""
    if not isinstance(batch, dict):
        raise _RefusalError("An event batch is not an object.")
    if batch.get("partner_identities"):
        raise _RefusalError("A partner identity is not registered.")
    events = batch.get("events")
    for event in events if isinstance(events, list) else ():
        if not isinstance(event, dict) or not event.get("event_type"):
            raise _RefusalError(_EVENT_TYPE_MISSING)


def _pair(header: str) -> str | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
