"""For every source: the default plan, written as templates, makes byte for byte the events that its mapping makes."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from contract_bench import SourceBench, each_source
from plan_tools import copy_default_plan
from script_tools import with_templates

from cdi_cli.commerce import Order
from cdi_cli.events import LifecycleSettings, Occurrence, occurrences, updated
from cdi_cli.pipeline.items import origins
from cdi_cli.plan import compile_plan, load_plan
from cdi_cli.sources import Departed, Nothing, Unreadable

GROUP = 100
SEVEN = {
    *("identify", "Signed Up", "Checkout Started"),
    *("Order Completed", "Order Updated", "Order Cancelled", "Order Refunded"),
}
"""The events of orders, customers and checkout, which every source tells of."""


async def happened(source: SourceBench, stream: str) -> list[tuple[Occurrence, bytes]]:
    """Everything that the records of a stream say has happened, each with the record that says so."""
    is_told_by_carts = any(one.family == "cart" for one in source.spec.streams)
    settings = LifecycleSettings(
        groups=("business_unit", "store", "company"), checkout_started="cart" if is_told_by_carts else "created"
    )
    records = await source.records(stream)
    found: list[tuple[Occurrence, bytes]] = []
    async with source.opened() as opened:
        for start in range(0, len(records), GROUP):
            group = records[start : start + GROUP]
            for record, readings in zip(group, await opened.read(stream, group), strict=True):
                for origin, reading in origins(record, readings):
                    if isinstance(reading, Unreadable | Nothing | Departed):
                        continue
                    more = [updated(reading)] if isinstance(reading, Order) else []
                    found += [(one, origin) for one in (*occurrences(reading, settings), *more)]
    return found


@each_source
async def test_ejected_templates_make_the_same_bytes(source: SourceBench, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All streams of the simulator, all events of the plan: equal bytes, each event at least once."""
    plan = load_plan(denied_fields=source.spec.denied_fields)
    folder = copy_default_plan(tmp_path_factory.mktemp("templates"))
    mapped, templated = compile_plan(plan), with_templates(plan, folder)
    seen: Counter[str] = Counter()

    for stream in source.spec.streams:
        for occurrence, record in await happened(source, stream.name):
            pairs = zip(mapped.rules(occurrence.kind), templated.rules(occurrence.kind), strict=True)
            for before, after in pairs:
                expected = msgspec.json.encode(before.map(occurrence, record))
                assert msgspec.json.encode(after.map(occurrence, record)) == expected, (before.name, occurrence.entity.id)
                seen[before.name] += 1

    assert seen.keys() >= SEVEN
    assert sum(seen.values()) > 200
