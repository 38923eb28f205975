"""`cdi sync` as cron runs it: a real process against the sandbox, one line a destination, exit codes that mean something."""

from __future__ import annotations

import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import canary
from cli_project import IMPATIENT, CliProject, Run

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.sandbox import Fault, SandboxThread
from cdi_cli.sandbox.commercetools.mutate import refund

QUICK = "sync: {settle: 0s, overlap: 5m}"
"""Everything that is visible is read at once: the sandbox has no late commits."""


def options(**changes: Any) -> Any:
    """A small shop whose data ends now."""
    return canary.options(now=SYSTEM_CLOCK.instant(), **changes)


def project_of(folder: Path, sandbox: SandboxThread, **changes: Any) -> CliProject:
    """A project whose syncs need not wait for anything to settle."""
    return CliProject(folder, sandbox, pipeline=QUICK, **changes)


def sync(project: CliProject, *arguments: str, **given: Any) -> Run:
    """One sync, unpaced."""
    return project.run("sync", "--rate", "100000", *arguments, **given)


def applied(sandbox: SandboxThread) -> Counter[str]:
    """How many messages of each name the workspace has applied."""
    return Counter(message.get("event") or message["type"] for message in sandbox.segment.applied)


def paid_order(sandbox: SandboxThread) -> str:
    """An order with a payment, none of which went back, that was not cancelled."""
    payments = {one["id"]: one for one in sandbox.shop.documents("payments")}
    for order in sandbox.shop.documents("orders"):
        for link in order.get("paymentInfo", {}).get("payments", []):
            kinds = {each["type"] for each in payments[link["id"]]["transactions"]}
            if "Charge" in kinds and not kinds & {"Refund", "Chargeback"} and order["orderState"] != "Cancelled":
                return str(order["id"])
    raise AssertionError("the shop has no such order")


def test_after_a_backfill_only_what_changed_is_sent(tmp_path: Path) -> None:
    """A refund is news, told once; everything else is known."""
    with SandboxThread(options()) as sandbox, project_of(tmp_path, sandbox) as project:
        project.backfill()
        before = applied(sandbox)
        refund(sandbox.shop, paid_order(sandbox), amount=100)
        sandbox.clock.advance(2)

        first = sync(project)
        second = sync(project)

        assert (first.code, first.err) == (0, "")
        assert re.search(
            r"^sync main -> segment: 1 delivered \(Order Refunded 1\).*; up to \S+Z, lag \S+ s \(run 2, ", first.out
        )
        assert applied(sandbox) - before == Counter({"Order Refunded": 1})
        assert (second.code, len(second.out.splitlines())) == (0, 1)


def test_a_run_that_finds_nothing_prints_one_line(tmp_path: Path) -> None:
    """The line says how far everything is settled; standard error is silent."""
    with SandboxThread(options(orders=5)) as sandbox, project_of(tmp_path, sandbox) as project:
        project.backfill()
        sync(project)

        run = sync(project)

        assert (run.code, run.err) == (0, "")
        assert re.fullmatch(r"sync main -> segment: nothing new; up to \S+Z, lag \S+ s \(run 3, \S+ s\)\n", run.out), run.out


def test_without_a_backfill_it_says_how_to_begin(tmp_path: Path) -> None:
    """Nothing is guessed; exit code 2."""
    with SandboxThread(options(orders=5)) as sandbox, project_of(tmp_path, sandbox) as project:
        run = sync(project)

        assert run.code == 2
        assert "nothing says where the first sync of" in run.err
        assert "cdi backfill" in run.err


def test_since_begins_without_a_backfill(tmp_path: Path) -> None:
    """Old orders are left out and counted, profiles are sent."""
    with SandboxThread(options()) as sandbox, project_of(tmp_path, sandbox) as project:
        run = sync(project, "--since", "1h", "--json")

        assert run.code == 0, run.err
        report = run.json()
        assert report["status"] == "done"
        assert report["books"] == {"close": True, "errors": []}
        assert "Order Completed" not in report["events"]


def test_an_overlapping_run_leaves_at_once(tmp_path: Path) -> None:
    """Exit code 4, naming the holder and when it started."""
    with SandboxThread(options()) as sandbox, project_of(tmp_path, sandbox) as project:
        project.backfill()
        sandbox.faults.add(Fault(kind="delay", match="/commercetools/", times=None, seconds=3))
        first = project.start("sync")
        time.sleep(1.2)

        second = sync(project)
        sandbox.faults.clear()
        project.finish(first)

        assert second.code == 4
        assert re.search(rf"in use: process {first.pid}, started at \d{{4}}-", second.err)


def test_wait_lets_the_other_one_end(tmp_path: Path) -> None:
    """With `--wait` the second run goes on when the first is through."""
    with SandboxThread(options(orders=5)) as sandbox, project_of(tmp_path, sandbox) as project:
        project.backfill()
        sandbox.faults.add(Fault(kind="delay", match="/commercetools/", times=None, seconds=1))
        first = project.start("sync")
        time.sleep(1.0)
        sandbox.faults.clear()

        second = sync(project, "--wait", "30s")
        project.finish(first)

        assert second.code == 0, second.err


TWO = """\
  down:
    type: segment
    endpoint: {url}/segment
    write_key: "${{CDI_SANDBOX_WRITE_KEY}}"
"""


def two_destinations(project: CliProject, sandbox: SandboxThread, *, is_down: bool) -> None:
    """A second destination beside the first, at a port where nobody listens while it is down."""
    project.write_settings()
    text = project.settings.read_text(encoding="utf-8")
    url = "http://127.0.0.1:9" if is_down else sandbox.url
    text = text.replace("destinations:\n  segment:\n", "destinations:\n" + TWO.format(url=url) + "  segment:\n", 1)
    project.settings.write_text(text.replace("destinations: [segment]", "destinations: [segment, down]"), encoding="utf-8")


def test_a_destination_that_is_down_does_not_hold_up_the_other(tmp_path: Path) -> None:
    """The other is served and not doubled; the one that was down catches up alone."""
    with SandboxThread(options()) as sandbox, project_of(tmp_path, sandbox) as project:
        two_destinations(project, sandbox, is_down=False)
        project.backfill()
        refund(sandbox.shop, paid_order(sandbox), amount=100)
        sandbox.clock.advance(2)
        two_destinations(project, sandbox, is_down=True)
        hindered = sync(project, command=IMPATIENT)
        between = applied(sandbox)["Order Refunded"]
        two_destinations(project, sandbox, is_down=False)

        healed = sync(project, "--json")

        assert hindered.code == 3
        assert "main -> segment: 1 delivered (Order Refunded 1)" in hindered.out
        reports = {one["destination"]: one for one in healed.json()}
        assert reports["down"]["events"] == {"Order Refunded": 1}
        assert reports["segment"]["events"] == {}
        # The sandbox's workspace knows both destinations' messages as one: the same id is applied once.
        assert applied(sandbox)["Order Refunded"] == between


def test_status_and_runs_tell_how_far_it_is(tmp_path: Path) -> None:
    """Watermark and lag per stream, last success; the history with verdicts."""
    with SandboxThread(options()) as sandbox, project_of(tmp_path, sandbox) as project:
        project.backfill()
        sync(project)

        status, runs = project.run("status", "--json"), project.run("runs", "--json")
        shown = project.run("runs")

        found = status.json()["pipelines"][0]["sync"]
        assert {one["stream"] for one in found["streams"]} == {"customers", "carts", "orders", "payments"}
        assert all(0 <= one["lag_seconds"] < 60 and not one["is_behind"] for one in found["streams"])
        assert found["last_success_at"] is not None
        assert [(run["kind"], run["verdict"]) for run in runs.json()] == [("sync", "ok"), ("backfill", "ok")]
        assert re.search(r"^2 +sync +\S+ \S+ +\S+ s +\d+ +0 +\S+ s +ok", shown.out, re.MULTILINE)


def test_a_wrong_duration_is_refused(tmp_path: Path) -> None:
    """The error names the option and shows how it is written."""
    with SandboxThread(options(orders=5)) as sandbox, project_of(tmp_path, sandbox) as project:
        run = sync(project, "--max-duration", "soon")

        assert run.code == 2
        assert "--max-duration: `soon` is not a duration; write for example 90s, 5m, 2h or 1d" in run.err
