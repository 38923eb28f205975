"""`cdi template`: an event tried on a record, a mapping written as a template; and what other commands say of scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import canary
import pytest
from cli_project import CliProject
from plan_tools import copy_default_plan
from typer.testing import CliRunner, Result
from validate_tools import change, make_project, report

from cdi_cli.cli.app import app
from cdi_cli.data import data_folder
from cdi_cli.plan import load_plan
from cdi_cli.sandbox import SandboxThread

ORDERS = {name: data_folder("examples") / folder / "fixtures" / "orders.jsonl" for name, folder in (
    ("commercetools", "quickstart"), ("magento", "magento")
)}  # fmt: skip
TEMPLATE = "order_completed.jsonata"


def run(*arguments: str | Path) -> Result:
    """`cdi` with these arguments, in the test's process."""
    return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="cdi")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a plan of its own, and the working folder in it."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A file with one order as commercetools sends it."""
    file = tmp_path / "order.json"
    fixture = json.loads(ORDERS["commercetools"].read_text(encoding="utf-8").splitlines()[0])
    file.write_text(json.dumps(fixture["record"]), encoding="utf-8")
    return file


def tried(*arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """The only try of `cdi template test --json`."""
    result = run("template", "test", *arguments, "--json")
    assert result.exit_code == code, result.output
    (one,) = json.loads(result.stdout)
    found: dict[str, Any] = one
    return found


def test_eject_write_and_test(project: Path, record: Path) -> None:
    """The template is printed, written, named by the event, used; each property is made by its line; all else stays."""
    before = tried("order_completed", "--record", record)
    printed = run("template", "eject", "Order Completed")
    written = run("template", "eject", "order_completed", "--write")

    file = project / "tracking_plan" / "templates" / TEMPLATE
    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert file.read_text(encoding="utf-8") == printed.stdout
    assert written.stderr.splitlines() == [
        f"wrote tracking_plan/templates/{TEMPLATE}",
        "wrote tracking_plan/events/order_completed.yaml",
    ]
    text = (project / "tracking_plan" / "events" / "order_completed.yaml").read_text(encoding="utf-8")
    assert (
        text.replace(f"template: {TEMPLATE}\n", "")
        == (data_folder("tracking_plan") / "events/order_completed.yaml").read_text()
    )

    after = tried("order_completed", "--record", record)

    assert (after["output"], after["violations"]) == (before["output"], [])
    assert (before["template"], after["template"]) == (None, TEMPLATE)
    lines = file.read_text(encoding="utf-8").splitlines()
    for made in after["lineage"]:
        name = made["property"].rpartition(".")[2]
        source, _, number = made["from"].rpartition(":")
        assert source == f"template {TEMPLATE}"
        assert lines[int(number) - 1].lstrip().startswith(f'"{name}":')
    assert {"property": "total", "from": "order.total"} in before["lineage"]


@pytest.mark.parametrize("name", ORDERS)
def test_no_project_is_needed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a type of source, or a line of fixtures that names one, a plan folder is enough, or none at all."""
    monkeypatch.chdir(tmp_path)
    line = ORDERS[name].read_text(encoding="utf-8").splitlines()[0]
    fixture = tmp_path / "line.json"
    fixture.write_text(line, encoding="utf-8")
    bare = tmp_path / "record.json"
    bare.write_text(json.dumps(json.loads(line)["record"]), encoding="utf-8")

    by_line = tried("order_completed", "--record", fixture)
    by_type = tried("order_completed", "--record", bare, "--source", name, "--plan", copy_default_plan(tmp_path))

    assert by_line["output"]["currency"] == by_type["output"]["currency"]
    assert run("template", "test", "order_completed", "--record", bare).exit_code == 2


def test_the_text_shows_input_output_lineage_and_violations(project: Path, record: Path) -> None:
    """What was read, what came of it and of which line, what breaks the plan; exit code 1 for that."""
    run("template", "eject", "order_completed", "--write")
    change(project / "tracking_plan" / "templates" / TEMPLATE, '"total": order.total,', '"total": order.number,')

    result = run("template", "test", "order_completed", "--record", record)

    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Order Completed  order.completed, ")
    assert lines[0].endswith(f"template {TEMPLATE}")
    assert lines[1:6] == ["", "input", "  {", '    "order": {', lines[5]]
    assert any('"total": {"amount": ' in line for line in lines)
    assert any(line.startswith("  revenue ") and line.endswith(f"<- template {TEMPLATE}:8") for line in lines)
    assert lines[-2:] == ["violations", "  `total` must be a number, found text (rule: type)"]


def test_nobodys_data_is_shown_unasked(project: Path) -> None:
    """Input and output show personal data by its kind only, unless asked for it, wherever a template puts it."""
    line = (project / "fixtures" / "customers.jsonl").read_text(encoding="utf-8").splitlines()[0]
    email = json.loads(line)["record"]["email"]
    record = project / "customer.json"
    record.write_text(line, encoding="utf-8")
    run("template", "eject", "identify", "--write")
    file = project / "tracking_plan" / "templates" / "identify.jsonata"
    change(file, '"title": customer.title,', '"title": record.email, "store": "at " & customer.email,')
    change(file, '"store": customer.store', '"other": 1')

    for options in ((), ("--json",)):
        hidden = run("template", "test", "identify", "--record", record, *options)
        shown = run("template", "test", "identify", "--record", record, *options, "--show-data")

        assert hidden.exit_code == 1, hidden.output
        assert email not in hidden.stdout
        assert email in shown.stdout
        assert "<contact: text of" in hidden.stdout


def test_a_failing_template_is_told_with_its_place(project: Path, record: Path) -> None:
    """The place is file, line and column, in the text and in the JSON, and exit code 1."""
    run("template", "eject", "order_completed", "--write")
    file = project / "tracking_plan" / "templates" / TEMPLATE
    change(file, '"tax": order.tax,', '"tax": $number(order.state),')

    found = tried("order_completed", "--record", record, code=1)
    text = run("template", "test", "order_completed", "--record", record)

    assert found["output"] is None
    assert found["error"] == {
        "reason": "template_failed",
        "message": "a value cannot be turned into a number",
        "file": str(file),
        "line": 10,
        "column": 10,
    }
    assert (text.exit_code, f"template {TEMPLATE}:10:10: a value cannot be turned into a number" in text.stdout) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("test", "order_complete", "--record", "order.json"), "did you mean `Order Completed`?"),
        (("test", "identify", "--record", "line.json", "--source", "shop"), "the record makes no `identify`"),
        (("test", "order_completed", "--record", "nothing.json"), "cannot be read"),
        (("test", "order_completed", "--record", "order.json", "--source", "shoop"), "there is no source `shoop`"),
        (("eject", "Order Complete"), "the plan makes no event `Order Complete`"),
        (("eject", "order_completed", "--write", "--plan", str(data_folder("tracking_plan"))), "is not changed"),
    ],
)
def test_what_cannot_be_tried_is_a_usage_error(
    project: Path, record: Path, arguments: tuple[str, ...], message: str
) -> None:
    """A name that is none, a record that makes no such event, the shipped plan: exit code 2, and what to do."""
    line = ORDERS["commercetools"].read_text(encoding="utf-8").splitlines()[0]
    (project / "line.json").write_text(line, encoding="utf-8")
    result = run("template", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "hint: " in result.stderr


def test_nothing_is_overwritten(project: Path) -> None:
    """A second ejection, a file that is there, an event on one line: refused, and the plan stays as it was."""
    assert run("template", "eject", "order_completed", "--write").exit_code == 0
    before = {path: path.read_bytes() for path in (project / "tracking_plan").rglob("*") if path.is_file()}
    (project / "tracking_plan" / "templates" / "identify.jsonata").write_text("1")
    flow = project / "tracking_plan" / "events" / "flow.yaml"
    flow.write_text("{event: Flow Tested, trigger: order.completed, properties: {a: {type: string, from: order.id}}}\n")

    found = [run("template", "eject", name, "--write") for name in ("order_completed", "identify", "flow")]

    assert [result.exit_code for result in found] == [2, 2, 2]
    assert "has a template already" in found[0].stderr
    assert "nothing is overwritten" in found[1].stderr
    assert "no line can be added" in found[2].stderr
    assert {path: path.read_bytes() for path in before} == before


def test_validate_checks_scripts_and_maps_fixtures_by_them(project: Path) -> None:
    """Scripts are counted; what one does to the events of fixtures, or fails to, is a finding at its line."""
    run("template", "eject", "order_completed", "--write")
    file = project / "tracking_plan" / "templates" / TEMPLATE
    good = report()
    change(file, '"coupon": $join', '"coupon": "X" & $join')
    other = report()
    change(file, '"coupon": "X" & $join', '"coupon": 1 + $join')
    change(file, 'order.coupons, ", ")', 'order.coupons, ", ") & order.id')
    failing = report()
    change(file, '"coupon": 1 + ', '"coupon": $now() + ')
    refused = report()

    assert "1 template, 0 expressions" in json.dumps(good["steps"])
    assert good["findings"] == []
    assert {each["rule"] for each in other["findings"]} == {"fixture/differs"}
    assert ("mapping/template_failed", str(file), 12) in {
        (each["rule"], str(Path(each["file"]).resolve()), each["line"]) for each in failing["findings"]
    }
    assert [(each["message"], each["line"], each["column"]) for each in refused["findings"]] == [
        ("`$now` is not allowed in a plan", 12, 13)
    ]


def test_a_template_that_fails_fills_the_dead_letters_and_empties_them(tmp_path: Path) -> None:
    """The other events go on; the letter names stage, template, line and column, and no value; mended, a replay sends it."""
    with (
        SandboxThread(canary.options(orders=15)) as sandbox,
        CliProject(tmp_path, sandbox, top="plan: plan", pipeline="breaker: {rejected_share_max: 1}") as made,
    ):
        copy_default_plan(made.place)
        assert made.run("template", "eject", "order_completed", "--write").code == 0
        file = made.place / "plan" / "templates" / TEMPLATE
        change(file, '"tax": order.tax,', '"tax": $number(order.email),')

        first = made.summary(code=1)
        letters = made.run("dlq", "list", "--reason", "template_failed", "--json").json()
        again = made.run("sync", "--json")
        explained = made.run("dlq", "explain", str(letters[0]["id"])).out
        counts = {each["stage"] for each in letters}
        change(file, '"tax": $number(order.email),', '"tax": order.tax,')
        recheck = made.run("dlq", "recheck", "--reason", "template_failed")
        replay = made.run("dlq", "replay", "--reason", "template_failed")

        assert first["streams"]["orders"]["rejected"] >= len(letters) > 10
        assert counts == {"map"}
        assert letters[0]["detail"] == f"template {TEMPLATE}:10:10: a value cannot be turned into a number"
        assert "failed:  at the mapping: a JSONata script of the tracking plan (template_failed)" in explained
        assert again.json()["books"]["close"]
        assert (recheck.code, replay.code) == (0, 0), replay.err
        sent = {each["messageId"] for each in sandbox.segment.applied if each.get("event") == "Order Completed"}
        assert {each["event_id"] for each in letters} <= sent
        assert made.run("dlq", "list", "--reason", "template_failed", "--json").json() == []


def test_a_preview_names_the_line_that_makes_a_value(tmp_path: Path) -> None:
    """`cdi preview` leads from a field of the request to the template's line, or to the expression's."""
    with SandboxThread(canary.options(orders=60)) as sandbox, CliProject(tmp_path, sandbox, top="plan: plan") as made:
        copy_default_plan(made.place)
        made.run("template", "eject", "order_completed", "--write")
        event = made.place / "plan" / "events" / "order_cancelled.yaml"
        change(event, "from: order.currency", 'jsonata: "$uppercase(order.currency)"')
        number = event.read_text(encoding="utf-8").partition("$uppercase")[0].count("\n") + 1
        order = next(each for each in sandbox.shop.documents("orders") if each["orderState"] == "Cancelled")

        (seen,) = made.run("preview", "order", order["id"], "--json").json()

        fields = {
            (each["event"], field["path"].rpartition(".")[2]): field["made_of"][0]["from"]
            for each in seen["events"]
            for request in each["requests"]
            for field in request["fields"]
            if len(field["made_of"]) == 1
        }
        assert fields["Order Completed", "total"] == f"template {TEMPLATE}:7"
        assert fields["Order Cancelled", "currency"] == f"expression order_cancelled.yaml:{number}"


def test_the_ejected_plan_loads_with_every_event_a_template(project: Path) -> None:
    """All events of the plan can be ejected, one after the other."""
    for event in load_plan().events:
        assert run("template", "eject", event.name, "--write").exit_code == 0

    assert all(event.template is not None for event in load_plan(project / "tracking_plan").events)
    assert report()["findings"] == []
