"""A small shop with dead letters in the queue, and the replay of them: what the tests of replay run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from doubles import FakeDestination, FakeSource
from jobs import opened, run
from plan_tools import copy_default_plan

from cdi_cli.config.settings import BreakerPolicy
from cdi_cli.errors import CdiError
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.recheck import Recheck, recheck
from cdi_cli.pipeline.replay import ReplayRequest, run_replay
from cdi_cli.pipeline.report import Report
from cdi_cli.pipeline.stop import Stop
from cdi_cli.plan import CompiledPlan, compile_plan, load_plan
from cdi_cli.state import open_store
from cdi_cli.state._base import StoredDeadLetter

PATIENT = BreakerPolicy(rejected_share_max=1.0)
"""Lets a run reject everything."""
TOTAL = "    minimum: 0\n    from: order.total\n"


def changed_plan(folder: Path, old: str, new: str, *, event: str = "order_completed") -> CompiledPlan:
    """The plan that ships with cdi with one text of one event's file changed."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = copy_default_plan(folder)
    file = plan / "events" / f"{event}.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return compile_plan(load_plan(plan))


def strict_plan(folder: Path, minimum: float = 100_000) -> CompiledPlan:
    """A plan that takes only orders of so much."""
    return changed_plan(folder, TOTAL, TOTAL.replace("0", str(minimum), 1))


async def replay(
    state: Path,
    source: FakeSource,
    destination: FakeDestination,
    *,
    numbers: Iterable[int] | None = None,
    stop: Stop | None = None,
    wrap: Callable[[Any], Any] = lambda store: store,
    **changes: Any,
) -> tuple[Report, CdiError | None]:
    """Replay these dead letters, or all that there are."""
    with open_store(state) as store:
        chosen = tuple(numbers) if numbers is not None else tuple(store.letter_numbers())
        request = ReplayRequest(chosen, "test", 1e9)
        shop = opened(source, destination, **changes)
        return await run_replay(shop, wrap(store), request, Progress(), stop or Stop())


def replayed(
    state: Path, source: FakeSource, destination: FakeDestination, **options: Any
) -> tuple[Report, CdiError | None]:
    """The same, for tests and children that have no event loop."""
    return asyncio.run(replay(state, source, destination, **options))


def rechecked(state: Path, source: FakeSource, destination: FakeDestination, **changes: Any) -> Recheck:
    """What a replay of all dead letters would come to."""
    with open_store(state, read_only=True) as store:
        return asyncio.run(recheck(opened(source, destination, **changes), store, store.letter_numbers()))


def letters(state: Path) -> list[StoredDeadLetter]:
    """The dead letters, lowest number first."""
    with open_store(state, read_only=True) as store:
        return sorted(store.dead_letters(limit=100_000), key=lambda stored: stored.id)


def refuse(state: Path, source: FakeSource, wanted: Callable[[str], bool], **changes: Any) -> FakeDestination:
    """Backfill into a destination that takes no event with a wanted id; returns it, with what it took."""
    taken = FakeDestination()
    run(state.with_name("trial.db"), source, taken)
    destination = FakeDestination(refused=frozenset(each for each in taken.ids if wanted(each)))
    report, error = run(state, source, destination, breaker=PATIENT, **changes)
    assert (error, report.books.errors) == (None, ())
    assert report.books.total("rejected") == len(destination.refused) > 0
    return destination
