"""Opening the checkpoint file: who may, what is refused, and that nothing refused is ever changed."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from state_builders import partitions, spec, step, steps_settled, write_connection

from cdi_cli.errors import LockedError, StateError
from cdi_cli.state import files, open_store
from cdi_cli.state.connection import connect
from cdi_cli.state.failures import translate
from cdi_cli.state.opening import is_sound

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the checkpoint file will be, in a folder that is not there yet."""
    return tmp_path / "state" / "state.db"


@pytest.fixture
def _umask_0() -> Iterator[None]:
    """The most careless umask there is."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.usefixtures("_umask_0")
def test_files_are_private_whatever_the_umask(path: Path) -> None:
    """Folder 0700; main file, log, shared memory and lock 0600."""
    with open_store(path) as store:
        store.create_job(spec(), partitions())
        modes = {file.name: mode(file) for file in path.parent.iterdir()}

    assert mode(path.parent) == 0o700
    assert modes == dict.fromkeys(("state.db", "state.db-wal", "state.db-shm", "state.db.lock"), 0o600)


@posix
@pytest.mark.parametrize("bits", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(path: Path, bits: int) -> None:
    """Somebody else could put another file in place of ours; nothing is made there."""
    path.parent.mkdir()
    path.parent.chmod(bits)

    with pytest.raises(StateError, match="folder can be written by other users") as caught:
        open_store(path)
    assert caught.value.where == str(path.parent)
    assert f"chmod go-w {path.parent}" in str(caught.value.hint)
    assert list(path.parent.iterdir()) == []


@posix
def test_a_folder_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of a folder can replace what is in it."""
    path.parent.mkdir(mode=0o700)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)

    with pytest.raises(StateError, match=f"belongs to another user \\(uid {mine}\\)"):
        open_store(path)


@posix
def test_a_copied_file_that_others_can_read_is_made_private(path: Path) -> None:
    """A backup copied back with mode 0644 is tightened; one that others could write is refused."""
    open_store(path).close()
    path.chmod(0o644)
    open_store(path).close()
    assert mode(path) == 0o600

    path.chmod(0o660)
    with pytest.raises(StateError, match="file can be written by other users"):
        open_store(path)


def test_two_names_of_one_file_are_one_lock(path: Path, tmp_path: Path) -> None:
    """A symbolic link does not get around the lock."""
    with open_store(path):
        alias = tmp_path / "alias.db"
        alias.symlink_to(path)
        with pytest.raises(LockedError, match=f"process {os.getpid()}, started at 20"):
            open_store(alias)


@pytest.mark.parametrize("name", ["a b?c#d%20.db", "größe.db", "x" * 200])
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    """No character of a path is taken for something else."""
    path = tmp_path / "od d?mode=memory" / name
    with open_store(path) as store:
        store.settle(store.start_run(store.create_job(spec(), partitions()).id), [step(0)])

    assert path.is_file()
    with open_store(path, read_only=True) as store:
        assert steps_settled(store) == 1


def refuse(path: Path, match: str, *, read_only: bool | None = None) -> StateError:
    """Assert that the file is refused, for writing and for reading, and is not touched; returns the last error."""
    before = path.read_bytes()
    for only in (False, True) if read_only is None else (read_only,):
        with pytest.raises(StateError, match=match) as caught:
            open_store(path, read_only=only)
    assert path.read_bytes() == before
    assert caught.value.where == str(path)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def foreign(path: Path) -> Path:
    """The path with its folder made, for files that we did not write."""
    path.parent.mkdir(mode=0o700)
    return path


def put(path: Path, content: bytes) -> None:
    """Write a private file."""
    path.write_bytes(content)
    path.chmod(0o600)


def test_an_empty_file_is_refused(foreign: Path) -> None:
    """A file of zero bytes is what is left of a checkpoint on a broken disk: it is not taken for a new one."""
    put(foreign, b"")

    refuse(foreign, "damaged: it is empty")


@pytest.mark.parametrize("content", [b"hello\n" * 100, b"SQLite format 3\0", b"\0" * 4096])
def test_what_is_no_sqlite_file_is_refused(foreign: Path, content: bytes) -> None:
    """Any other file, and one cut off inside its header."""
    put(foreign, content)

    refuse(foreign, "not a SQLite file|damaged")


def test_the_database_of_another_program_is_refused(foreign: Path) -> None:
    """It is recognised by its header, before SQLite opens it."""
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE precious (x)")
    db.commit()
    db.close()
    foreign.chmod(0o600)

    assert "name another `state:` path" in str(refuse(foreign, "another program's SQLite file").hint)


@pytest.mark.parametrize(
    ("version", "match"), [(3, r"newer `cdi` \(schema 3, this one knows 2\)"), (0, "no schema 2 but 0")]
)
def test_another_schema_is_refused(path: Path, version: int, match: str) -> None:
    """A newer file is not for an older program, and one without a version is damaged."""
    open_store(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={version}")
    db.close()

    refuse(path, match)


def test_a_folder_or_device_is_refused(tmp_path: Path) -> None:
    """Only a regular file can be a checkpoint file."""
    folder = tmp_path / "inner" / "state.db"
    folder.mkdir(parents=True)
    folder.parent.chmod(0o700)

    with pytest.raises(StateError, match="not a regular file"):
        open_store(folder)


def test_a_missing_file_with_its_log_is_refused(path: Path) -> None:
    """The log of a lost file may hold what was delivered, and SQLite would read it into the new file."""
    with open_store(path) as store:
        store.settle(store.start_run(store.create_job(spec(), partitions()).id), [step(0)])
        log = path.with_name("state.db-wal").read_bytes()
    path.unlink()
    put(path.with_name("state.db-wal"), log)

    with pytest.raises(StateError, match="missing but its log is there") as caught:
        open_store(path)
    assert caught.value.where == f"{path}-wal"
    assert path.with_name("state.db-wal").read_bytes() == log
    assert not path.exists()


def test_a_file_left_half_made_is_made_anew(path: Path) -> None:
    """A crash while the file was first made leaves only a file under another name, which nobody needs."""
    path.parent.mkdir(mode=0o700)
    put(path.with_name("state.db.new"), b"half")
    open_store(path).close()

    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db.lock"]


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere is a StateError like any other."""
    one, two = tmp_path / "one.db", tmp_path / "two.db"
    one.symlink_to(two)
    two.symlink_to(one)

    for read_only in (False, True):
        with pytest.raises(StateError) as caught:
            open_store(one, read_only=read_only)
        assert caught.value.hint


def test_looking_does_not_drop_the_writers_locks(path: Path) -> None:
    """POSIX drops all locks of a process when it closes any of its descriptors of a file; SQLite's must survive ours."""
    with open_store(path):
        open_store(path, read_only=True).close()
        script = (
            "import sqlite3, sys\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)\n"
            "print(db.execute('PRAGMA journal_mode=DELETE').fetchone())\n"
        )
        told = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)

    assert "database is locked" in told.stderr


def test_reading_needs_a_file(path: Path) -> None:
    """Looking never makes a file or a folder."""
    with pytest.raises(StateError, match="no checkpoint file yet") as caught:
        open_store(path, read_only=True)
    assert "cdi backfill" in str(caught.value.hint)
    assert not path.parent.exists()


def test_damage_names_the_last_good_run(path: Path) -> None:
    """The message says how far things were well, if the file can still tell."""
    with open_store(path) as store:
        job = store.create_job(spec(), partitions(200))
        run = store.start_run(job.id)
        store.settle(run, [step(number) for number in range(100)])
        store.end_run(run, status="done", exit_code=0)
        ended_at = store.runs()[0][0].ended_at
        (root,) = (
            write_connection(store).execute("SELECT rootpage FROM sqlite_master WHERE name = 'dead_letters'").fetchone()
        )
    content = bytearray(path.read_bytes())
    content[4096 * (root - 1) : 4096 * root] = b"\xff" * 4096
    put(path, bytes(content))

    error = refuse(path, f"damaged.*; the last good run ended at {ended_at}", read_only=False)
    assert "restore a copy of the file" in str(error.hint)


def test_a_check_that_takes_too_long_is_left(path: Path) -> None:
    """The time that opening takes is bounded however large the file is."""
    with open_store(path) as store:
        run = store.start_run(store.create_job(spec(), partitions()).id)
        store.settle(run, [step(number) for number in range(300)])
    db = connect(path, read_only=True)
    ticks = iter(range(10))

    assert is_sound(db, 5.0)
    assert is_sound(db, 0.5, lambda: float(next(ticks)))
    assert next(ticks) == 2  # once for the deadline, once when it had passed
    db.close()


def test_a_killed_run_shows_as_killed(path: Path, tmp_path: Path) -> None:
    """A run that never ended is "killed" once the next writer opens the file."""
    with open_store(path) as store:
        store.start_run(store.create_job(spec(), partitions()).id)
        assert store.runs()[0][0].status == "running"
        copy = tmp_path / "copy" / "state.db"
        copy.parent.mkdir(mode=0o700)
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")

    with open_store(copy) as store:
        (run, _), *_ = store.runs()
        assert (run.status, run.ended_at, run.exit_code) == ("killed", None, None)


def test_reading_where_nothing_can_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup on a read-only medium can be looked at, where SQLite's shared memory cannot be made."""
    with open_store(path) as store:
        store.settle(store.start_run(store.create_job(spec(), partitions()).id), [step(0)])
    real = connect
    asked = []

    def refusing(path: Path, *, read_only: bool, immutable: bool = False) -> sqlite3.Connection:
        asked.append(immutable)
        if not immutable:
            error = sqlite3.OperationalError("unable to open database file")
            raise error
        return real(path, read_only=read_only, immutable=immutable)

    monkeypatch.setattr("cdi_cli.state.opening.connect", refusing)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with open_store(path, read_only=True) as store:
        assert steps_settled(store) == 1
    assert asked == [False, True]


MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
40 22 0:44 / /mnt/shared\\040disk rw shared:7 - nfs4 server:/x rw
41 22 0:45 / /mnt/shared\\040disk/local rw - xfs /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"), [("/mnt/shared disk/a", "nfs4"), ("/mnt/shared disk/local/b", None), ("/home/x", None)]
)
def test_network_file_systems_are_recognised(tmp_path: Path, folder: str, kind: str | None) -> None:
    """The innermost mount point decides."""
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)

    assert files.network_filesystem(Path(folder), table) == kind
    assert files.network_filesystem(Path(folder), tmp_path / "missing") is None


def test_a_network_file_system_is_a_warning(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store opens, and says that locks may not hold."""
    monkeypatch.setattr(files, "network_filesystem", lambda _folder: "nfs4")
    with caplog.at_level(logging.WARNING, logger="cdi.state"):
        open_store(path).close()

    assert [record.getMessage() for record in caplog.records] == [
        f"checkpoint folder {path.parent} is on a network file system (nfs4): its locks may not hold"
    ]


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (sqlite3.SQLITE_FULL, "disk is full"),
        (sqlite3.SQLITE_IOERR_FSYNC, "disk failed"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "read-only"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "damaged"),
        (sqlite3.SQLITE_NOTADB, "not a SQLite file"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "another program keeps"),
        (sqlite3.SQLITE_LOCKED, "another program keeps"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, "cannot be opened"),
        (sqlite3.SQLITE_PERM, "may not be used by this user"),
        (sqlite3.SQLITE_NOMEM, "cannot be used"),
    ],
)
def test_each_kind_of_failure_has_its_own_words(path: Path, code: int, match: str) -> None:
    """The message says what happened, SQLite's code word is in it, and there is a next step."""
    error = sqlite3.OperationalError("secret row content")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_SOMETHING"
    translated = translate(error, path)

    assert match in translated.message
    assert "(SQLITE_SOMETHING)" in translated.message
    assert translated.hint
    assert "secret" not in translated.message
    assert translated.where == str(path)
