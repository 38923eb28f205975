"""Killing, and fencing off, a process that compacts: every delivery is known before, in the middle and after."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest
from state_builders import entry, files_of, in_child, kill_at, partitions, spec, write_connection, write_files

from cdi_cli.errors import LockedError
from cdi_cli.state import ledger_compact, open_store
from cdi_cli.state._base import LedgerEntry, Settlement
from cdi_cli.state.store import SqliteStore

NOON = "2026-01-05T12:00:00.000Z"
ENTRIES = [entry(number, created_at=NOON) for number in range(40)]
LATER = [entry(number, content=1, created_at=NOON) for number in range(0, 40, 3)]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_compact, "STEP_ENTRIES", 20)


def deliver(store: SqliteStore, entries: list[LedgerEntry]) -> None:
    """A run that settles each entry in a row of its own."""
    run = store.start_run(1)
    store.settle(run, [Settlement(0, delivered=(one,)) for one in entries])
    store.end_run(run, status="done", exit_code=0)


def known(store: SqliteStore) -> dict[bytes, bytes]:
    """What the ledger says of all keys."""
    return store.delivered("commercetools", "segment", "order", {one.key: one.created_at for one in ENTRIES})


def prepared(path: Path) -> dict[str, bytes]:
    """The files of a store with packed rows and rows to be packed."""
    with open_store(path) as store:
        store.create_job(spec(), partitions())
        deliver(store, ENTRIES)
        store.compact(seconds_max=60)
        deliver(store, LATER)
    return files_of(path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_every_statement_of_a_compaction(tmp_path: Path) -> None:
    """Each step is there whole or not at all; the next compaction does the rest, and the tallies stay."""
    files = prepared(tmp_path / "template" / "state.db")
    wanted = {one.key: one.content for one in (*ENTRIES, *LATER)}
    code, at = -signal.SIGKILL, 0
    while code:
        path = write_files(tmp_path / str(at) / "state.db", files)
        code = in_child(partial(compact_killed_at, path, at))
        assert code in (0, -signal.SIGKILL)
        with open_store(path) as store:
            assert known(store) == wanted
            assert [store.tally(run.id) for run, _ in store.runs()] == [(14, 0), (40, 0)]
            store.compact(seconds_max=60)
            assert known(store) == wanted
            assert [store.tally(run.id) for run, _ in store.runs()] == [(14, 0), (40, 0)]
        at += 1

    assert at > 15


def compact_killed_at(path: Path, at: int) -> None:
    """Compact; killed at the writing statement numbered `at`."""
    with open_store(path) as store:
        kill_at(write_connection(store), [0], at)
        store.compact(seconds_max=60)


def test_a_writer_that_lost_its_lock_cannot_compact(tmp_path: Path) -> None:
    """Each step checks who writes: the first store's compaction is refused, and changes nothing."""
    path = tmp_path / "state" / "state.db"
    prepared(path)
    zombie = open_store(path)
    path.with_name("state.db.lock").unlink()
    with open_store(path) as store:
        before = store.ledger_size()
        with pytest.raises(LockedError):
            zombie.compact(seconds_max=60)
        zombie.close()
        assert store.ledger_size() == before
        assert store.compact(seconds_max=60) > 0
