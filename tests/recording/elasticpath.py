"""What is recorded of Elastic Path: the check, and for each stream the token, a count, two pages and all look-ups."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from cdi_cli import sources
from cdi_cli.checks import Check
from cdi_cli.clock import Instant, Window, parse_instant
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sources import ConsentField, Page, Reading, Source, SourceContext
from recording import Account, Recording, Scenario
from recording.scrub import Scrubber

ROWS = 3
LAST = 2 * ROWS
"""How many records the window of a list holds that is read whole."""
START, END = Instant("2000-01-01T00:00:00.000Z"), Instant("2100-01-01T00:00:00.000Z")
SECRET = "sandbox-key-of-the-recording"
CONSENT = {"Advertising": ConsentField("marketing_consent")}
STRUCTURAL = frozenset({
    "status", "payment", "shipping", "transaction_type", "transaction-type", "gateway", "capture_mechanism",
    "refund_mechanism", "identifier", "catalog_source", "commodity_type", "owner", "product_types", "promotion_source",
    "code",
})  # fmt: skip
"""Names of fields whose values are Elastic Path's own words; `code` is a currency's, and becomes a text where it is long."""
_VARIABLES = {
    "ELASTICPATH_BASE_URL": "address of the API, as `https://euwest.api.elasticpath.com`",
    "ELASTICPATH_CLIENT_ID": "client id of an application key",
    "ELASTICPATH_CLIENT_SECRET": "its secret",
}
_WALKED_WHOLE = frozenset({"account_members", "products"})


@dataclass(frozen=True)
class Walked:
    """What the source made of a stream: the count, two pages, and the readings of each page's records."""

    count: int | None
    pages: list[Page]
    readings: list[list[list[Reading]]]


@asynccontextmanager
async def opened(account: Account) -> AsyncIterator[Source]:
    """A source for an account; its secrets must be in the environment."""
    spec = sources.load("elasticpath")
    source = spec.open(spec.settings.model_validate(account.settings), SourceContext(run_id="cassette", consent=CONSENT))
    try:
        yield source
    finally:
        await source.close()


async def check(account: Account, _since: str) -> list[Check]:
    """`cdi check`: token, each list in the dialect that it reads, currencies, accounts."""
    async with opened(_with_pages(account, 2)) as source:
        return await source.check()


def walk(stream: str, *, by: str = "created", rows: int = ROWS) -> Scenario:
    """Count, two pages and their records' look-ups."""

    async def run(account: Account, since: str) -> Walked:
        window = Window(Instant(since or START), END)
        async with opened(_with_pages(account, rows)) as source:
            count = await source.count(stream, window) if by == "created" else None
            pages: list[Page] = []
            async for page in source.pages(stream, window, None, by=by):
                pages.append(page)
                if len(pages) == 2:
                    break
            return Walked(count, pages, [await source.read(stream, page.records) for page in pages])

    async def since(account: Account) -> str:
        field = "created_at" if by == "created" else "updated_at"
        async with opened(_with_pages(account, 100)) as source:
            pages = [page async for page in source.pages(stream, Window(START, END), None, by=by)]
        records = [json.loads(record) for page in pages for record in page.records]
        times = [time_of(record, field) for record in records]
        if stream in _WALKED_WHOLE or not records:
            return times[-LAST:][0] if times else START
        # Of several records of one time the window begins with others.
        alone = [record for record, at in zip(records, times, strict=True) if times.count(at) == 1]
        return next((time_of(record, field) for record in alone if _WORTHWHILE[stream](record)), times[0])

    return Scenario(run, since)


def time_of(record: Mapping[str, Any], field: str) -> Instant:
    """A time of a record; products have theirs in `meta` itself."""
    meta = record["meta"]
    return parse_instant(meta.get("timestamps", meta)[field])


_WORTHWHILE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "customers": lambda record: record.get("marketing_consent") is not None and "external_ref" in record,
    "orders": lambda record: record["payment"] == "refunded" and "id" in record.get("customer", {}),
}


def _with_pages(account: Account, rows: int) -> Account:
    return Account({**account.settings, "page_size": rows}, account.environment, account.scrubber)


def _account(base_url: str, client_id: str, secret: str) -> Account:
    base_url = base_url.rstrip("/")
    settings = {
        "base_url": base_url,
        "client_id": client_id,
        "client_secret": "${ELASTICPATH_CLIENT_SECRET}",
        "flow_fields": ["marketing_consent"],
        "rate": 100.0,
        # One request at a time: a recording that is made again has its answers in the same order.
        "requests_at_once": 1,
    }
    scrubber = Scrubber({base_url: "https://api.example.com"}, {client_id: "client"}, STRUCTURAL)
    return Account(settings, {"ELASTICPATH_CLIENT_SECRET": secret}, scrubber)


def _real(environment: Mapping[str, str]) -> Account:
    return _account(*(environment[name] for name in _VARIABLES))


@contextmanager
def _sandbox() -> Iterator[Account]:
    key = ElasticPathOptions(client_secret=SECRET)
    now = Instant("2026-06-01T00:00:00.000Z")
    with SandboxThread(SandboxOptions(sources=("elasticpath",), orders=400, now=now, elasticpath=key)) as sandbox:
        yield _account(f"{sandbox.url}/elasticpath", key.client_id, SECRET)


RECORDING = Recording(
    variables=_VARIABLES,
    real=_real,
    sandbox=_sandbox,
    replayed=_account("https://api.example.com", "client", "only-a-placeholder-secret"),
    scenarios={
        "check": Scenario(check),
        "customers": walk("customers"),
        "account-members": walk("account_members", by="modified"),
        "orders": walk("orders"),
        "orders-by-change": walk("orders", by="modified", rows=1),
        "products": walk("products"),
    },
    effect="reads the store, changes nothing",
    secrets=(SECRET, "sandbox-ep-client", "sandbox-ep-secret"),
)
