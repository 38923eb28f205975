"""`cdi schedule`: which intervals and times it takes, how units are named, what goes where, what it warns of."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schedule_tools import ENV_FILE, SETTINGS, crontab, project, schedule, unit

from cdi_cli.cli.schedule_interval import CRON_SECONDS, cron_expression, timer_lines
from cdi_cli.errors import ConfigError

FORMS = ("cron", "systemd", "kubernetes", "github-actions", "airflow")


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (60, "* * * * *"),
        (300, "*/5 * * * *"),
        (900, "*/15 * * * *"),
        (3600, "0 * * * *"),
        (6 * 3600, "0 */6 * * *"),
        (86_400, "0 0 * * *"),
        (7 * 86_400, "0 0 * * 1"),
    ],
)
def test_an_even_interval_has_a_cron_expression(every: int, expected: str) -> None:
    """Minutes, hours, a day, a week."""
    assert cron_expression(every) == expected


@given(st.sampled_from(CRON_SECONDS))
def test_marks_on_the_clock_are_exactly_the_interval_apart(every: int) -> None:
    """Over two weeks, read by a small calendar of the test's own, no gap is longer or shorter than what was asked for."""
    minute, hour, _, _, weekday = cron_expression(every).split()

    def holds(field: str, value: int) -> bool:
        start, _, step = field.partition("/")
        return (value % int(step) == 0 if step else True) if start == "*" else value == int(start)

    marks = [
        m for m in range(14 * 1440) if holds(minute, m % 60) and holds(hour, m // 60 % 24) and holds(weekday, m // 1440 % 7)
    ]

    assert {60 * (b - a) for a, b in pairwise(marks)} == {every}


@pytest.mark.parametrize(
    ("every", "hint"),
    [
        ("7m", "use `--every 6m` or `--every 10m`"),
        ("90s", "use `--every 1m` or `--every 2m`"),
        ("30s", "use `--every 1m`"),
        ("45m", "use `--every 30m` or `--every 1h`"),
        ("5h", "use `--every 4h` or `--every 6h`"),
        ("2d", "use `--every 1d` or `--every 7d`"),
        ("30d", "use `--every 7d`"),
    ],
)
@pytest.mark.parametrize("form", ["cron", "kubernetes"])
def test_an_uneven_interval_is_refused_with_the_nearest(tmp_path: Path, every: str, hint: str, form: str) -> None:
    """Cron would make gaps of two lengths of it; nothing is printed as a unit."""
    result = schedule(project(tmp_path / "shop"), "--every", every, "--as", form)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"`--every {every}` cannot be kept evenly" in result.stderr
    assert f"hint: {hint};" in result.stderr


@pytest.mark.parametrize("every", ["7m", "90s", "10s", "2d"])
@pytest.mark.parametrize("form", ["systemd", "airflow"])
def test_others_take_any_interval(tmp_path: Path, every: str, form: str) -> None:
    """These count from start to start."""
    assert schedule(project(tmp_path / "shop"), "--every", every, "--as", form).exit_code == 0


def test_github_takes_no_less_than_five_minutes(tmp_path: Path) -> None:
    """It would silently run more rarely than it was told to."""
    result = schedule(project(tmp_path / "shop"), "--every", "2m", "--as", "github-actions")

    assert result.exit_code == 2
    assert "use `--every 5m`;" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--every", "soon"), "--every: `soon` is not a duration"),
        (("--every", "5s"), "`--every` must be at least 10s"),
        (("--every", "5m", "--max-duration", "long"), "--max-duration: `long` is not a duration"),
        (("--every", "5m", "--pipeline", "mian"), "there is no pipeline `mian`"),
        (("--every", "5m", "--command", "a\nb"), "a path holds a line break"),
    ],
)
def test_wrong_options_are_told(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    """Exit code 2, the option in the message, no unit."""
    result = schedule(project(tmp_path / "shop"), "--as", "cron", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("every", "arguments", "expected"),
    [("5m", (), "4m"), ("1h", (), "48m"), ("1d", (), "1152m"), ("5m", ("--max-duration", "90s"), "90s")],
)
def test_a_run_stops_in_order_before_the_next(
    tmp_path: Path, form: str, every: str, arguments: tuple[str, ...], expected: str
) -> None:
    """Four fifths of the interval, or what was asked for, in every form."""
    text = schedule(project(tmp_path / "shop"), "--every", every, "--as", form, *arguments).stdout

    assert expected in text[text.index("--max-duration") :].partition("\n")[0]


def test_a_short_interval_still_leaves_half_a_minute(tmp_path: Path) -> None:
    """Less would spend the run on starting and stopping."""
    result = schedule(project(tmp_path / "shop"), "--every", "10s", "--as", "systemd")

    assert "--max-duration 30s\n" in result.stdout
    assert "warning: --max-duration is not shorter than the interval" in result.stderr


@pytest.mark.parametrize(
    ("folder", "arguments", "name"),
    [
        ("My Shop", (), "cdi-my-shop"),
        ("cdi", (), "cdi"),
        ("магазин", (), "cdi-acme"),
        ("shop", ("--pipeline", "main"), "cdi-shop-main"),
        ("x" * 80, (), "cdi-" + "x" * 48),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_units_are_named_after_the_folder(
    tmp_path: Path, folder: str, arguments: tuple[str, ...], name: str, form: str
) -> None:
    """A name that files, systemd and Kubernetes take."""
    settings = project(tmp_path / "a" / folder)
    result = schedule(settings, "--every", "5m", "--as", form, "--output", str(tmp_path / "out"), *arguments)

    assert (result.exit_code, result.stdout) == (0, "")
    stems = {path.stem for path in (tmp_path / "out").iterdir()}
    assert stems == {name.replace("-", "_") if form == "airflow" else name}


def test_only_the_unit_goes_to_standard_output(tmp_path: Path) -> None:
    """So that it can be piped on; advice is for people."""
    result = schedule(project(tmp_path / "shop"), "--every", "5m", "--as", "cron")

    assert len(crontab(result.stdout)) == 1
    assert "hint: add the line with `crontab -e`" in result.stderr


def test_files_written_are_those_printed(tmp_path: Path) -> None:
    """Both units of systemd, under the names that they have above them in print."""
    settings = project(tmp_path / "shop")
    schedule(settings, "--every", "5m", "--as", "systemd", "--output", str(tmp_path / "units"))

    files = {path.name: path.read_text() for path in sorted((tmp_path / "units").iterdir())}
    assert list(files) == ["cdi-shop.service", "cdi-shop.timer"]
    assert unit(settings, "systemd") == "\n".join(f"# {name}\n{text}" for name, text in files.items())


def test_it_warns_of_what_is_not_ready(tmp_path: Path) -> None:
    """No variables file, no checkpoint yet, only one of two pipelines, a keyring that an unattended run does not have."""
    text = SETTINGS.replace("${SEGMENT_KEY}", "keyring:cdi/segment")
    result = schedule(
        project(tmp_path / "shop", text, env_file=False), "--every", "5m", "--as", "cron", "--pipeline", "main"
    )

    warned = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert f"put SHOP_PROJECT, SHOP_SECRET into {tmp_path}/shop/.env" in warned[0]
    assert "run `cdi backfill`" in warned[1]
    assert "all pipelines share one checkpoint" in warned[2]
    assert "`keyring:` references need a session" in warned[3]


def test_a_variables_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    """It holds the secrets."""
    settings = project(tmp_path / "shop")
    (tmp_path / "shop" / ".env").chmod(0o644)

    assert "can be read by others: chmod 600" in schedule(settings, "--every", "5m", "--as", "systemd").stderr


@pytest.mark.parametrize("form", FORMS)
def test_no_secret_is_in_a_unit(tmp_path: Path, form: str) -> None:
    """Neither from the environment of whoever makes it, nor from the file beside the settings."""
    result = schedule(project(tmp_path / "shop"), "--every", "5m", "--as", form)

    assert "ecret" not in result.output.replace("SHOP_SECRET", "").replace("secret", "")
    assert "ecret" in ENV_FILE


@pytest.mark.parametrize(("seconds", "lines"), [(420, ["OnActiveSec=0", "OnUnitActiveSec=420s"])])
def test_an_uneven_timer_counts_from_start_to_start(seconds: int, lines: list[str]) -> None:
    """systemd's calendar is as uneven as cron's."""
    assert timer_lines(seconds) == lines


@given(st.integers(1, 10_000_000).filter(lambda seconds: seconds not in CRON_SECONDS))
def test_every_other_interval_is_refused(seconds: int) -> None:
    """And the hint names one or two that are taken."""
    with pytest.raises(ConfigError, match="cannot be kept evenly") as caught:
        cron_expression(seconds)

    assert caught.value.hint is not None
    assert caught.value.hint.startswith("use `--every ")


def test_it_does_not_start_the_log_or_the_checkpoint(tmp_path: Path) -> None:
    """Printing a unit leaves the project as it was."""
    settings = project(tmp_path / "shop", SETTINGS.replace("workspace: acme", "workspace: acme\nlog: {file: x/cdi.log}"))
    before = sorted(tmp_path.rglob("*"))

    unit(settings, "systemd")

    assert sorted(tmp_path.rglob("*")) == before


def test_the_default_command_is_this_installation(tmp_path: Path) -> None:
    """The program that the unit names is one that starts."""
    (entry,) = crontab(unit(project(tmp_path / "shop"), "cron"))
    words = entry.command.split()
    program = words[words.index("sync") - 1]

    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cdi ")
    assert Path(program).is_absolute()
