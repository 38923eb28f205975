"""A Magento shop in a few lines, for tests of its source: what was asked for, what was served, faults on request.

It knows the conditions that the source sends and no others. Nothing of the source is used to answer, so that both can be
wrong independently.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from scripted_server import Request, Step, head, scripted

from cdi_cli.http import HttpLimits, RetryPolicy
from cdi_cli.sources import SourceContext
from cdi_cli.sources.magento import MagentoSettings
from cdi_cli.sources.magento.source import MagentoSource

SAMPLES = Path(__file__).parent / "data" / "magento"
LIMITS = HttpLimits()
QUICK = RetryPolicy(attempts=4, wait_initial_seconds=0.001, wait_max_seconds=0.002)
TOKEN = "integration-t0ken-of-the-shop"
UNAUTHORISED = "The consumer isn't authorized to access %resources."
FAULT = {"message": "Internal Error. Details are available in Magento log file. Report ID: webapi-5f3c"}
SCOPES = {
    "/orders": "Magento_Sales::actions_view",
    "/customers/search": "Magento_Customer::customer",
    "/products": "Magento_Catalog::products",
    "/creditmemos": "Magento_Sales::sales_creditmemo",
    "/shipments": "Magento_Sales::shipment",
    "/carts/search": "Magento_Cart::manage",
}
_FILTER = re.compile(r"searchCriteria\[filter_groups\]\[(\d+)\]\[filters\]\[(\d+)\]\[(\w+)\]")


def sample(name: str) -> Any:
    """A recorded answer of a real shop."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def order(number: int, at: str = "2026-03-01 12:00:00", **changes: Any) -> dict[str, Any]:
    """A small order of its own id, created and changed at `at`."""
    record: dict[str, Any] = copy.deepcopy(sample("order_guest"))
    record.update(entity_id=number, increment_id=f"{number:09d}", created_at=at, updated_at=at)
    record.update(changes)
    return record


@dataclass
class StubShop:
    """The lists by path and other `answers`; `faults` are steps that answer instead, `poisoned` ids that fail by list."""

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, list[Step]] = field(default_factory=dict)
    poisoned: dict[str, set[int]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    by_store: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)
    token: str = TOKEN
    rows_max: int | None = None
    date: str | None = None
    null_items: bool = False
    is_blind: bool = False
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, writer: asyncio.StreamWriter, request: Request) -> bool:
        """Answer one request."""
        self.requests.append(request)
        parts = urlsplit(request.target)
        matched = re.fullmatch(r"/(?:rest(?:/(\w+))?|tenant-1)/V1(/.*)", unquote(parts.path))
        if matched is None:
            return await self._reply(writer, 404, {"message": "Request does not match any route."})
        code, path = matched[1] or request.headers.get("store", ""), matched[2]
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.asked.append((code, path, query))
        if self.faults.get(path):
            return await self.faults[path].pop(0)(writer, request)
        if path == "/integration/admin/token":
            return await self._reply(writer, 200, self.token)
        if request.headers.get("authorization") != f"Bearer {self.token}" or path in self.denied:
            resources = SCOPES.get(path, "Magento_Backend::store")
            return await self._reply(writer, 401, {"message": UNAUTHORISED, "parameters": {"resources": resources}})
        return await self._serve(writer, code, path, query)

    async def _serve(self, writer: asyncio.StreamWriter, code: str, path: str, query: dict[str, str]) -> bool:
        plain = {"/store/storeViews": "store_views", "/store/websites": "websites", "/store/storeConfigs": "store_configs"}
        if path in self.answers:
            return await self._reply(writer, 200, self.answers[path])
        if path in plain:
            return await self._reply(writer, 200, sample(plain[path]))
        if path not in self.lists:
            known = {"/customerGroups/search": "customer_groups", "/categories/list": "categories_list"}
            if path not in known:
                return await self._reply(writer, 404, {"message": "Request does not match any route."})
            return await self._reply(writer, 200, sample(known[path]))
        asked = int(query["searchCriteria[pageSize]"])
        if self.rows_max is not None and asked > self.rows_max:
            body = {"message": "Maximum SearchCriteria pageSize is %max", "parameters": {"max": self.rows_max}}
            return await self._reply(writer, 400, body)
        rows = self.lists[path] if self.is_blind else self._select(self.lists[path], query)
        served = [row | self.by_store.get(code, {}).get(_id(row), {}) for row in rows[:asked]]
        if self.poisoned.get(path, set()) & {_id(row) for row in served}:
            return await self._reply(writer, 500, FAULT)
        items: Any = served if served or not self.null_items else None
        return await self._reply(writer, 200, {"items": items, "search_criteria": {}, "total_count": len(rows)})

    async def _reply(self, writer: asyncio.StreamWriter, status: int, body: Any) -> bool:
        data = json.dumps(body).encode()
        headers = {"content-type": "application/json", "date": self.date or formatdate(usegmt=True)}
        writer.write(head(status, headers | {"content-length": str(len(data))}) + data)
        await writer.drain()
        return True

    def _select(self, rows: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        groups: dict[str, dict[str, dict[str, str]]] = {}
        for name, value in query.items():
            if match := _FILTER.fullmatch(name):
                groups.setdefault(match[1], {}).setdefault(match[2], {})[match[3]] = value
        kept = [row for row in rows if all(any(_holds(row, one) for one in group.values()) for group in groups.values())]
        for number in (1, 0):
            if name := query.get(f"searchCriteria[sortOrders][{number}][field]"):
                assert query[f"searchCriteria[sortOrders][{number}][direction]"] == "ASC"
                kept = sorted(kept, key=lambda row: _field(row, name))
        return kept

    def queries(self, path: str) -> list[dict[str, str]]:
        """The parameters of each request for a list."""
        return [query for _, asked, query in self.asked if asked == path]


def _id(row: dict[str, Any]) -> int:
    found: int = row.get("entity_id", row.get("id"))
    return found


def _field(row: dict[str, Any], name: str) -> Any:
    return _id(row) if name in ("entity_id", "id") else row[name]


def _holds(row: dict[str, Any], one: dict[str, str]) -> bool:
    held, value, condition = _field(row, one["field"]), one["value"], one["condition_type"]
    if condition in ("in", "nin"):
        return (str(held) in value.split(",")) == (condition == "in")
    wanted = int(value) if isinstance(held, int) else value
    if isinstance(wanted, str) and one["field"].endswith("_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", wanted), "a bad date serves the whole table"
    return {
        "eq": held == wanted,
        "gt": held > wanted,
        "gteq": held >= wanted,
        "lt": held < wanted,
        "lteq": held <= wanted,
    }[condition]


def settings_for(url: str, **changes: Any) -> MagentoSettings:
    """Settings for a stub at that address; the token is in the environment variable MAGENTO_TOKEN."""
    values = {"base_url": url, "access_token": "${MAGENTO_TOKEN}", "maintenance_pause_seconds": 0.001}
    if changes.get("auth") == "ims":
        values["ims_url"] = url
    return MagentoSettings.model_validate({**values, **changes})


@contextlib.asynccontextmanager
async def opened(
    shop: Step,
    *,
    context: SourceContext | None = None,
    limits: HttpLimits = LIMITS,
    retry: RetryPolicy = QUICK,
    clock: Any = None,
    **changes: Any,
) -> AsyncIterator[MagentoSource]:
    """A source that reads the stub."""
    async with scripted(shop) as server:
        options = {} if clock is None else {"clock": clock}
        settings = settings_for(server.url, **changes)
        source = MagentoSource(settings, context or SourceContext(run_id="r1"), limits=limits, retry=retry, **options)
        try:
            yield source
        finally:
            await source.close()
