"""Events of the types group, page, screen and alias: planned, checked, exported, imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from plan_tools import copy_default_plan

from cdi_cli.pipeline.validate_events import EventChecker, Seen
from cdi_cli.plan import Plan, PlanError, compile_plan, load_plan
from cdi_cli.plan.export_json_schema import to_json_schema
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.export_mparticle import to_mparticle
from cdi_cli.plan.export_segment import to_segment
from cdi_cli.plan.file_schema import file_schema
from cdi_cli.plan.findings import Findings

NONE = "trigger: none\ndescription: d\n"
FILES = {
    "page": f"event: page\ntype: page\n{NONE}properties:\n  path: {{type: string, required: true, pii: none}}\n",
    "home": f"event: Home\ntype: page\n{NONE}properties:\n  banner: {{type: string, pii: none, description: d}}\n",
    "cart": f"event: Cart\ntype: screen\n{NONE}properties:\n  items: {{type: integer, pii: none, description: d}}\n",
    "alias": f"event: alias\ntype: alias\n{NONE}",
}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """The default plan with pages, a screen and an alias."""
    folder = copy_default_plan(tmp_path)
    for name, text in FILES.items():
        (folder / "events" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return load_plan(folder)


def message(kind: str, **parts: Any) -> dict[str, Any]:
    """A message of somebody."""
    return {"type": kind, "userId": "u", **parts}


GOOD = [
    message("page", name="Home", properties={"banner": "spring"}),
    message("page", name="Shop", properties={"path": "/shop"}),
    message("page", properties={"path": "/"}),
    message("screen", name="Cart", properties={"items": 2}),
    message("group", groupId="g", traits={"id": "g", "type": "store"}),
    message("alias", previousId="a"),
]
BAD = [
    message("page", name="Home", properties={"path": "/"}),
    message("page", name="Shop", properties={"banner": "spring"}),
    message("screen", name="Cart", properties={"items": "two"}),
    message("group", groupId="g", traits={"id": "g", "type": "club"}),
    message("alias", properties={"why": "no"}),
]
UNKNOWN = message("screen", name="Checkout", properties={})


@pytest.mark.parametrize(("messages", "is_good"), [(GOOD, True), (BAD, False), ([UNKNOWN], False)])
def test_a_message_is_checked_by_its_own_rule(plan: Plan, messages: list[Any], is_good: bool) -> None:
    """A named page by its own file, any other by that of all pages; a screen that nobody planned is told."""
    checker = EventChecker(plan, compile_plan(plan), Findings())

    assert [checker.check(each, lambda: Seen("here")) for each in messages] == [is_good] * len(messages)


def test_the_exported_schema_agrees(plan: Plan) -> None:
    """The JSON Schema of the plan lets the same messages pass."""
    judge = jsonschema.Draft7Validator(to_json_schema(plan))

    assert [judge.is_valid(each) for each in GOOD] == [True] * len(GOOD)
    assert [judge.is_valid(each) for each in BAD] == [False] * len(BAD)


def test_the_editor_s_schema_agrees() -> None:
    """Every file is one that the loader takes."""
    judge = jsonschema.Draft7Validator(file_schema("event"))

    assert [list(judge.iter_errors(yaml.safe_load(text))) for text in FILES.values()] == [[]] * len(FILES)


def test_segment_and_mparticle_get_what_they_have(plan: Plan) -> None:
    """Segment has no rule for an alias, mParticle a data point for a screen and a page with a name; the rest is told."""
    segment, mparticle = Losses(), Losses()

    rules = to_segment(plan, segment)["rules"]
    points = to_mparticle(plan, mparticle)["version_document"]["data_points"]

    assert {(rule["type"], rule.get("key")) for rule in rules if rule["type"] not in ("TRACK", "IDENTIFY")} == {
        ("GROUP", None),
        ("PAGE", None),
        ("PAGE", "Home"),
        ("SCREEN", "Cart"),
    }
    assert [loss.aspect for loss in segment.rules()] == ["an event of type alias"]
    views = [point["match"]["criteria"]["screen_name"] for point in points if point["match"]["type"] == "screen_view"]
    assert sorted(views) == ["Cart", "Home"]
    assert {loss.aspect for loss in mparticle.rules()} >= {"an event of type page", "an event of type alias"}


TRIGGERED = "trigger: order.completed\nproperties: {a: {type: string, from: order.id}}\n"
PROFILE = "trigger: customer.profile\ntraits: {a: {type: string, from: customer.id}}\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"event: Home\ntype: page\n{TRIGGERED}", "an event of type `page` cannot be triggered by `order.completed`"),
        (f"event: group\ntype: group\n{PROFILE}", "an event of type `group` cannot be triggered by `customer.profile`"),
        ("event: Company\ntype: group\ntrigger: none\n", "an event of type `group` is named `group`"),
        ("event: alias\ntype: alias\ntrigger: none\ntraits: {a: {type: string}}\n", "has `properties`, not `traits`"),
    ],
)
def test_a_type_has_its_rules(tmp_path: Path, text: str, wanted: str) -> None:
    """What can trigger it, what it is called, under which key it holds what it holds."""
    folder = copy_default_plan(tmp_path)
    (folder / "events" / "group.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(PlanError) as caught:
        load_plan(folder)

    (problem,) = caught.value.problems
    assert wanted in problem.message
