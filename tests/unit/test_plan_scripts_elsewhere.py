"""What the other tools of a plan make of its scripts: diff, git revisions, lint, catalogue, export, import, editors."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest
from plan_documents import there_and_back
from plan_tools import completed, copy_default_plan, write_plan

from cdi_cli.plan import Plan, compile_plan, load_plan
from cdi_cli.plan.catalogue import catalogue_of
from cdi_cli.plan.diff import diff_plans
from cdi_cli.plan.diff_git import revision_folder
from cdi_cli.plan.eject import eject
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.export_segment import to_segment
from cdi_cli.plan.file_schema import file_schema
from cdi_cli.plan.lint import lint

EVENT = "event: Order Completed\ntrigger: order.completed\ndescription: Bought\n"
MAPPED = f"{EVENT}properties:\n  id: {{type: string, required: true, pii: none, description: Id, from: order.id}}\n"
EXPRESSED = MAPPED.replace("from: order.id", "jsonata: $uppercase(order.id)")
TEMPLATED = MAPPED.replace("properties:", "template: t.jsonata\nproperties:")
TEXT = '{\n  "id": order.id\n}\n'


def a_plan(folder: Path, event: str, template: str | None = None) -> Plan:
    """A plan of one event, with a template where one is given."""
    files = {"events/one.yaml": event, **({"templates/t.jsonata": template} if template is not None else {})}
    return load_plan(write_plan(folder, files))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            (MAPPED, None),
            (EXPRESSED, None),
            [("mapping_changed", 'the value comes from the expression `"$uppercase(order.id)"`')],
        ),
        ((EXPRESSED, None), (MAPPED, None), [("mapping_changed", "the value comes from `order.id`")]),
        ((MAPPED, None), (TEMPLATED, TEXT), [("template_changed", "the template `t.jsonata` makes it")]),
        ((TEMPLATED, TEXT), (MAPPED, None), [("template_changed", "it is mapped property by property again")]),
        ((TEMPLATED, TEXT), (TEMPLATED, TEXT + " "), [("template_changed", "the template `t.jsonata` changed")]),
        ((TEMPLATED, TEXT), (TEMPLATED.replace("order.id", "order.state"), TEXT), []),
        ((TEMPLATED, TEXT), (TEMPLATED, TEXT), []),
        ((EXPRESSED, None), (EXPRESSED, None), []),
    ],
)
def test_a_changed_script_is_a_suspected_change(
    tmp_path: Path, before: tuple[str, str | None], after: tuple[str, str | None], expected: list[tuple[str, str]]
) -> None:
    """The diff tells that values may differ; what a template's properties say of their mapping changes nothing."""
    changes = diff_plans(a_plan(tmp_path / "a", *before), a_plan(tmp_path / "b", *after)).changes

    assert [change.kind for change in changes] == [kind for kind, _ in expected]
    for change, (_, message) in zip(changes, expected, strict=True):
        assert message in change.message
        assert (change.level, change.is_suspected) == ("breaking", True)


def test_a_revision_has_its_templates(tmp_path: Path) -> None:
    """A plan at a git revision is read with the templates of that revision."""
    folder = tmp_path / "repository"
    a_plan(folder, TEMPLATED, TEXT)
    who = {f"GIT_{role}_{part}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "one"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, env=environment)
    (folder / "templates" / "t.jsonata").write_text('{"id": "other"}', encoding="utf-8")

    with revision_folder("HEAD", folder) as (place, _):
        event = load_plan(place).events[0]

    assert event.template is not None
    assert event.template.text == TEXT


def test_lint_takes_a_script_for_a_source(tmp_path: Path) -> None:
    """Nothing is said to be never produced or perhaps missing where a script makes it; an unused template is told."""
    for number, plan in enumerate((a_plan(tmp_path / "a", EXPRESSED), a_plan(tmp_path / "b", TEMPLATED, TEXT))):
        assert [finding.rule for finding in lint(plan).sorted()] == [], number
    unused = lint(a_plan(tmp_path / "c", MAPPED, TEXT)).sorted()

    assert [(finding.rule, finding.message) for finding in unused] == [
        ("plan/unused", "no event uses the template `t.jsonata`")
    ]


def test_the_catalogue_says_where_values_come_from(tmp_path: Path) -> None:
    """The line of the template, or of the expression, stands where a path would."""
    by_template = catalogue_of(a_plan(tmp_path / "a", TEMPLATED, TEXT)).entries[0].rows[0]
    by_expression = catalogue_of(a_plan(tmp_path / "b", EXPRESSED)).entries[0].rows[0]

    assert by_template.origin == ("template t.jsonata:2",)
    assert by_expression.origin == ("expression one.yaml:5",)


def test_an_export_tells_that_scripts_stay_here(tmp_path: Path) -> None:
    """No other system has a place for them."""
    losses = Losses()

    to_segment(a_plan(tmp_path / "a", EXPRESSED), losses)
    to_segment(a_plan(tmp_path / "b", TEMPLATED, TEXT), losses)

    aspects = {loss.aspect for loss in losses.all()}
    assert {"templates of events", "where values come from (`from`, `value`, `jsonata`, `join`)"} <= aspects


def test_there_and_back_with_scripts(tmp_path: Path) -> None:
    """A plan that went to Segment and comes back takes its scripts from the one that it was, and makes the same events."""
    folder = copy_default_plan(tmp_path)
    plan = load_plan(folder)
    event = next(each for each in plan.events if each.name == "Order Completed")
    (folder / "templates").mkdir()
    (folder / "templates" / "own.jsonata").write_text(eject(event), encoding="utf-8")
    for name, old, new in (
        ("order_completed", "\ntrigger:", "\ntemplate: own.jsonata\ntrigger:"),
        ("order_cancelled", "from: order.currency", 'jsonata: "$uppercase(order.currency)"'),
    ):
        path = folder / "events" / f"{name}.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    scripted = load_plan(folder)

    again, _, _ = there_and_back(scripted, "segment", tmp_path / "again", donor=scripted)

    for kind in ("order.completed", "order.cancelled"):
        (before,), (after,) = (compile_plan(one).rules(kind) for one in (scripted, again))
        assert after.planned.scripts == () or [each.text for each in after.planned.scripts] == [
            each.text for each in before.planned.scripts
        ]
        assert after.planned.scripts
        assert after.map(completed(), b"{}") == before.map(completed(), b"{}")


@pytest.mark.parametrize(
    ("event", "is_valid"),
    [
        ({"template": "t.jsonata", "properties": {"a": {"type": "string"}}}, True),
        ({"template": "../t.jsonata", "properties": {"a": {"type": "string"}}}, False),
        ({"template": "t.yaml", "properties": {"a": {"type": "string"}}}, False),
        ({"properties": {"a": {"type": "string", "jsonata": "order.id"}}}, True),
        ({"properties": {"a": {"type": "string", "jsonata": ""}}}, False),
        ({"properties": {"a": {"type": "string", "jsonata": "order.id", "from": "order.id"}}}, False),
        ({"properties": {"a": {"type": "string", "jsonata": "order.id", "value": 1}}}, False),
    ],
)
def test_an_editor_knows_the_keys(event: dict[str, object], is_valid: bool) -> None:
    """The schema of event files takes and refuses what the loader does."""
    document = {"event": "Order Completed", "trigger": "order.completed", **event}

    assert jsonschema.Draft7Validator(file_schema("event")).is_valid(json.loads(json.dumps(document))) is is_valid
