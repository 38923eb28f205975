"""Checkpoint files of every schema that was ever written are read, and gone on with, by the present code."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import pytest
from state_builders import in_child, kill_at, write_files
from state_golden import COMPLETED, PLACE, REJECTED, SPEC, UNREADABLE, WINDOW, entry, refused

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import StateError
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store, opening
from cdi_cli.state._base import Departure, KnownLetter, Partition, Settlement
from cdi_cli.state.connection import connect
from cdi_cli.state.store import SqliteStore

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "state"
FILES = sorted(path.name for path in GOLDEN.glob("*.db"))
COMPLETED_ID = "cdi:acme:shop:order:o-1:order-completed"


def place(text: str) -> bytes:
    """Where the ledger keeps the event of that id."""
    return blake2b(text.encode(), digest_size=16).digest()


def copied(tmp_path: Path, name: str) -> Path:
    """A copy of a golden file that may be written to."""
    return write_files(tmp_path / "state" / "state.db", {"": (GOLDEN / name).read_bytes()})


def facts(store: SqliteStore) -> dict[str, object]:
    """Everything that the contract tells of a small file."""
    jobs = [job for kind in ("backfill", "sync", "replay") for job in store.jobs("main", "segment", kind)]
    wanted = [entry(number) for number in range(600)]
    runs = store.runs(100)
    return {
        "jobs": [(job, store.partitions(job.id), store.counts(job_id=job.id), store.pulled(job_id=job.id)) for job in jobs],
        "runs": [(replace(run, status=""), job.id) for run, job in runs],
        "tallies": [store.tally(run.id) for run, _ in runs],
        "delivered": store.delivered("shop", "segment", "order", {one.key: one.created_at for one in wanted}),
        "traces": store.trace(one.key for one in wanted),
        "letters": store.dead_letters(),
        "erased": store.erased("shop"),
        "departures": store.departures(),
        "size": store.ledger_size(),
    }


@pytest.mark.parametrize("name", FILES)
def test_reading_writing_and_going_on_agree(tmp_path: Path, name: str) -> None:
    """A file says the same to a reader that may not change it, to the first writer, and to all who come after."""
    path = copied(tmp_path, name)
    with open_store(path, read_only=True) as store:
        read = facts(store)
        with pytest.raises(StateError, match="for reading only"):
            store.drop_letters([1])
    assert path.read_bytes() == (GOLDEN / name).read_bytes()
    with open_store(path) as store:
        assert facts(store) == read
    with open_store(path) as store:
        assert facts(store) == read
    with open_store(path, read_only=True) as store:
        assert facts(store) == read


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_done_backfill(tmp_path: Path, version: str) -> None:
    """Jobs, runs, counters, ledger and letters of a finished backfill, as they were written."""
    with open_store(copied(tmp_path, f"{version}-done.db")) as store:
        job = store.find_job("main", "segment")
        outlet = store.find_job("outlet", "segment")
        (second, _), (first, _) = store.runs()

        assert job is not None
        assert outlet is not None
        assert (job.spec, job.status, outlet.status) == (SPEC, "done", "open")
        assert store.partitions(job.id) == [
            Partition(0, "customers", WINDOW, Cursor("x"), is_done=True, expected=1),
            Partition(1, "orders", WINDOW, Cursor("end"), is_done=True),
        ]
        assert store.counts() == {COMPLETED: 6, REJECTED: 1, UNREADABLE: 1}
        assert store.pulled(job_id=job.id) == {"customers": 1, "orders": 6}
        assert [(run.status, run.exit_code, run.plan_version) for run in (first, second)] == [
            ("stopped", 3, "1.4.0"),
            ("done", 1, "1.4.0"),
        ]
        assert (store.tally(first.id), store.tally(second.id)) == ((4, 2), (4, 2))
        known = store.delivered("shop", "segment", "order", {entry(each).key: entry(each).created_at for each in (100, 101)})
        assert known == {entry(100).key: entry(100, content=9).content, entry(101).key: entry(101).content}
        assert [(trace.run_id, trace.plan_version) for trace in store.trace([entry(100).key])] == [
            (first.id, "1.4.0"),
            (second.id, "1.4.0"),
        ]


def test_letters_of_schema_1_get_their_places(tmp_path: Path) -> None:
    """Of two letters of one event the newest is kept, under the first one's number; a delivery takes them out."""
    with open_store(copied(tmp_path, "v1-done.db")) as store:
        found = {one.id: one for one in store.dead_letters()}

        assert [(one.id, one.letter.reason, one.times, one.run_id) for one in store.dead_letters()] == [
            (4, "plan_violation", 1, 2),
            (1, "too_large", 2, 2),
            (2, "unreadable_record", 1, 1),
        ]
        assert found[1].letter == replace(refused(COMPLETED_ID, "o-1", "too_large"), place=place(COMPLETED_ID), stage="send")
        assert (found[1].first_at < found[1].at, found[1].plan_version) == (True, "1.4.0")
        assert (found[2].letter.place, found[2].letter.stage) == (place("record:orders:o-2"), "read")
        assert found[4].letter.place == place("cdi:acme:shop:order:o-3:order-updated")
        run = store.start_run(1)
        mended = replace(entry(1), key=place(COMPLETED_ID))
        store.settle(run, [Settlement(1, delivered=(mended,), dead=(refused(None, "o-9"),))])
        assert [one.id for one in store.dead_letters()] == [5, 4, 2]


def test_an_open_backfill_goes_on(tmp_path: Path) -> None:
    """A job that was killed under schema 1 is taken up at its cursor, and its totals go on."""
    with open_store(copied(tmp_path, "v1-open.db")) as store:
        job = store.find_job("main", "segment")
        ((killed, _),) = store.runs()

        assert job is not None
        assert (job.status, killed.status) == ("open", "killed")
        assert store.partitions(job.id)[1] == Partition(1, "orders", WINDOW, Cursor("c1"))
        run = store.start_run(job.id)
        store.settle(run, [Settlement(0, Cursor("x"), is_done=True, pulled=1)])
        last = Settlement(1, Cursor("end"), is_done=True, pulled=2, delivered=(entry(7),), counts={COMPLETED: 1})
        store.settle(run, [last])
        store.end_run(run, status="done", exit_code=0)
        assert store.find_job("main", "segment") == replace(job, status="done", ended_at=store.runs()[0][0].ended_at)
        assert store.counts(job_id=job.id) == {COMPLETED: 4, REJECTED: 1}
        assert (store.tally(killed.id), store.tally(run)) == ((3, 1), (1, 0))


def test_a_sync_of_schema_2(tmp_path: Path) -> None:
    """Windows, packed rows, letters in their places, people and what was forgotten, as they were written."""
    path = copied(tmp_path, "v2-sync.db")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*), (SELECT count(*) FROM ledger) FROM ledger_packed").fetchone() == (1, 4)
    with open_store(path) as store:
        job = store.find_job("main", "segment", "sync")
        (second, _), (first, _), _ = store.runs()
        days = [entry(number) for number in range(28, 28 * 21, 28)]
        known = store.delivered("shop", "segment", "order", {one.key: one.created_at for one in days})

        assert job is not None
        assert job.status == "open"
        window = Window(WINDOW.since, Instant("2026-02-02T00:00:00.000Z"))
        assert store.partitions(job.id) == [Partition(0, "orders", window, Cursor("middle"), origin=WINDOW.since)]
        assert (first.plan_version, first.lag_seconds, second.lag_seconds, second.message) == (
            "1.5.0",
            60.5,
            300.0,
            "the shop did not answer",
        )
        assert Counter(known.values()) == {bytes(8): 19, entry(1, content=3).content: 1}
        assert store.letters("shop", "segment", [PLACE]) == {PLACE: KnownLetter(2, b"8 bytes.", "plan")}
        assert (store.tally(first.id)[1], store.dead_letters()[0].times) == (2, 2)
        assert store.erased("shop") == {b"a hashed name..."}
        assert [one.departure for one in store.departures()] == [Departure("c-1", WINDOW.until, (b"a hashed name...",))]
        assert store.forgotten_before("shop", "segment", "cart") == WINDOW.since


def test_a_migrated_file_is_like_a_new_one(tmp_path: Path) -> None:
    """Tables, columns, indexes and triggers are the same, and nothing of the old ones is left."""
    path = copied(tmp_path, "v1-done.db")
    open_store(path).close()
    open_store(tmp_path / "new" / "state.db").close()

    assert shape(path) == shape(tmp_path / "new" / "state.db")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def shape(path: Path) -> dict[str, object]:
    """What there is in a file, without its rows: columns as they are declared, and the text of everything else."""
    with closing(sqlite3.connect(path)) as db:
        names = db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        parts: dict[str, object] = {"version": db.execute("PRAGMA user_version").fetchall()}
        for kind, name, text in names:
            if kind == "table":
                columns = db.execute(f"PRAGMA table_info({name})").fetchall()
                parts[name] = (columns, sorted(db.execute(f"PRAGMA foreign_key_list({name})").fetchall()))
            else:
                parts[name] = text
        return parts


def test_a_killed_migration_leaves_the_old_file(tmp_path: Path) -> None:
    """Killed at each of its statements, the file is of schema 1 or of schema 2, whole, and says the same."""
    with open_store(copied(tmp_path / "wanted", "v1-done.db")) as store:
        wanted = facts(store)
    codes: list[int] = []
    versions: list[int] = []
    while not codes or codes[-1] != 0:
        path = copied(tmp_path / str(len(codes)), "v1-done.db")
        codes.append(in_child(partial(_open_killed_at, path, len(codes))))
        with closing(sqlite3.connect(path)) as db:
            versions.append(db.execute("PRAGMA user_version").fetchone()[0])
        with open_store(path) as store:
            assert facts(store) == wanted

    assert set(codes) == {-9, 0}
    assert set(versions) == {1, 2}
    assert len(codes) > 40


def _open_killed_at(path: Path, at: int) -> None:
    count = [0]

    def traced(*arguments: object, **options: object) -> sqlite3.Connection:
        db = connect(*arguments, **options)  # type: ignore[arg-type]
        kill_at(db, count, at)
        return db

    opening.connect = traced
    open_store(path).close()


def test_a_damaged_old_file_is_not_migrated(tmp_path: Path) -> None:
    """What fails SQLite's own check is refused as it is, before anything of it changes."""
    path = copied(tmp_path, "v1-done.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        root, page_size = db.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master WHERE name = 'dead_letters'"
        ).fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[(root - 1) * page_size : root * page_size] = b"\xff" * page_size
    path.write_bytes(content)

    with pytest.raises(StateError, match="damaged"):
        open_store(path)
    assert path.read_bytes() == bytes(content)
