"""Names that Insider's panel does not know: told by `cdi check`, and the end of a run before it sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import canary
import pytest
from cli_project import IMPATIENT, CliProject

from cdi_cli.clock import SYSTEM_CLOCK, shift
from cdi_cli.sandbox import Fault, SandboxThread, cdi_environment, cdi_yaml
from cdi_cli.sandbox.insider.panel import Panel
from cdi_cli.sandbox.system import spec_of

COLUMNS = "/insider/api/user/v3/metadata/columns"
PUSHED = {"type": "group", "messageId": "m-1", "userId": "u-1", "groupId": "b-1", "traits": {"id": "b-1", "type": "company"}}


class InsiderProject(CliProject):
    """A project whose pipeline feeds the sandbox's Insider; `destination` holds further lines of it."""

    def write_settings(self) -> None:
        """Write `cdi.yaml`, with Insider in the place of Segment."""
        options, insider = self.sandbox.options, spec_of("insider")
        self.environment |= {**cdi_environment(options), **insider.environment(options)}
        text = cdi_yaml(self.sandbox.url, options).replace("destinations: [segment]", "destinations: [insider]")
        before, _, rest = text.partition("destinations:\n  segment:")
        lines = [*insider.settings(self.sandbox.url, options).splitlines(), *self.destination.splitlines()]
        section = "destinations:\n  insider:\n" + "".join(f"    {line}\n" for line in lines)
        self.settings.write_text(before + section + "pipelines:\n" + rest.partition("pipelines:\n")[2], encoding="utf-8")

    def asked(self) -> int:
        """How often the panel was asked."""
        return sum(request.path == COLUMNS for request in self.sandbox.requests)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[InsiderProject]:
    """A project whose panel does not know refunds, nor the events' ids for cancelled orders, nor a person's title."""
    with (
        SandboxThread(canary.options(now=SYSTEM_CLOCK.instant())) as sandbox,
        InsiderProject(tmp_path, sandbox, destination="events_per_second: 10000") as made,
    ):
        panel = sandbox.insider.panel
        del panel.events["order_refunded"]
        panel.events["order_cancelled"].discard("cdi_event_id")
        panel.attributes.discard("title")
        yield made


def define(project: InsiderProject) -> None:
    """Do in the panel what the findings ask for."""
    panel, usual = project.sandbox.insider.panel, Panel()
    panel.events |= usual.events
    panel.attributes |= usual.attributes


def test_the_check_names_each_finding_with_what_to_do(project: InsiderProject) -> None:
    """A line for each, and exit code 2: it is the settings of the two sides that do not fit."""
    run = project.run("check", "--json")
    failed = {line["name"]: line for line in run.json() if not line["ok"]}

    assert run.code == 2
    assert set(failed) == {"insider: events", "insider: parameters", "insider: attributes"}
    assert failed["insider: events"]["detail"].startswith("event `order_refunded` is not defined, nor its parameters ")
    assert failed["insider: parameters"]["detail"] == "parameters not defined for `order_cancelled`: `cdi_event_id`"
    assert failed["insider: attributes"]["detail"] == "attributes not defined: `title`"
    assert all("Insider's panel" in line["fix"] for line in failed.values())


@pytest.mark.parametrize(
    "command",
    [["backfill", "--since", "2020-01-01T00:00:00Z"], ["sync", "--since", "2020-01-01T00:00:00Z"], ["push", "events.jsonl"]],
)
def test_a_run_ends_before_it_sends(project: InsiderProject, command: list[str]) -> None:
    """With the list, as a mistake of the configuration; once the panel knows the names the same command sends."""
    pushed = {**PUSHED, "timestamp": shift(SYSTEM_CLOCK.instant(), timedelta(days=-1))}
    (project.place / "events.jsonl").write_text(json.dumps(pushed) + "\n", encoding="utf-8")

    stopped = project.run(*command)
    sent = list(project.sandbox.insider.requests)
    define(project)
    again = project.run(*command)

    assert (stopped.code, sent) == (2, [])
    assert "error: `insider` would drop part of what the tracking plan sends there; nothing was sent" in stopped.err
    assert "  - event `order_refunded` is not defined, nor its parameters `" in stopped.err
    assert "  - attributes not defined: `title`\n" in stopped.err
    assert "`preflight: warn`" in stopped.err
    assert again.code == 0, again.err
    assert project.sandbox.insider.requests


def test_a_dry_run_sends_nothing_and_asks_nothing(project: InsiderProject) -> None:
    """It goes on."""
    run = project.backfill("--dry-run")

    assert run.code == 0, run.err
    assert project.asked() == 0


def test_who_wants_it_is_only_warned(tmp_path: Path) -> None:
    """`preflight: warn` sends, having said what will be lost; in a check it is a note."""
    with (
        SandboxThread(canary.options()) as sandbox,
        InsiderProject(tmp_path, sandbox, destination="preflight: warn\nevents_per_second: 10000") as project,
    ):
        del sandbox.insider.panel.events["order_refunded"]
        check = project.run("check", "--json")
        run = project.backfill()

    (line,) = (line for line in check.json() if line["name"] == "insider: events")
    assert (check.code, line["ok"]) == (0, True)
    assert "`order_refunded` is not defined" in line["detail"]
    assert run.code == 0
    assert "warning: insider drops it: event `order_refunded` is not defined" in run.err
    assert sandbox.insider.requests


def test_a_panel_that_cannot_be_asked_stops_nothing(project: InsiderProject) -> None:
    """A warning; the next run asks again."""
    project.sandbox.faults.add(Fault(kind="status", match=COLUMNS, times=None))
    run = project.backfill(command=IMPATIENT)
    project.sandbox.faults.clear()
    next_run = project.run("sync")

    assert run.code == 0, run.err
    assert "warning: what insider knows of the tracking plan's names could not be asked: " in run.err
    assert project.sandbox.insider.requests
    assert next_run.code == 2


def test_a_schedule_asks_once_in_an_hour_and_after_changes(project: InsiderProject) -> None:
    """What passed is remembered; other settings, another hour or a memory that is broken are asked anew."""
    define(project)
    memory = project.state.with_name("state.db.preflight.json")
    project.run("sync")
    first = project.asked()
    project.run("sync")
    second = project.asked()
    kept = json.loads(memory.read_text())
    kept["main/insider"][1] = shift(kept["main/insider"][1], timedelta(minutes=-61))
    memory.write_text(json.dumps(kept))
    project.run("sync")
    later = project.asked()
    settings = project.settings.read_text()
    project.settings.write_text(settings.replace("    locales:", "    identifiers: {email: false}\n    locales:"))
    project.run("sync")
    changed = project.asked()
    memory.write_bytes(b"{")
    project.run("sync")
    broken = project.asked()
    project.backfill()

    assert (first, second, later, changed, broken, project.asked()) == (2, 2, 4, 6, 8, 10)
    assert memory.stat().st_mode & 0o777 == 0o600
