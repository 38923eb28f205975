"""The admin API: look into a running sandbox and steer it. JSON in, JSON out, no credentials (it is on loopback).

GET    /_sandbox/health                       {"status": "ok"}
GET    /_sandbox/stats                        requests and faults fired, what the first source holds, and
                                              under its name what any other open system holds
GET    /_sandbox/requests?offset&limit        the request log
GET    /_sandbox/faults                       faults in force with `seen` and `fired`
POST   /_sandbox/faults                       one fault or a list, fields as `faults.Fault`
DELETE /_sandbox/faults                       lift all
POST   /_sandbox/clock                        {"advance_seconds": n}
POST   /_sandbox/seed                         {"orders": n, "source": name}: n more orders and what belongs to them;
                                              without a name in the first source that the sandbox was started with
POST   /_sandbox/commercetools/mutate         one change or a list, see `commercetools.mutate` and `live`
GET    /_sandbox/commercetools/journal?offset&limit  every write since the start: {"kind", "id", "at", "record"} a line
POST   /_sandbox/commercetools/revoke-tokens  end all access tokens
POST   /_sandbox/magento/mutate               one change or a list, see `magento.mutate`
POST   /_sandbox/magento/switches             {"bearer", "acl", "input_limits", "old_core", ...}, see `magento.options`
POST   /_sandbox/magento/revoke-tokens        end all tokens that were asked for with a password or a client secret
POST   /_sandbox/elasticpath/mutate           one change or a list, see `elasticpath.mutate`
POST   /_sandbox/elasticpath/switches         {"new_filters", "sorts", "pages", "lag_ms", ...}, see `elasticpath.options`
GET    /_sandbox/elasticpath/books            what was sold and given back, by currency
POST   /_sandbox/elasticpath/revoke-tokens    end all access tokens
GET    /_sandbox/segment/applied?offset&limit applied messages, one JSON document a line
GET    /_sandbox/segment/dropped              {"code", "message"} a line
POST   /_sandbox/segment/rules                {"is_disabled", "suppressed_users", "blocked_events"}
POST   /_sandbox/segment/clear                forget all messages and ids
GET    /_sandbox/mparticle/applied?offset&limit  applied batches, as stored, with `is_historical` and `is_forwarded`
GET    /_sandbox/mparticle/dropped?offset&limit  {"code", "detail", "batch"} each
POST   /_sandbox/mparticle/clear              forget all batches, ids and names
GET    /_sandbox/insider/applied?offset&limit users as they were stored, one for each user of a request
GET    /_sandbox/insider/dropped?offset&limit {"code", "name"} of what was thrown away behind a 200
GET    /_sandbox/insider/hooks                the events that would have started journeys
GET    /_sandbox/insider/catalog?offset&limit the catalogue's records
POST   /_sandbox/insider/rules                {"retention_days", "read_lag_seconds", "lost_answers"}
POST   /_sandbox/insider/define               {"attributes": [...], "events": {name: [params]}, "identifiers", "locales"}
POST   /_sandbox/insider/clear                forget all profiles, requests and records

What stands below `/_sandbox/{name}/` are the routes of that system (`System.admin_routes`).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from cdi_cli.sandbox.admin_tools import AdminError, body_of, slice_of
from cdi_cli.sandbox.faults import Fault
from cdi_cli.sandbox.http_server import ADMIN_PREFIX, Request, Response
from cdi_cli.sandbox.parts import Parts
from cdi_cli.sandbox.system import AdminRoute, names, source_names

_encode = msgspec.json.encode


class AdminApi:
    """Answers requests below `/_sandbox/`."""

    def __init__(self, sandbox: Parts) -> None:
        self._sandbox = sandbox
        self._routes: dict[tuple[str, str], AdminRoute] = {
            ("GET", "health"): lambda _request: {"status": "ok"},
            ("GET", "stats"): self._stats,
            ("GET", "requests"): self._requests,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "clock"): self._advance,
            ("POST", "seed"): self._seed,
        }

    def handle(self, request: Request) -> Response:
        """The answer to a request; 404 for an unknown route, 400 with a message for a senseless one."""
        route = self._route(request.method, request.path.removeprefix(ADMIN_PREFIX))
        if route is None:
            return Response(404, _encode({"message": f"no admin route {request.method} {request.path}"}))
        try:
            answer = route(request)
        except AdminError as error:
            return Response(400, _encode({"message": str(error)}))
        return answer if isinstance(answer, Response) else Response(200, _encode(answer))

    def _route(self, method: str, path: str) -> AdminRoute | None:
        name, slash, rest = path.partition("/")
        if slash and name in names():
            return self._sandbox.system(name).admin_routes().get((method, rest))
        return self._routes.get((method, path))

    def _stats(self, _request: Request) -> dict[str, Any]:
        sandbox = self._sandbox
        systems = {name: system.stats() for name, system in sandbox.opened().items()}
        first = systems.pop(sandbox.options.sources[0]) if sandbox.options.sources else {}
        fired = sum(fault.fired for fault in sandbox.faults.all())
        return {**first, "requests": len(sandbox.requests), "faults_fired": fired, **systems}

    def _requests(self, request: Request) -> list[dict[str, Any]]:
        offset, limit = slice_of(request)
        return [asdict(entry) for entry in self._sandbox.requests[offset : offset + limit]]

    def _faults(self, _request: Request) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._sandbox.faults.all()]

    def _add_faults(self, request: Request) -> dict[str, int]:
        given = body_of(request, list[dict[str, Any]] | dict[str, Any])
        entries = given if isinstance(given, list) else [given]
        try:
            faults = [Fault(**entry) for entry in entries]
        except (TypeError, ValueError) as error:
            raise AdminError(str(error)) from error
        for fault in faults:
            self._sandbox.faults.add(fault)
        return {"added": len(faults)}

    def _clear_faults(self, _request: Request) -> dict[str, bool]:
        self._sandbox.faults.clear()
        return {"cleared": True}

    def _advance(self, request: Request) -> dict[str, str]:
        self._sandbox.clock.advance(body_of(request, dict[str, float]).get("advance_seconds", 0.0))
        return {"now": self._sandbox.clock.instant()}

    def _seed(self, request: Request) -> dict[str, int]:
        given = body_of(request, dict[str, int | str])
        count, source = given.get("orders", 0), given.get("source") or next(iter(self._sandbox.options.sources), "")
        if not isinstance(count, int) or count < 1:
            raise AdminError("`orders` must be a number of at least 1")
        if source not in source_names():
            raise AdminError(f"`source` must be one of {', '.join(source_names())}")
        return self._sandbox.system(source).more_orders(count)
