"""`cdi sync --reconcile` in a real process: what no sync can see is sent, in one line; refused where there is no need."""

from __future__ import annotations

import re
from pathlib import Path

import canary
from cli_project import CliProject, Run

from cdi_cli.clock import SYSTEM_CLOCK
from cdi_cli.sandbox import SandboxThread

RATE = ("--rate", "100000")


def reconcile(project: CliProject, *arguments: str) -> Run:
    """One reconciliation, unpaced."""
    return project.run("sync", "--reconcile", *RATE, *arguments)


def test_an_unsubscription_is_sent_in_one_line(tmp_path: Path) -> None:
    """A sync misses it; the reconciliation sends it, the next one nothing, and the history names what they were."""
    options = canary.options(sources=("magento",), now=SYSTEM_CLOCK.instant())
    with SandboxThread(options) as sandbox, CliProject(tmp_path, sandbox) as project:
        assert project.backfill().code == 0
        rows = sandbox.magento.shop.rows("customers")
        person = next(row for row in rows if row.store_id == 1 and 1 in row.subscribed)  # type: ignore[attr-defined]
        sandbox.magento.mutate({"do": "unsubscribe", "customer": person.id})
        before = len(sandbox.segment.applied)

        missed = project.run("sync", *RATE)
        first, second = reconcile(project), reconcile(project, "--json")
        shown = project.run("runs", "--kind", "reconcile", "--json")

        line = r"reconcile main -> segment: 1 delivered \(identify 1\); created \S+Z \.\. \S+Z \(run 3, \S+ s\)\n"
        assert (missed.code, first.code, first.err, second.code) == (0, 0, "", 0)
        assert re.fullmatch(line, first.out), first.out
        (sent,) = sandbox.segment.applied[before:]
        assert sent["userId"] == str(person.id)
        assert sent["context"]["consent"]["categoryPreferences"] == {"Advertising": False}
        assert (second.json()["books"], second.json()["events"]) == ({"close": True, "errors": []}, {})
        assert [(row["kind"], row["verdict"]) for row in shown.json()] == [("reconcile", "ok")] * 2


def test_it_is_refused_where_every_change_can_be_seen(tmp_path: Path) -> None:
    """commercetools tells of every change: exit code 2, and no job is left behind."""
    with SandboxThread(canary.options(orders=5)) as sandbox, CliProject(tmp_path, sandbox) as project:
        project.backfill()

        run = reconcile(project)

        assert run.code == 2
        assert "there is nothing to reconcile from shop to segment" in run.err
        assert "every change in commercetools shows in its modification time" in run.err
        assert project.run("runs", "--kind", "reconcile", "--json").json() == []
