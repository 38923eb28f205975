"""What is recorded of Magento: the check, and for each stream the stores, a count, two pages and all look-ups."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from cdi_cli import sources
from cdi_cli.checks import Check
from cdi_cli.clock import Instant, Window
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from cdi_cli.sandbox.magento.options import MagentoOptions
from cdi_cli.sources import ConsentField, Page, Reading, Source, SourceContext
from recording import Account, Recording, Scenario
from recording.scrub import Scrubber

ROWS = 3
START, END = Instant("2000-01-01T00:00:00.000Z"), Instant("2100-01-01T00:00:00.000Z")
SECRET = "sandbox-token-of-the-recording"
CONSENT = {"Advertising": ConsentField("extension_attributes.is_subscribed")}
_VARIABLES = {
    "MAGENTO_BASE_URL": "address of the shop, as `https://shop.example.com`",
    "MAGENTO_ACCESS_TOKEN": "access token of an integration, which may be used as bearer token",
}


@dataclass(frozen=True)
class Walked:
    """What the source made of a stream: the count, two pages, and the readings of each page's records."""

    count: int | None
    pages: list[Page]
    readings: list[list[list[Reading]]]


@asynccontextmanager
async def opened(account: Account) -> AsyncIterator[Source]:
    """A source for an account; its secrets must be in the environment."""
    spec = sources.load("magento")
    source = spec.open(spec.settings.model_validate(account.settings), SourceContext(run_id="cassette", consent=CONSENT))
    try:
        yield source
    finally:
        await source.close()


async def check(account: Account, _since: str) -> list[Check]:
    """`cdi check`: stores, each list, each look-up."""
    async with opened(account) as source:
        return await source.check()


def walk(stream: str, *, by: str = "created", rows: int = ROWS) -> Scenario:
    """Count, two pages and their records' look-ups."""

    async def run(account: Account, since: str) -> Walked:
        window = Window(Instant(since), END)
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
        first = last = ""
        async with opened(_with_pages(account, 100)) as source:
            async for page in source.pages(stream, Window(START, END), None, by=by):
                records = [json.loads(record) for record in page.records]
                first = first or (_instant(records[0][field]) if records else START)
                for record in records:
                    # Of several records of one second the window begins with others.
                    if record[field] != last and _WORTHWHILE[stream](record):
                        return _instant(record[field])
                    last = record[field]
        return first

    return Scenario(run, since)


def _instant(text: str) -> Instant:
    return Instant(f"{text[:10]}T{text[11:]}.000Z")


def _is_paid_back(order: dict[str, Any]) -> bool:
    kinds = {item["product_type"] for item in order["items"]}
    return bool(order.get("total_refunded")) and bool({"configurable", "bundle"} & kinds) and len(order["items"]) < 5


_WORTHWHILE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "customers": lambda record: record["store_id"] != 1 and bool(record.get("addresses")),
    "carts": lambda record: bool(record["is_active"]) and bool(record.get("items")) and "id" in record["customer"],
    "orders": _is_paid_back,
    "creditmemos": lambda record: record["discount_amount"] < 0,
    "products": lambda record: any(each["attribute_code"] == "special_price" for each in record["custom_attributes"]),
}


def _with_pages(account: Account, rows: int) -> Account:
    return Account({**account.settings, "page_size": rows}, account.environment, account.scrubber)


def _account(base_url: str, token: str) -> Account:
    base_url = base_url.rstrip("/")
    # One request at a time: a recording that is made again has its answers in the same order.
    settings = {"base_url": base_url, "access_token": "${MAGENTO_ACCESS_TOKEN}", "requests_at_once": 1}
    return Account(settings, {"MAGENTO_ACCESS_TOKEN": token}, Scrubber({base_url: "https://shop.example.com"}))


def _real(environment: Mapping[str, str]) -> Account:
    return _account(environment["MAGENTO_BASE_URL"], environment["MAGENTO_ACCESS_TOKEN"])


@contextmanager
def _sandbox() -> Iterator[Account]:
    options = SandboxOptions(
        sources=("magento",),
        orders=400,
        now=Instant("2026-06-01T00:00:00.000Z"),
        magento=MagentoOptions(access_token=SECRET),
    )
    with SandboxThread(options) as sandbox:
        yield _account(f"{sandbox.url}/magento", SECRET)


RECORDING = Recording(
    variables=_VARIABLES,
    real=_real,
    sandbox=_sandbox,
    replayed=_account("https://shop.example.com", "only-a-placeholder-secret"),
    scenarios={
        "check": Scenario(check),
        "customers": walk("customers"),
        "carts": walk("carts"),
        "orders": walk("orders"),
        "orders-by-change": walk("orders", by="modified", rows=1),
        "creditmemos": walk("creditmemos"),
        "products": walk("products"),
    },
    effect="reads the shop, changes nothing",
    secrets=(SECRET, "sandbox-access-token", "sandbox-password"),
)
