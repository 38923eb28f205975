"""What an expression and a template cost per event, beside the declarative mapping of the same orders in the same run.

The template is the ejected mapping, so all three make the same bytes, which is asserted before anything is measured.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.stages import Material, prepare
from cdi_cli.data import data_folder
from cdi_cli.plan import EventRule, compile_plan, load_plan
from cdi_cli.plan.eject import eject

ORDERS = 500
ROUNDS = 7
EVENT = "order_completed"
MAPPED = "from: order.currency,"
EXPRESSION = 'jsonata: "order.currency",'
OF_RECORD = 'jsonata: "$exists(record.id) ? order.currency",'


def _rule(folder: Path, change: Callable[[Path], None] = lambda _folder: None) -> EventRule:
    """The rule of Order Completed in a copy of the default plan, after a change of it."""
    shutil.copytree(data_folder("tracking_plan"), folder)
    change(folder)
    return compile_plan(load_plan(folder)).rules("order.completed")[0]


def _with_template(folder: Path) -> None:
    event = next(event for event in load_plan(folder).events if event.name == "Order Completed")
    (folder / "templates").mkdir()
    (folder / "templates" / f"{EVENT}.jsonata").write_text(eject(event), encoding="utf-8")
    _replace(folder, "\ntrigger:", f"\ntemplate: {EVENT}.jsonata\ntrigger:")


def _replace(folder: Path, old: str, new: str) -> None:
    path = folder / "events" / f"{EVENT}.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")


def _best(rule: EventRule, material: Material) -> float:
    """The quickest of some rounds, microseconds per event: noise only ever adds."""
    pairs = list(zip(material.found, material.records, strict=True))
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for found, record in pairs:
            rule.map(found, record)
        best = min(best, time.perf_counter() - started)
    return best / len(pairs) * 1e6


def _bytes(rule: EventRule, material: Material) -> list[bytes]:
    pairs = zip(material.found, material.records, strict=True)
    return [msgspec.json.encode(rule.map(found, record)) for found, record in pairs]


async def _measure(order_bytes: int, url: str) -> dict[str, float]:
    material = await prepare(order_bytes, url)
    changes: dict[str, Callable[[Path], Any]] = {
        "the mapping (`from:`)": lambda _folder: None,
        "the mapping, one property an expression": lambda folder: _replace(folder, MAPPED, EXPRESSION),
        "the same, of the raw record": lambda folder: _replace(folder, MAPPED, OF_RECORD),
        "a template of the whole event": _with_template,
    }
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        rules = {name: _rule(Path(folder, str(number)), change) for number, (name, change) in enumerate(changes.items())}
        expected = _bytes(next(iter(rules.values())), material)
        for name, rule in rules.items():
            assert _bytes(rule, material) == expected, name
            figures[name] = _best(rule, material)
    await material.source.close()
    await material.destination.close()
    return figures


def measure(order_bytes: int, url: str) -> dict[str, float]:
    """How Order Completed is made -> microseconds per event; `url` is a measuring server."""
    return asyncio.run(_measure(order_bytes, url))
