"""`cdi check` against real connectors and loopback servers: one line each, a fix where it fails, the right exit code."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from commercetools_stub import StubProject
from scripted_server import answer, scripted

from cdi_cli.checks import Check
from cdi_cli.cli.check import layout
from cdi_cli.errors import ExitCode
from cdi_cli.pipeline.check import Finding, exit_code
from cdi_cli.state import open_store

SECRET = "s3cret-value"
WRITE_KEY = "canary-write-key-4711"
STREAM_SECRETS = {"CT_SECRET": SECRET, "WRITE_KEY": WRITE_KEY}


@dataclass
class Place:
    """A project in a folder whose platforms listen on loopback."""

    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(STREAM_SECRETS))

    async def check(self, *arguments: str, columns: int = 80) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `cdi check`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cdi_cli", "check", *arguments),
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "COLUMNS": str(columns), **self.environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def place(folder: Path, shop: StubProject | None = None) -> AsyncIterator[Place]:
    """A folder with a `cdi.yaml` for a simulated shop and a simulated Segment."""
    async with scripted(shop or StubProject()) as source, scripted(answer(200, b'{"success":true}')) as sink:
        (folder / "cdi.yaml").write_text(
            f"""\
workspace: acme
sources:
  shop:
    type: commercetools
    project_key: shop
    api_url: {source.url}
    auth_url: {source.url}
    client_id: client
    client_secret: ${{CT_SECRET}}
destinations:
  segment: {{type: segment, endpoint: "{sink.url}", write_key: "${{WRITE_KEY}}"}}
pipelines:
  main: {{source: shop, destinations: [segment]}}
  again: {{source: shop, destinations: [segment]}}
"""
        )
        yield Place(folder)


def states(out: str) -> dict[str, str]:
    """State by name, from the lines of the output."""
    heads = [line for line in out.splitlines() if line.startswith(("ok  ", "FAIL"))]
    return {line[6:].split("  ")[0]: line[:4].strip() for line in heads}


async def test_all_is_well(tmp_path: Path) -> None:
    """Every part is tested and found ok; exit code 0, nothing on standard error, no checkpoint file made."""
    async with place(tmp_path) as project:
        code, out, err = await project.check("--pipeline", "main")

    assert (code, err) == (0, "")
    found = states(out)
    assert set(found.values()) == {"ok"}
    assert {"settings", "plan", "secret shop.client_secret", "secret segment.write_key", "checkpoint"} <= set(found)
    assert any(name.startswith("shop: ") for name in found)
    assert {"segment: endpoint", "segment: write key"} <= set(found)
    assert not (tmp_path / ".cdi").exists()


async def test_each_connector_is_asked_once(tmp_path: Path) -> None:
    """Two pipelines that share both sides test them once, and each plan by its pipeline."""
    async with place(tmp_path) as project:
        _, out, _ = await project.check()

    assert len([line for line in out.splitlines() if "segment: endpoint" in line]) == 1
    assert {"plan of main", "plan of again"} <= set(states(out))


async def test_a_wrong_secret_ends_with_3_and_is_not_shown(tmp_path: Path) -> None:
    """The source refuses the credentials: its line fails with a fix; the other parts are still tested."""
    async with place(tmp_path) as project:
        project.environment["CT_SECRET"] = "canary-wrong-secret-0815"
        code, out, err = await project.check("--pipeline", "main")

    assert code == ExitCode.STOPPED
    assert {name for name, state in states(out).items() if state == "FAIL"} == {"shop: credentials"}
    assert "      fix: " in out
    assert "canary" not in out + err


async def test_a_missing_secret_ends_with_2(tmp_path: Path) -> None:
    """A secret that is not set is named with what to do; its connector is not asked, the other one is."""
    async with place(tmp_path) as project:
        del project.environment["WRITE_KEY"]
        code, out, _ = await project.check("--pipeline", "main", columns=120)

    assert code == ExitCode.USAGE
    failed = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert failed == [
        "FAIL  secret segment.write_key          environment variable WRITE_KEY is not set",
        "FAIL  segment                           not tested: a secret is missing, see above",
    ]
    assert "      fix: export WRITE_KEY=..." in out.splitlines()
    assert states(out)["checkpoint"] == "ok"


async def test_a_plan_with_a_mistake_is_told_by_file_and_line(tmp_path: Path) -> None:
    """The plan's line names the file, the line and the mistake; exit code 2."""
    plan = tmp_path / "plan"
    (plan / "events").mkdir(parents=True)
    (plan / "plan.yaml").write_text("name: mine\nversion: 1.0.0\nownr: me\n")
    async with place(tmp_path) as project:
        settings = tmp_path / "cdi.yaml"
        settings.write_text(settings.read_text().replace("workspace: acme", "workspace: acme\nplan: plan"))
        code, out, _ = await project.check("--pipeline", "main", columns=200)

    assert code == ExitCode.USAGE
    (line,) = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert line.startswith("FAIL  plan ")
    assert "plan.yaml:3" in line


async def test_json_is_one_list(tmp_path: Path) -> None:
    """`--json` gives the same findings as data."""
    async with place(tmp_path) as project:
        del project.environment["WRITE_KEY"]
        code, out, _ = await project.check("--pipeline", "main", "--json")

    found = {each["name"]: each for each in json.loads(out)}
    assert code == ExitCode.USAGE
    assert found["settings"]["ok"] is True
    assert found["secret segment.write_key"] == {
        "name": "secret segment.write_key",
        "ok": False,
        "detail": "environment variable WRITE_KEY is not set",
        "fix": "export WRITE_KEY=...",
    }


async def test_a_run_that_is_going_on_is_no_fault(tmp_path: Path) -> None:
    """While another process holds the checkpoint file, that is told, and the check is still good."""
    async with place(tmp_path) as project:
        with open_store(tmp_path / ".cdi" / "state.db"):
            code, out, _ = await project.check("--pipeline", "main", columns=200)

    assert code == 0
    (line,) = [line for line in out.splitlines() if "checkpoint" in line]
    assert str(os.getpid()) in line


async def test_a_damaged_checkpoint_file_ends_with_3(tmp_path: Path) -> None:
    """A file that is no checkpoint is reported and left alone."""
    (tmp_path / ".cdi").mkdir(mode=0o700)
    file = tmp_path / ".cdi" / "state.db"
    file.write_bytes(b"not a database" * 100)
    async with place(tmp_path) as project:
        code, out, _ = await project.check("--pipeline", "main")

    assert code == ExitCode.STOPPED
    assert states(out)["checkpoint"] == "FAIL"
    assert file.read_bytes() == b"not a database" * 100


async def test_an_unknown_pipeline_ends_with_2(tmp_path: Path) -> None:
    """A misspelt name is told with the nearest one."""
    async with place(tmp_path) as project:
        code, out, err = await project.check("--pipeline", "mian")

    assert (code, out) == (2, "")
    assert err == "error: there is no pipeline `mian`\n  hint: did you mean `main`?\n"


LONG = [
    Finding(Check("settings", True, "cdi.yaml: 1 source")),
    Finding(Check("shop: scopes", False, " ".join(["view_orders is missing"] * 8), "add the scope " * 10)),
    Finding(Check("segment: write key", True, "present", "look in the debugger")),
    Finding(Check("shop: empty", True, "")),
]


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal(width: int) -> None:
    """At 80 and at 120 columns nothing is wider than the terminal, and continued lines stand below their detail."""
    lines = layout(LONG, width)

    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width - 25
    assert lines[0] == "ok    settings            cdi.yaml: 1 source"
    assert lines[1].startswith("FAIL  shop: scopes        view_orders is missing")
    assert lines[2].startswith(" " * 26)
    assert lines[2][26] != " "
    assert "      note: look in the debugger" in lines


def test_wrong_settings_come_before_trouble_of_the_other_side() -> None:
    """2 when anything of ours is wrong, else 3 when the other side is, else 0."""
    ours = Finding(Check("a", False, ""), ExitCode.USAGE)
    theirs = Finding(Check("b", False, ""), ExitCode.STOPPED)
    fine = Finding(Check("c", True, ""), ExitCode.STOPPED)

    assert [exit_code(each) for each in ([theirs, ours, fine], [theirs, fine], [fine], [])] == [2, 3, 0, 0]
