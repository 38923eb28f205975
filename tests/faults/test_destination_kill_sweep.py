"""`kill -9` at every request and settle of a small backfill into each real destination: nothing lost, nothing there twice.

A destination may be sent a batch again only where it recognises that by the events' ids; where it cannot (Insider, files),
what had been on its way is looked for first. The points are in wrappers here: around each HTTP request (that of a reading,
too), in the middle of each write of a file, and around each transaction. `make crash` walks all, `make test` a sample.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import file_tools
import jobs
import pytest
from contract_events import event
from doubles import FakeSource
from kills import HookedStore, Killer, fork
from oracle import expected_events

from cdi_cli import destinations
from cdi_cli.destinations import DestinationContext
from cdi_cli.destinations.file import parts
from cdi_cli.http import HttpClient
from cdi_cli.sandbox import SandboxOptions, spec_of
from cdi_cli.sandbox.process import SandboxProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")

ORDERS = jobs.shop(100)
BATCH_EVENTS, IN_FLIGHT = 10, 3
SIMULATOR_SECONDS = 0.2
"""How long a simulator takes at most to carry out what it was sent."""
AGAIN_MAX = 17
YEARS_DAYS = 36_500
SETTINGS: dict[str, dict[str, Any]] = {
    "segment": {"endpoint": "{url}/segment", "write_key": "${CDI_SANDBOX_WRITE_KEY}"},
    "mparticle": {
        "endpoint": "{url}/mparticle",
        "key": "sandbox-mparticle-key",
        "secret": "${CDI_SANDBOX_MPARTICLE_SECRET}",
        "environment": "production",
        "ramp_up_seconds": 0,
    },
    "insider": {
        "partner_name": "sandbox",
        "request_token": "${CDI_SANDBOX_INSIDER_TOKEN}",
        "endpoint": "{url}/insider",
        "retention_days": dict.fromkeys(("purchase", "order_cancelled", "order_refunded"), YEARS_DAYS),
    },
    "file": {"folder": "{folder}/files"},
}
HELD: dict[str, Callable[[Any], list[str]]] = {
    "segment": lambda message: [message["messageId"]],
    "mparticle": lambda entry: [entry["batch"]["source_request_id"]],
    "insider": lambda user: [each["event_params"]["c_cdi_event_id"] for each in user["events"]],
}
"""The ids of the events in an entry of what a destination holds."""


@dataclass(frozen=True)
class Place:
    """Where a destination is: its name, and the sandbox that it is in."""

    name: str
    url: str


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """A sandbox in a process of its own, whose Insider keeps events for a hundred years; its address."""
    options = SandboxOptions(orders=1)
    with SandboxProcess(options) as process, pytest.MonkeyPatch.context() as patch:
        for name in HELD:
            for variable, value in spec_of(name).environment(options).items():
                patch.setenv(variable, value)
        admin(process.url, "insider/rules", {"retention_days": SETTINGS["insider"]["retention_days"]})
        yield process.url


@pytest.fixture
def place(name: str, sandbox: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The destination called `name`, with its secrets in the environment."""
    options = SandboxOptions()
    for variable, value in spec_of(name).environment(options).items() if name in HELD else ():
        monkeypatch.setenv(variable, value)
    return Place(name, sandbox)


def admin(url: str, path: str, body: Any = None) -> bytes:
    """One request to the sandbox's admin API."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/_sandbox/{path}", data)) as answer:
        return bytes(answer.read())


def child(place: Place, folder: Path, at: int | None) -> tuple[int, int]:
    """Run the backfill in a forked child that is killed at point `at`; its wait status and the points it passed."""
    folder.mkdir(exist_ok=True)
    return fork(lambda point: asyncio.run(_work(place, folder, point)), at)


async def _work(place: Place, folder: Path, point: Killer) -> int:
    _put_points(point)
    spec = destinations.load(place.name)
    settings = json.loads(json.dumps(SETTINGS[place.name]).replace("{url}", place.url).replace("{folder}", str(folder)))
    destination = spec.open(spec.settings.model_validate(settings), DestinationContext())
    destination.limits = replace(destination.limits, batch_events=BATCH_EVENTS, in_flight=IN_FLIGHT)
    options: dict[str, Any] = {"wrap": lambda store: HookedStore(store, point), "is_idempotent": spec.is_idempotent}
    # What was under way when the process was killed may still be carried out while the next one starts.
    options["confirm_after_seconds"] = min(spec.confirm_after_seconds, SIMULATOR_SECONDS)
    source = FakeSource(ORDERS, on_page=lambda _number: point())
    try:
        report, error = await jobs.backfill(folder / "state.db", source, destination, **options)  # type: ignore[arg-type]
    finally:
        await destination.close()
    return 0 if error is None and not report.books.errors and report.books.total("rejected") == 0 else 1


def _put_points(point: Killer) -> None:
    """In the forked child alone."""
    request, write = HttpClient.request, parts._write

    async def asked(client: HttpClient, *args: Any, **options: Any) -> Any:
        point()
        answer = await request(client, *args, **options)
        point()
        return answer

    def written(descriptor: int, data: bytes) -> None:
        point()
        write(descriptor, data[: len(data) // 2])
        point()
        write(descriptor, data[len(data) // 2 :])
        point()

    HttpClient.request = asked  # type: ignore[method-assign,assignment]
    parts._write = written


def held(place: Place, folder: Path) -> Counter[str]:
    """The ids of the events that the destination holds, and how often; of files those that have their names."""
    if place.name == "file":
        return Counter(file_tools.ids(folder / "files"))
    body = admin(place.url, f"{place.name}/applied?offset=0&limit=1000000")
    entries = [json.loads(line) for line in body.splitlines()] if place.name == "segment" else json.loads(body)
    return Counter(one for entry in entries for one in HELD[place.name](entry))


def repeated(place: Place) -> int:
    """How many events the destination was sent again and recognised."""
    if place.name == "file":
        return 0
    return int(json.loads(admin(place.url, "stats"))[place.name].get("duplicates", 0))


def finish(place: Place, folder: Path) -> None:
    """What a killed run left of a file gets its name when a later one writes: let one write an event of no shop."""

    async def write() -> None:
        async with file_tools.opened(folder / "files") as destination:
            await destination.send(file_tools.lines(event(999_999)))

    if place.name == "file" and any(path.suffix == ".part" for path in (folder / "files").iterdir()):
        asyncio.run(write())


def judge(place: Place, folder: Path) -> None:
    """Assert that every event is there, once."""
    times = held(place, folder)
    times.pop(event(999_999).id, None)
    wanted = {one.id for one in expected_events(ORDERS)}
    assert wanted - times.keys() == set()
    assert times.keys() - wanted == set()
    assert max(times.values()) == 1, times.most_common(3)


def check_kill_at(place: Place, folder: Path, at: int) -> int | None:
    """Kill a run at point `at` and the next one early, run to the end, and once more; returns the recognised repeats.

    None: the run ended before the point. How many outcomes share a transaction depends on timing, so the last few points of
    one run may not exist in another.
    """
    begin(place)
    status, _ = child(place, folder, at)
    if not os.WIFSIGNALED(status):
        assert os.waitstatus_to_exitcode(status) == 0
        return None
    assert os.WTERMSIG(status) == signal.SIGKILL
    child(place, folder, 1 + at % AGAIN_MAX)  # while it looks for what had been on its way, where that is done
    status, _ = child(place, folder, None)
    assert os.waitstatus_to_exitcode(status) == 0, f"point {at}"
    finish(place, folder)
    judge(place, folder)
    repeats = repeated(place)
    assert repeats <= 2 * IN_FLIGHT * BATCH_EVENTS, (at, repeats)

    before = held(place, folder)
    status, _ = child(place, folder, None)
    assert os.waitstatus_to_exitcode(status) == 0
    assert (held(place, folder), repeated(place)) == (before, repeats), f"point {at}: a finished backfill sent again"
    return repeats


def begin(place: Place) -> None:
    """An empty account."""
    if place.name != "file":
        admin(place.url, f"{place.name}/clear", {})


def undisturbed(place: Place, folder: Path) -> int:
    """How many points a run passes that nobody kills; it must also be right."""
    begin(place)
    status, points = child(place, folder, None)
    assert os.waitstatus_to_exitcode(status) == 0
    judge(place, folder)
    assert repeated(place) == 0
    return points


each = pytest.mark.parametrize("name", destinations.names())


def test_every_destination_is_swept() -> None:
    """A new destination has to be added here, too."""
    assert sorted(SETTINGS) == destinations.names()


@each
def test_a_sample_of_kill_points_into(place: Place, tmp_path: Path) -> None:
    """Some points spread over the run, the first among them."""
    points = undisturbed(place, tmp_path / "whole")
    assert points > 50, "too few points: the job is too small to prove anything"
    chosen = sorted({1, 2, *range(3, points, max(1, points // 3))})

    repeats = [check_kill_at(place, tmp_path / f"at-{at}", at) for at in chosen]

    assert sum(one is not None for one in repeats) >= len(chosen) - 2


@pytest.mark.sweep
@each
def test_every_kill_point_into(place: Place, tmp_path: Path) -> None:
    """All of them; prints the figures."""
    points = undisturbed(place, tmp_path / "whole")

    repeats = [check_kill_at(place, tmp_path / f"at-{at}", at) for at in range(1, points)]

    killed = [one for one in repeats if one is not None]
    assert len(killed) > 0.8 * points
    figures = f"{len(killed)} kill points, {4 * len(repeats) + 1} process runs: lost 0, there twice 0"
    print(f"\nInto {place.name}: {figures}, at most {max(killed)} events sent again and recognised")
