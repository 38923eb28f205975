"""What each stage of the way of the data costs, in one process, on the records of one page."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.orders import Renderer, instant

ORDERS = 500
ROUNDS = 7


def _best(work: Callable[[], Any]) -> float:
    """The quickest of some rounds, microseconds per order: noise only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best / ORDERS * 1e6


def measure(order_bytes: int, url: str) -> dict[str, float]:
    """Stage -> microseconds per order; `url` is a measuring server, asked for a token and the project only."""
    from isal import igzip

    from cdi_cli.clock import Instant, Window
    from cdi_cli.destinations import DestinationContext
    from cdi_cli.destinations import load as load_destination
    from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, occurrences
    from cdi_cli.http import gzip
    from cdi_cli.pipeline.issue import Issuer
    from cdi_cli.plan import compile_plan, load_plan
    from cdi_cli.sources import SourceContext
    from cdi_cli.sources import load as load_source
    from cdi_cli.sources.commercetools.paging import Envelope
    from cdi_cli.state import open_store
    from cdi_cli.state._base import JobSpec, Partition, Settlement

    page = Renderer(order_bytes).page(0, ORDERS, ORDERS)
    packed = igzip.compress(page, 1)
    records = [bytes(raw) for raw in msgspec.json.decode(page, type=Envelope).results]
    spec = load_source("commercetools")
    settings = spec.settings.model_validate(
        {
            "project_key": "bench",
            "api_url": f"{url}/api",
            "auth_url": f"{url}/auth",
            "client_id": "bench",
            "client_secret": "${PATH}",
            "lookups": {"product_categories": False, "discount_codes": False, "customer_groups": False},
        }
    )
    destination_spec = load_destination("segment")
    target = destination_spec.settings.model_validate({"endpoint": url, "write_key": "${PATH}"})
    figures: dict[str, float] = {}

    async def run() -> None:
        source = spec.open(settings, SourceContext())
        destination = destination_spec.open(target, DestinationContext())
        plan = compile_plan(load_plan(denied_fields=spec.denied_fields))
        builder = EventBuilder(IdFormat("bench", "shop"), IdentitySettings(), event_version=1)
        lifecycle = LifecycleSettings(off=("order.fulfilled",))
        readings = await source.read("orders", records)
        found = [occurrences(one[0], lifecycle)[0] for one in readings]  # type: ignore[arg-type]
        rule = plan.rules("order.completed")[0]
        mapped = [rule.map(one, record) for one, record in zip(found, records, strict=True)]
        events = [
            builder.build(one, rule.name, rule.type, properties) for one, properties in zip(found, mapped, strict=True)
        ]
        encoded = [destination.encode(event) for event in events if event]
        body = b",".join(one for one in encoded if isinstance(one, bytes))
        figures["inflate the page"] = _best(lambda: igzip.decompress(packed))
        figures["split into records"] = _best(lambda: msgspec.json.decode(page, type=Envelope))
        loop_read = [records[start : start + 50] for start in range(0, ORDERS, 50)]
        figures["decode and normalise"] = await _best_async(lambda: _read(source, loop_read))
        figures["map as the plan says"] = _best(
            lambda: [rule.map(one, record) for one, record in zip(found, records, strict=True)]
        )
        figures["id, identity, context, digests"] = _best(
            lambda: [
                builder.build(one, rule.name, rule.type, properties) for one, properties in zip(found, mapped, strict=True)
            ]
        )
        figures["check against the plan"] = _best(lambda: [rule.check(properties) for properties in mapped])
        figures["encode for Segment"] = _best(lambda: [destination.encode(event) for event in events if event])
        figures["join and gzip"] = _best(lambda: gzip(body))
        issuer = Issuer(plan, builder, lifecycle, destination, (), lambda _family, _keys: {}, source.scrub)
        issue = issuer.issue("orders", records, readings)
        with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "state" / "s.db") as store:
            window = Window(Instant(instant(0)), Instant(instant(ORDERS)))
            job = store.create_job(
                JobSpec("p", "s", "d", ("orders",), window, "", "", "1", window.since), [Partition(0, "orders", window)]
            )
            run_id = store.start_run(job.id)
            entries = tuple(item.entry() for item in issue.outgoing)
            halves = [entries[:250], entries[250:]]

            def settle() -> None:
                for half in halves:
                    store.settle(run_id, [Settlement(0, delivered=half)])

            figures["settle: ledger and fsync"] = _best(settle)
            keys = {entry.key: entry.created_at for entry in entries}
            figures["ask the ledger"] = _best(lambda: store.delivered("s", "d", "order", keys))
        await source.close()
        await destination.close()

    asyncio.run(run())
    figures["sum of the stages"] = sum(figures.values())
    return figures


async def _read(source: Any, chunks: list[list[bytes]]) -> None:
    for chunk in chunks:
        await source.read("orders", chunk)


async def _best_async(work: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await work()
        best = min(best, time.perf_counter() - started)
    return best / ORDERS * 1e6
