"""Whatever an answer of a destination suffers, a small backfill into it ends with every event there once.

A run may end early; then the same one is run again. Where a repeat cannot be recognised, what is missing in the end is in
doubt and listed, and nothing is there twice. The faults are the sandbox's, with its simulators as judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs
import pytest
import stamina
from doubles import FakeSource
from oracle import expected_events
from simulators import destination_simulator

from cdi_cli import destinations
from cdi_cli.destinations import DestinationContext
from cdi_cli.sandbox import Fault
from cdi_cli.state import open_store
from cdi_cli.state._base import IN_DOUBT

ORDERS = jobs.shop(40)
PATHS = {"segment": "/segment/v1/batch", "mparticle": "/mparticle/v2/bulkevents", "insider": "/insider/api/user/v1/upsert"}
WITHOUT_SERVER = {"file"}
RUNS_MAX = 6
FAULTS: dict[str, dict[str, Any]] = {
    "429": {"kind": "status", "status": 429},
    "429 with a pause": {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
    "500": {"kind": "status", "status": 500},
    "503 for long": {"kind": "status", "status": 503, "times": 9},
    "504": {"kind": "status", "status": 504},
    "400 to a batch": {"kind": "status", "status": 400},
    "413 to a batch": {"kind": "status", "status": 413},
    "a reset before": {"kind": "reset_before_body"},
    "a reset after": {"kind": "reset_after_apply"},
    "a reset after, twice": {"kind": "reset_after_apply", "times": 2},
    "half a body": {"kind": "reset_mid_body"},
    "a body cut short": {"kind": "truncate"},
    "a slow answer": {"kind": "delay", "seconds": 0.2},
    "a proxy's page": {"kind": "html200"},
    "broken JSON": {"kind": "broken_json"},
    "bytes that are no gzip": {"kind": "bad_gzip"},
}
SERVED = [name for name in destinations.names() if name not in WITHOUT_SERVER]


@pytest.fixture(autouse=True)
def _no_waits() -> Iterator[None]:
    """Six attempts at most, without the sleep between them."""
    with stamina.set_testing(True, attempts=6, cap=True):
        yield


@pytest.fixture(scope="module", params=SERVED)
def simulator(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any]]:
    """A destination's name and its simulator."""
    with destination_simulator(request.param)() as running:
        yield request.param, running


async def backfill(state: Path, name: str, simulator: Any) -> bool:
    """One run; whether it is done."""
    spec = destinations.load(name)
    limited = {"batch_events": 10, "in_flight": 2}
    destination = spec.open(spec.settings.model_validate(simulator.settings() | limited), DestinationContext())
    try:
        report, error = await jobs.backfill(state, FakeSource(ORDERS), destination, is_idempotent=spec.is_idempotent)  # type: ignore[arg-type]
    finally:
        await destination.close()
    assert report.books.errors == ()
    return error is None and report.status == "done"


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_event_is_there_once(
    simulator: tuple[str, Any], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the second request, others under way: nothing lost, nothing twice, and no run after the last sends anything."""
    name, running = simulator
    running.clear()
    for variable, value in running.environment.items():
        monkeypatch.setenv(variable, value)
    put = running._sandbox.faults.add(Fault(**({"match": PATHS[name], "skip": 1} | FAULTS[fault])))
    state = tmp_path / "state.db"

    runs = 1
    while not await backfill(state, name, running):
        runs += 1
        assert runs <= RUNS_MAX, "it never ended"
    sent = len(running.deliveries())
    assert await backfill(state, name, running)

    assert put.fired > 0
    assert len(running.deliveries()) == sent, "a finished backfill sent again"
    with open_store(state, read_only=True) as store:
        letters = store.dead_letters(limit=1000)
    assert {letter.letter.reason for letter in letters} <= {IN_DOUBT}
    doubtful = {letter.letter.event_id for letter in letters}
    assert not doubtful or not destinations.load(name).is_idempotent
    times = Counter(running.event_id(applied) for applied in running.applied())
    wanted = {one.id for one in expected_events(ORDERS)}
    assert times.keys() <= wanted
    assert wanted - times.keys() <= doubtful
    assert max(times.values()) == 1, times.most_common(3)
    assert running.dropped() == []
