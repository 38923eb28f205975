"""What `cdi backfill` looks like on a terminal, in a pipe, under an odd locale, and from odd places."""

from __future__ import annotations

import os
import pty
import re
import select
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import SECONDS_MAX, WHOLE, CliProject

from cdi_cli.sandbox import SandboxThread

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals and file modes")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project beside a shop of 61 orders."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as made:
        yield made


def on_terminal(project: CliProject, *arguments: str, columns: int = 120, **environment: str) -> tuple[int, str]:
    """Run a backfill whose standard error is a terminal; its exit code and everything that the terminal was sent."""
    import fcntl
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {"TERM": "xterm-256color", **environment}
    process = project.start("backfill", *arguments, stderr=slave, env=env)
    os.close(slave)
    shown = b""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        if select.select([master], [], [], 1)[0]:
            try:
                chunk = os.read(master, 65_536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
    os.close(master)
    return project.finish(process).code, shown.decode()


def test_a_terminal_shows_bars(project: CliProject) -> None:
    """Each stream has a bar with records read and expected, and one line tells events and pace; all of it on stderr."""
    code, shown = on_terminal(project, *WHOLE[:2], "--rate", "150")

    assert code == 0
    for part in ("customers", "orders", "61/61", "events"):
        assert part in shown
    assert re.search(r"[\d,]+ events +[\d,]+/s", shown)
    assert "backfilling main -> segment" in shown
    assert project.runs[-1].out.startswith("Backfill done: ")
    assert "\x1b" not in project.runs[-1].out


def test_no_color_means_no_colour(project: CliProject) -> None:
    """`NO_COLOR` turns colours off on a terminal."""
    code, shown = on_terminal(project, *WHOLE, NO_COLOR="1")

    assert code == 0
    assert not re.search(r"\x1b\[[\d;]*3[0-7]m|\x1b\[38;", shown)


def test_a_narrow_terminal_loses_nothing(project: CliProject) -> None:
    """In 40 columns the command to copy is still whole."""
    code, shown = on_terminal(project, *WHOLE, "--limit", "5", columns=40)

    assert code == 0
    assert "resume with: cdi backfill --pipeline main --resume\r\n" in shown


def test_a_pipe_gets_a_line_now_and_then(project: CliProject) -> None:
    """Without a terminal there are no control sequences, and a long run says how far it is now and then."""
    hasty = "import cdi_cli.cli.display as display; display.LINE_SECONDS = 0.3; from cdi_cli.__main__ import main; main()"

    run = project.run("backfill", *WHOLE[:2], "--rate", "150", command=(sys.executable, "-c", hasty))

    assert run.code == 0
    lines = [line for line in run.err.splitlines() if " records, " in line]
    assert len(lines) >= 2
    line = re.compile(r"(starting|customers|carts|orders): \d+( of \d+)? records, \d+ events +\d+/s( +[\d.]+ s left)?")
    assert [text for text in lines if not line.fullmatch(text)] == []
    assert "\x1b" not in run.out + run.err
    assert "\r" not in run.out + run.err


@pytest.mark.parametrize(
    "environment",
    [
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kathmandu"},
        {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii", "COLUMNS": "banana"},
        {"HOME": None, "USER": None, "TERM": "dumb", "COLUMNS": "3"},
        {"HOME": "/nonexistent", "HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"},
    ],
    ids=lambda environment: ",".join(environment),
)
def test_an_odd_environment_changes_nothing(project: CliProject, environment: dict[str, str | None]) -> None:
    """Locale, home folder, terminal, zone and proxies of the environment do not matter: all arrives, exit code 0."""
    run = project.backfill(env=environment)

    assert run.code == 0, run.err
    assert project.sandbox.segment.applied_count == 187
    assert "Traceback" not in run.err


def test_odd_paths_work(tmp_path: Path) -> None:
    """Blanks, quotes and other scripts in paths are no trouble, and the command to copy is quoted."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        odd = project.place / "my [shop] 店 'n' co"
        odd.mkdir()
        project.settings.rename(odd / "cdi.yaml")

        run = project.run("backfill", *WHOLE, "--config", str(odd / "cdi.yaml"), "--limit", "5", cwd="/")

        assert run.code == 0, run.err
        assert (odd / ".cdi" / "state.db").exists()
        command = run.err.partition("resume with: ")[2].splitlines()[0]
        again = subprocess.run(
            ["sh", "-c", f"{command} --rate 100000"], cwd="/", env=project.environment, capture_output=True, check=False
        )
        assert again.returncode == 0, again.stderr
        assert sandbox.segment.applied_count == 187


def test_the_working_folder_may_be_read_only(project: CliProject) -> None:
    """Nothing is written into the working folder, so it need not be writable: `/proc` is not even for root."""
    run = project.run("backfill", *WHOLE, "--config", str(project.settings), cwd="/proc")

    assert run.code == 0, run.err
    assert project.sandbox.segment.applied_count == 187


def test_a_deleted_working_folder_is_named(project: CliProject) -> None:
    """From a folder that no longer exists no path can be found: said so, exit code 2, nothing started."""
    gone = project.folder / "gone"
    gone.mkdir()
    command = ("sh", "-c", f'rmdir "{gone}"; exec "$0" -m cdi_cli "$@"', sys.executable)

    run = project.run("backfill", *WHOLE, "--config", str(project.settings), command=command, cwd=gone)

    assert (run.code, run.out) == (2, "")
    assert run.err == "error: the working folder no longer exists\n  hint: `cd` to another folder and run it again\n"


def test_files_are_private_whatever_the_umask(project: CliProject) -> None:
    """Under umask 0 the checkpoint's folder is 0700 and each file in it 0600, also while the run goes on."""
    process = project.start("backfill", *WHOLE[:2], "--rate", "150", "--log-file", "logs/run.log", umask=0)
    modes: dict[str, int] = {}
    while process.poll() is None:
        for path in (*project.state.parent.glob("*"), project.state.parent, *project.place.glob("logs/*")):
            try:
                modes[path.name] = modes.get(path.name, 0) | stat.S_IMODE(path.stat().st_mode)
            except FileNotFoundError:
                continue
        time.sleep(0.005)

    assert project.finish(process).code == 0
    assert modes.pop(".cdi") == 0o700
    assert {"state.db", "state.db-wal", "state.db-shm", "state.db.lock", "run.log"} <= set(modes)
    assert set(modes.values()) == {0o600}
