"""Lint: contradictions, limits and omissions of a plan that loads, each at the line of the keyword it is about."""

from __future__ import annotations

from pathlib import Path

import pytest
from lint_mistakes import PLANTED, planted
from plan_tools import write_plan

from cdi_cli.plan import load_plan
from cdi_cli.plan.findings import Finding
from cdi_cli.plan.limits import LIMITS
from cdi_cli.plan.lint import lint

EVENT = "event: Order Completed\ntrigger: order.completed\ndescription: An order.\nproperties:\n"
GOOD = "pii: none, description: Something"


def found(folder: Path, *destinations: str) -> list[Finding]:
    """What lint says about a plan."""
    return list(lint(load_plan(folder), destinations).sorted())


def of(tmp_path: Path, properties: str, *destinations: str, **files: str) -> list[tuple[str, int, str]]:
    """What lint says about one event of these properties: severity, line, rule."""
    plan = write_plan(tmp_path, {"events/a.yaml": EVENT + properties, **files})
    return [(one.severity, one.line, one.rule) for one in found(plan, *destinations)]


def test_twenty_planted_mistakes_are_twenty_findings(tmp_path: Path) -> None:
    """Twenty mistakes in the shipped plan give twenty findings, each at its file and line, with its rule and words."""
    plan, expected = planted(tmp_path)

    findings = found(plan, "segment")

    assert len(PLANTED) == 20
    assert sorted((file, line, rule) for file, line, rule, _ in expected) == sorted(
        (one.file, one.line, one.rule) for one in findings
    )
    for file, line, rule, words in expected:
        messages = [one.message for one in findings if (one.file, one.line, one.rule) == (file, line, rule)]
        assert any(words in message for message in messages), (words, messages)
    assert all(one.fix for one in findings)


@pytest.mark.parametrize("destination", sorted(LIMITS))
def test_the_shipped_plan_is_without_findings(destination: str) -> None:
    """Nothing is found in the plan that ships with cdi, whatever destination it is for."""
    assert found(load_plan().folder, destination) == []


def test_a_definition_is_told_once_and_counted(tmp_path: Path) -> None:
    """A mistake in a definition is one finding at the definition, counted once for each use."""
    line = f"type: object\nproperties:\n  a: {{type: string, minLength: 3, maxLength: 1, from: item.sku, {GOOD}}}\n"
    use = "{type: array, from: order.lines, description: Lines, items: {$ref: line, description: One}}"
    plan = write_plan(tmp_path, {"events/a.yaml": f"{EVENT}  x: {use}\n  y: {use}\n", "definitions/line.yaml": line})

    (finding,) = found(plan)

    assert (Path(finding.file).name, finding.line, finding.column, finding.count) == ("line.yaml", 3, 21, 2)


def test_a_keyword_of_a_definition_is_found_there(tmp_path: Path) -> None:
    """A property that takes its rule by `$ref` has its finding at the definition's line, not at its own."""
    code = "type: string\npii: none\ndescription: A code\npattern: '(a+)+$'\n"
    plan = write_plan(
        tmp_path, {"events/a.yaml": f"{EVENT}  x: {{$ref: code, from: order.id}}\n", "definitions/code.yaml": code}
    )

    (finding,) = found(plan)

    assert (Path(finding.file).name, finding.line) == ("code.yaml", 4)


def test_an_unused_definition_is_told(tmp_path: Path) -> None:
    """A definition that no event uses is a warning at its file."""
    plan = write_plan(
        tmp_path,
        {"events/a.yaml": f"{EVENT}  x: {{type: string, from: order.id, {GOOD}}}\n", "definitions/b.yaml": "type: string\n"},
    )

    (finding,) = found(plan)

    assert (finding.severity, finding.rule, Path(finding.file).name) == ("warning", "plan/unused", "b.yaml")


def test_a_required_property_with_a_sure_source_is_fine(tmp_path: Path) -> None:
    """The last of several sources decides: one that always has a value is enough."""
    assert of(tmp_path, f"  x: {{type: string, required: true, from: [order.number, order.id], {GOOD}}}\n") == []
    assert of(tmp_path, f"  x: {{type: string, required: true, from: record.a, {GOOD}}}\n") == [
        ("warning", 5, "plan/may-be-missing")
    ]


def test_a_deprecated_property_that_is_required_is_told(tmp_path: Path) -> None:
    """What should no longer be used should not be demanded either."""
    line = f"  x: {{type: string, required: true, from: order.id, deprecated: 1.1.0, {GOOD}}}\n"

    assert of(tmp_path, line) == [("warning", 5, "plan/deprecated-required")]


def test_more_events_than_a_destination_takes(tmp_path: Path) -> None:
    """mParticle takes 1,000 event names: the 1,001st is an error for mParticle, and none for Segment."""
    body = f"trigger: order.completed\ndescription: D\nproperties:\n  a: {{type: string, from: order.id, {GOOD}}}\n"
    files = {f"events/e{number:04}.yaml": f"event: E{number} Done\n{body}" for number in range(1001)}
    plan = write_plan(tmp_path, files)

    findings = found(plan, "mparticle", "segment")

    assert [(one.severity, one.rule, Path(one.file).name) for one in findings] == [
        ("error", "plan/event-count", "e1000.yaml")
    ]
    assert "mParticle takes 1,000 names" in findings[0].message


def test_more_properties_than_a_destination_takes(tmp_path: Path) -> None:
    """mParticle takes 100 properties, Segment shows 300: an error and a warning, at the first that is too many."""
    properties = "".join(f"  p{number}: {{type: string, from: order.id, {GOOD}}}\n" for number in range(301))

    assert of(tmp_path, properties, "mparticle") == [("error", 105, "plan/property-count")]
    assert of(tmp_path, properties, "segment") == [("warning", 305, "plan/property-count")]


def test_an_event_that_does_not_go_there_does_not_count(tmp_path: Path) -> None:
    """An event that is routed away from a destination has nothing to do with its limits."""
    properties = "".join(f"  p{number}: {{type: string, from: order.id, {GOOD}}}\n" for number in range(101))

    assert of(tmp_path, f"{properties}destinations: {{mparticle: false}}\n", "mparticle") == []
