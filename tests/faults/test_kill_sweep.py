"""`kill -9` at every hook point of a small backfill, and of a small sync: nothing lost, at most the batches in flight
repeated, then quiet.

The hooks are here, not in the product: they wrap the source, the destination and the store of a forked child and send it a
real SIGKILL at point n. `make crash` walks all points; `make test` a sample.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doubles import LIMITS, FakeDestination, FakeSource
from jobs import SINCE, SYNC_REQUEST, run, shop, sync
from kills import HookedStore, Killer, fork
from oracle import expected_events, verdict

from cdi_cli.clock import parse_instant

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

ORDERS = shop(300)
UNREADABLE = frozenset({7, 58})
NOW = parse_instant("2026-01-10T00:00:00.000Z")
KINDS = ["backfill", "sync"]


def child(kind: str, state: Path, applied: Path, at: int | None) -> tuple[int, int]:
    """Run the job in a forked child that is killed at point `at`; its wait status and the points it passed."""
    return fork(lambda point: _work(kind, state, applied, point), at)


def _work(kind: str, state: Path, applied: Path, point: Killer) -> int:
    log = os.open(applied, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def apply(_number: int, events: list[bytes]) -> None:
        point()  # the request is on its way, the other side has not seen it
        os.write(log, b"".join(event + b"\n" for event in events))
        point()  # the other side has applied it, we do not know

    source = FakeSource(ORDERS, page_size=20, broken=UNREADABLE, on_page=lambda _number: point())
    options: dict[str, Any] = {"wrap": lambda store: HookedStore(store, point)}
    if kind == "sync":
        source.now = NOW
        options["request"] = replace(SYNC_REQUEST, since=SINCE)
        report, error = asyncio.run(sync(state, source, FakeDestination(script=apply), **options))
    else:
        report, error = run(state, source, FakeDestination(script=apply), **options)
    return 0 if error is None and not report.books.errors else 1


def messages(applied: Path) -> list[dict[str, Any]]:
    """What the other side has applied, over all runs."""
    return [json.loads(line) for line in applied.read_text(encoding="utf-8").splitlines()] if applied.exists() else []


def check_kill_at(kind: str, folder: Path, at: int) -> int | None:
    """Kill a run at point `at`, run again to the end, run a third time: judge what was applied; returns the repeats.

    None: the run ended before the point. How many outcomes share a transaction depends on timing, so the last few points of
    one run may not exist in another.
    """
    folder.mkdir()
    state, applied = folder / "state" / "state.db", folder / "applied.jsonl"

    status, _ = child(kind, state, applied, at)
    if not os.WIFSIGNALED(status):
        assert os.waitstatus_to_exitcode(status) == 0
        return None
    assert os.WTERMSIG(status) == signal.SIGKILL
    status, _ = child(kind, state, applied, None)
    assert os.waitstatus_to_exitcode(status) == 0
    judged = verdict(expected_events(ORDERS, unreadable=UNREADABLE), messages(applied))
    assert judged.is_clean, (at, judged)
    assert judged.repeats <= LIMITS.in_flight * LIMITS.batch_events, (at, judged.repeats)

    before = len(messages(applied))
    status, _ = child(kind, state, applied, None)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(messages(applied)) == before, f"point {at}: a finished {kind} sent again"
    return judged.repeats


def count_points(kind: str, folder: Path) -> int:
    """How many points an undisturbed run passes; it must also be right."""
    status, points = child(kind, folder / "whole" / "state.db", folder / "whole.jsonl", None)
    assert os.waitstatus_to_exitcode(status) == 0
    judged = verdict(expected_events(ORDERS, unreadable=UNREADABLE), messages(folder / "whole.jsonl"))
    assert judged.is_clean
    assert judged.repeats == 0
    return points


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_of_kill_points(kind: str, tmp_path: Path) -> None:
    """Some points spread over the run, the first among them."""
    points = count_points(kind, tmp_path)
    assert points > 100, "too few points: the job is too small to prove anything"
    chosen = sorted({1, 2, *range(3, points, max(1, points // 5))})

    repeats = [check_kill_at(kind, tmp_path / f"at-{at}", at) for at in chosen]

    assert sum(one is not None for one in repeats) >= len(chosen) - 2


@pytest.mark.sweep
@pytest.mark.parametrize("kind", KINDS)
def test_every_kill_point(kind: str, tmp_path: Path) -> None:
    """All of them; prints the figure that the README quotes."""
    points = count_points(kind, tmp_path)

    repeats = [check_kill_at(kind, tmp_path / f"at-{at}", at) for at in range(1, points)]

    killed = [one for one in repeats if one is not None]
    assert len(killed) > 0.9 * points
    figures = f"{len(killed)} kill points, {3 * len(repeats) + 1} process runs"
    print(f"\n{kind}: {figures}: lost 0, at most {max(killed)} events repeated")
