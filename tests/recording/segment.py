"""What is recorded of Segment: the check, a batch of a sync and a batch of a backfill, with sample events of three kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from contract_events import event, identify

from cdi_cli import destinations
from cdi_cli.checks import Check
from cdi_cli.destinations import Destination, DestinationContext, Outcome
from cdi_cli.sandbox import SandboxOptions, SandboxThread
from recording import Account, Recording, Scenario
from recording.scrub import Scrubber

WRITE_KEY = "sandbox-wr1te-key-of-the-recording"
PLACE = "https://tracking.example.com"
_REGIONS = {"us": "https://api.segment.io", "eu": "https://events.eu1.segmentapis.com"}
EVENTS = (
    event(1),
    identify(2, email="person-2@example.com", first_name="text-1"),
    event(
        3,
        user_id=None,
        anonymous_id="anonymous-3",
        context={"locale": "de-DE", "traits": {"email": "person-3@example.com"}, "groupId": "text-2"},
        properties={"order_id": "ORD-3", "revenue": 1.005, "currency": "KWD", "products": [{"name": "Größe 42 – ☂"}]},
    ),
)
"""Made up, and personal data in the form of the scrubber's placeholders."""


@asynccontextmanager
async def opened(account: Account, *, is_backfill: bool = False) -> AsyncIterator[Destination]:
    """A destination for an account; its secrets must be in the environment."""
    spec = destinations.load("segment")
    destination = spec.open(spec.settings.model_validate(account.settings), DestinationContext(is_backfill=is_backfill))
    try:
        yield destination
    finally:
        await destination.close()


async def check(account: Account, _since: str) -> list[Check]:
    """`cdi check`: a batch of no events."""
    async with opened(account) as destination:
        return await destination.check()


def batch(*, is_backfill: bool) -> Scenario:
    """One batch of the sample events."""

    async def run(account: Account, _since: str) -> list[Outcome]:
        async with opened(account, is_backfill=is_backfill) as destination:
            bodies = [destination.encode(each) for each in EVENTS]
            return await destination.send([body for body in bodies if isinstance(body, bytes)])

    return Scenario(run)


def _account(endpoint: str, write_key: str) -> Account:
    settings = {
        "endpoint": endpoint,
        "write_key": "${SEGMENT_WRITE_KEY}",
        "backfill_integrations": ["Warehouses"],
        "integrations": {"All": True, "Sample": False},
    }
    return Account(settings, {"SEGMENT_WRITE_KEY": write_key}, Scrubber({endpoint: PLACE}))


def _real(environment: Mapping[str, str]) -> Account:
    region = environment["SEGMENT_REGION"].lower()
    if region not in _REGIONS:
        raise LookupError("SEGMENT_REGION must be `us` or `eu`")
    return _account(_REGIONS[region], environment["SEGMENT_WRITE_KEY"])


@contextmanager
def _sandbox() -> Iterator[Account]:
    with SandboxThread(SandboxOptions(orders=1, write_key=WRITE_KEY)) as sandbox:
        yield _account(f"{sandbox.url}/segment", WRITE_KEY)


RECORDING = Recording(
    variables={"SEGMENT_WRITE_KEY": "write key of a source made for this", "SEGMENT_REGION": "`us` or `eu`"},
    real=_real,
    sandbox=_sandbox,
    replayed=_account(PLACE, "only-a-placeholder-key"),
    scenarios={
        "check": Scenario(check),
        "batch": batch(is_backfill=False),
        "backfill-batch": batch(is_backfill=True),
    },
    effect=f"sends {2 * len(EVENTS)} made-up events to the source",
    secrets=(WRITE_KEY,),
)
