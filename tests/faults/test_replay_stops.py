"""A replay that is stopped, by the network, Ctrl-C or `kill -9`, loses nothing: what was not sent is still in the queue."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doubles import LIMITS, FakeDestination, FakeSource
from jobs import run, shop
from replay_bench import letters, refuse, replayed

from cdi_cli.errors import InterruptedRunError, TransientError
from cdi_cli.pipeline.stop import Stop

ORDERS = shop(80)
IN_FLIGHT = LIMITS.in_flight * LIMITS.batch_events


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A checkpoint file with a dead letter for each order, and for each refund one."""
    path = tmp_path / "state" / "state.db"
    refuse(path, FakeSource(ORDERS), lambda _event_id: True)
    return path


def waiting(state: Path) -> list[str]:
    """The ids of the events in the queue."""
    return sorted(stored.letter.event_id or "" for stored in letters(state))


def finish(state: Path, wanted: list[str], sent: list[str]) -> None:
    """Replay what is left; all is sent once then, and the queue is empty."""
    rest = FakeDestination()
    report, error = replayed(state, FakeSource(ORDERS), rest)
    assert (error, report.books.errors) == (None, ())
    assert sorted(sent + rest.ids) == wanted
    assert waiting(state) == []
    run(state, FakeSource(ORDERS), later := FakeDestination())
    assert later.ids == []


def test_a_destination_that_goes_away(state: Path) -> None:
    """What was accepted has left the queue, the rest is in it; the next replay sends only that."""
    wanted = waiting(state)

    def fail(number: int, _events: list[bytes]) -> None:
        if number > 4:
            raise TransientError("the destination does not answer")

    partly = FakeDestination(script=fail)

    report, error = replayed(state, FakeSource(ORDERS), partly)

    assert isinstance(error, TransientError)
    assert report.status == "stopped"
    assert report.books.errors == ()
    assert 0 < len(partly.ids) < len(wanted)
    assert sorted(partly.ids + waiting(state)) == wanted
    finish(state, wanted, partly.ids)


def test_ctrl_c(state: Path) -> None:
    """What is in flight is settled, the rest stays in the queue."""
    wanted, stop = waiting(state), Stop()

    def ask(number: int, _events: list[bytes]) -> None:
        if number == 3:
            stop.ask()

    partly = FakeDestination(script=ask)

    report, error = replayed(state, FakeSource(ORDERS), partly, stop=stop)

    assert isinstance(error, InterruptedRunError)
    assert report.status == "interrupted"
    assert 0 < len(partly.ids) < len(wanted)
    assert sorted(partly.ids + waiting(state)) == wanted
    finish(state, wanted, partly.ids)


class HookedStore:
    """A store that passes a point before and after each transaction."""

    def __init__(self, store: Any, point: Callable[[], None]) -> None:
        self._store = store
        self._point = point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def settle(self, run_id: int, settlements: Any) -> None:
        """Settle between two points."""
        self._point()
        self._store.settle(run_id, settlements)
        self._point()


def child(state: Path, applied: Path, at: int) -> int:
    """Replay in a forked child that is killed at point `at`; returns how it ended, minus the signal."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            passed = 0
            log = os.open(applied, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

            def point() -> None:
                nonlocal passed
                passed += 1
                if passed == at:
                    os.kill(os.getpid(), signal.SIGKILL)

            def apply(_number: int, events: list[bytes]) -> None:
                point()
                os.write(log, b"".join(event + b"\n" for event in events))
                point()

            report, error = replayed(
                state,
                FakeSource(ORDERS),
                FakeDestination(script=apply),
                wrap=lambda store: HookedStore(store, point),
            )
            code = 0 if error is None and not report.books.errors else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
@pytest.mark.parametrize("at", [1, 2, 3, 6, 9, 14, 20])
def test_kill_9(state: Path, tmp_path: Path, at: int) -> None:
    """Killed at any point and run again: nothing is lost, at most what was in flight is sent twice, under the same ids."""
    wanted, applied = waiting(state), tmp_path / "applied.jsonl"

    assert child(state, applied, at) == -signal.SIGKILL
    left = waiting(state)
    assert child(state, applied, -1) == 0

    sent = [json.loads(line)["messageId"] for line in applied.read_text(encoding="utf-8").splitlines()]
    assert sorted(set(sent)) == wanted
    assert len(sent) - len(wanted) <= IN_FLIGHT
    assert len(left) > 0
    assert waiting(state) == []
