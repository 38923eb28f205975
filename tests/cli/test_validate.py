"""`cdi validate`: the plan, its mapping and the fixtures, and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lint_mistakes import PLANTED, planted
from plan_tools import copy_default_plan
from validate_tools import FORMATS, change, make_project, report, run

from cdi_cli.data import data_folder

# (file, what stands there, what is put there): mistakes that keep the plan from being loaded
MISTAKES = [
    ("plan.yaml", "owner: data team", "ownr: data team"),
    ("events/order_completed.yaml", "order.shipping,", "order.shiping,"),
    ("events/order_refunded.yaml", "refund.is_full", "refund.full"),
    ("definitions/address.yaml", "item.street", "item.stret"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and the working folder in it."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


def test_the_shipped_project_is_without_findings(project: Path) -> None:
    """The shipped plan with the shipped fixtures: exact output, nothing found, exit code 0, no secret needed."""
    result = run()

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["plan", "mapping", "fixtures"]
    assert lines[2] == "fixtures:  6 records made 16 events from 3 files"
    assert lines[3:] == ["", "no findings"]
    assert result.stderr == ""


def test_a_plan_alone_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings, `tracking_plan/` in the working folder is checked; without either, it says what to do."""
    monkeypatch.chdir(tmp_path)

    empty = run()
    shutil.copytree(data_folder("tracking_plan"), tmp_path / "tracking_plan")
    found = run()

    assert (empty.exit_code, found.exit_code) == (2, 0)
    assert "--plan" in empty.stderr


def test_mistakes_that_keep_a_plan_from_loading_are_findings(project: Path) -> None:
    """Each is a finding at its file and line, in every format; the exit code is 1, nobody has to read a traceback."""
    expected = []
    for file, old, new in MISTAKES:
        path = project / "tracking_plan" / file
        change(path, old, new)
        text = path.read_text(encoding="utf-8")
        expected.append((f"tracking_plan/{file}", text[: text.index(new)].count("\n") + 1))

    found = report()

    assert sorted((one["file"], one["line"]) for one in found["findings"]) == sorted(expected)
    assert all(one["rule"] == "plan/mistake" and one["fix"] for one in found["findings"])
    for form in FORMATS:
        result = run("--format", form)
        assert result.exit_code == 1
        assert all(file in result.stdout and str(line) in result.stdout for file, line in expected), form


def test_warnings_fail_only_when_asked_for(project: Path) -> None:
    """A plan with nothing but warnings ends with 0, and with 1 under `--fail-on warning`."""
    change(project / "tracking_plan" / "events" / "order_completed.yaml", ", description: How it was paid", "")

    assert run().exit_code == 0
    assert run("--fail-on", "warning").exit_code == 1
    assert report()["ok"] is True
    assert report("--fail-on", "warning")["ok"] is False


def test_what_can_happen_and_is_not_planned_is_told(project: Path) -> None:
    """A kind without an event is a warning that names the trigger; turned off in the settings, it is none."""
    (project / "tracking_plan" / "events" / "order_refunded.yaml").unlink()

    (finding,) = [one for one in report()["findings"] if one["rule"] == "mapping/unplanned-kind"]

    assert "`order.refunded`" in finding["message"]
    assert "off: [order.refunded]" in finding["fix"]
    off = "    lifecycle: {off: [order.refunded]}"
    change(project / "cdi.yaml", "    destinations: [segment]", f"    destinations: [segment]\n{off}")
    assert [one for one in report()["findings"] if one["rule"].startswith("mapping/")] == []


def test_an_event_that_nothing_can_trigger_is_told(project: Path) -> None:
    """An event whose stream no pipeline reads is a warning at the event."""
    change(project / "cdi.yaml", "    destinations: [segment]", "    destinations: [segment]\n    streams: [orders]")

    found = {(one["rule"], one["event"], one["file"]) for one in report()["findings"] if one["severity"] == "warning"}

    assert ("mapping/unreachable", "Checkout Started", "tracking_plan/events/checkout_started.yaml") in found
    assert "Product Updated" not in {event for _, event, _ in found}  # the catalogue is read only where it is asked for
    assert not any(event == "Order Completed" for _, event, _ in found)


def test_a_changed_mapping_shows_as_a_difference(project: Path) -> None:
    """A fixture whose events are other than expected shows what is other, and personal data by its class only."""
    change(project / "tracking_plan" / "events" / "checkout_started.yaml", "from: cart.total", "from: cart.revenue")
    change(project / "tracking_plan" / "events" / "signed_up.yaml", "from: customer.first_name", "from: customer.last_name")

    result = run()
    found = {one["file"]: one for one in report()["findings"]}

    assert result.exit_code == 1
    cart = found["fixtures/carts.jsonl"]
    assert (cart["rule"], cart["line"]) == ("fixture/differs", 1)
    assert cart["details"][0] == "Checkout Started (1 of 1)"
    assert [line[:20] for line in cart["details"][1:]] == ["- properties.value: ", "+ properties.value: "]
    assert "- properties.first_name: <contact: text of" in "\n".join(found["fixtures/customers.jsonl"]["details"])


def test_update_accepts_what_comes(project: Path) -> None:
    """`--update` rewrites only the lines that differ, and then nothing is found."""
    orders = (project / "fixtures" / "orders.jsonl").read_bytes()
    change(project / "tracking_plan" / "events" / "checkout_started.yaml", "from: cart.total", "from: cart.revenue")

    updated = run("--update")

    assert "1 line rewritten" in updated.stdout
    assert run().exit_code == 0
    assert (project / "fixtures" / "orders.jsonl").read_bytes() == orders
    assert sorted(path.name for path in (project / "fixtures").iterdir()) == [
        "carts.jsonl",
        "customers.jsonl",
        "orders.jsonl",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "the line is no fixture"),
        ('{"source": "commercetools", "stream": "orders"}', "the line is no fixture"),
        ('{"source": "commercetool", "stream": "orders", "record": {}}', "no source `commercetool`"),
        ('{"source": "commercetools", "stream": "order", "record": {}}', "no stream `order`"),
        ('{"source": "commercetools", "stream": "orders", "record": {}, "expect": []}', "unknown key `expect`"),
        ('{"source": "commercetools", "stream": "orders", "record": {}, "expected": {}}', "`expected` must be"),
        ('{"source": "commercetools", "stream": "orders", "record": {}, "pipeline": "x"}', "no pipeline `x`"),
        ('{"source": "commercetools", "stream": "orders", "record": {}}', "cannot be read"),
        ('{"source": 1, "stream": "orders", "record": {}}', "must be text"),
    ],
)
def test_a_bad_fixture_is_a_finding(project: Path, line: str, words: str) -> None:
    """A line that is no fixture, or names what does not exist, is told at its place and stops nothing."""
    (project / "fixtures" / "z.jsonl").write_text(f"\n{line}\n", encoding="utf-8")

    found = report()["findings"]

    assert [words in one["message"] for one in found] == [True], found
    place = found[0]["seen_at"] or f"{found[0]['file']}:{found[0]['line']}"
    assert place.endswith("z.jsonl:2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing.jsonl",), "cannot be read"),
        (("fixtures",), "cannot be read"),
        (("a.jsonl", "--dlq"), "exclude each other"),
        (("--update", "--dlq"), "goes with nothing else"),
        (("--for", "mparticel"), "did you mean `mparticle`"),
        (("--source", "shopp"), "did you mean `shop`"),
        (("--pipeline", "mian"), "did you mean `main`"),
    ],
)
def test_what_cannot_be_checked_ends_with_2(project: Path, arguments: tuple[str, ...], words: str) -> None:
    """A file that is not there or options that do not fit end with 2 and a hint, and print no report."""
    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_another_plan_can_be_named(project: Path, tmp_path: Path) -> None:
    """`--plan` stands for the project's own plan."""
    other = copy_default_plan(tmp_path / "other")
    change(other / "plan.yaml", "owner: data team", "ownr: data team")

    assert run("--plan", str(other)).exit_code == 1
    assert run().exit_code == 0


def test_the_limits_of_another_destination_can_be_minded(project: Path) -> None:
    """`--for insider` minds Insider's 80 event parameters, which the project's own destination does not have."""
    event = project / "tracking_plan" / "events" / "signed_up.yaml"
    more = "".join(f"  p{number}: {{type: string, from: customer.id, pii: none, description: P}}\n" for number in range(80))
    event.write_text(event.read_text(encoding="utf-8").rstrip("\n") + f"\n{more}", encoding="utf-8")
    shutil.rmtree(project / "fixtures")

    assert report()["errors"] == 0
    assert [one["rule"] for one in report("--for", "insider")["findings"]] == ["plan/property-count"]


def test_twenty_planted_mistakes_are_twenty_findings(project: Path) -> None:
    """Twenty contradictions and omissions planted in the plan: as many findings, at their files and lines, and no other."""
    shutil.rmtree(project / "tracking_plan")
    shutil.rmtree(project / "fixtures")
    plan, expected = planted(project)
    plan.rename(project / "tracking_plan")

    found = report()["findings"]

    places = [(Path(file).relative_to(plan).as_posix(), line, rule) for file, line, rule, _ in expected]
    assert len(PLANTED) == len(found) == 20
    assert sorted((one["file"].removeprefix("tracking_plan/"), one["line"], one["rule"]) for one in found) == sorted(places)


def test_what_a_destination_would_refuse_is_told(project: Path) -> None:
    """An order so large that Segment would drop its event is an error at the event, with the destination's reason."""
    line = json.loads((project / "fixtures" / "orders.jsonl").read_text(encoding="utf-8").splitlines()[1])
    items = line["record"]["lineItems"]
    line["record"]["lineItems"] = [{**items[0], "id": f"line-{number}"} for number in range(400)]
    (project / "fixtures" / "large.jsonl").write_text(json.dumps({**line, "expected": None}) + "\n", encoding="utf-8")

    found: list[dict[str, Any]] = [one for one in report()["findings"] if one["event"] == "Order Completed"]

    assert [one["rule"] for one in found] == ["destination/segment_event_too_large"]
    assert found[0]["file"] == "tracking_plan/events/order_completed.yaml"
    assert "large.jsonl:1 (" in found[0]["seen_at"]


def test_the_shipped_fixtures_stand_in_for_missing_ones(project: Path) -> None:
    """A project with the built-in plan and no fixtures is tried on the records that ship with cdi."""
    shutil.rmtree(project / "fixtures")
    change(project / "cdi.yaml", "plan: ./tracking_plan\n", "")

    result = run()

    assert result.exit_code == 0
    assert "6 records made 16 events, those that ship with cdi" in result.stdout


def test_a_pipeline_can_be_chosen(project: Path) -> None:
    """Each pipeline's fixtures are mapped as it says: the one that is named, else the first that reads the source."""
    settings = project / "cdi.yaml"
    more = "  late:\n    source: shop\n    destinations: [segment]\n    lifecycle: {order_completed: fulfilled}\n"
    change(settings, "plan: ./tracking_plan\n", "")
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f"plan: ./tracking_plan\n{text}{more}", encoding="utf-8")

    first, late = run(), run("--pipeline", "late")

    assert (first.exit_code, late.exit_code) == (0, 1)
    assert "- the event `Order Completed`" in late.stdout or '- event: "Order Completed"' in late.stdout
