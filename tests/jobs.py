"""A small backfill on test doubles, the real plan and a real checkpoint file: what the pipeline's tests run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from doubles import FakeDestination, FakeSource, order

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant, Window, parse_instant, to_datetime
from cdi_cli.commerce import Money, Order, Refund
from cdi_cli.config.types import ConnectorSettings
from cdi_cli.errors import CdiError
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings
from cdi_cli.pipeline.backfill import Request, run_backfill
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.stop import Stop
from cdi_cli.pipeline.sync import SyncRequest, run_sync
from cdi_cli.plan import CompiledPlan, compile_plan, load_plan
from cdi_cli.sources import SourceSpec, Stream
from cdi_cli.state import open_store

SINCE, UNTIL = parse_instant("2026-01-01T00:00:00.000Z"), parse_instant("2026-01-03T00:00:00.000Z")
SPEC = SourceSpec("fake", "Fake", ConnectorSettings, lambda *_: None, (Stream("orders", "order"),))  # type: ignore[arg-type, return-value]


@cache
def plan() -> CompiledPlan:
    """The plan that ships with cdi, compiled once."""
    return compile_plan(load_plan())


def shop(count: int = 120) -> list[Order]:
    """Orders of which some are refunded (fully, partly, twice) and some cancelled, several at one instant."""
    orders = []
    for number in range(count):
        one = order(number - number % 3 if number % 10 == 0 else number, minor=1000 + number)
        one = replace_order(one, id=f"order-{number}", number=f"N-{number}", is_cancelled=number % 17 == 3)
        if number % 8 == 1:
            one = replace_order(one, refunds=(refund(number, 0, 1000 + number, is_full=True),))
        if number % 8 == 5:
            one = replace_order(one, refunds=(refund(number, 0, 100), refund(number, 1, 150)))
        orders.append(one)
    return orders


def refund(number: int, part: int, minor: int, *, is_full: bool = False) -> Refund:
    """One refund of an order."""
    return Refund(f"refund-{number}-{part}", Money(minor, "EUR"), parse_instant("2026-01-05T10:00:00.000Z"), is_full=is_full)


def replace_order(one: Order, **changes: Any) -> Order:
    """The same order with some fields changed."""
    import msgspec

    return msgspec.structs.replace(one, **changes)


def opened(source: FakeSource, destination: FakeDestination, **changes: Any) -> Opened:
    """Test doubles, opened as a pipeline `main` from `shop` to `target`."""
    values: dict[str, Any] = {
        "pipeline": "main",
        "source_name": "shop",
        "destination_name": "target",
        "source_spec": SPEC,
        "source": source,
        "destination": destination,
        "plan": plan(),
        "builder": EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1),
        "lifecycle": LifecycleSettings(),
        "require_consent": (),
        "streams": ("orders",),
        "fingerprint": "f" * 64,
    }
    return Opened(**(values | changes))


SYNC_REQUEST = SyncRequest(rate=1e9)
REQUEST = Request(SINCE, UNTIL, "test window", workers=3, rate=1e9)


async def backfill(
    state: Path,
    source: FakeSource,
    destination: FakeDestination,
    *,
    request: Request = REQUEST,
    stop: Stop | None = None,
    wrap: Callable[[Any], Any] = lambda store: store,
    **changes: Any,
) -> tuple[Report, CdiError | None]:
    """One run of the small backfill on the checkpoint file `state`."""
    with open_store(state) as store:
        return await run_backfill(opened(source, destination, **changes), wrap(store), request, Progress(), stop or Stop())


def run(state: Path, source: FakeSource, destination: FakeDestination, **options: Any) -> tuple[Report, CdiError | None]:
    """The same, for tests and children that have no event loop."""
    return asyncio.run(backfill(state, source, destination, **options))


async def sync(
    state: Path,
    source: FakeSource,
    destination: FakeDestination,
    *,
    request: SyncRequest = SYNC_REQUEST,
    stop: Stop | None = None,
    wrap: Callable[[Any], Any] = lambda store: store,
    monotonic: Callable[[], float] = time.monotonic,
    **changes: Any,
) -> tuple[Report, CdiError | None]:
    """One delta sync on the checkpoint file `state`; this machine's clock shows what the shop's does."""
    clock = Clock(now=lambda: to_datetime(source.now or SYSTEM_CLOCK.instant()), monotonic=monotonic)
    with open_store(state, clock=clock) as store:
        shop, progress = opened(source, destination, **changes), Progress()
        return await run_sync(shop, wrap(store), request, progress, stop or Stop(), clock=clock)


def resumed() -> Request:
    """The request of `--resume`."""
    return replace(REQUEST, mode="resume", since=None, until=None, asked="")


def window() -> Window:
    """The window of the small backfill."""
    return Window(Instant(SINCE), Instant(UNTIL))
