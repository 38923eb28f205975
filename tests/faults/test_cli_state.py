"""Checkpoint files that are damaged, foreign or cannot be written, as the user of the command meets them.

A file that cannot be used is refused with exit code 3 and stays as it is, byte for byte; a disk that is full stops the run,
and what follows once there is room again loses nothing.
"""

from __future__ import annotations

import resource
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import canary
import pytest
from cli_project import WHOLE, CliProject
from shop_oracle import reconcile

from cdi_cli.sandbox import SandboxThread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX limits")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project beside a shop of 61 orders."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as made:
        yield made


def _flip(path: Path) -> None:
    """Invert bytes in the middle of each page but the first."""
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        for place in range(start, start + 64):
            content[place] ^= 0xFF
    path.write_bytes(content)


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes (text)")
        db.execute("INSERT INTO notes VALUES ('mine')")
        db.commit()


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
        db.commit()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bytes": (_flip, "damaged"),
    "cut short": (_cut, "damaged"),
    "empty": (lambda path: path.write_bytes(b""), "it is empty"),
    "not SQLite": (lambda path: path.write_bytes(b"hello, I am a text\n" * 500), "not a"),
    "another program's": (_foreign, "another program's SQLite file"),
    "of a newer version": (_newer, "newer `cdi` (schema 99, this one knows 2)"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_file_that_cannot_be_used_is_left_alone(project: CliProject, name: str) -> None:
    """Exit code 3 with path, reason and next step; the file stays byte for byte, and nothing is sent."""
    damage, words = DAMAGES[name]
    project.summary()
    damage(project.state)
    before, requests = project.state.read_bytes(), len(project.sandbox.segment.requests)

    run = project.run("backfill", *WHOLE)
    looked = project.run("status")

    assert (run.code, run.out) == (3, "")
    assert run.err.startswith("error: ")
    assert words in run.err
    assert "state.db" in run.err
    assert "\n  hint: " in run.err
    # Looking checks less than writing does: it may get through where the damage is not in its way.
    assert looked.code == 3 or name in ("flipped bytes", "cut short")
    assert "something unexpected" not in run.err + looked.err

    assert project.state.read_bytes() == before
    assert len(project.sandbox.segment.requests) == requests


def test_a_restored_copy_goes_on(project: CliProject) -> None:
    """A copy of the file is a backup: put back, the run sends what came since once more, under the same ids."""
    project.backfill("--limit", "30")
    copy = project.folder / "copy.db"
    shutil.copyfile(project.state, copy)
    assert project.run("backfill", "--resume", "--rate", "100000").code == 0
    shutil.copyfile(copy, project.state)

    assert project.run("backfill", "--resume", "--rate", "100000").code == 0

    reconcile(project.sandbox)
    assert len(project.sandbox.segment.duplicates) > 0


def test_a_lost_checkpoint_file_repeats_the_same_ids(project: CliProject) -> None:
    """Without the file everything is sent again, and every id is one that Segment knows."""
    project.summary()
    shutil.rmtree(project.state.parent)

    project.summary()

    assert len(project.sandbox.segment.duplicates) == 185
    reconcile(project.sandbox)


@pytest.mark.parametrize("kilobytes", [1, 8, 76, 100])
def test_a_full_disk_stops_the_run(project: CliProject, kilobytes: int) -> None:
    """When the file cannot grow: exit code 3 naming it; nothing that was not settled counts, and room brings the rest."""
    limit = kilobytes * 1024

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    run = project.backfill(preexec_fn=fill)

    assert run.code == 3
    assert "state.db" in run.err
    assert "something unexpected" not in run.err
    assert "Traceback" not in run.err
    again = project.backfill()
    assert again.code == 0, again.err
    reconcile(project.sandbox)
    assert len(project.sandbox.segment.duplicates) <= 4 * 20


def test_a_folder_that_cannot_be_written(project: CliProject) -> None:
    """A `state:` path where nothing can be made: exit code 3 naming it, before anything is asked for."""
    project.top = "state: /proc/cdi/state.db"
    project.write_settings()

    run = project.backfill()

    assert (run.code, run.out) == (3, "")
    assert "/proc/cdi" in run.err
    assert "hint: " in run.err
    assert project.sandbox.segment.requests == []


def test_a_folder_in_the_place_of_the_file(project: CliProject) -> None:
    """A folder where the checkpoint file should be is named and left alone."""
    project.state.mkdir(parents=True)

    run = project.backfill()

    assert (run.code, run.out) == (3, "")
    assert "state.db" in run.err
    assert "something unexpected" not in run.err
    assert project.state.is_dir()


@pytest.mark.parametrize("command", [("status",), ("backfill", *WHOLE), ("config", "show")])
def test_a_full_device_behind_standard_output(project: CliProject, command: tuple[str, ...]) -> None:
    """When the output cannot be written the exit code is not 0, and there is no traceback."""
    with open("/dev/full", "wb") as full:
        run = project.run(*command, stdout=full)

    assert run.code != 0
    assert "Traceback" not in run.err
    assert "Exception ignored" not in run.err
    assert "No space left on device" in run.err
    assert "this is a fault in cdi" not in run.err
