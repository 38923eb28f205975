"""Files of ready-made events, and a push of one on test doubles: what the tests of `cdi push` run on."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from doubles import FakeDestination
from jobs import opened
from plan_tools import copy_default_plan

from cdi_cli.errors import CdiError
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.push import PushRequest, run_push
from cdi_cli.pipeline.push_lines import LineSource, open_events
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.stop import Stop
from cdi_cli.plan import CompiledPlan, compile_plan, load_plan
from cdi_cli.state import open_store

AT = "2026-01-31T12:00:00.000Z"
REQUEST = PushRequest(rate=1e9)
PAGE_FILE = """
event: page
type: page
trigger: none
description: Somebody looked at a page
properties:
  path: {type: string, required: true, description: Path of the page}
"""
VIEWED_FILE = """
event: Product Viewed
type: track
trigger: none
description: Somebody looked at a product
destinations:
  target: {rename: Viewed, properties: {exclude: [secret]}}
  nowhere: false
properties:
  sku: {type: string, required: true, description: What was looked at}
  secret: {type: string, description: Nobody's business}
"""


def storefront_plan(folder: Path) -> Path:
    """A copy of the default plan with a page view and Product Viewed, which a storefront sends; its folder."""
    copy_default_plan(folder)
    for name, text in (("page", PAGE_FILE), ("product_viewed", VIEWED_FILE)):
        (folder / "plan" / "events" / f"{name}.yaml").write_text(text.lstrip(), encoding="utf-8")
    return folder / "plan"


@cache
def compiled(folder: Path) -> CompiledPlan:
    """The storefront's plan, compiled."""
    return compile_plan(load_plan(storefront_plan(folder)))


def page(number: int, **changes: Any) -> dict[str, Any]:
    """A page view; a change to None takes the key away."""
    message: dict[str, Any] = {
        "type": "page",
        "messageId": f"page-{number}",
        "anonymousId": f"guest-{number % 3}",
        "timestamp": AT,
        "name": "Home",
        "properties": {"path": f"/{number}"},
    }
    return {key: value for key, value in (message | changes).items() if value is not None}


def viewed(number: int, **changes: Any) -> dict[str, Any]:
    """A Product Viewed."""
    track = {"type": "track", "messageId": f"view-{number}", "event": "Product Viewed", "name": None}
    return page(number, **{**track, "properties": {"sku": f"sku-{number}"}, **changes})


def write(path: Path, messages: Iterable[dict[str, Any] | str]) -> Path:
    """A file of messages, gzipped if it is named so; texts stand as they are."""
    rows = [row if isinstance(row, str) else json.dumps(row) for row in messages]
    data = "".join(f"{row}\n" for row in rows).encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


async def push(
    state: Path,
    file: Path,
    destination: FakeDestination,
    *,
    request: PushRequest = REQUEST,
    stop: Stop | None = None,
    wrap: Callable[[Any], Any] = lambda store: store,
    progress: Progress | None = None,
    **changes: Any,
) -> tuple[Report, CdiError | None]:
    """One push on the checkpoint file `state`."""
    with open_store(state) as store, open_events(str(file), state.parent) as events:
        way = opened(cast("Any", LineSource(events)), destination, **changes)
        return await run_push(way, wrap(store), events, request, progress or Progress(), stop or Stop())


def run(state: Path, file: Path, destination: FakeDestination, **options: Any) -> tuple[Report, CdiError | None]:
    """The same, for children that have no event loop."""
    return asyncio.run(push(state, file, destination, **options))


def limited(lines: int) -> PushRequest:
    """A request that stops after so many lines."""
    return replace(REQUEST, limit=lines)


def reasons(report: Report) -> dict[str, int]:
    """Outcome and reason -> how many, having checked that the books close."""
    assert report.books.errors == ()
    return {f"{outcome}:{reason}": number for (_, outcome, reason), number in report.books.reasons.items()}
