"""`cdi plan export` and `cdi plan import`, run as commands."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from plan_documents import DATA
from plan_tools import copy_default_plan, write_plan
from typer.testing import CliRunner, Result

from cdi_cli.cli.app import app
from cdi_cli.data import data_folder


def run(*arguments: str | Path) -> Result:
    """A command of the plan group."""
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No project and no plan in the working folder."""
    monkeypatch.chdir(tmp_path)


def test_the_document_goes_to_standard_output_alone() -> None:
    """JSON on standard output, what is lost on standard error, and 0 because no rule is lost."""
    result = run("export", "--to", "segment")

    assert result.exit_code == 0
    assert {rule["type"] for rule in json.loads(result.stdout)["rules"]} == {"TRACK", "IDENTIFY", "GROUP"}
    assert result.stderr.startswith("note: the plan says this too, for which `segment` has no place\n")
    assert "  PII classes (" in result.stderr


def test_lost_rules_end_with_1() -> None:
    """mParticle's attributes are flat: the warning names the places, and `--allow-losses` makes it 0."""
    result = run("export", "--to", "mparticle", "--out", "plan.json")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "warning: 4 rules of the plan cannot be said in `mparticle`\n" in result.stderr
    assert "objects, lists and other types (4): `identify company`, `Order Cancelled products`" in result.stderr
    assert json.loads(Path("plan.json").read_text(encoding="utf-8"))["data_plan_id"] == "commerce"
    assert run("export", "--to", "mparticle", "--out", "plan.json", "--allow-losses").exit_code == 0


@pytest.mark.parametrize(("to", "start"), [("json-schema", "{"), ("markdown", "# commerce "), ("html", "<!doctype html>")])
def test_other_formats_lose_nothing(to: str, start: str) -> None:
    """A dash is standard output; nothing is said on standard error."""
    result = run("export", "--to", to, "--out", "-")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(start)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A catalogue is made again and again: the file changes, its mode is an ordinary one, nothing is left beside it."""
    out = tmp_path / "docs" / "catalogue.html"
    run("export", "--to", "html", "--out", out)
    first = out.read_text(encoding="utf-8")
    plan = copy_default_plan(tmp_path)
    (plan / "plan.yaml").write_text('name: other\nversion: "1.0.0"\n', encoding="utf-8")

    result = run("export", "--to", "html", "--out", out, "--plan", plan)

    assert result.exit_code == 0
    assert out.read_text(encoding="utf-8") != first
    assert [path.name for path in out.parent.iterdir()] == ["catalogue.html"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~mask


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The error says what to name instead."""
    result = run("export", "--to", "html", "--out", tmp_path)

    assert result.exit_code == 2
    assert result.stderr == f"error: it is a folder, not a file\n  --> {tmp_path}\n  hint: name a file with `--out`\n"


def test_a_wrong_plan_ends_with_2(tmp_path: Path) -> None:
    """The mistakes of the plan are listed with their places."""
    plan = write_plan(tmp_path / "plan", {"events/a.yaml": "event: A\n"})

    result = run("export", "--to", "segment", "--plan", plan)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "error: `trigger` is missing\n" in result.stderr


def test_the_plan_of_the_project_is_exported(tmp_path: Path) -> None:
    """Without `--plan`, `cdi.yaml` says which."""
    plan = copy_default_plan(tmp_path)
    (plan / "plan.yaml").write_text('name: of the project\nversion: "1.0.0"\n', encoding="utf-8")
    settings = data_folder("examples") / "quickstart" / "cdi.yaml"
    lines = [line for line in settings.read_text(encoding="utf-8").splitlines() if not line.startswith("plan:")]
    (tmp_path / "cdi.yaml").write_text("\n".join([*lines, "plan: ./plan"]) + "\n", encoding="utf-8")

    result = run("export", "--to", "segment")

    assert json.loads(result.stdout)["name"] == "of the project"


def test_an_import_is_a_plan(tmp_path: Path) -> None:
    """A plan of Typewriter becomes a folder; standard output says what is in it."""
    result = run("import", DATA / "segment" / "typewriter.json", "--from", "segment", "--out", "plan")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "wrote plan: plan `Typewriter E2E` 1.0.0, 25 events, 0 of them made by cdi\n"
    assert (tmp_path / "plan" / "events" / "42_terrible_event_name_3.yaml").is_file()


def test_an_import_tells_its_losses_and_what_is_to_do() -> None:
    """Rules that got lost make it 1; an event without all its sources is named with what it lacks."""
    result = run("import", DATA / "mparticle" / "plan.json", "--from", "mparticle", "--out", "plan")

    assert result.exit_code == 1
    assert result.stderr.startswith("warning: 7 rules of the document cannot be said in a plan\n")
    assert (
        "note: `Order Completed` is not made by cdi yet: it lacks a `from:` for `products[].size`, `order_status`\n"
        in result.stderr
    )
    assert result.stdout == "wrote plan: plan `Shop plan` 3.0.0, 3 events, 1 of them made by cdi\n"


def test_an_import_overwrites_nothing(tmp_path: Path) -> None:
    """The second import into the same folder is refused before anything is read."""
    plan = copy_default_plan(tmp_path)

    result = run("import", "no-such-file.json", "--from", "segment", "--out", plan)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: the folder exists, and nothing is overwritten\n")


def test_out_and_in_again_is_the_same_plan() -> None:
    """Segment out, Segment in, Segment out: the same document."""
    run("export", "--to", "segment", "--out", "first.json")
    result = run("import", "first.json", "--from", "segment", "--out", "plan")
    run("export", "--to", "segment", "--plan", "plan", "--out", "second.json")

    assert result.stdout == "wrote plan: plan `commerce` 1.0.0, 9 events, 9 of them made by cdi\n"
    first, second = (json.loads(Path(name).read_text(encoding="utf-8")) for name in ("first.json", "second.json"))
    assert _by_key(second) == _by_key(first)


def _by_key(document: dict[str, list[dict[str, str]]]) -> dict[str | None, dict[str, str]]:
    return {rule.get("key"): rule for rule in document["rules"]}


def test_a_document_cannot_steer_the_terminal() -> None:
    """Control characters of a name are shown as such."""
    rule = {"type": "PAGE", "key": "\u001b[31mred", "version": 1, "jsonSchema": {}}
    good = {"type": "TRACK", "key": "A", "version": 1, "jsonSchema": {}}
    Path("evil.json").write_text(json.dumps({"rules": [rule, good]}), encoding="utf-8")

    result = run("import", "evil.json", "--from", "segment", "--out", "plan")

    assert "\u001b" not in result.output
    assert "\\x1b[31mred" in result.stderr
