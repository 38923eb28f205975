"""Killing the process (SIGKILL) at every statement and at random moments: all of a settlement is there, or nothing."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from state_builders import (
    files_of,
    fork,
    in_child,
    kill_at,
    partitions,
    spec,
    step,
    steps_settled,
    write_connection,
    write_files,
)

from cdi_cli.state import open_store, opening
from cdi_cli.state.connection import connect

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

STATEMENTS_MAX = 200


def prepared(tmp_path: Path) -> dict[str, bytes]:
    """The files of a store with one job and two settled steps, closed in order."""
    path = tmp_path / "template" / "state.db"
    with open_store(path) as store:
        run = store.start_run(store.create_job(spec(), partitions()).id)
        store.settle(run, [step(0)])
        store.settle(run, [step(1)])
    return files_of(path)


def work(path: Path, at: int) -> None:
    """Open, settle what is left of four steps, end, close; killed at the statement numbered `at`."""
    count = [0]

    def traced(*arguments: object, **options: object) -> object:
        db = connect(*arguments, **options)  # type: ignore[arg-type]
        kill_at(db, count, at)
        return db

    opening.connect = traced  # type: ignore[assignment]
    with open_store(path) as store:
        run = store.start_run(1)
        for number in range(int(str(store.partitions(1)[0].cursor)[1:]) + 1, 4):
            store.settle(run, [step(number)])
        store.end_run(run, status="done", exit_code=0)


def test_killed_at_every_statement(tmp_path: Path) -> None:
    """From opening to closing, one statement after the other: nothing lost, nothing half, and the next run goes on."""
    files = prepared(tmp_path)
    seen: Counter[int] = Counter()
    for at in range(STATEMENTS_MAX):
        path = write_files(tmp_path / str(at) / "state.db", files)
        code = in_child(lambda path=path, at=at: work(path, at))  # type: ignore[misc]
        with open_store(path) as store:
            settled = steps_settled(store)
            seen[settled] += 1
            for number in range(settled, 5):
                store.settle(store.start_run(1), [step(number)])
            assert steps_settled(store) == 5
            assert all(run.status in ("running", "killed", "done") for run, _ in store.runs())
        if code == 0:
            break
        assert code == -signal.SIGKILL

    assert code == 0
    assert set(seen) == {2, 3, 4}
    assert sum(seen.values()) > 30


def test_killed_while_recovering_from_a_kill(tmp_path: Path) -> None:
    """A second kill during the opening after the first loses nothing either."""
    files = prepared(tmp_path)
    first = write_files(tmp_path / "first" / "state.db", files)
    assert in_child(lambda: kill_in_second_settle(first)) == -signal.SIGKILL
    left = files_of(first)
    assert len(left["-wal"]) > 0
    kills = 0
    for at in range(0, STATEMENTS_MAX, 2):
        path = write_files(tmp_path / f"second-{at}" / "state.db", left)
        code = in_child(lambda path=path, at=at: work(path, at))  # type: ignore[misc]
        with open_store(path) as store:
            assert steps_settled(store) in (3, 4)
        if code == 0:
            break
        kills += 1
    assert code == 0
    assert kills > 10


def kill_in_second_settle(path: Path) -> None:
    """Settle step 2 and die inside the transaction of step 3."""
    store = open_store(path)
    run = store.start_run(1)
    store.settle(run, [step(2)])
    kill_at(write_connection(store), [0], 6)
    store.settle(run, [step(3)])


def settle_for_ever(path: Path, pipe: int) -> None:
    """Settle step after step and tell each through a pipe once `settle` has returned."""
    store = open_store(path)
    run = store.start_run(store.create_job(spec(), partitions()).id)
    for number in range(100_000):
        store.settle(run, [step(number)])
        os.write(pipe, b"x")


@pytest.mark.parametrize("seed", range(12))
def test_killed_at_a_random_moment(tmp_path: Path, seed: int) -> None:
    """Everything that `settle` returned for is there; at most the one transaction under way comes on top."""
    path = tmp_path / "state" / "state.db"
    reading, writing = os.pipe()
    pid = fork()
    if pid == 0:
        os.close(reading)
        try:
            settle_for_ever(path, writing)
        finally:
            os._exit(99)
    os.close(writing)
    told = os.read(reading, 1)
    time.sleep(random.Random(seed).uniform(0, 0.08))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    while more := os.read(reading, 65_536):
        told += more
    os.close(reading)

    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    with open_store(path) as store:
        assert steps_settled(store) in (len(told), len(told) + 1)
        assert store.runs()[0][0].status == "killed"


def test_killed_while_the_file_is_made(tmp_path: Path) -> None:
    """A kill at any moment of the first opening leaves no file or a whole one, never an empty one that is then refused."""
    whole = 0
    for round_number in range(15):
        path = tmp_path / str(round_number) / "state.db"
        pid = fork()
        if pid == 0:
            try:
                open_store(path)
                time.sleep(10)
            finally:
                os._exit(99)
        time.sleep(0.0007 * round_number)
        until = time.monotonic() + 10 * (round_number == 14)  # the last one is killed late, however slow the machine is
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        whole += path.exists()
        with open_store(path) as store:
            assert steps_settled(store) == 0

    assert 0 < whole <= 15
