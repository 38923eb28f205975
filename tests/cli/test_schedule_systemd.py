"""The systemd units: what they promise stands in them, and systemd itself finds nothing wrong with them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from schedule_tools import SETTINGS, project, schedule, stub

from cdi_cli.cli.schedule_facts import Facts
from cdi_cli.cli.schedule_interval import CRON_SECONDS, timer_lines
from cdi_cli.cli.schedule_units import systemd

ANALYZE = shutil.which("systemd-analyze")
NEEDS_SYSTEMD = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not on this machine")
ODD = "odd 100% $HOME &;(ü)"
Unit = dict[str, dict[str, str]]


def parse(text: str) -> Unit:
    """Section -> key -> value; strict: no continued lines, no key twice, nothing outside a section."""
    sections: Unit = {}
    current: dict[str, str] | None = None
    for line in text.splitlines():
        assert not line.endswith("\\"), line
        if not line or line.startswith("#"):
            continue
        if match := re.fullmatch(r"\[(\w+)\]", line):
            current = sections.setdefault(match.group(1), {})
            continue
        key, equals, value = line.partition("=")
        assert equals, line
        assert current is not None, line
        assert key not in current, line
        current[key] = value
    return sections


def write(settings: Path, out: Path, *arguments: str, every: str = "5m") -> tuple[Unit, Unit, list[Path]]:
    """Service, timer and their files."""
    result = schedule(settings, "--every", every, "--as", "systemd", "--output", str(out), *arguments)
    assert result.exit_code == 0, result.stderr
    files = sorted(out.iterdir())
    return parse(files[0].read_text()), parse(files[1].read_text()), files


def test_the_service_keeps_what_is_promised(tmp_path: Path) -> None:
    """Oneshot, variables from a file, an overlap is no failure, an end by force, the journal, no other folder writable."""
    settings = project(tmp_path / "shop")
    service, timer, _ = write(settings, tmp_path / "out", "--command", "/opt/cdi/bin/cdi")

    found = service["Service"]
    assert found["Type"] == "oneshot"
    assert found["EnvironmentFile"] == str(settings.parent / ".env")
    assert found["ExecStart"] == f"/opt/cdi/bin/cdi sync --config {settings} --max-duration 4m"
    assert "4" in found["SuccessExitStatus"].split()
    assert int(found["TimeoutStartSec"]) == 600
    assert found["StandardError"] == "journal"
    assert (found["NoNewPrivileges"], found["ProtectSystem"]) == ("true", "strict")
    assert shlex.split(found["ReadWritePaths"]) == [str(settings.parent / ".cdi")]
    assert timer["Timer"] == {
        "OnCalendar": "*:0/5:00",
        "Persistent": "true",
        "AccuracySec": "1s",
        "Unit": "cdi-shop.service",
    }
    assert timer["Install"] == {"WantedBy": "timers.target"}


def test_log_and_metrics_folders_are_writable(tmp_path: Path) -> None:
    """What else the settings make a run write to; each folder once."""
    text = SETTINGS.replace(
        "workspace: acme", "workspace: acme\nlog: {file: .cdi/cdi.log}\nmetrics_file: /var/lib/node_exporter/cdi.prom"
    )
    settings = project(tmp_path / "shop", text)
    service, _, _ = write(settings, tmp_path / "out")

    places = shlex.split(service["Service"]["ReadWritePaths"])
    assert places == [str(settings.parent / ".cdi"), "/var/lib/node_exporter"]


def test_a_private_tmp_does_not_hide_the_project(tmp_path: Path) -> None:
    """A project below /tmp would not be there for the service."""

    def is_private(folder: str) -> bool:
        place = Path(folder)
        facts = Facts("cdi-x", 300, 240, 600, "/bin/cdi", place / "cdi.yaml", place / ".cdi" / "state.db", "someone")
        return "PrivateTmp" in parse(systemd(replace(facts, written=(place / ".cdi",))).files["cdi-x.service"])["Service"]

    assert is_private("/srv/shop")
    assert not is_private("/tmp/shop")
    assert not is_private("/var/tmp/shop")


def test_an_odd_path_is_escaped(tmp_path: Path) -> None:
    """`%` begins a specifier everywhere, `$` a variable in a command."""
    settings = project(tmp_path / ODD)
    service, _, _ = write(settings, tmp_path / "out", "--command", str(stub(tmp_path)))

    found = service["Service"]
    written = str(settings.parent).replace("%", "%%")
    assert found["WorkingDirectory"] == written
    assert found["EnvironmentFile"] == f"{written}/.env"
    assert found["ReadWritePaths"] == f'"{written}/.cdi"'
    escaped = str(settings).replace("%", "%%").replace("$", "$$")
    assert found["ExecStart"].endswith(f'cdi" sync --config "{escaped}" --max-duration 4m')


@pytest.mark.parametrize("name", ['a "quote"', "back\\slash", "star*", "[set]", "end "])
def test_a_path_that_systemd_cannot_take_is_refused(tmp_path: Path, name: str) -> None:
    """It reads some values as they stand, without quotes, and some as patterns."""
    result = schedule(project(tmp_path / name), "--every", "5m", "--as", "systemd")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "systemd cannot take the path" in result.stderr


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    """systemd refuses to start a service whose writable folder is not there."""
    settings = project(tmp_path / "shop")
    hint = f"mkdir -p -m 700 {settings.parent / '.cdi'}"

    before = schedule(settings, "--every", "5m", "--as", "systemd").stderr
    (settings.parent / ".cdi").mkdir()
    after = schedule(settings, "--every", "5m", "--as", "systemd").stderr

    assert hint in before
    assert hint not in after


@NEEDS_SYSTEMD
@pytest.mark.parametrize("every", ["5m", "7m", "1h", "1d"])
@pytest.mark.parametrize("folder", ["shop", ODD])
def test_systemd_finds_nothing_wrong(tmp_path: Path, every: str, folder: str) -> None:
    """`systemd-analyze verify` of both units ends with 0 and says nothing about them."""
    _, _, files = write(project(tmp_path / folder), tmp_path / "out", "--command", str(stub(tmp_path)), every=every)

    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", "--recursive-errors=no", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )

    said = [line for line in (done.stdout + done.stderr).splitlines() if "cdi-" in line]
    assert (done.returncode, said) == (0, [])


@NEEDS_SYSTEMD
def test_systemd_would_find_a_fault(tmp_path: Path) -> None:
    """The judge of these tests can say no: a program that is not there, a key that it does not know."""
    _, _, files = write(project(tmp_path / "shop"), tmp_path / "out", "--command", "/nowhere/cdi")
    files[0].write_text(files[0].read_text().replace("NoNewPrivileges", "NoNewPrivilege"))

    done = subprocess.run([str(ANALYZE), "verify", "--man=no", str(files[0])], capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "/nowhere/cdi" in done.stderr
    assert "NoNewPrivilege" in done.stderr


@NEEDS_SYSTEMD
@pytest.mark.parametrize("every", CRON_SECONDS)
def test_the_calendar_is_one_that_systemd_reads(every: int) -> None:
    """And its next two marks are the interval apart."""
    mark = timer_lines(every)[0].removeprefix("OnCalendar=")

    done = subprocess.run(
        [str(ANALYZE), "calendar", "--iterations=2", mark],
        capture_output=True,
        text=True,
        check=False,
        env={"TZ": "UTC", "LC_ALL": "C"},
    )

    assert done.returncode == 0, done.stderr
    times = re.findall(r"(?:Next elapse|Iteration #2|Iter\. #2): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout)
    first, second = (datetime.fromisoformat(f"{text}+00:00") for text in times)
    assert (second - first).total_seconds() == every
