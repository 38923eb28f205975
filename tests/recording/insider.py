"""What is recorded of Insider: the check, a batch of a sync and of a backfill, products, and looking for events.

How old an event may be depends on the day, so the destination's clock stands still, a day after the events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from contract_events import AT, event, identify
from insider_events import product

from cdi_cli.checks import Check
from cdi_cli.clock import Clock, shift, to_datetime
from cdi_cli.destinations import DestinationContext, Outcome
from cdi_cli.destinations.insider import InsiderSettings
from cdi_cli.destinations.insider.destination import InsiderDestination
from cdi_cli.events import Event
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from recording import Account, Recording, Scenario
from recording.scrub import Scrubber

PARTNER = "sandboxaccount"
TOKEN = "sandbox-t0ken-of-the-recording"
CATALOG_TOKEN = "sandbox-c4talog-token-of-the-recording"
PLACE, CATALOG_PLACE = "https://unification.example.com", "https://catalog.example.com"
PRODUCTS = [
    {"product_id": "text-1", "name": "Größe 42 – ☂", "price": 19.99, "quantity": 2, "position": 1, "sku": "text-2"},
    {"product_id": "text-3", "name": "text-4", "price": 0.5, "quantity": 1, "position": 2},
]
ORDER = {"order_id": "ORD-3", "total": 45.48, "shipping": 5, "currency": "EUR", "coupon": "text-5", "products": PRODUCTS}
EVENTS = (
    event(1),
    identify(2, email="person-2@example.com", first_name="text-6"),
    event(3, user_id=None, context={"traits": {"email": "person-3@example.com"}}, properties=ORDER),
    event(4, kind="order.refunded", name="Order Refunded", properties={"order_id": "ORD-4", "refund_amount": 3}),
)
_URLS = {"url": "https://www.example.com/p/1", "image_url": "https://www.example.com/i/1.jpg"}
CATALOG = (product(1, **_URLS), product(2, **_URLS, locales={"de_DE": {"name": "text-7"}}), product(3, is_published=False))
"""Made up, and personal data in the form of the scrubber's placeholders."""


@asynccontextmanager
async def opened(account: Account, *, is_backfill: bool = False) -> AsyncIterator[InsiderDestination]:
    """A destination for an account, a day after the events; its tokens must be in the environment."""
    now = to_datetime(shift(AT, timedelta(days=1)))
    destination = InsiderDestination(
        InsiderSettings.model_validate(account.settings),
        DestinationContext(is_backfill=is_backfill),
        clock=Clock(now=lambda: now),
    )
    try:
        yield destination
    finally:
        await destination.close()


async def check(account: Account, _since: str) -> list[Check]:
    """`cdi check`: what is defined, and a catalogue request of no products."""
    async with opened(account) as destination:
        return await destination.check()


def batch(events: tuple[Event, ...], *, is_backfill: bool = False) -> Scenario:
    """One batch of sample events."""

    async def run(account: Account, _since: str) -> list[Outcome]:
        async with opened(account, is_backfill=is_backfill) as destination:
            bodies = [destination.encode(each) for each in events]
            return await destination.send([body for body in bodies if isinstance(body, bytes)])

    return Scenario(run)


async def confirm(account: Account, _since: str) -> list[Any]:
    """Looking for two events that were sent and one that was not."""
    async with opened(account) as destination:
        return await destination.confirm([EVENTS[0], EVENTS[1], event(9)])


def _account(endpoint: str, catalog_endpoint: str, partner: str, tokens: tuple[str, str]) -> Account:
    settings = {
        "partner_name": partner,
        "request_token": "${INSIDER_TOKEN}",
        "catalog_token": "${INSIDER_CATALOG_TOKEN}",
        "endpoint": endpoint,
        "catalog_endpoint": catalog_endpoint,
        "locales": ["en_US", "de_DE"],
        "item_id": "product_id",
    }
    places = {f"{catalog_endpoint}/v2": f"{CATALOG_PLACE}/v2", endpoint: PLACE}
    return Account(settings, dict(zip(("INSIDER_TOKEN", "INSIDER_CATALOG_TOKEN"), tokens, strict=True)), Scrubber(places))


def _real(environment: Mapping[str, str]) -> Account:
    tokens = (environment["INSIDER_TOKEN"], environment["INSIDER_CATALOG_TOKEN"])
    places = ("https://unification.useinsider.com", "https://catalog.api.useinsider.com")
    return _account(*places, environment["INSIDER_PARTNER"], tokens)


@contextmanager
def _sandbox() -> Iterator[Account]:
    options = SandboxOptions(orders=1, insider_partner=PARTNER, insider_token=TOKEN, insider_catalog_token=CATALOG_TOKEN)
    with SandboxThread(options) as sandbox:
        sandbox.insider.panel.events = {name: {"cdi_event_id"} for name in ("purchase", "order_refunded")}
        sandbox.insider.rules.retention_days = {"purchase": 36_500, "order_refunded": 36_500}
        yield _account(f"{sandbox.url}/insider", f"{sandbox.url}/insider", PARTNER, (TOKEN, CATALOG_TOKEN))


RECORDING = Recording(
    variables={
        "INSIDER_PARTNER": "partner name of a test account",
        "INSIDER_TOKEN": "its API key of the Unified Customer Database",
        "INSIDER_CATALOG_TOKEN": "its API key of the catalogue",
    },
    real=_real,
    sandbox=_sandbox,
    replayed=_account(PLACE, CATALOG_PLACE, PARTNER, ("only-a-placeholder-token", "only-a-placeholder-catalog-token")),
    scenarios={
        "check": Scenario(check),
        "batch": batch(EVENTS),
        "backfill-batch": batch(EVENTS, is_backfill=True),
        "catalog": batch(CATALOG),
        "confirm": Scenario(confirm),
    },
    effect=f"sends {2 * len(EVENTS)} made-up events and {len(CATALOG)} products to the account",
    secrets=(TOKEN, CATALOG_TOKEN),
)
