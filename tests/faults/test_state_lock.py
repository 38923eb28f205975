"""One writer: several processes want the same checkpoint file, and one that lost its lock cannot settle."""

from __future__ import annotations

import os
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from state_builders import in_child, partitions, spec, step, steps_settled

from cdi_cli.errors import ExitCode, LockedError, StateError
from cdi_cli.state import open_store

PROCESSES = 4


def compete(path: Path, start: float, answers: Any) -> None:
    """Try to become the writer at a given moment; the winner settles and holds the file until the others have tried."""
    time.sleep(max(0.0, start - time.time()))
    before = time.monotonic()
    try:
        with open_store(path) as store:
            run = store.start_run(store.create_job(spec(), partitions()).id)
            store.settle(run, [step(0)])
            answers.put(("won", os.getpid(), 0.0, ""))
            time.sleep(1.0)
    except LockedError as error:
        answers.put(("locked", os.getpid(), time.monotonic() - before, error.message))
    except StateError as error:
        answers.put(("broken", os.getpid(), 0.0, error.message))


@pytest.mark.parametrize("round_number", range(2))
def test_of_four_processes_one_works(tmp_path: Path, round_number: int) -> None:
    """The others are told at once who holds the file, also while it is only being made."""
    path = tmp_path / "state" / "state.db"
    context = get_context("spawn")
    answers = context.Queue()
    start = time.time() + 1.5
    racers = [context.Process(target=compete, args=(path, start, answers)) for _ in range(PROCESSES)]
    for racer in racers:
        racer.start()
    told = [answers.get(timeout=30) for _ in racers]
    for racer in racers:
        racer.join(30)
    answers.close()
    answers.join_thread()
    won = [pid for verdict, pid, _, _ in told if verdict == "won"]
    lost = [(seconds, message) for verdict, _, seconds, message in told if verdict == "locked"]

    assert (len(won), len(lost)) == (1, PROCESSES - 1), told
    for seconds, message in lost:
        assert seconds < 1.0
        assert f"process {won[0]}, started at 20" in message or "another `cdi`" in message
    assert any(f"process {won[0]}" in message for _, message in lost)
    with open_store(path) as store:
        assert steps_settled(store) == 1


def test_the_lock_is_free_right_after_a_kill(tmp_path: Path) -> None:
    """The kernel frees it: no stale lock, no waiting, no clean-up."""
    path = tmp_path / "state" / "state.db"

    def die() -> None:
        store = open_store(path)
        store.start_run(store.create_job(spec(), partitions()).id)
        os.kill(os.getpid(), 9)

    assert in_child(die) == -9
    with open_store(path, read_only=True) as looking:
        assert looking.runs()[0][0].status == "killed"
    with open_store(path) as store:
        assert store.runs()[0][0].status == "killed"


def test_a_second_writer_is_told_the_exit_code_and_what_to_do(tmp_path: Path) -> None:
    """The error carries its own exit code, the file and a hint; the first writer goes on."""
    path = tmp_path / "state" / "state.db"
    with open_store(path) as store:
        with pytest.raises(LockedError) as caught:
            open_store(path)
        run = store.start_run(store.create_job(spec(), partitions()).id)
        store.settle(run, [step(0)])
        assert steps_settled(store) == 1

    assert caught.value.exit_code == ExitCode.LOCKED
    assert caught.value.where == str(path)
    assert "wait until it has ended" in str(caught.value.hint)


def test_waiting_for_the_lock(tmp_path: Path) -> None:
    """With a time to wait, the second process gets the file once the first is done; it asks again and again."""
    path = tmp_path / "state" / "state.db"
    first = open_store(path)
    freeing = threading.Timer(0.4, first.close)
    freeing.start()
    before = time.monotonic()
    with open_store(path, wait_seconds=30) as store:
        waited = time.monotonic() - before
        assert store.runs() == []
    freeing.join()

    assert 0.3 < waited < 5


def test_waiting_in_vain(tmp_path: Path) -> None:
    """When the time is over the error is the same as without one, and names the holder."""
    path = tmp_path / "state" / "state.db"
    with open_store(path):
        before = time.monotonic()
        with pytest.raises(LockedError, match=f"process {os.getpid()}, started at 20") as caught:
            open_store(path, wait_seconds=0.3)
        waited = time.monotonic() - before

    assert 0.3 <= waited < 5
    assert "wait until it has ended" in str(caught.value.hint)


def test_a_writer_that_lost_its_lock_cannot_settle(tmp_path: Path) -> None:
    """When somebody deletes the lock file and starts another writer, the first one is fenced off for good."""
    path = tmp_path / "state" / "state.db"
    zombie = open_store(path)
    run = zombie.start_run(zombie.create_job(spec(), partitions()).id)
    zombie.settle(run, [step(0)])
    path.with_name("state.db.lock").unlink()
    with open_store(path) as store:
        for _ in range(2):
            with pytest.raises(LockedError, match=f"process {os.getpid()}, started at 20"):
                zombie.settle(run, [step(1)])
        with pytest.raises(LockedError):
            zombie.end_run(run, status="done", exit_code=0)
        assert steps_settled(store) == 1
        store.settle(store.start_run(1), [step(1)])
        zombie.close()
        store.settle(2, [step(2)])
        assert steps_settled(store) == 3
    with open_store(path) as store:
        assert steps_settled(store) == 3


def test_a_zombie_that_only_closes_does_not_sign_out_the_new_writer(tmp_path: Path) -> None:
    """Closing is fenced like settling: it raises, and the file still counts as being written."""
    path = tmp_path / "state" / "state.db"
    zombie = open_store(path)
    path.with_name("state.db.lock").unlink()
    with open_store(path):
        with pytest.raises(LockedError):
            zombie.close()
        with pytest.raises(LockedError, match=f"process {os.getpid()}"):
            open_store(path)
