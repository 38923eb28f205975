"""A disk that fills up or refuses: the store stops, says so, writes nothing more, and loses nothing."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from state_builders import in_child, partitions, spec, step, steps_settled, write_connection

from cdi_cli.errors import StateError
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import Settlement
from cdi_cli.state.store import SqliteStore


def started(path: Path) -> tuple[SqliteStore, int]:
    """A store with a job and a run."""
    store = open_store(path)
    return store, store.start_run(store.create_job(spec(), partitions()).id)


def settle_until_full(store: SqliteStore, run: int, number: int) -> tuple[int, StateError]:
    """Settle step after step until it fails; returns the number that failed, and the error."""
    for at in range(number, number + 2000):
        try:
            store.settle(run, [step(at)])
        except StateError as error:
            return at, error
    pytest.fail("the disk never filled up")


def limit_pages(store: SqliteStore, spare: int) -> None:
    """Let the file grow by `spare` pages and no more; SQLite then answers SQLITE_FULL as on a full disk."""
    db = write_connection(store)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages + spare}")


@pytest.mark.parametrize("spare", range(20))
def test_a_disk_that_is_full_once(tmp_path: Path, spare: int) -> None:
    """The store that failed writes nothing more, even when there is space again; a new one goes on where it stopped."""
    path = tmp_path / "state" / "state.db"
    store, run = started(path)
    limit_pages(store, spare)
    failed_at, error = settle_until_full(store, run, 0)
    limit_pages(store, 1_000_000)

    assert error.message == "the disk is full: the checkpoint file cannot grow (SQLITE_FULL)"
    assert "free space" in str(error.hint)
    for write in (
        lambda: store.settle(run, [Settlement(0, cursor=Cursor("c999"))]),
        lambda: store.end_run(run, status="stopped", exit_code=3),
        lambda: store.start_run(1),
    ):
        with pytest.raises(StateError) as caught:
            write()
        assert caught.value.message == error.message
    assert steps_settled(store) == failed_at
    store.close()
    with open_store(path) as again:
        assert steps_settled(again) == failed_at
        again.settle(again.start_run(1), [step(failed_at)])
        assert steps_settled(again) == failed_at + 1


@pytest.mark.parametrize("spare", [0, 1, 3, 7])
def test_a_disk_that_stays_full(tmp_path: Path, spare: int) -> None:
    """Run after run fails at the same step, none loses anything, and with space everything goes on."""
    path = tmp_path / "state" / "state.db"
    store, run = started(path)
    limit_pages(store, spare)
    failed_at, _ = settle_until_full(store, run, 0)
    store.close()
    for _ in range(3):
        with open_store(path) as store:
            limit_pages(store, 0)
            with pytest.raises(StateError, match="disk is full"):
                # A whole step may still fit into pages begun before; a few cannot.
                store.settle(1, [step(number) for number in range(failed_at, failed_at + 60)])
            assert steps_settled(store) == failed_at
    with open_store(path) as store:
        store.settle(1, [step(failed_at)])
        assert steps_settled(store) == failed_at + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and resource limits")
@pytest.mark.parametrize("kilobytes", [80, 100, 128, 200, 256, 333, 400, 512])
def test_a_file_size_limit(tmp_path: Path, kilobytes: int) -> None:
    """`ulimit -f` makes writing itself fail (EFBIG): the child stops with a StateError, and what it settled is there."""
    path = tmp_path / "state" / "state.db"
    notes = tmp_path / "notes"

    def work() -> None:
        import resource

        store, run = started(path)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, resource.RLIM_INFINITY))
        failed_at, error = settle_until_full(store, run, 0)
        with pytest.raises(StateError):
            store.settle(run, [step(failed_at)])
        store.close()
        notes.write_text(f"{failed_at} {error.message}")

    code = in_child(work)
    failed_at, _, message = notes.read_text().partition(" ")

    assert code == 0
    assert "disk failed" in message or "disk is full" in message
    with open_store(path) as store:
        assert steps_settled(store) == int(failed_at)
        store.settle(store.start_run(1), [step(int(failed_at))])
        assert steps_settled(store) == int(failed_at) + 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and resource limits")
def test_no_space_to_make_the_file(tmp_path: Path) -> None:
    """When not even an empty checkpoint fits, opening says so and leaves nothing half made behind."""
    path = tmp_path / "state" / "state.db"

    def work() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (6000, resource.RLIM_INFINITY))
        with pytest.raises(StateError, match="disk"):
            open_store(path)

    assert in_child(work) == 0
    assert [file.name for file in path.parent.iterdir()] == ["state.db.lock"]
    with open_store(path) as store:
        assert steps_settled(store) == 0


class FailingConnection:
    """A connection that raises an I/O error at one statement, and counts."""

    def __init__(self, db: sqlite3.Connection, at: int) -> None:
        self._db = db
        self.left = at
        self.has_failed = False

    def _fail(self) -> None:
        if self.left == 0:
            self.has_failed = True
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
            error.sqlite_errorname = "SQLITE_IOERR_WRITE"
            self.left -= 1
            raise error
        self.left -= 1

    def execute(self, *arguments: object) -> sqlite3.Cursor:
        """Fail or pass on."""
        self._fail()
        return self._db.execute(*arguments)  # type: ignore[arg-type]

    def executemany(self, *arguments: object) -> sqlite3.Cursor:
        """Fail or pass on."""
        self._fail()
        return self._db.executemany(*arguments)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


def test_an_io_error_at_every_statement_of_a_settlement(tmp_path: Path) -> None:
    """The n-th statement fails, for n = 0, 1, 2 ... until none does: all or nothing, refused ever after, never retried."""
    for at in range(40):
        path = tmp_path / str(at) / "state.db"
        store, run = started(path)
        store.settle(run, [step(0)])
        failing = FailingConnection(write_connection(store), at)
        real, store._writer._db = store._writer._db, failing  # type: ignore[union-attr, assignment]
        if at_end := not fails(store, run):
            assert not failing.has_failed
            assert steps_settled(store) == 2
        else:
            assert failing.has_failed
            with pytest.raises(StateError, match="disk failed"):
                store.settle(run, [step(1)])
            assert steps_settled(store) == 1
        store._writer._db = real  # type: ignore[union-attr]
        store.close()
        with open_store(path) as again:
            assert steps_settled(again) == (2 if at_end else 1)
        if at_end:
            break
    assert at_end
    assert at >= 9


def fails(store: SqliteStore, run: int) -> bool:
    """Whether settling step 1 fails with a StateError."""
    try:
        store.settle(run, [step(1)])
    except StateError as error:
        return error.message == "the disk failed on the checkpoint file (SQLITE_IOERR_WRITE)"
    return False
