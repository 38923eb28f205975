"""`kill -9` at every request, send and settle of a real source against its simulator, for a backfill, a sync and a
reconciliation: a shop in a process of its own, jobs in forked children, and the judgement of what was applied.

The points are in wrappers here: around each HTTP request, each request of the destination, each transaction.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jobs
from doubles import LIMITS, FakeDestination
from kills import HookedStore, Killer, fork
from source_life import REQUEST, SINCE

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.http import HttpClient
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.reconcile import run_reconcile
from cdi_cli.pipeline.stop import Stop
from cdi_cli.sandbox import SandboxOptions
from cdi_cli.sandbox.process import SandboxProcess
from cdi_cli.state import open_store

BACKFILL = jobs.Request(SINCE, None, "all", workers=2, rate=1e9)
RUNS: dict[str, Callable[..., Any]] = {
    "backfill": lambda *parts: jobs.run_backfill(*parts[:2], BACKFILL, *parts[2:]),
    "sync": lambda *parts: jobs.run_sync(*parts[:2], REQUEST, *parts[2:]),
    "reconcile": lambda *parts: run_reconcile(*parts[:2], REQUEST, *parts[2:]),
}
KINDS = list(RUNS)


@dataclass(frozen=True)
class Platform:
    """What differs from platform to platform.

    `open`: the real source of the shop at a sandbox's address; `changes`: fields of what is opened; `live`: what happens in
    the shop between a backfill and a sync, more than a batch for each kind of job; `orders`: how many it begins with.
    """

    name: str
    open: Callable[[str], Any]
    changes: dict[str, Any]
    live: Callable[[Shop], None]
    orders: int = 120


@dataclass(frozen=True)
class Shop:
    """A shop in a process of its own, the checkpoint file of a backfill of it, and what happened in it after that."""

    platform: Platform
    url: str
    folder: Path

    def admin(self, path: str, body: Any) -> Any:
        """One request to the sandbox's admin API."""
        data = json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_sandbox/{path}", data)) as answer:
            return json.loads(answer.read())

    def mutate(self, *changes: dict[str, Any]) -> list[Any]:
        """Some changes in the shop, one after the other; the records as they are then."""
        return list(self.admin(f"{self.platform.name}/mutate", list(changes)))

    def told(self) -> list[dict[str, Any]]:
        """The events of the backfill."""
        return applied(self.folder / "before")


@contextmanager
def opened_shop(platform: Platform, folder: Path) -> Iterator[Shop]:
    """A shop that has lived on since the backfill of it."""
    options = SandboxOptions(sources=(platform.name,), orders=platform.orders, now=SYSTEM_CLOCK.instant())
    with SandboxProcess(options) as sandbox:
        shop = Shop(platform, sandbox.url, folder)
        status, _ = child("backfill", shop, folder / "before", None)
        assert os.waitstatus_to_exitcode(status) == 0
        shop.admin("clock", {"advance_seconds": 20})
        platform.live(shop)
        shop.admin("clock", {"advance_seconds": 20})
        yield shop


def child(kind: str, shop: Shop, folder: Path, at: int | None) -> tuple[int, int]:
    """Run a job in a forked child that is killed at point `at`; its wait status and the points it passed."""
    folder.mkdir(exist_ok=True)
    return fork(lambda point: _work(kind, shop, folder, point), at)


def _work(kind: str, shop: Shop, folder: Path, point: Killer) -> int:
    log = os.open(folder / "applied.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    request = HttpClient.request

    async def asked(client: HttpClient, *args: Any, **options: Any) -> Any:
        point()
        answer = await request(client, *args, **options)
        point()
        return answer

    def apply(_number: int, events: list[bytes]) -> None:
        point()  # the request is on its way, the other side has not seen it
        os.write(log, b"".join(event + b"\n" for event in events))
        point()  # the other side has applied it, we do not know

    HttpClient.request = asked  # type: ignore[method-assign] - in the forked child alone
    error, mistakes = asyncio.run(_run(kind, shop, folder, FakeDestination(script=apply), point))
    return 0 if error is None and not mistakes else 1


async def _run(kind: str, shop: Shop, folder: Path, destination: FakeDestination, point: Killer) -> tuple[Any, Any]:
    source = shop.platform.open(shop.url)
    changes = {"settle_seconds": 0, "overlap_seconds": 600} | shop.platform.changes
    with open_store(folder / "state.db") as store:
        opened = jobs.opened(source, destination, **changes)
        report, error = await RUNS[kind](opened, HookedStore(store, point), Progress(), Stop())
    await source.close()
    return error, report.books.errors


def begun(kind: str, shop: Shop, folder: Path) -> Path:
    """A folder to run the job in: empty for a backfill, else with the checkpoint file of one."""
    folder.mkdir()
    if kind != "backfill":
        for file in (shop.folder / "before").glob("state.db*"):
            shutil.copy(file, folder / file.name)
    return folder


def applied(folder: Path) -> list[dict[str, Any]]:
    """What the other side has applied, over all runs."""
    log = folder / "applied.jsonl"
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []


def sayings(folder: Path) -> Counter[str]:
    """What was said, and how often: events without their ids, of which some tell when a run began."""
    return Counter(json.dumps({**event, "messageId": ""}, sort_keys=True) for event in applied(folder))


def check_kill_at(kind: str, shop: Shop, folder: Path, at: int, expected: Counter[str]) -> int | None:
    """Kill a run at point `at`, run again to the end, run a third time: judge what was applied; returns the repeats.

    None: the run ended before the point. How many outcomes share a transaction depends on timing, so the last few points of
    one run may not exist in another.
    """
    begun(kind, shop, folder)
    status, _ = child(kind, shop, folder, at)
    if not os.WIFSIGNALED(status):
        assert os.waitstatus_to_exitcode(status) == 0
        return None
    assert os.WTERMSIG(status) == signal.SIGKILL
    status, _ = child(kind, shop, folder, None)
    assert os.waitstatus_to_exitcode(status) == 0
    said = sayings(folder)
    assert said.keys() == expected.keys(), (at, (said - expected).keys() ^ (expected - said).keys())
    assert len({event["messageId"] for event in applied(folder)}) == len(said), f"point {at}: a repeat has another id"
    repeats = sum(said.values()) - len(said)
    assert repeats <= LIMITS.in_flight * LIMITS.batch_events, (at, repeats)

    status, _ = child(kind, shop, folder, None)
    assert os.waitstatus_to_exitcode(status) == 0
    assert sum(sayings(folder).values()) == sum(said.values()), f"point {at}: a finished {kind} sent again"
    return repeats


def undisturbed(kind: str, shop: Shop, folder: Path) -> tuple[int, Counter[str]]:
    """How many points a run passes that nobody kills, and what it says, each once."""
    begun(kind, shop, folder)
    status, points = child(kind, shop, folder, None)
    assert os.waitstatus_to_exitcode(status) == 0
    said = sayings(folder)
    assert len(said) > LIMITS.batch_events
    assert set(said.values()) == {1}
    return points, said


def check_sample(kind: str, shop: Shop, folder: Path) -> None:
    """Some points spread over the run, the first among them."""
    points, expected = undisturbed(kind, shop, folder / "whole")
    assert points > 30, "too few points: the job is too small to prove anything"
    chosen = sorted({1, 2, *range(3, points, max(1, points // 4))})

    repeats = [check_kill_at(kind, shop, folder / f"at-{at}", at, expected) for at in chosen]

    assert sum(one is not None for one in repeats) >= len(chosen) - 2


def check_all(kind: str, shop: Shop, folder: Path, title: str) -> None:
    """All points; prints the figures."""
    points, expected = undisturbed(kind, shop, folder / "whole")

    repeats = [check_kill_at(kind, shop, folder / f"at-{at}", at, expected) for at in range(1, points)]

    killed = [one for one in repeats if one is not None]
    assert len(killed) > 0.9 * points
    figures = f"{len(killed)} kill points, {len(expected)} events, {3 * len(repeats) + 1} process runs"
    print(f"\n{title} {kind}: {figures}: lost 0, at most {max(killed)} events repeated")
