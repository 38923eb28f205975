"""`cdi validate` of files of events: what is read, what is found, and how every format writes it."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from validate_tools import ORDER, change, events, make_project, order, report, run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and the working folder in it."""
    monkeypatch.chdir(tmp_path)
    return make_project(tmp_path)


def test_events_are_checked_by_name(project: Path) -> None:
    """Equal violations are one finding with a count, the first place, the plan's line and a redacted sample."""
    path = events(
        project,
        order(),
        order(currency="euro"),
        order(currency="dollar"),
        order(total=None),
        order(checkout_id=7),
        order(surprise="jo@example.com"),
    )

    result = run(str(path))
    found = {(one["rule"], one["path"]): one for one in report(str(path))["findings"]}

    assert result.exit_code == 1
    assert "6 messages" in result.stdout
    assert "1 without a finding" in result.stdout
    pattern = found["event/pattern", "currency"]
    assert (pattern["count"], pattern["sample"]) == (2, '"euro"')
    assert pattern["seen_at"].endswith("events.jsonl:2")
    assert pattern["file"] == "tracking_plan/events/order_completed.yaml"
    lines = (project / pattern["file"]).read_text(encoding="utf-8").splitlines()
    assert lines[pattern["line"] - 1].strip().startswith("currency:")
    assert found["event/required", "total"]["count"] == 1
    assert found["event/type", "checkout_id"]["sample"] == "<identifier: a number>"
    assert "jo@example.com" not in result.stdout
    assert found["event/additionalProperties", "surprise"]["sample"] == "<unclassified: text of 14>"


def test_policies_decide_how_severe_a_violation_is(project: Path) -> None:
    """What the plan strips or warns about is a warning; what it blocks is an error."""
    path = events(
        project, {"type": "identify", "userId": "u", "traits": {"createdAt": "2026-01-01T00:00:00Z", "email": "no"}}
    )

    (finding,) = report(str(path))["findings"]

    assert (finding["severity"], finding["rule"], finding["path"]) == ("warning", "event/format", "email")


@pytest.mark.parametrize(("policy", "severity"), [("ignore", "warning"), ("block", "error")])
def test_unplanned_events_follow_the_plan(project: Path, policy: str, severity: str) -> None:
    """An event that is not in the plan is as severe as the plan says, with the nearest name."""
    change(project / "tracking_plan" / "plan.yaml", "unplanned_events: ignore", f"unplanned_events: {policy}")
    path = events(project, {**ORDER, "event": "Order Complete"})

    (finding,) = report(str(path))["findings"]

    assert (finding["severity"], finding["rule"]) == (severity, "event/unplanned")
    assert "did you mean `Order Completed`?" in finding["fix"]


def write_batch(path: Path, messages: list[Any]) -> Path:
    """A Segment batch."""
    path.write_text(json.dumps({"batch": messages}), encoding="utf-8")
    return path


def write_array(path: Path, messages: list[Any]) -> Path:
    """A JSON list over many lines, with a byte order mark."""
    path.write_text(json.dumps(messages, indent=2), encoding="utf-8-sig")
    return path


def write_gzip(path: Path, messages: list[Any]) -> Path:
    """JSON Lines, gzipped; the name says nothing about it."""
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, messages)).encode()))
    return path


@pytest.mark.parametrize("write", [write_batch, write_array, write_gzip])
def test_files_are_told_by_what_they_hold(project: Path, write: Callable[[Path, list[Any]], Path]) -> None:
    """A batch, a list over several lines and gzipped JSON Lines are read alike."""
    path = write(project / "events.data", [order(), order(total="x"), order()])

    found = report(str(path))

    assert found["steps"][1]["detail"].startswith("3 messages")
    assert [(one["rule"], one["path"], one["count"]) for one in found["findings"]] == [("event/type", "total", 1)]


def test_standard_input_is_read(project: Path) -> None:
    """`-` reads what another program writes."""
    command = [sys.executable, "-m", "cdi_cli", "validate", "-", "--format", "json"]
    text = json.dumps(order()) + "\n" + json.dumps(order(total=None))

    done = subprocess.run(command, input=text.encode(), capture_output=True, cwd=project, check=False)

    assert done.returncode == 1, done.stderr
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["seen_at"] == "standard input:2"


def test_what_is_no_event_is_told_with_its_line(project: Path) -> None:
    """Lines that are no JSON, no object, no message or of nobody are findings at their lines."""
    path = project / "bad.jsonl"
    lines = [
        '{"type": "track"',
        '"text"',
        '{"type": "trak"}',
        '{"type": "track", "userId": "u"}',
        json.dumps(ORDER | {"userId": ""}),
    ]
    lines.append('{"type": "identify", "userId": "u", "traits": []}')
    path.write_text("\n".join(lines), encoding="utf-8")

    found = {one["rule"]: one["line"] for one in report(str(path))["findings"] if one["rule"].startswith("message/")}

    assert found == {
        "message/json": 1,
        "message/shape": 2,
        "message/type": 3,
        "message/event": 4,
        "message/identity": 5,
        "message/properties": 6,
    }


def test_a_damaged_archive_is_a_finding(project: Path) -> None:
    """A gzip file that ends too early is told, what was read of it is checked."""
    whole = gzip.compress(b"\n".join(json.dumps(order(order_id=str(number))).encode() for number in range(2000)))
    path = project / "cut.gz"
    path.write_bytes(whole[: len(whole) // 2])

    found = report(str(path))

    assert [one["rule"] for one in found["findings"]] == ["message/json"]
    assert "gzip" in found["findings"][0]["message"]


def test_findings_beyond_the_limit_are_counted(project: Path) -> None:
    """`--max-findings` shows the first ones and says how many more there are; the exit code counts them all."""
    path = events(project, *({**ORDER, "event": f"Thing {number} Done"} for number in range(30)), order(total="x"))

    result = run(str(path), "--max-findings", "3")

    assert result.exit_code == 1
    assert result.stdout.count("-->") == 3
    assert "28 more findings: `--max-findings 31` shows all" in result.stdout


def test_sarif_is_what_code_scanning_reads(project: Path) -> None:
    """Every result has a rule of the driver, a level, a message, a relative file with its line, and a fingerprint."""
    path = events(project, order(total="x"), {**ORDER, "event": "Nothing Known"})

    found = json.loads(run(str(path), "--format", "sarif").stdout)

    (one,) = found["runs"]
    assert found["version"] == "2.1.0"
    rules = [rule["id"] for rule in one["tool"]["driver"]["rules"]]
    assert len(one["results"]) == 2
    for result in one["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning")
        place = result["locations"][0]["physicalLocation"]
        assert (project / place["artifactLocation"]["uri"]).is_file()
        assert place["region"]["startLine"] >= 1
        assert result["partialFingerprints"]["cdi/v1"]


def test_junit_is_well_formed_and_counts(project: Path) -> None:
    """Suites and totals agree, a warning fails only when warnings fail."""
    path = events(project, order(total="x", order_id="<&\u0001>"), {**ORDER, "event": "Nothing <Known> \u0000"})

    for fail_on, failures in (("error", 1), ("warning", 2)):
        root = ElementTree.fromstring(run(str(path), "--format", "junit", "--fail-on", fail_on).stdout.encode())
        assert len(root.findall(".//failure")) == failures == int(root.attrib["failures"])
        assert len(root.findall(".//testcase")) == int(root.attrib["tests"])


def test_github_annotations_cannot_be_forged(project: Path) -> None:
    """Names from a file cannot start a workflow command of their own or end ours."""
    path = events(project, {**ORDER, "event": "x\n::error::forged\r\n::set-output name=a::b"})

    lines = run(str(path), "--format", "github").stdout.splitlines()

    commands = [line for line in lines if line.startswith("::")]
    assert len(commands) == 1
    assert commands[0].startswith("::warning file=tracking_plan/plan.yaml,line=1,col=1,title=event/unplanned::")


def test_text_cannot_steer_a_terminal(project: Path) -> None:
    """Control characters of an event's name are printed as escapes."""
    path = events(project, {**ORDER, "event": "x\u001b[2J"})

    assert "\u001b" not in run(str(path)).stdout
