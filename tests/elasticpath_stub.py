"""An Elastic Path store in a few lines, for tests of its source: what was asked for, what was served, faults on request.

It knows the filters that the source sends and no others. Nothing of the source is used to answer, so that both can be wrong
independently.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from scripted_server import Request, Step, head, scripted

from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.http import RetryPolicy
from cdi_cli.sources import SourceContext
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings
from cdi_cli.sources.elasticpath.source import ElasticPathSource

QUICK = RetryPolicy(attempts=4, wait_initial_seconds=0.001, wait_max_seconds=0.002)
SECRET = "s3cret-of-the-application-key"
NOON = "2026-03-01T12:00:00Z"
BAD_FILTER = {"errors": [{"status": 400, "title": "Bad Request", "detail": "Could not parse the supplied filter"}]}
UNAUTHORISED = {"errors": [{"status": 401, "title": "Unable to validate access token"}]}
_CONDITION = re.compile(r'(ge|lt|eq|in)\((\w+),("[^"]*"|[^()]*)\)')


def shown(amount: int, currency: str = "GBP") -> dict[str, Any]:
    """A price of `display_price`."""
    return {"amount": amount, "currency": currency, "formatted": f"{amount}"}


def item(identifier: str, unit: int = 1000, quantity: int = 1, **changes: Any) -> dict[str, Any]:
    """A line of an order, without tax."""
    value = shown(unit * quantity)
    price = {"unit": shown(unit), "value": value}
    return {
        "type": "order_item",
        "id": identifier,
        "quantity": quantity,
        "product_id": f"product-{identifier}",
        "name": "Spam Fritters",
        "sku": f"sku-{identifier}",
        "unit_price": {**shown(unit), "includes_tax": False},
        "value": {**value, "includes_tax": False},
        "meta": {"display_price": {"with_tax": price, "without_tax": price, "tax": {"unit": shown(0), "value": shown(0)}}},
    } | changes


def order(identifier: str, at: str = NOON, lines: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """An order of one product, paid, as it is served; `lines` lie beside it (`included`)."""
    lines = [item(f"{identifier}-1")] if lines is None else lines
    total = sum(line["value"]["amount"] for line in lines)
    display = {"with_tax": shown(total), "without_tax": shown(total), "tax": shown(0), "discount": shown(0)}
    record: dict[str, Any] = {
        "type": "order",
        "id": identifier,
        "status": "complete",
        "payment": "paid",
        "shipping": "unfulfilled",
        "customer": {"id": "customer-1", "name": "Ron Swanson", "email": "Ron.Swanson@moltin.com"},
        "meta": {
            "display_price": display,
            "timestamps": {"created_at": at, "updated_at": at, "fully_paid_at": at},
        },
        "relationships": {
            "items": {"data": [{"type": "item", "id": line["id"]} for line in lines]},
            "customer": {"data": {"type": "customer", "id": "customer-1"}},
        },
        "_lines": lines,
    }
    return record | changes


def customer(identifier: str, at: str = NOON, **changes: Any) -> dict[str, Any]:
    """A customer."""
    return {
        "type": "customer",
        "id": identifier,
        "name": "Ron Swanson",
        "email": f"{identifier}@swanson.com",
        "password": True,
        "meta": {"timestamps": {"created_at": at, "updated_at": at}},
    } | changes


def product(identifier: str, at: str = NOON, **changes: Any) -> dict[str, Any]:
    """A product of the catalogue."""
    return {
        "type": "product",
        "id": identifier,
        "attributes": {"sku": f"sku-{identifier}", "name": "Spam", "slug": "spam", "status": "live"} | changes,
        "relationships": {},
        "meta": {"created_at": at, "updated_at": at},
    }


def transaction(identifier: str, amount: int = 1000, refunded: int = 0, **changes: Any) -> dict[str, Any]:
    """A payment of an order."""
    times = {"created_at": "2026-03-01T12:00:01Z", "updated_at": "2026-03-02T05:00:00-07:00"}
    return {
        "type": "transaction",
        "id": identifier,
        "gateway": "stripe",
        "amount": amount,
        "refunded_amount": refunded,
        "currency": "GBP",
        "transaction_type": "purchase",
        "status": "complete",
        "meta": {"timestamps": times},
    } | changes


@dataclass
class StubStore:
    """The lists by path and `answers` by path; `faults` are steps that answer instead, once each.

    `dialects`: what operands of times may be written as. `sorts`, `pages`, `totals`: whether the store heeds `sort` and
    `page`, and says how many records there are.
    """

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, list[Step]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    dialects: tuple[str, ...] = ("quoted", "epoch", "day")
    sorts: bool = True
    pages: bool = True
    filters: bool = True
    totals: bool = True
    token_seconds: float = 3600
    tokens: int = 0
    valid: set[str] = field(default_factory=set)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, writer: asyncio.StreamWriter, request: Request) -> bool:
        """Answer one request."""
        self.requests.append(request)
        parts = urlsplit(request.target)
        path = unquote(parts.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.asked.append((path, query))
        if self.faults.get(path):
            return await self.faults[path].pop(0)(writer, request)
        if path == "/oauth/access_token":
            return await self._mint(writer, request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return await self.reply(writer, 401, UNAUTHORISED)
        if path in self.denied:
            return await self.reply(writer, 403, {"errors": {"status": "403", "title": "Forbidden"}})
        return await self._serve(writer, path, query)

    def queries(self, path: str) -> list[dict[str, str]]:
        """What one path was asked."""
        return [query for asked, query in self.asked if asked == path]

    async def _mint(self, writer: asyncio.StreamWriter, request: Request) -> bool:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        is_form = request.headers.get("content-type") == "application/x-www-form-urlencoded"
        if not is_form or form.get("client_secret") != SECRET or form.get("grant_type") != "client_credentials":
            return await self.reply(writer, 401, {"errors": [{"status": 401, "title": "Unauthorized"}]})
        self.tokens += 1
        token = f"access-token-number-{self.tokens}"
        self.valid.add(token)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self.token_seconds}
        return await self.reply(writer, 200, body | {"identifier": "client_credentials"})

    async def _serve(self, writer: asyncio.StreamWriter, path: str, query: dict[str, str]) -> bool:
        if path in self.answers:
            return await self.reply(writer, 200, self.answers[path])
        if path in self.lists:
            return await self._list(writer, path, query)
        folder, _, identifier = path.rpartition("/")
        found = [row for row in self.lists.get(folder, ()) if row["id"] == identifier]
        if not found:
            return await self.reply(writer, 404, {"errors": [{"status": 404, "title": "Not Found"}]})
        return await self.reply(writer, 200, {"data": _plain(found[0])} | _included(found, query))

    async def _list(self, writer: asyncio.StreamWriter, path: str, query: dict[str, str]) -> bool:
        rows = self.lists[path]
        for operator, name, operand in _CONDITION.findall(query.get("filter", "")):
            if name in ("created_at", "updated_at"):
                dialect, value = _operand(operand)
                if dialect not in self.dialects:
                    return await self.reply(writer, 400, BAD_FILTER)
                if self.filters:
                    rows = [row for row in rows if (_time(row, name) >= value) is (operator == "ge")]
            elif self.filters:
                wanted = operand.strip('"').split(",") if operator == "in" else [operand.strip('"')]
                rows = [row for row in rows if _value(row, name) in wanted]
        sort = query.get("sort", "-updated_at") if self.sorts else "-updated_at"
        if all("meta" in row for row in rows):
            rows = sorted(rows, key=lambda row: _time(row, sort.lstrip("-")), reverse=sort.startswith("-"))
        limit, offset = int(query.get("page[limit]", 25)), int(query.get("page[offset]", 0))
        if offset >= 10_000:
            return await self.reply(writer, 400, {"errors": [{"status": 400, "title": "Bad Request", "detail": "offset"}]})
        served = rows[offset : offset + limit] if self.pages else rows[:limit]
        meta = {"meta": {"results": {"total": len(rows)}}} if self.totals else {}
        body = {"data": [_plain(row) for row in served], "links": {"next": None}} | meta | _included(served, query)
        return await self.reply(writer, 200, body)

    async def reply(self, writer: asyncio.StreamWriter, status: int, body: Any) -> bool:
        """One answer."""
        data = json.dumps(body, separators=(",", ":")).encode()
        headers = {"content-type": "application/json", "date": formatdate(usegmt=True)}
        writer.write(head(status, headers | {"content-length": str(len(data))}) + data)
        await writer.drain()
        return True


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _included(rows: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
    """The lines of all rows in one list, last first: what belongs together is told by ids alone."""
    if "items" not in query.get("include", ""):
        images = [one for row in rows for one in row.get("_images", ())]
        return {"included": {"main_images": images}} if images else {}
    return {"included": {"items": [line for row in reversed(rows) for line in row.get("_lines", ())]}}


def _time(row: dict[str, Any], name: str) -> datetime:
    meta = row["meta"]
    return datetime.fromisoformat(meta.get("timestamps", meta)[name])


def _value(row: dict[str, Any], name: str) -> Any:
    relations = row.get("relationships", {})
    special = {
        "customer_id": lambda: relations.get("customer", {}).get("data", {}).get("id"),
        "account_member_id": lambda: relations.get("account_member", {}).get("data", {}).get("id"),
        "email": lambda: row.get("email") or (row.get("customer") or row.get("contact") or {}).get("email"),
        "sku": lambda: row.get("attributes", {}).get("sku"),
    }
    found: Any = special[name]() if name in special else row.get(name)  # type: ignore[no-untyped-call]
    return found


def _operand(text: str) -> tuple[str, datetime]:
    if text.startswith('"'):
        return "quoted", datetime.fromisoformat(text.strip('"'))
    if text.isdecimal():
        return "epoch", datetime.fromtimestamp(int(text) / 1000, UTC)
    if len(text) == 10:
        return "day", datetime.fromisoformat(text).replace(tzinfo=UTC)
    return "plain", datetime.fromisoformat(text)


@contextlib.asynccontextmanager
async def opened(
    store: StubStore, context: SourceContext | None = None, *, clock: Clock = SYSTEM_CLOCK, **changes: Any
) -> AsyncIterator[ElasticPathSource]:
    """A source that reads the stub; `EP_SECRET` must be in the environment."""
    async with scripted(store) as server:
        values = {"base_url": server.url, "client_id": "key-1", "client_secret": "${EP_SECRET}", "rate": 100} | changes
        settings = ElasticPathSettings.model_validate(values)
        source = ElasticPathSource(settings, context or SourceContext(run_id="r"), retry=QUICK, clock=clock)
        try:
            yield source
        finally:
            await source.close()


def record_of(served: dict[str, Any], **changes: Any) -> bytes:
    """The record that the source makes of an order as it is served."""
    record = copy.deepcopy(_plain(served)) | {"included": {"items": served.get("_lines", [])}} | changes
    return json.dumps(record).encode()
