"""`cdi demo`: the whole product in one command, twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


def demo(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a demo in `folder`."""
    run = subprocess.run(
        (sys.executable, "-m", "cdi_cli", "demo", *arguments),
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return run.returncode, run.stdout.decode(), run.stderr.decode()


def documents(out: str) -> list[dict[str, object]]:
    """The JSON documents that stand in an output, one after the other."""
    decoder, found = json.JSONDecoder(), []
    for start in (match.start() for match in re.finditer(r"^\{$", out, re.MULTILINE)):
        found.append(decoder.raw_decode(out, start)[0])
    return found


def test_twice(tmp_path: Path) -> None:
    """The first demo delivers, shows three events and tells what to try; the second sends nothing."""
    code, out, err = demo(tmp_path, "--orders", "300", "--folder", "my demo")

    assert code == 0, err
    assert "Backfill done: pipeline main -> segment, run 1\n" in out
    assert re.search(r"books close: [\d,]+ events = ", out)
    samples = documents(out)
    assert [one.get("event", one["type"]) for one in samples] == ["identify", "Order Completed", "Order Refunded"]
    applied = re.search(r"the simulated Segment applied ([\d,]+) messages, ([\d,]+) distinct ids\n", out)
    assert applied is not None
    assert applied[1] == applied[2] != "0"
    assert "completed orders less refunds, as it saw them: " in out
    assert f"checkpoint: {tmp_path / 'my demo' / '.cdi' / 'state.db'}\n" in err
    assert "try next:\n" in err
    assert "Traceback" not in err

    code, out, err = demo(tmp_path, "--orders", "300", "--folder", "my demo")

    assert code == 0, err
    assert "Backfill done: pipeline main -> segment, run 2\n" in out
    assert "the simulated Segment applied 0 messages, 0 distinct ids\n" in out
    assert "this demo ran before: what was delivered then was recognised and not sent again\n" in err
    assert sorted(path.name for path in (tmp_path / "my demo").iterdir()) == [".cdi", "cdi.yaml"]


@pytest.mark.parametrize(("source", "title"), [("magento", "Magento shop"), ("elasticpath", "Elastic Path store")])
def test_another_platform_twice(tmp_path: Path, source: str, title: str) -> None:
    """Its demo has a folder of its own, delivers, and sends nothing the second time."""
    code, out, err = demo(tmp_path, "--source", source, "--orders", "300")

    assert code == 0, err
    assert re.search(r"books close: [\d,]+ events = ", out)
    assert [one.get("event", one["type"]) for one in documents(out)] == ["identify", "Order Completed", "Order Refunded"]
    assert f"starting a simulated {title} (300 orders)" in err
    assert f"demo --source {source} " in err
    assert [path.name for path in tmp_path.iterdir()] == [f"demo-{source}"]

    code, out, err = demo(tmp_path, "--source", source, "--orders", "300")

    assert code == 0, err
    assert "the simulated Segment applied 0 messages, 0 distinct ids\n" in out


def test_afresh(tmp_path: Path) -> None:
    """`--fresh` forgets what an earlier demo delivered: everything is sent again."""
    first = demo(tmp_path, "--orders", "20")[1]
    again = demo(tmp_path, "--orders", "20", "--fresh")[1]

    def counted(out: str) -> str:
        return out.partition("the simulated Segment applied ")[2].partition(" ")[0]

    assert counted(first) == counted(again) != "0"


def test_the_project_it_made_is_a_project(tmp_path: Path) -> None:
    """Its folder can be looked at afterwards like any other."""
    demo(tmp_path, "--orders", "20")

    run = subprocess.run(
        (sys.executable, "-m", "cdi_cli", "status", "--config", "demo/cdi.yaml"),
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert b"main -> segment: backfill done, " in run.stdout


@pytest.mark.parametrize(
    "arguments", [["--orders", "0"], ["--folder", "/proc/nowhere"], ["--folder", "file"], ["--source", "segment"]]
)
def test_a_demo_that_cannot_be(tmp_path: Path, arguments: list[str]) -> None:
    """No orders, a folder that cannot be made, a platform that nothing is read from: exit code 2 and no traceback."""
    (tmp_path / "file").write_text("mine")

    code, out, err = demo(tmp_path, *arguments)

    assert (code, out) == (2, "")
    assert arguments[1] in err or "orders" in err
    assert "Traceback" not in err
    assert "this is a fault in cdi" not in err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("arguments", [[], ["--fresh"]])
def test_a_project_of_ones_own_is_left_alone(tmp_path: Path, arguments: list[str]) -> None:
    """In a folder with settings or a checkpoint that no demo made nothing is written, least of all anything deleted."""
    (tmp_path / "one" / ".cdi").mkdir(parents=True)
    (tmp_path / "one" / "cdi.yaml").write_text("workspace: mine\n")
    (tmp_path / "two" / ".cdi").mkdir(parents=True)
    for name in ("one", "two"):
        (tmp_path / name / ".cdi" / "state.db").write_text("what was delivered")

        code, out, err = demo(tmp_path, "--orders", "5", "--folder", name, *arguments)

        assert (code, out) == (2, "")
        assert err == f"error: {name} holds a project that no demo made\n  hint: name another folder with `--folder`\n"
        assert (tmp_path / name / ".cdi" / "state.db").read_text() == "what was delivered"
    assert (tmp_path / "one" / "cdi.yaml").read_text() == "workspace: mine\n"
    assert not (tmp_path / "two" / "cdi.yaml").exists()
