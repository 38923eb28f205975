"""`cdi status`: how far each pipeline is, from before its first run to after its last."""

from __future__ import annotations

import re
from pathlib import Path

import canary
from cli_project import CliProject

from cdi_cli.sandbox import Fault, SandboxThread


def settled(text: str, project: CliProject) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"plan \d+\.\d+\.\d+", "plan V", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "THEN", text)
    return text.replace(str(project.place), "PLACE")


def test_the_whole_life_of_a_job(tmp_path: Path) -> None:
    """Before the first run, stopped in the middle, done: the same few lines say where it stands."""
    with SandboxThread(canary.options()) as sandbox, CliProject(tmp_path, sandbox) as project:
        before = project.run("status")
        fault = sandbox.faults.add(Fault(kind="status", match="/segment/", skip=3, times=None, status=401))
        project.backfill()
        stopped = project.run("status")
        sandbox.faults.clear()
        project.backfill()
        done = project.run("status")

        assert fault.fired > 0
        assert (before.code, before.err) == (0, "")
        assert settled(before.out, project) == (
            "checkpoint: PLACE/.cdi/state.db (not made yet)\n"
            "main -> segment: no backfill yet (`cdi backfill --pipeline main --since ...`)\n"
            "dead letters: 0\n"
        )
        assert "main -> segment: backfill open, " in stopped.out
        assert re.search(r"last run +1: stopped \(exit 3\), started \S+, ended \S+\n", stopped.out)
        assert "go on     cdi backfill --pipeline main --resume\n" in stopped.out
        assert settled(done.out, project) == (
            "checkpoint: PLACE/.cdi/state.db\n"
            "main -> segment: backfill done, 3 of 3 partitions done\n"
            "  window    THEN .. THEN\n"
            "  pulled    carts 13, customers 25, orders 61\n"
            "  delivered 187 events under plan V\n"
            "  last run  2: done (exit 0), started THEN, ended THEN\n"
            "dead letters: 0\n"
        )


def test_as_json(tmp_path: Path) -> None:
    """`--json` holds the same as plain data, with stable keys."""
    with SandboxThread(canary.options(poison=2)) as sandbox, CliProject(tmp_path, sandbox) as project:
        project.summary(code=1)

        run = project.run("status", "--json")

        status = run.json()
        assert (run.code, run.err) == (0, "")
        assert list(status) == ["state", "dead_letters", "pipelines"]
        assert status["dead_letters"] == 2
        (row,) = status["pipelines"]
        assert (row["pipeline"], row["destination"]) == ("main", "segment")
        assert row["backfill"]["pulled"] == {"carts": 13, "customers": 25, "orders": 61}
        assert row["backfill"]["delivered"] == sandbox.segment.applied_count
        assert row["last_run"]["exit_code"] == 1
        assert {path.stat().st_mode & 0o777 for path in project.state.parent.iterdir()} == {0o600}


def test_every_pipeline_has_its_lines(tmp_path: Path) -> None:
    """Pipelines that never ran are listed beside those that did."""
    with SandboxThread(canary.options(orders=5)) as sandbox, CliProject(tmp_path, sandbox) as project:
        project.settings.write_text(project.settings.read_text() + "  other: {source: shop, destinations: [segment]}\n")
        project.run("backfill", "--pipeline", "main", "--since", "2020-01-01T00:00:00Z", "--rate", "100000")

        run = project.run("status")

        assert "main -> segment: backfill done, " in run.out
        assert "other -> segment: no backfill yet (`cdi backfill --pipeline other --since ...`)\n" in run.out
        ambiguous = project.run("backfill", "--since", "90d")
        assert ambiguous.code == 2
        assert "error: there are several pipelines: `main`, `other`\n" in ambiguous.err
