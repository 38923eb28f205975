"""One simulator per connector and module; retries do not wait."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina
from contract_bench import DestinationBench, SourceBench
from simulators import DestinationSimulator, SourceSimulator, destination_simulator, source_simulator

from cdi_cli import destinations, sources


@pytest.fixture(autouse=True)
def _no_waits() -> Iterator[None]:
    """As many attempts as the policy allows, without the sleep between them."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture(scope="module")
def _source_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def _source_simulator(_source_name: str) -> Iterator[SourceSimulator]:
    with source_simulator(_source_name)() as simulator:
        yield simulator


@pytest.fixture
def source(_source_name: str, _source_simulator: SourceSimulator, monkeypatch: pytest.MonkeyPatch) -> SourceBench:
    """A source under test: its specification, a running simulator, and how to open it."""
    return SourceBench(sources.load(_source_name), _source_simulator, monkeypatch)


@pytest.fixture(scope="module")
def _destination_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def _destination_simulator(_destination_name: str) -> Iterator[DestinationSimulator]:
    with destination_simulator(_destination_name)() as simulator:
        yield simulator


@pytest.fixture
def destination(
    _destination_name: str, _destination_simulator: DestinationSimulator, monkeypatch: pytest.MonkeyPatch
) -> DestinationBench:
    """A destination under test: its specification, an empty simulator, and how to open it."""
    _destination_simulator.clear()
    return DestinationBench(destinations.load(_destination_name), _destination_simulator, monkeypatch)
