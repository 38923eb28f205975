"""`cdi validate` on live records and on dead letters, against a simulated shop: nothing is sent, nothing is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import canary
import pytest
from cli_project import CliProject

from cdi_cli.data import data_folder
from cdi_cli.sandbox import SandboxThread

WINDOW = ("--since", "2020-01-01T00:00:00Z")
EVENT = Path("tracking_plan") / "events" / "order_completed.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project with its own copy of the plan, on a simulated shop with the canary person in it."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox, top="plan: ./tracking_plan") as made:
        shutil.copytree(data_folder("tracking_plan"), made.place / "tracking_plan")
        yield made


def demand(project: CliProject) -> None:
    """Make the plan demand what no order has."""
    path = project.place / EVENT
    text = path.read_text(encoding="utf-8")
    line = "  loyalty_tier: {type: string, required: true, from: record.custom.fields.neverSet, pii: none, description: T}\n"
    path.write_text(text.replace("\nproperties:\n", f"\nproperties:\n{line}"), encoding="utf-8")


def test_a_sample_of_live_records_is_checked(project: CliProject) -> None:
    """Records of each stream are pulled, mapped and checked; Segment gets nothing and no file is made."""
    before = project.files()

    run = project.run("validate", "--source", "shop", "--sample", "15", *WINDOW)

    assert (run.code, run.out.splitlines()[-1]) == (0, "no findings"), run.out + run.err
    assert "orders 15" in run.out
    assert "nothing is sent" in run.err
    assert project.sandbox.segment.applied_count == 0
    assert project.files() == before


def test_live_records_that_break_the_plan_are_findings(project: CliProject) -> None:
    """A demand that no record meets is one finding with a count, at the plan's line, naming a record by its id only."""
    demand(project)

    run = project.run("validate", "--source", "shop", "--sample", "10", "--format", "json", *WINDOW)

    assert run.code == 1, run.out + run.err
    (finding,) = (one for one in run.json()["findings"] if one["rule"] == "event/required")
    assert run.code == 1
    assert (finding["event"], finding["path"], finding["count"]) == ("Order Completed", "loyalty_tier", 10)
    assert finding["file"] == EVENT.as_posix()
    assert finding["seen_at"].startswith("shop orders, record 1 (")


def test_an_empty_window_is_no_finding(project: CliProject) -> None:
    """A window without records is checked and said to be empty; one that ends before it starts is refused."""
    empty = project.run("validate", "--source", "shop", "--since", "2001-01-01", "--until", "2001-01-02")
    wrong = project.run("validate", "--source", "shop", "--since", "2001-01-02", "--until", "2001-01-01")

    assert (empty.code, wrong.code) == (0, 2)
    assert "orders 0" in empty.out
    assert "ends before it starts" in wrong.err


def test_dead_letters_are_checked_against_the_plan_as_it_is(project: CliProject) -> None:
    """Dead letters of a plan that demanded too much fail it still, and would pass the plan without the demand."""
    good = (project.place / EVENT).read_text(encoding="utf-8")
    assert "nothing ran yet" in project.run("validate", "--dlq").out
    demand(project)
    project.summary(code=1)
    letters = len(json.loads(project.run("dlq", "list", "--json", "--limit", "1000").out))
    state = project.state.read_bytes()

    still = project.run("validate", "--dlq", "--format", "json")
    (project.place / EVENT).write_text(good, encoding="utf-8")
    now = project.run("validate", "--dlq")

    assert letters > 0
    assert (still.code, now.code) == (1, 0), (still.out, now.out)
    (finding,) = still.json()["findings"]
    assert (finding["rule"], finding["count"]) == ("event/required", letters)
    assert finding["seen_at"].startswith("dead letter ")
    assert f"{letters:,} dead letters: {letters:,} would pass now, 0 would not" in now.out
    assert project.state.read_bytes() == state
