"""What is recorded of commercetools: the check, and for each stream the token, a count, two pages and all look-ups."""

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
from cdi_cli.sandbox.commercetools.mutate import customer_deleted
from cdi_cli.sources import ConsentField, Page, Reading, Source, SourceContext
from recording import Account, Recording, Scenario
from recording.scrub import Scrubber

ROWS = 2
START, END = Instant("2000-01-01T00:00:00.000Z"), Instant("2100-01-01T00:00:00.000Z")
SECRET = "sandbox-s3cret-of-the-recording"
CONSENT = {"Analytics": ConsentField("custom.fields.analyticsConsent")}
_VARIABLES = {
    "CTP_PROJECT_KEY": "key of the project",
    "CTP_CLIENT_ID": "id of an API client with the `view_...` scopes",
    "CTP_CLIENT_SECRET": "its secret",
    "CTP_API_URL": "address of the API, as `https://api.europe-west1.gcp.commercetools.com`",
    "CTP_AUTH_URL": "address of the token service, as `https://auth.europe-west1.gcp.commercetools.com`",
}
"""As the Merchant Center offers them for download when an API client is made."""


@dataclass(frozen=True)
class Walked:
    """What the source made of a stream: the count, two pages, and the readings of each page's records."""

    count: int | None
    pages: list[Page]
    readings: list[list[list[Reading]]]


@asynccontextmanager
async def opened(account: Account) -> AsyncIterator[Source]:
    """A source for an account; its secrets must be in the environment."""
    spec = sources.load("commercetools")
    source = spec.open(spec.settings.model_validate(account.settings), SourceContext(run_id="cassette", consent=CONSENT))
    try:
        yield source
    finally:
        await source.close()


async def check(account: Account, _since: str) -> list[Check]:
    """`cdi check`: token, introspection, project."""
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
        field = "createdAt" if by == "created" else "lastModifiedAt"
        first = ""
        async with opened(_with_pages(account, 500)) as source:
            async for page in source.pages(stream, Window(START, END), None, by=by):
                records = [json.loads(record) for record in page.records]
                first = first or (str(records[0][field]) if records else START)
                for record in records:
                    if _WORTHWHILE[stream](record):
                        return str(record[field])
        return first

    return Scenario(run, since)


_WORTHWHILE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "customers": lambda record: "customerGroup" in record and bool(record.get("addresses")),
    "carts": lambda record: bool(record.get("lineItems")) and "shippingAddress" in record,
    "orders": lambda record: bool(record.get("discountCodes")) and "paymentInfo" in record,
    "payments": lambda record: any(
        transaction["type"] == "Refund" and transaction["state"] == "Success" for transaction in record["transactions"]
    ),
    "products": lambda record: bool(record["masterData"]["current"].get("categories")),
    "deletions": lambda record: "email" in record,
}


def _with_pages(account: Account, rows: int) -> Account:
    return Account({**account.settings, "page_size": rows}, account.environment, account.scrubber)


def _account(project: str, api_url: str, auth_url: str, client_id: str, secret: str) -> Account:
    api_url, auth_url = api_url.rstrip("/"), auth_url.rstrip("/")
    settings = {
        "project_key": project,
        "api_url": api_url,
        "auth_url": auth_url,
        "client_id": client_id,
        "client_secret": "${CTP_CLIENT_SECRET}",
    }
    places = {f"{api_url}/{project}": "https://api.example.com/project", auth_url: "https://auth.example.com"}
    return Account(settings, {"CTP_CLIENT_SECRET": secret}, Scrubber(places, {project: "project"}))


def _real(environment: Mapping[str, str]) -> Account:
    return _account(
        environment["CTP_PROJECT_KEY"],
        environment["CTP_API_URL"],
        environment["CTP_AUTH_URL"],
        environment["CTP_CLIENT_ID"],
        environment["CTP_CLIENT_SECRET"],
    )


@contextmanager
def _sandbox() -> Iterator[Account]:
    options = SandboxOptions(orders=400, now=Instant("2026-06-01T00:00:00.000Z"), client_secret=SECRET)
    with SandboxThread(options) as sandbox:
        gone = sandbox.shop.documents("customers")[:5]
        sandbox.shop.seed("messages", [customer_deleted(each, at=each["lastModifiedAt"]) for each in gone])
        base = f"{sandbox.url}/commercetools"
        yield _account(options.project_key, f"{base}/api", f"{base}/auth", options.client_id, SECRET)


RECORDING = Recording(
    variables=_VARIABLES,
    real=_real,
    sandbox=_sandbox,
    replayed=_account(
        "project", "https://api.example.com", "https://auth.example.com", "client", "only-a-placeholder-secret"
    ),
    scenarios={
        "check": Scenario(check),
        "customers": walk("customers"),
        "carts": walk("carts"),
        "orders": walk("orders"),
        "orders-by-change": walk("orders", by="modified", rows=1),
        "payments": walk("payments"),
        "products": walk("products"),
        "deletions": walk("deletions"),
    },
    effect="reads the project, changes nothing",
    secrets=(SECRET, "sandbox-client", "sandbox-secret"),
)
