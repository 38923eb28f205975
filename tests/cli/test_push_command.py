"""`cdi push` as people and scripts run it: into the simulated Segment and into files, from files and from a pipe."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import CliProject, wait_until
from file_tools import ids, messages
from push_tools import AT, page, storefront_plan, viewed, write

from cdi_cli.sandbox import SandboxThread

OUT = "out: {type: file, folder: out, format: jsonl.gz}"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CliProject]:
    """A project with the storefront's plan; the secrets of its source are nowhere."""
    options = canary.options(orders=5)
    with (
        SandboxThread(options) as sandbox,
        CliProject(tmp_path, sandbox, top="plan: plan", destination="batch_events: 20") as made,
    ):
        plan = storefront_plan(made.place)
        viewed_file = plan / "events" / "product_viewed.yaml"
        viewed_file.write_text(
            "".join(
                line
                for line in viewed_file.read_text(encoding="utf-8").splitlines(keepends=True)
                if not line.startswith(("destinations:", "  target:", "  nowhere:"))
            ),
            encoding="utf-8",
        )
        made.environment = {name: value for name, value in made.environment.items() if "SECRET" not in name}
        yield made


def into_files(project: CliProject) -> None:
    """Send to a folder, too."""
    text = project.settings.read_text(encoding="utf-8")
    text = text.replace("destinations:\n", f"destinations:\n  {OUT}\n", 1).replace("[segment]", "[segment, out]")
    assert text.count("out") >= 3
    project.settings.write_text(text, encoding="utf-8")


def sent(project: CliProject) -> list[str]:
    """What Segment took."""
    return [message["messageId"] for message in project.sandbox.segment.applied]


def test_a_file_into_segment(project: CliProject) -> None:
    """Without the source's secret; twice, which sends nothing twice; the books and the exit code say so."""
    write(project.place / "events.jsonl", [*(page(number) for number in range(30)), viewed(1)])

    first = project.run("push", "events.jsonl")
    again = project.run("push", "events.jsonl", "--json")

    assert first.code == again.code == 0, first.err
    assert "Push done: events.jsonl into main -> segment, run 1" in first.out
    assert "delivered: page 30, Product Viewed 1" in first.out
    assert "books close: 31 events = 31 delivered" in first.out
    summary = again.json()
    assert (summary["kind"], summary["status"], summary["file"]) == ("push", "done", "events.jsonl")
    assert summary["streams"]["push"]["duplicate"] == 31
    assert len(sent(project)) == len(set(sent(project))) == 31
    assert project.sandbox.segment.duplicates == []
    names = {message.get("name") for message in project.sandbox.segment.applied if message["type"] == "page"}
    assert names == {"Home"}


def test_history_unless_it_is_news(project: CliProject) -> None:
    """By default other tools behind Segment are left out, as in a backfill; `--live` lets them act."""
    write(project.place / "old.jsonl", [page(1)])
    write(project.place / "new.jsonl", [page(2)])

    assert project.run("push", "old.jsonl").code == 0
    assert project.run("push", "new.jsonl", "--live").code == 0

    old, new = project.sandbox.segment.applied
    assert old["integrations"] == {"All": False}
    assert new.get("integrations") is None


def test_bad_lines_end_with_1(project: CliProject) -> None:
    """They lie in the dead letters with their lines, and how to see them is told."""
    write(project.place / "events.jsonl", [page(1), "{bad", page(2, timestamp=None)])

    run = project.run("push", "events.jsonl")

    assert run.code == 1
    assert "2 dead letters: see `" in run.err
    letters = project.run("dlq", "list", "--stream", "push", "--json").json()
    assert sorted(letter["detail"].partition(":")[0] for letter in letters) == ["line 2", "line 3"]
    assert project.run("dlq", "explain", str(letters[0]["id"])).code == 0
    assert project.run("push", "events.jsonl", "--now").code == 1
    assert sent(project) == ["page-1", "page-2"]
    assert len(project.run("dlq", "list", "--stream", "push", "--json").json()) == 1


@pytest.mark.parametrize("is_gzip", [False, True])
def test_standard_input(project: CliProject, is_gzip: bool) -> None:
    """The same bytes by file afterwards are the same events; nothing of them stays behind."""
    file = write(project.place / ("events.jsonl.gz" if is_gzip else "events.jsonl"), [page(number) for number in range(3)])
    before = project.files()
    with file.open("rb") as stream:
        run = project.run("push", "-", stdin=stream)

    assert run.code == 0, run.err
    assert "Push done: standard input into main -> segment" in run.out
    assert project.files() - before <= {".cdi/state.db", ".cdi/state.db.lock", ".cdi/.gitignore"}
    assert project.run("push", file.name, "--json").json()["streams"]["push"]["duplicate"] == 3


def test_a_dry_run_sends_and_remembers_nothing(project: CliProject) -> None:
    """And says what would be sent."""
    into_files(project)
    write(project.place / "events.jsonl", [page(1), "{bad"])
    before = project.files()

    run = project.run("push", "events.jsonl", "--dry-run")

    assert run.code == 1
    assert "Dry run done: events.jsonl into main -> segment" in run.out
    assert "would be delivered: page 1" in run.out
    assert sent(project) == []
    assert project.files() == before


def test_a_limit_and_the_way_on(project: CliProject) -> None:
    """The command that goes on is told, and goes on."""
    write(project.place / "my events.jsonl", [page(number) for number in range(30)])

    first = project.run("push", "my events.jsonl", "--limit", "10", "--live")
    assert first.code == 0
    assert "push 'my events.jsonl' --pipeline main --live" in first.err
    again = project.run("push", "my events.jsonl", "--limit", "10", "--live", "--destination", "segment")
    assert "push 'my events.jsonl' --pipeline main --destination segment --live" in again.err
    second = project.run("push", "my events.jsonl", "--live")

    assert second.code == 0
    assert "resuming my events.jsonl" in second.err
    assert sent(project) == [f"page-{number}" for number in range(30)]


def test_an_archive_goes_on_to_segment(project: CliProject) -> None:
    """What the file destination wrote is what `cdi push` sends: same ids, names, people and properties."""
    into_files(project)
    rows: list[dict[str, Any]] = [page(1, userId="u"), viewed(2), page(3, name=None)]
    write(project.place / "events.jsonl", rows)
    assert project.run("push", "events.jsonl", "--destination", "out").code == 0
    (archive,) = (project.place / "out").glob("*.jsonl.gz")

    run = project.run("push", str(archive.relative_to(project.place)), "--destination", "segment")

    assert run.code == 0, run.err
    assert ids(project.place / "out") == sent(project) == ["page-1", "view-2", "page-3"]
    for archived, message in zip(messages(project.place / "out"), project.sandbox.segment.applied, strict=True):
        assert archived["timestamp"] == AT  # Segment moves it by what the clocks differ
        for key in ("type", "messageId", "userId", "anonymousId", "event", "name", "properties"):
            assert archived.get(key) == message.get(key), key


def test_several_files_and_destinations(project: CliProject) -> None:
    """Each file goes to each destination; a report for each, as a list."""
    into_files(project)
    write(project.place / "a.jsonl", [page(1)])
    write(project.place / "b.jsonl.gz", [page(2)])

    reports = project.run("push", "a.jsonl", "b.jsonl.gz", "--json").json()

    assert [(report["file"], report["destination"]) for report in reports] == [
        ("a.jsonl", "segment"),
        ("a.jsonl", "out"),
        ("b.jsonl.gz", "segment"),
        ("b.jsonl.gz", "out"),
    ]
    assert sent(project) == sorted(ids(project.place / "out")) == ["page-1", "page-2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jsonl"], "`missing.jsonl` cannot be read"),
        (["."], "cannot be read"),
        (["cdi.yaml", "--destination", "sgment"], "has no destination `sgment`"),
        (["cdi.yaml", "--wait", "soon"], "soon"),
    ],
)
def test_wrong_use_ends_with_2(project: CliProject, arguments: list[str], message: str) -> None:
    """Nothing is begun."""
    run = project.run("push", *arguments)

    assert (run.code, run.out) == (2, "")
    assert message in run.err
    assert sent(project) == []


def test_runs_and_metrics_know_pushes(project: CliProject) -> None:
    """As a kind of their own."""
    project.top = "plan: plan\nmetrics_file: cdi.prom"
    project.write_settings()
    write(project.place / "events.jsonl", [page(1)])
    assert project.run("push", "events.jsonl").code == 0

    (row,) = project.run("runs", "--kind", "push", "--json").json()

    assert (row["kind"], row["delivered"], row["verdict"]) == ("push", 1, "ok")
    assert 'kind="push"' in (project.place / "cdi.prom").read_text(encoding="utf-8")


def test_ctrl_c_and_the_same_command_again(project: CliProject) -> None:
    """130 in order; the next run sends the rest, and nothing twice."""
    write(project.place / "events.jsonl", [page(number) for number in range(4_000)])
    process = project.start("push", "events.jsonl", "--rate", "1000", stderr=subprocess.DEVNULL)
    wait_until(lambda: len(sent(project)) > 100, "the first events")
    process.send_signal(signal.SIGINT)
    assert project.finish(process).code == 130
    before = len(sent(project))
    assert 0 < before < 4_000

    run = project.run("push", "events.jsonl", "--rate", "100000", "--json")

    assert run.code == 0, run.err
    assert run.json()["is_resumed"] is True
    assert len(sent(project)) == len(set(sent(project))) == 4_000
    assert project.sandbox.segment.duplicates == []


def test_a_killed_push_repeats_at_most_what_was_in_flight(project: CliProject) -> None:
    """`kill -9` in the middle: nothing is lost; Segment recognises the few that come again."""
    write(project.place / "events.jsonl.gz", [page(number) for number in range(4_000)])
    process = project.start("push", "events.jsonl.gz", "--rate", "1500")
    wait_until(lambda: len(sent(project)) > 300, "the first events")
    process.kill()
    project.finish(process)

    run = project.run("push", "events.jsonl.gz", "--rate", "100000", "--json")

    assert run.code == 0, run.err
    assert set(sent(project)) == {f"page-{number}" for number in range(4_000)}
    assert len(project.sandbox.segment.duplicates) <= 4 * 20
    assert json.loads(run.out)["books"]["close"] is True
