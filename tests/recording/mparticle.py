"""What is recorded of mParticle: the check, a batch of old and new events with profiles, a batch in development.

Where an event goes depends on its age, so the destination's clock stands still, a day after the younger events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

from contract_events import AT, event, identify

from cdi_cli.checks import Check
from cdi_cli.clock import Clock, shift, to_datetime
from cdi_cli.destinations import DestinationContext, Outcome
from cdi_cli.destinations.mparticle import MparticleSettings
from cdi_cli.destinations.mparticle.destination import MparticleDestination
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from recording import Account, Recording, Scenario
from recording.scrub import Scrubber

KEY = "recorded-feed-key"
SECRET = "sandbox-s3cret-of-the-recording"
PLACE = "https://events.example.com"
OLD = shift(AT, timedelta(days=-90))
PRODUCTS = [{"product_id": "text-1", "name": "Größe 42 – ☂", "price": 19.99, "quantity": 2, "position": 1, "sku": "text-3"}]
ORDER = {"order_id": "ORD-3", "total": 1.005, "currency": "KWD", "coupon": "text-4", "products": PRODUCTS}
EVENTS = (
    event(1),
    identify(2, email="person-2@example.com", first_name="text-1", firstName="text-1"),
    event(3, at=OLD, user_id=None, anonymous_id="anonymous-3", properties=ORDER),
    event(4, kind="order.cancelled", name="Order Cancelled", at=OLD, properties={"order_id": "ORD-4"}),
    event(5, kind="order.refunded", name="Order Refunded", properties={"order_id": "ORD-5", "total": 3, "currency": "JPY"}),
)
"""Made up, and personal data in the form of the scrubber's placeholders; two are over 30 days older than the rest."""


@asynccontextmanager
async def opened(account: Account, environment: str = "production") -> AsyncIterator[MparticleDestination]:
    """A destination for an account, a day after the younger events; its secret must be in the environment."""
    settings = MparticleSettings.model_validate({**account.settings, "environment": environment})
    now = to_datetime(shift(AT, timedelta(days=1)))
    destination = MparticleDestination(settings, DestinationContext(is_backfill=True), clock=Clock(now=lambda: now))
    try:
        yield destination
    finally:
        await destination.close()


async def check(account: Account, _since: str) -> list[Check]:
    """`cdi check`: a request of no batches."""
    async with opened(account) as destination:
        return await destination.check()


def batch(environment: str) -> Scenario:
    """One batch of the sample events."""

    async def run(account: Account, _since: str) -> list[Outcome]:
        async with opened(account, environment) as destination:
            bodies = [destination.encode(each) for each in EVENTS]
            return await destination.send([body for body in bodies if isinstance(body, bytes)])

    return Scenario(run)


def _account(endpoint: str, key: str, secret: str) -> Account:
    settings = {
        "endpoint": endpoint,
        "key": key,
        "secret": "${MPARTICLE_SECRET}",
        "data_plan_id": "commerce_plan",
        "data_plan_version": 1,
        "consent": {"Analytics": {"gdpr": "analytics", "document": "text-5"}},
    }
    return Account(settings, {"MPARTICLE_SECRET": secret}, Scrubber({endpoint: PLACE}))


def _real(environment: Mapping[str, str]) -> Account:
    pod = environment["MPARTICLE_POD"].lower()
    if pod not in ("us1", "us2", "eu1", "au1"):
        raise LookupError("MPARTICLE_POD must be `us1`, `us2`, `eu1` or `au1`")
    return _account(f"https://s2s.{pod}.mparticle.com", environment["MPARTICLE_KEY"], environment["MPARTICLE_SECRET"])


@contextmanager
def _sandbox() -> Iterator[Account]:
    with SandboxThread(SandboxOptions(orders=1, mparticle_key=KEY, mparticle_secret=SECRET)) as sandbox:
        yield _account(f"{sandbox.url}/mparticle", KEY, SECRET)


RECORDING = Recording(
    variables={
        "MPARTICLE_KEY": "key of a custom feed made for this",
        "MPARTICLE_SECRET": "its secret",
        "MPARTICLE_POD": "`us1`, `us2`, `eu1` or `au1`",
    },
    real=_real,
    sandbox=_sandbox,
    replayed=_account(PLACE, "key", "only-a-placeholder-secret"),
    scenarios={
        "check": Scenario(check),
        "batch": batch("production"),
        "development-batch": batch("development"),
    },
    effect=f"sends {len(EVENTS)} made-up events to the feed as production data, and as many as development data",
    secrets=(KEY, SECRET),
)
