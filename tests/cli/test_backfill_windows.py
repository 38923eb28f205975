"""Which window, which job, which names: what the command line of `cdi backfill` means, and what it refuses."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import WHOLE, CliProject
from shop_oracle import reconcile
from typer.testing import CliRunner, Result

from cdi_cli.cli.app import app
from cdi_cli.sandbox import Fault, SandboxThread, cdi_environment


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project beside a shop of 61 orders."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as made:
        yield made


def test_a_bare_date_is_midnight_utc_and_says_so(project: CliProject) -> None:
    """The zone of a date without one is stated, and the window is half-open in it."""
    run = project.run("backfill", "--since", "2026-06-01", "--until", "2026-06-02", "--rate", "100000")

    assert run.code == 0
    assert run.err.startswith(
        "dates without a zone are read as UTC (`--timezone` changes that)\n"
        "backfilling main -> segment: 2026-06-01T00:00:00.000Z .. 2026-06-02T00:00:00.000Z, plan "
    )
    orders = [one for one in project.sandbox.shop.documents("orders") if one["createdAt"].startswith("2026-06-01")]
    completed = [one for one in project.sandbox.segment.applied if one.get("event") == "Order Completed"]
    assert {one["properties"]["order_id"] for one in completed} == {one["orderNumber"] for one in orders}
    assert "CANARY-1" in {one["orderNumber"] for one in orders}


def test_a_bare_date_in_another_zone(project: CliProject) -> None:
    """`--timezone` moves midnight, summer time and all."""
    run = project.run(
        *("backfill", "--since", "2026-01-10", "--until", "2026-06-02", "--timezone", "Europe/Berlin"),
        *("--rate", "100000"),
    )

    assert run.err.startswith(
        "dates without a zone are read as Europe/Berlin (`--timezone` changes that)\n"
        "backfilling main -> segment: 2026-01-09T23:00:00.000Z .. 2026-06-01T22:00:00.000Z, plan "
    )


def test_a_date_with_a_zone_needs_no_assumption(project: CliProject) -> None:
    """A date-time with an offset is taken as it is, and nothing is said about zones."""
    run = project.run(
        *("backfill", "--since", "2026-06-01T02:00:00+02:00", "--until", "2026-06-02T00:00:00Z", "--rate", "100000")
    )

    assert run.err.startswith("backfilling main -> segment: 2026-06-01T00:00:00.000Z .. 2026-06-02T00:00:00.000Z,")


@pytest.mark.parametrize(("since", "until"), [("90d", "yesterday"), ("2y", "now"), ("52w ago", "1d")])
def test_relative_dates(project: CliProject, since: str, until: str) -> None:
    """Words for dates are accepted on both ends and shown as instants."""
    run = project.run("backfill", "--since", since, "--until", until, "--dry-run")

    assert run.code == 0
    found = re.search(r"dry run of main -> segment: (\S+)Z \.\. (\S+)Z", run.err)
    assert found is not None
    assert found[1] < found[2]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ["--since", "2026-02-01", "--until", "2026-01-01"],
            "the window ends before it starts: 2026-02-01T00:00:00.000Z .. 2026-01-01T00:00:00.000Z",
            "`--since` must be earlier than `--until`",
        ),
        (
            ["--since", "2026-02-01", "--until", "2026-02-01"],
            "the window ends before it starts: 2026-02-01T00:00:00.000Z .. 2026-02-01T00:00:00.000Z",
            "`--since` must be earlier than `--until`",
        ),
        (
            ["--since", "31.12.2025"],
            "--since `31.12.2025` is not a date",
            "use one of: 2026-01-31, 2026-01-31T08:00:00+01:00",
        ),
        (["--since", "2026-02-30"], "--since `2026-02-30` is not a date", "use one of: "),
        (["--since", "90d", "--until", "x\x1b[2J"], "--until `x\\x1b[2J` is not a date", "use one of: "),
        (["--until", "yesterday"], "a window needs a start", "add `--since`"),
        (["--since", "99999y"], "--since `99999y` lies before the year 1", "name a later date"),
        (["--since", "90d", "--timezone", "Europe/Berln"], "unknown time zone `Europe/Berln`", "use an IANA name such as"),
        (["--since", "90d", "--timezone", "../../etc/passwd"], "unknown time zone `../../etc/passwd`", "use an IANA name"),
        (["--since", "90d", "--pipeline", "mian"], "there is no pipeline `mian`", "did you mean `main`?"),
        (
            ["--since", "90d", "--destination", "segmnt"],
            "pipeline `main` has no destination `segmnt`",
            "did you mean `segment`?",
        ),
        (["--since", "90d", "--stream", "order"], "source `shop` has no stream `order`", "did you mean `orders`?"),
        (["--since", "90d", "--stream", "[/oops]"], "source `shop` has no stream `[/oops]`", "customers"),
        (["--since", "90d", "--resume", "--restart"], "`--resume` and `--restart` exclude each other", ""),
        (["--resume"], "there is no unfinished backfill to resume", "start one with `--since`"),
        ([], "there is no unfinished backfill to resume", "start one with `--since`"),
        (["--restart"], "a new backfill needs a start", "add `--since`, for example"),
    ],
)
def test_a_wrong_command_line_ends_with_2(
    project: CliProject, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str, hint: str
) -> None:
    """The mistake is named with what to do about it; nothing was sent, and nothing is on standard output."""
    result = in_process(project, monkeypatch, *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: {message}\n" in result.stderr
    assert hint in result.stderr.partition(f"error: {message}\n")[2]
    assert project.sandbox.segment.requests == []


def in_process(project: CliProject, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    """The command without a process of its own: many command lines are tried."""
    monkeypatch.chdir(project.place)
    for name, value in cdi_environment(project.sandbox.options).items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(app, ["backfill", *arguments])


def test_a_wrong_command_line_as_a_process(project: CliProject) -> None:
    """The same through a real process: code, empty standard output, the whole of standard error."""
    run = project.run("backfill", "--since", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z")

    assert (run.code, run.out, run.err) == (
        2,
        "",
        "error: the window ends before it starts: 2026-02-01T00:00:00.000Z .. 2026-01-01T00:00:00.000Z\n"
        "  hint: `--since` must be earlier than `--until`\n",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--limit", "0"],
        ["--workers", "0"],
        ["--workers", "65"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--rate", "inf"],
        ["--sinec", "90d"],
    ],
)
def test_an_option_out_of_range_ends_with_2(
    project: CliProject, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A number that makes no sense, and an option that does not exist, are named before anything is opened."""
    result = in_process(project, monkeypatch, "--since", "90d", *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert arguments[0] in result.stderr
    assert not project.state.exists()


def test_a_window_in_the_future_is_empty_and_refused(project: CliProject) -> None:
    """A window that starts after the source's clock cannot hold anything: exit code 2."""
    run = project.run("backfill", "--since", "2199-01-01T00:00:00Z")

    assert run.code == 2
    assert "error: the window ends before it starts: 2199-01-01T00:00:00.000Z .. " in run.err


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_dry_run_sends_and_writes_nothing(project: CliProject) -> None:
    """Everything is pulled, mapped and checked; no batch is sent, no checkpoint file is made, the cost is told."""
    run = project.run("backfill", "--since", "2020-01-01T00:00:00Z", "--dry-run")

    assert run.code == 0
    assert project.files() == {"cdi.yaml"}
    assert project.sandbox.segment.requests == []
    assert run.out.startswith("Dry run done: pipeline main -> segment\n")
    people = len({one.get("userId") or one["anonymousId"] for one in _all_sent(project)})
    assert run.out.endswith(
        f"dry run, nothing was sent: 187 events for {people} users (MTU), 6 source pages and 12 batches; "
        "0.4 s at 500 events/s\n"
    )


def _all_sent(project: CliProject) -> list[dict[str, object]]:
    """What a real run sends."""
    project.summary()
    return project.sandbox.segment.applied


def test_a_dry_run_estimates_at_the_given_rate(project: CliProject) -> None:
    """`--json` holds the estimate as figures, at the rate of `--rate`."""
    summary = project.run("backfill", "--since", "2020-01-01T00:00:00Z", "--dry-run", "--rate", "10", "--json").json()

    assert summary["is_dry_run"] is True
    estimate = summary["estimate"]
    assert (estimate["events"], estimate["source_pages"], estimate["batches"]) == (187, 6, 12)
    assert (estimate["events_per_second"], estimate["seconds_at_rate"]) == (10.0, 18.7)
    assert estimate["users_are_exact"] is True


def test_a_dry_run_leaves_the_checkpoint_as_it_is(project: CliProject) -> None:
    """Beside an unfinished backfill a dry run moves no cursor and knows what was delivered."""
    project.backfill("--limit", "30")
    before = digest(project.state)
    requests = len(project.sandbox.segment.requests)

    run = project.backfill("--dry-run", "--json")

    assert run.code == 0
    assert digest(project.state) == before
    assert len(project.sandbox.segment.requests) == requests
    summary = run.json()
    delivered = project.sandbox.segment.applied_count
    assert delivered > 0
    assert sum(line["duplicate"] for line in summary["streams"].values()) == delivered
    assert summary["estimate"]["events"] == 187 - delivered
    assert project.run("backfill", "--resume", "--rate", "100000").code == 0
    reconcile(project.sandbox)


def stop_early(project: CliProject) -> None:
    """Leave an unfinished backfill behind: Segment refuses the seventh batch for good."""
    project.sandbox.faults.add(Fault(kind="status", match="/segment/", skip=6, times=None, status=401))
    run = project.backfill()
    assert run.code == 3
    assert "resume with: cdi backfill --pipeline main --resume\n" in run.err
    project.sandbox.faults.clear()


def test_the_same_command_resumes_by_itself(project: CliProject) -> None:
    """The same words mean the same job: it goes on where it stopped, with the old end of the window."""
    stop_early(project)

    run = project.backfill()

    assert run.code == 0
    assert run.err.startswith("resuming main -> segment: 2020-01-01T00:00:00.000Z .. ")
    reconcile(project.sandbox)
    assert project.sandbox.segment.duplicates == []


def test_another_window_beside_an_unfinished_one_is_refused(project: CliProject) -> None:
    """A different window is never mixed in silently: exit code 2 names both ways out."""
    stop_early(project)

    run = project.run("backfill", "--since", "2026-01-01T00:00:00Z")

    assert run.code == 2
    assert "error: an unfinished backfill of 2020-01-01T00:00:00.000Z .. " in run.err
    assert "hint: add `--resume` to finish it, or `--restart` to drop it and begin this one\n" in run.err


def test_restart_begins_anew_and_repeats_nothing(project: CliProject) -> None:
    """`--restart` drops the unfinished job; what it had delivered is still known."""
    stop_early(project)

    run = project.backfill("--restart")

    assert run.code == 0
    assert run.err.startswith("backfilling main -> segment: ")
    reconcile(project.sandbox)
    assert project.sandbox.segment.duplicates == []


def test_a_changed_plan_does_not_mix(project: CliProject) -> None:
    """Settings that shape events changed since the job began: refused, until told to restart."""
    stop_early(project)
    project.pipeline = "lifecycle: {off: [order.fulfilled]}"
    project.write_settings()

    run = project.run("backfill", *WHOLE)

    assert run.code == 2
    assert "error: the tracking plan or the settings that shape events changed since this backfill began" in run.err
    assert project.backfill("--restart").code == 0
