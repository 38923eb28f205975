"""The admin API: look into a running sandbox and steer it. JSON in, JSON out, no credentials (it is on loopback).

GET    /_sandbox/health                       {"status": "ok"}
GET    /_sandbox/stats                        counts: records by kind, requests, tokens, messages
GET    /_sandbox/requests?offset&limit        the request log
GET    /_sandbox/faults                       faults in force with `seen` and `fired`
POST   /_sandbox/faults                       one fault or a list, fields as `faults.Fault`
DELETE /_sandbox/faults                       lift all
POST   /_sandbox/clock                        {"advance_seconds": n}
POST   /_sandbox/seed                         {"orders": n}: n more orders with payments and carts
POST   /_sandbox/commercetools/mutate         one change or a list, see `mutate` and `live`
GET    /_sandbox/commercetools/journal?offset&limit  every write since the start: {"kind", "id", "at", "record"} a line
POST   /_sandbox/commercetools/revoke-tokens  end all access tokens
GET    /_sandbox/segment/applied?offset&limit applied messages, one JSON document a line
GET    /_sandbox/segment/dropped              {"code", "message"} a line
POST   /_sandbox/segment/rules                {"is_disabled", "suppressed_users", "blocked_events"}
POST   /_sandbox/segment/clear                forget all messages and ids
       /_sandbox/mparticle/...                see `mparticle/admin`
       /_sandbox/insider/...                  see `insider/admin`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import msgspec

from cdi_cli.sandbox.commercetools.mutate import MutationError, mutate
from cdi_cli.sandbox.commercetools.shop import KINDS
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.http_server import ADMIN_PREFIX, Request, Response
from cdi_cli.sandbox.insider.admin import routes as insider_routes
from cdi_cli.sandbox.live import CHANGES, live
from cdi_cli.sandbox.mparticle.admin import routes as mparticle_routes
from cdi_cli.sandbox.parts import Parts

_LINES = "application/x-ndjson; charset=utf-8"
_SLICE_MAX = 10_000
_encode = msgspec.json.encode


class _BadRequest(Exception):
    """The request's body or parameters make no sense; the message says why."""


class AdminApi:
    """Answers requests below `/_sandbox/`."""

    def __init__(self, sandbox: Parts) -> None:
        self._sandbox = sandbox
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "health"): lambda _request: {"status": "ok"},
            ("GET", "stats"): self._stats,
            ("GET", "requests"): self._requests,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "clock"): self._advance,
            ("POST", "seed"): self._seed,
            ("POST", "commercetools/mutate"): self._mutate,
            ("GET", "commercetools/journal"): self._journal,
            ("POST", "commercetools/revoke-tokens"): self._revoke,
            ("GET", "segment/applied"): self._applied,
            ("GET", "segment/dropped"): self._dropped,
            ("POST", "segment/rules"): self._rules,
            ("POST", "segment/clear"): self._clear,
            **mparticle_routes(sandbox.mparticle),
            **insider_routes(sandbox.insider, sandbox.insider_catalog),
        }

    def handle(self, request: Request) -> Response:
        """The answer to a request; 404 for an unknown route, 400 with a message for a senseless one."""
        route = self._routes.get((request.method, request.path.removeprefix(ADMIN_PREFIX)))
        if route is None:
            return Response(404, _encode({"message": f"no admin route {request.method} {request.path}"}))
        try:
            answer = route(request)
        except (_BadRequest, MutationError) as error:
            return Response(400, _encode({"message": str(error)}))
        return answer if isinstance(answer, Response) else Response(200, _encode(answer))

    def _stats(self, _request: Request) -> dict[str, Any]:
        sandbox = self._sandbox
        segment = sandbox.segment
        return {
            "records": {kind: sandbox.shop.count(kind) for kind in KINDS},
            "requests": len(sandbox.requests),
            "tokens_issued": sandbox.tokens.issued,
            "faults_fired": sum(fault.fired for fault in sandbox.faults.all()),
            "segment": {
                "requests": len(segment.requests),
                "applied": segment.applied_count,
                "duplicates": len(segment.duplicates),
                "dropped": dict(Counter(entry.code for entry in segment.dropped_messages)),
            },
        }

    def _requests(self, request: Request) -> list[dict[str, Any]]:
        offset, limit = _slice(request)
        return [asdict(entry) for entry in self._sandbox.requests[offset : offset + limit]]

    def _faults(self, _request: Request) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._sandbox.faults.all()]

    def _add_faults(self, request: Request) -> dict[str, int]:
        given = _body(request, list[dict[str, Any]] | dict[str, Any])
        entries = given if isinstance(given, list) else [given]
        try:
            faults = [Fault(**entry) for entry in entries]
        except (TypeError, ValueError) as error:
            raise _BadRequest(str(error)) from error
        for fault in faults:
            self._sandbox.faults.add(fault)
        return {"added": len(faults)}

    def _clear_faults(self, _request: Request) -> dict[str, bool]:
        self._sandbox.faults.clear()
        return {"cleared": True}

    def _advance(self, request: Request) -> dict[str, str]:
        self._sandbox.clock.advance(_body(request, dict[str, float]).get("advance_seconds", 0.0))
        return {"now": self._sandbox.clock.instant()}

    def _seed(self, request: Request) -> dict[str, int]:
        count = _body(request, dict[str, int]).get("orders", 0)
        if count < 1:
            raise _BadRequest("`orders` must be a number of at least 1")
        self._sandbox.seeder.more_orders(count)
        return {kind: self._sandbox.shop.count(kind) for kind in KINDS}

    def _mutate(self, request: Request) -> list[dict[str, Any]]:
        given = _body(request, list[dict[str, Any]] | dict[str, Any])
        changed: list[dict[str, Any]] = []
        for change in given if isinstance(given, list) else [given]:
            if change.get("do") in CHANGES:
                changed += live(self._sandbox.seeder, change)
            else:
                changed.append(mutate(self._sandbox.shop, change))
        return changed

    def _journal(self, request: Request) -> Response:
        offset, limit = _slice(request)
        written = self._sandbox.shop.journal[offset : offset + limit]
        return _lines([
            {
                "kind": entry.kind,
                "id": entry.record_id,
                "at": entry.at,
                "record": None if entry.record is None else entry.record.document(),
            }
            for entry in written
        ])  # fmt: skip

    def _revoke(self, _request: Request) -> dict[str, int]:
        return {"revoked": self._sandbox.tokens.revoke_all()}

    def _applied(self, request: Request) -> Response:
        return _lines(self._sandbox.segment.applied_slice(*_slice(request)))

    def _dropped(self, request: Request) -> Response:
        offset, limit = _slice(request)
        dropped = self._sandbox.segment.dropped_messages[offset : offset + limit]
        return _lines([{"code": entry.code, "message": entry.message} for entry in dropped])

    def _rules(self, request: Request) -> dict[str, Any]:
        given = _body(request, dict[str, Any])
        rules = self._sandbox.segment.rules
        rules.is_disabled = bool(given.get("is_disabled", rules.is_disabled))
        rules.suppressed_users = set(given.get("suppressed_users", rules.suppressed_users))
        rules.blocked_events = set(given.get("blocked_events", rules.blocked_events))
        return asdict(rules)

    def _clear(self, _request: Request) -> dict[str, bool]:
        self._sandbox.segment.clear()
        return {"cleared": True}


def _body(request: Request, kind: Any) -> Any:
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except msgspec.DecodeError as error:
        raise _BadRequest(f"the body is not what this route takes: {error}") from error


def _slice(request: Request) -> tuple[int, int]:
    """`offset` and `limit` of a listing; at most 10,000 entries at a time."""
    texts = (request.param("offset") or "0", request.param("limit") or "1000")
    if not all(text.isdecimal() for text in texts):
        raise _BadRequest("`offset` and `limit` must be whole numbers")
    return int(texts[0]), min(int(texts[1]), _SLICE_MAX)


def _lines(documents: list[dict[str, Any]]) -> Response:
    return Response(200, b"".join(_encode(document) + b"\n" for document in documents), content_type=_LINES)
