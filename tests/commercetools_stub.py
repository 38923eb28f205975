"""A commercetools project in a few lines, for tests of its source: what was asked for, what was served, faults on request.

It knows only the queries that the source sends. Ids sort in the order in which records were given, as those of the platform
do not sort as text either. Nothing of the source is used here, so that both can be wrong independently.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from scripted_server import Request, ScriptedServer, Step, answer, head, scripted

from cdi_cli.http import HttpLimits, RetryPolicy
from cdi_cli.sources import SourceContext
from cdi_cli.sources.commercetools import CommercetoolsSettings
from cdi_cli.sources.commercetools.source import CommercetoolsSource

SAMPLES = Path(__file__).parent / "data" / "commercetools"
LIMITS = HttpLimits()
QUICK = RetryPolicy(attempts=3, wait_initial_seconds=0.001, wait_max_seconds=0.005)
INVALID_TOKEN = (
    b'{"statusCode":401,"message":"invalid_token","errors":[{"code":"invalid_token","message":"invalid_token"}],'
    b'"error":"invalid_token"}'
)
SCOPES = (
    "view_orders:shop view_customers:shop view_payments:shop view_products:shop view_discount_codes:shop "
    "view_customer_groups:shop view_project_settings:shop"
)


def sample(name: str) -> Any:
    """A recorded sample body."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def order(number: int, at: str, **changes: Any) -> dict[str, Any]:
    """A small order of its own id, created and modified at `at`."""
    record = copy.deepcopy(sample("order"))
    record.update(id=f"{number:08x}-0000-4000-8000-000000000000", createdAt=at, lastModifiedAt=at)
    record.update(changes)
    return record


def catalogue() -> dict[str, list[dict[str, Any]]]:
    """What the rich order refers to."""
    return {
        "orders": [],
        "discount-codes": [{"id": "code-spring", "code": "SPRING"}, {"id": "code-other", "code": "OTHER"}],
        "customer-groups": [{"id": "group-vip", "name": "VIP"}],
        "categories": [
            {"id": "root", "name": {"en": "Clothes"}},
            {"id": "leaf", "name": {"en": "Shirts"}, "parent": {"typeId": "category", "id": "root"}},
            {"id": "loop", "name": {"en": "Loop"}, "parent": {"typeId": "category", "id": "loop"}},
        ],
        "product-projections": [{"id": "product-shirt", "categories": [{"id": "root"}, {"id": "leaf"}]}],
    }


@dataclass
class StubProject:
    """The project `shop`; `faults` are steps that answer instead, the first to come first, per resource."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    faults: dict[str, list[Step]] = field(default_factory=dict)
    scope: str = SCOPES
    expires_in: int = 172_800
    date: str | None = None
    messages: dict[str, Any] | None = None
    rows_max: Callable[[str], int | None] = lambda _resource: None
    mints: int = 0
    revoked: set[str] = field(default_factory=set)
    asked: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)
    correlation_ids: list[str] = field(default_factory=list)
    token_delay_seconds: float = 0.0
    server: ScriptedServer | None = None

    async def __call__(self, writer: asyncio.StreamWriter, request: Request) -> bool:
        """Answer one request."""
        parts = urlsplit(request.target)
        path = unquote(parts.path)
        if path.startswith("/oauth/"):
            return await self._oauth(writer, request, path)
        resource = path.removeprefix("/shop").removeprefix("/in-store/key=berlin").strip("/") or "project"
        query = parse_qs(parts.query)
        self.asked.append((path, query))
        self.correlation_ids.append(request.headers.get("x-correlation-id", ""))
        if self.faults.get(resource):
            return await self.faults[resource].pop(0)(writer, request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.revoked or token != f"token-{self.mints}":
            return await answer(401, INVALID_TOKEN)(writer, request)
        if resource == "project":
            body = {"key": "shop", "name": "Shop", "languages": ["de", "en"], "currencies": ["EUR"]}
            if self.messages is not None:
                body["messages"] = self.messages
            return await self._reply(writer, 200, body)
        limit = int(query["limit"][0])
        cap = self.rows_max(resource)
        if cap is not None and limit > cap:
            body = {"statusCode": 413, "message": "too large", "errors": [{"code": "ContentTooLarge", "message": "x"}]}
            return await self._reply(writer, 413, body)
        rows = self._select(self.records.get(resource, []), query)
        body = {"limit": limit, "offset": 0, "count": len(rows[:limit]), "results": rows[:limit]}
        if query["withTotal"] == ["true"]:
            body["total"] = min(len(rows), 10_000)
        return await self._reply(writer, 200, body)

    async def _oauth(self, writer: asyncio.StreamWriter, request: Request, path: str) -> bool:
        kind = path.removeprefix("/oauth/")
        await asyncio.sleep(self.token_delay_seconds)
        if self.faults.get(kind):
            return await self.faults[kind].pop(0)(writer, request)
        if request.headers.get("authorization") != "Basic Y2xpZW50OnMzY3JldC12YWx1ZQ==":
            return await self._reply(writer, 401, {"error": "invalid_client", "error_description": "bad"})
        if kind == "introspect":
            return await self._reply(writer, 200, {"active": True, "scope": self.scope})
        self.mints += 1
        form = parse_qs(request.body.decode())
        assert form["grant_type"] == ["client_credentials"]
        body = {
            "access_token": f"token-{self.mints}",
            "expires_in": self.expires_in,
            "scope": form.get("scope", [self.scope])[0],
            "token_type": "Bearer",
        }
        return await self._reply(writer, 200, body)

    async def _reply(self, writer: asyncio.StreamWriter, status: int, body: Any) -> bool:
        data = json.dumps(body).encode()
        headers = {"content-type": "application/json", "date": self.date or formatdate(usegmt=True)}
        writer.write(head(status, headers | {"content-length": str(len(data))}) + data)
        await writer.drain()
        return True

    def _select(self, rows: list[dict[str, Any]], query: dict[str, list[str]]) -> list[dict[str, Any]]:
        sort = query.get("sort", ["id asc"])[0].split()[0]
        ranks = {row["id"]: rank for rank, row in enumerate(rows)}
        ordered = sorted(rows, key=lambda row: (row[sort], ranks[row["id"]]) if sort != "id" else (ranks[row["id"]],))
        return [row for row in ordered if all(_holds(where, row, ranks) for where in query.get("where", []))]


_KEYSET = re.compile(r'\((\w+) > "([^"]+)" or \((\w+) = "([^"]+)" and id > "([^"]+)"\)\) and (\w+) < "([^"]+)"')
_WINDOW = re.compile(r'(\w+) >= "([^"]+)" and (\w+) < "([^"]+)"')
_IN = re.compile(r'id in \((("[^"]+"(, )?)+)\)')
_PAID = re.compile(r'paymentInfo\(payments\(id in \((("[^"]+"(, )?)+)\)\)\)')
_AFTER = re.compile(r'id > "([^"]+)"')


def _holds(where: str, row: dict[str, Any], ranks: dict[str, int]) -> bool:
    if match := _KEYSET.fullmatch(where):
        name, after, _, _, identifier, _, until = match.groups()
        later = row[name] > after or (row[name] == after and ranks[row["id"]] > ranks[identifier])
        return later and row[name] < until
    if match := _WINDOW.fullmatch(where):
        return match[2] <= row[match[1]] < match[4]
    if match := _PAID.fullmatch(where):
        wanted = set(json.loads(f"[{match[1]}]"))
        return bool(wanted & {payment["id"] for payment in row.get("paymentInfo", {}).get("payments", [])})
    if match := _IN.fullmatch(where):
        return row["id"] in json.loads(f"[{match[1]}]")
    if match := _AFTER.fullmatch(where):
        return ranks[row["id"]] > ranks[match[1]]
    raise AssertionError(f"the stub does not know this predicate: {where}")


def settings_for(url: str, **changes: Any) -> CommercetoolsSettings:
    """Settings for a stub at that address; the secret is in the environment variable CT_SECRET."""
    values = {
        "project_key": "shop",
        "api_url": url,
        "auth_url": url,
        "client_id": "client",
        "client_secret": "${CT_SECRET}",
    }
    return CommercetoolsSettings.model_validate(values | changes)


@contextlib.asynccontextmanager
async def opened(
    project: StubProject,
    *,
    context: SourceContext | None = None,
    limits: HttpLimits = LIMITS,
    retry: RetryPolicy = QUICK,
    clock: Any = None,
    **changes: Any,
) -> AsyncIterator[CommercetoolsSource]:
    """A source that reads the stub."""
    async with scripted(project) as server:
        project.server = server
        options = {} if clock is None else {"clock": clock}
        source = CommercetoolsSource(
            settings_for(server.url, **changes), context or SourceContext(run_id="r1"), limits=limits, retry=retry, **options
        )
        try:
            yield source
        finally:
            await source.close()
