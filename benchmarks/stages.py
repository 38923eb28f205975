"""What each stage of the way of the data costs, in one process, on the records of one page."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from isal import igzip

from benchmarks.orders import Renderer, instant
from cdi_cli.clock import Instant, Window
from cdi_cli.destinations import Destination, DestinationContext
from cdi_cli.destinations import load as load_destination
from cdi_cli.events import Event, EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, Occurrence, occurrences
from cdi_cli.http import gzip
from cdi_cli.pipeline.items import Outgoing
from cdi_cli.plan import EventRule, compile_plan, load_plan
from cdi_cli.sources import Source, SourceContext
from cdi_cli.sources import load as load_source
from cdi_cli.sources.commercetools.paging import Envelope
from cdi_cli.state import open_store
from cdi_cli.state._base import JobSpec, LedgerEntry, Partition, Settlement

ORDERS = 500
GROUP = 50
ROUNDS = 7
BUILDER = EventBuilder(IdFormat("bench", "shop"), IdentitySettings(), event_version=1)


async def _best(work: Callable[[], Any]) -> float:
    """The quickest of some rounds, microseconds per order: noise only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        result = work()
        if isinstance(result, Awaitable):
            await result
        best = min(best, time.perf_counter() - started)
    return best / ORDERS * 1e6


@dataclass(frozen=True, slots=True)
class Material:
    """One page of orders at every point of its way."""

    page: bytes
    records: list[bytes]
    found: list[Occurrence]
    rule: EventRule
    mapped: list[dict[str, Any]]
    events: list[Event]
    source: Source
    destination: Destination


async def prepare(order_bytes: int, url: str) -> Material:
    """A page of orders of that size, and everything that comes of it; source and destination are the caller's to close."""
    page = Renderer(order_bytes).page(0, ORDERS, ORDERS)
    records = [bytes(raw) for raw in msgspec.json.decode(page, type=Envelope).results]
    spec, target = load_source("commercetools"), load_destination("segment")
    off = {"product_categories": False, "discount_codes": False, "customer_groups": False}
    shop = {"project_key": "bench", "api_url": f"{url}/api", "auth_url": f"{url}/auth", "client_id": "bench"}
    settings = spec.settings.model_validate({**shop, "client_secret": "${PATH}", "lookups": off})
    source = spec.open(settings, SourceContext())
    destination = target.open(
        target.settings.model_validate({"endpoint": url, "write_key": "${PATH}"}), DestinationContext()
    )
    rule = compile_plan(load_plan(denied_fields=spec.denied_fields)).rules("order.completed")[0]
    readings = await source.read("orders", records)
    found = [occurrences(one[0], LifecycleSettings())[0] for one in readings]  # type: ignore[arg-type]
    mapped = [rule.map(one, record) for one, record in zip(found, records, strict=True)]
    built = [BUILDER.build(one, rule.name, rule.type, properties) for one, properties in zip(found, mapped, strict=True)]
    return Material(page, records, found, rule, mapped, [event for event in built if event], source, destination)


async def _measure(order_bytes: int, url: str) -> dict[str, float]:
    one = await prepare(order_bytes, url)
    rule, destination = one.rule, one.destination
    encoded = [destination.encode(event) for event in one.events]
    body = b",".join(part for part in encoded if isinstance(part, bytes))
    packed = igzip.compress(one.page, 1)
    pairs = list(zip(one.found, one.records, strict=True))
    built = list(zip(one.found, one.mapped, strict=True))
    stages: dict[str, Callable[[], Any]] = {
        "inflate the page": lambda: igzip.decompress(packed),
        "split into records": lambda: msgspec.json.decode(one.page, type=Envelope),
        "decode and normalise": lambda: _read(one.source, one.records),
        "map as the plan says": lambda: [rule.map(found, record) for found, record in pairs],
        "id, identity, context, digests": lambda: [BUILDER.build(found, rule.name, rule.type, has) for found, has in built],
        "check against the plan": lambda: [rule.check(properties) for properties in one.mapped],
        "encode for Segment": lambda: [destination.encode(event) for event in one.events],
        "join and gzip": lambda: gzip(body),
    }
    figures = {name: await _best(stage) for name, stage in stages.items()}
    entries = tuple(Outgoing(event, b"", b"").entry() for event in one.events)
    figures |= await _measure_store(entries)
    await one.source.close()
    await destination.close()
    figures["sum of the stages"] = sum(figures.values())
    return figures


async def _measure_store(entries: tuple[LedgerEntry, ...]) -> dict[str, float]:
    window = Window(Instant(instant(0)), Instant(instant(ORDERS)))
    spec = JobSpec("p", "s", "d", ("orders",), window, "", "", "1", window.since)
    keys = {entry.key: entry.created_at for entry in entries}
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "state" / "s.db") as store:
        run_id = store.start_run(store.create_job(spec, [Partition(0, "orders", window)]).id)

        def settle() -> None:
            for half in (entries[: ORDERS // 2], entries[ORDERS // 2 :]):
                store.settle(run_id, [Settlement(0, delivered=half)])

        return {
            "settle: ledger and fsync": await _best(settle),
            "ask the ledger": await _best(lambda: store.delivered("s", "d", "order", keys)),
        }


async def _read(source: Source, records: list[bytes]) -> None:
    for start in range(0, len(records), GROUP):
        await source.read("orders", records[start : start + GROUP])


def measure(order_bytes: int, url: str) -> dict[str, float]:
    """Stage -> microseconds per order; `url` is a measuring server, asked for a token and the project only."""
    return asyncio.run(_measure(order_bytes, url))
