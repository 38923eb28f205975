"""The crontab line, run by sh as cron runs it: silent when all is well or another run is at work, else a mail."""

from __future__ import annotations

import stat
import subprocess
import time
from pathlib import Path

import pytest
from schedule_tools import SETTINGS, VARIABLES, Entry, crontab, project, run_as_cron, schedule, stub, unit

from cdi_cli.sandbox import SandboxThread, cdi_environment, cdi_yaml
from cdi_cli.state import open_store

ODD = "odd  100% $HOME `x` 'q\" &;(ü) \\%"


def entry(settings: Path, *arguments: str) -> Entry:
    """The one entry of the unit."""
    (found,) = crontab(unit(settings, "cron", *arguments))
    return found


def test_the_line_runs_the_sync_with_everything_it_needs(tmp_path: Path) -> None:
    """From a folder whose name has all that shells and cron trip over: words, variables, umask and log are right."""
    settings = project(tmp_path / ODD)
    program = stub(tmp_path / ODD)

    code, mail = run_as_cron(entry(settings, "--command", str(program), "--pipeline", "main"), tmp_path / "home")

    assert (code, mail) == (0, "")
    words = program.with_name("cdi.words").read_text().splitlines()
    assert words == ["sync", "--config", "cdi.yaml", "--pipeline", "main", "--max-duration", "4m"]
    environment = program.with_name("cdi.env").read_text().splitlines()
    assert {line for line in environment if line.startswith(tuple(VARIABLES))} == {
        f"{name}={value}" for name, value in VARIABLES.items()
    }
    log = settings.parent / ".cdi" / "sync.log"
    assert log.read_text() == "stub: talking\nstub: complaining\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_the_log_grows(tmp_path: Path) -> None:
    """A second run adds to it."""
    settings = project(tmp_path / "shop")
    found = entry(settings, "--command", str(stub(tmp_path)))

    for _ in range(2):
        run_as_cron(found, tmp_path / "home")

    assert (settings.parent / ".cdi" / "sync.log").read_text().count("stub: talking") == 2


@pytest.mark.parametrize(("code", "is_mailed"), [(0, False), (1, True), (2, True), (3, True), (4, False), (130, True)])
def test_only_what_needs_a_person_is_mailed(tmp_path: Path, code: int, is_mailed: bool) -> None:
    """An overlap is none of it; a failure and new dead letters come with the end of the log and keep their exit code."""
    settings = project(tmp_path / "shop")

    found, mail = run_as_cron(entry(settings, "--command", str(stub(tmp_path, code))), tmp_path / "home")

    assert found == code
    if is_mailed:
        assert mail == f"cdi sync ended with code {code}, the end of its log:\nstub: talking\nstub: complaining\n"
    else:
        assert mail == ""


def test_without_its_variables_nothing_runs(tmp_path: Path) -> None:
    """The file that is missing is named in the mail."""
    settings = project(tmp_path / "shop", env_file=False)
    program = stub(tmp_path)

    code, mail = run_as_cron(entry(settings, "--command", str(program)), tmp_path / "home")

    assert code != 0
    assert ".env" in mail
    assert not program.with_name("cdi.words").exists()


def test_settings_without_variables_need_no_file(tmp_path: Path) -> None:
    """Then none is read."""
    text = SETTINGS
    for name in VARIABLES:
        text = text.replace(f"${{{name}}}", "file:/run/secrets/x" if name != "SHOP_PROJECT" else "my-shop")
    settings = project(tmp_path / "shop", text, env_file=False)

    code, mail = run_as_cron(entry(settings, "--command", str(stub(tmp_path))), tmp_path / "home")

    assert (code, mail) == (0, "")


def test_a_program_that_is_missing_is_mailed(tmp_path: Path) -> None:
    """An environment that was moved does not fail in silence."""
    code, mail = run_as_cron(entry(project(tmp_path / "shop"), "--command", "/nowhere/cdi"), tmp_path / "home")

    assert code == 127
    assert "/nowhere/cdi" in mail


def test_a_run_that_hangs_is_ended(tmp_path: Path) -> None:
    """By the line itself: first asked, then killed."""
    settings = project(tmp_path / "shop")
    program = stub(tmp_path)
    program.write_text("#!/bin/sh\ntrap 'echo asked' TERM\nwhile :; do sleep 0.05; done\n")
    found = entry(settings, "--command", str(program))
    assert "timeout -k 60 600 " in found.command
    hasty = Entry(found.times, found.command.replace("timeout -k 60 600 ", "timeout -k 0.5 0.5 "), "")
    started = time.monotonic()

    code, mail = run_as_cron(hasty, tmp_path / "home")

    assert time.monotonic() - started < 10
    assert code == 137
    assert "asked" in mail


def test_a_real_run_that_finds_another_one_at_work_is_quiet(tmp_path: Path) -> None:
    """The real command ends with 4 at once; the log says who holds the checkpoint, nobody gets a mail."""
    settings = project(tmp_path / "shop")
    state = settings.parent / ".cdi" / "state.db"
    found = entry(settings)

    with open_store(state):
        code, mail = run_as_cron(found, tmp_path / "home")

    assert (code, mail) == (4, "")
    assert "error: " in (state.parent / "sync.log").read_text()


def test_a_real_run_that_goes_well_is_quiet(tmp_path: Path) -> None:
    """The real command from the printed line, against the sandbox: its one line is in the log, nobody gets a mail."""
    with SandboxThread() as sandbox:
        variables = cdi_environment(sandbox.options)
        settings = project(tmp_path / ODD, cdi_yaml(sandbox.url, sandbox.options), env_file=False)
        (settings.parent / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
        found = entry(settings)
        # A first sync must be told its start; what cron runs from then on need not.
        first = Entry(found.times, found.command.replace(" --max-duration", " --since 1h --max-duration"), found.stdin)

        mails = [run_as_cron(one, tmp_path / "home") for one in (first, found)]

    assert mails == [(0, ""), (0, "")]
    log = (settings.parent / ".cdi" / "sync.log").read_text()
    assert log.count("sync ") == 2


def test_a_real_run_that_fails_is_mailed(tmp_path: Path) -> None:
    """A first sync without a start is a mistake that a person must mend: its message is in the mail."""
    text = SETTINGS.replace("client_secret: ${SHOP_SECRET}", "client_secret: ${SHOP_SECRET}\n    page_size: many")
    good = project(tmp_path / "shop")
    found = entry(good)
    good.write_text(text)

    code, mail = run_as_cron(found, tmp_path / "home")

    assert code == 2
    assert "`page_size` must be a whole number" in mail


def test_a_line_that_some_crons_would_drop_is_refused(tmp_path: Path) -> None:
    """Debian's takes a thousand bytes."""
    settings = project(tmp_path / ("long" * 50) / ("path" * 50) / ("of" * 100) / ("folders" * 30) / ("%" * 200))

    result = schedule(settings, "--every", "5m", "--as", "cron")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "some crons drop a line" in result.stderr


@pytest.mark.parametrize(
    "text", ["*/5 * * * *\n", "*/5 * * * x a\n", "60 * * * * a\n", "MAILTO=x\n", "* * * * * a", f"* * * * * {'a' * 999}\n"]
)
def test_the_checker_refuses_what_cron_does(text: str) -> None:
    """The judge of these tests can say no."""
    with pytest.raises(ValueError, match=r"time|entry|variable|last line"):
        crontab(text)


def test_a_shell_finds_no_fault(tmp_path: Path) -> None:
    """`sh -n` reads the whole command."""
    done = subprocess.run(
        ["/bin/sh", "-n", "-c", entry(project(tmp_path / ODD)).command], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
