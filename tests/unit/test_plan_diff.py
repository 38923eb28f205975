"""The difference between two plans: every kind of change is found once, classed and placed."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from plan_tools import HEAD, copy_default_plan, write_plan

from cdi_cli.plan import Plan, PlannedEvent, Property, load_plan
from cdi_cli.plan.diff import PlanDiff, diff_plans
from cdi_cli.plan.diff_change import Change
from cdi_cli.plan.model import Routing

FIRST = "event: Order Completed\ntrigger: order.completed\n"


def diff_texts(folder: Path, before: dict[str, str], after: dict[str, str]) -> PlanDiff:
    """The difference between two plans of these files."""
    old, new = (load_plan(write_plan(folder / name, files)) for name, files in (("old", before), ("new", after)))
    return diff_plans(old, new)


def diff_properties(folder: Path, before: str, after: str) -> tuple[Change, ...]:
    """The changes between two events of one property each, beside one that stays; the property is written as in YAML."""

    def event(text: str) -> dict[str, str]:
        line = f"  tested: {text}\n" if text else ""
        return {"events/one.yaml": f"{FIRST}properties:\n  order_id: {{type: string, from: order.id}}\n{line}"}

    return diff_texts(folder, event(before), event(after)).changes


CASES = [
    ("{type: string, from: order.state}", "", "property_removed", "breaking"),
    ("", "{type: string, from: order.state}", "property_added", "compatible"),
    ("", "{type: string, required: true, from: order.state}", "property_added", "compatible"),
    ("{type: string, required: true, from: order.id}", "{type: string, from: order.id}", "became_optional", "breaking"),
    ("{type: string, from: order.id}", "{type: string, required: true, from: order.id}", "became_required", "compatible"),
    ("{type: string}", '{type: [string, "null"]}', "type_widened", "breaking"),
    ('{type: [string, "null"]}', "{type: string}", "type_narrowed", "compatible"),
    ("{type: integer}", "{type: number}", "type_widened", "breaking"),
    ("{type: number}", "{type: integer}", "type_narrowed", "compatible"),
    ("{type: number}", "{type: string}", "type_changed", "breaking"),
    ("{type: string, enum: [a, b]}", "{type: string, enum: [a, b, c]}", "enum_values_added", "breaking"),
    ("{type: string, enum: [a, b]}", "{type: string, enum: [a]}", "enum_values_removed", "compatible"),
    ("{type: string, enum: [a, b]}", "{type: string, enum: [b, a]}", "rule_rewritten", "cosmetic"),
    ("{type: string}", "{type: string, enum: [a]}", "rule_tightened", "compatible"),
    ("{type: string, enum: [a]}", "{type: string}", "rule_loosened", "breaking"),
    ("{type: string}", '{type: string, pattern: "^a"}', "rule_tightened", "compatible"),
    ('{type: string, pattern: "^a"}', "{type: string}", "rule_loosened", "breaking"),
    ('{type: string, pattern: "^a"}', '{type: string, pattern: "^b"}', "rule_changed", "suspected"),
    ("{type: string, format: email}", "{type: string, format: idn-email}", "rule_loosened", "breaking"),
    ("{type: string, format: idn-email}", "{type: string, format: email}", "rule_tightened", "compatible"),
    ("{type: string, format: email}", "{type: string, format: date}", "rule_changed", "suspected"),
    ("{type: string, const: a}", "{type: string, const: b}", "rule_changed", "breaking"),
    ("{type: number, minimum: 0}", "{type: number, minimum: 1}", "limit_tightened", "compatible"),
    ("{type: number, minimum: 1}", "{type: number, minimum: 0}", "limit_loosened", "breaking"),
    ("{type: number, minimum: 1}", "{type: number}", "limit_loosened", "breaking"),
    ("{type: number, minimum: 0}", "{type: number, exclusiveMinimum: 0}", "limit_tightened", "compatible"),
    ("{type: number, exclusiveMaximum: 9}", "{type: number, maximum: 9}", "limit_loosened", "breaking"),
    ("{type: number, maximum: 9}", "{type: number, maximum: 8}", "limit_tightened", "compatible"),
    ("{type: string, maxLength: 9}", "{type: string, maxLength: 10}", "limit_loosened", "breaking"),
    ("{type: string, minLength: 0}", "{type: string}", "rule_rewritten", "cosmetic"),
    ("{type: number, multipleOf: 0.1}", "{type: number, multipleOf: 0.5}", "rule_tightened", "compatible"),
    ("{type: number, multipleOf: 0.5}", "{type: number, multipleOf: 0.1}", "rule_loosened", "breaking"),
    ("{type: array}", "{type: array, uniqueItems: true}", "rule_tightened", "compatible"),
    ("{type: array, uniqueItems: true}", "{type: array}", "rule_loosened", "breaking"),
    ("{type: array, uniqueItems: false}", "{type: array}", "rule_rewritten", "cosmetic"),
    ("{type: string}", "{type: string, anyOf: [{maxLength: 3}]}", "rule_tightened", "compatible"),
    ("{type: string, anyOf: [{maxLength: 3}]}", "{type: string, anyOf: [{maxLength: 4}]}", "rule_changed", "suspected"),
    ("{type: string}", "{type: string, contentEncoding: base64}", "encoding_changed", "breaking"),
    ("{type: object}", "{type: object, additionalProperties: true}", "unplanned_policy_changed", "compatible"),
    ("{type: object}", "{type: object, additionalProperties: {type: string}}", "rule_tightened", "compatible"),
    ("{type: object, additionalProperties: {type: string}}", "{type: object}", "rule_changed", "breaking"),
    ("{type: object}", "{type: object, additionalProperties: false}", "rule_rewritten", "cosmetic"),
    ("{type: object}", '{type: object, patternProperties: {"^a": {type: string}}}', "rule_tightened", "compatible"),
    ('{type: object, patternProperties: {"^a": {type: string}}}', "{type: object}", "rule_changed", "breaking"),
    ("{type: string}", "{type: string, title: Text}", "annotation_changed", "cosmetic"),
    ("{type: string}", "{type: string, description: Text}", "description_changed", "cosmetic"),
    ("{type: string}", '{type: string, since: "1.1.0"}', "since_changed", "cosmetic"),
    ("{type: string}", "{type: string, from: order.state}", "mapping_changed", "compatible"),
    ("{type: string, from: order.state}", "{type: string}", "mapping_changed", "breaking"),
    ("{type: string, from: order.state}", "{type: string, from: order.locale}", "mapping_changed", "suspected"),
    (
        "{type: string, from: order.state}",
        "{type: string, from: [order.state, order.locale]}",
        "fallback_added",
        "compatible",
    ),
    (
        "{type: string, from: [order.state, order.locale]}",
        "{type: string, from: order.state}",
        "fallback_removed",
        "suspected",
    ),
    ("{type: string, from: order.state}", "{type: string, value: Open}", "mapping_changed", "suspected"),
    ("{type: string, value: a}", "{type: string, value: b}", "constant_changed", "suspected"),
    (
        '{type: string, from: order.coupons, join: ", "}',
        '{type: string, from: order.coupons, join: "-"}',
        "join_changed",
        "breaking",
    ),
    ("{type: string, pii: none}", "{type: string, pii: contact}", "pii_changed", "compatible"),
    ("{type: string, pii: contact}", "{type: string}", "pii_changed", "compatible"),
    ("{type: array}", "{type: array, items: {type: string}}", "elements_planned", "compatible"),
    ("{type: array, items: {type: string}}", "{type: array}", "elements_unplanned", "breaking"),
    (
        "{type: array, items: {type: string}}",
        "{type: array, items: {type: string, maxLength: 3}}",
        "limit_tightened",
        "compatible",
    ),
    (
        "{type: object, from: record.custom}",
        "{type: object, from: record.custom, properties: {a: {type: string, from: item.a}}}",
        "object_planned",
        "suspected",
    ),
    (
        "{type: object, from: record.custom, properties: {a: {type: string, from: item.a}}}",
        "{type: object, from: record.custom}",
        "object_unplanned",
        "breaking",
    ),
]


@pytest.mark.parametrize(("before", "after", "kind", "level"), CASES)
def test_one_change_of_a_property(tmp_path: Path, before: str, after: str, kind: str, level: str) -> None:
    """Exactly this change is found, of this level, with a reason, at the property's line on each side that has it."""
    (change,) = diff_properties(tmp_path, before, after)

    assert (change.kind, "suspected" if change.is_suspected else change.level) == (kind, level)
    assert change.reason
    places = [place and place.line for place in (change.before, change.after)]
    assert places == [5 if before else None, 5 if after else None]


def test_a_renamed_property_is_one_change(tmp_path: Path) -> None:
    """A property under another name with the same type and mapping was renamed, which breaks who reads the old name."""
    before, after = (
        {"events/one.yaml": f"{FIRST}properties:\n  {name}: {{type: string, from: order.id}}\n"} for name in "ab"
    )

    (change,) = diff_texts(tmp_path, before, after).changes

    assert (change.kind, change.level, change.message) == ("property_renamed", "breaking", "`a` was renamed to `b`")


def test_a_deprecated_property_is_told(tmp_path: Path) -> None:
    """A deprecation is compatible: what is deprecated is still sent."""
    after = '{type: string, deprecated: {since: "1.2.0", replacement: order_id}}'

    (change,) = diff_properties(tmp_path, "{type: string}", after)

    assert (change.kind, change.level, change.message) == ("deprecation_changed", "compatible", "`tested` is deprecated")


def event_files(text: str, head: str = HEAD) -> dict[str, str]:
    """A plan of one event with one property, and these lines above it."""
    return {"plan.yaml": head, "events/one.yaml": f"{text}properties:\n  order_id: {{type: string, from: order.id}}\n"}


EVENT_CASES = [
    (FIRST, FIRST.replace("order.completed", "order.cancelled"), "trigger_changed", "breaking", 2),
    (FIRST, f"{FIRST}on_violation: warn\n", "policy_changed", "breaking", 3),
    (f"{FIRST}on_violation: warn\n", f"{FIRST}on_violation: block\n", "policy_changed", "compatible", 3),
    (FIRST, f"{FIRST}on_violation: strip\n", "policy_changed", "compatible", 3),
    (FIRST, f"{FIRST}description: Text\n", "description_changed", "cosmetic", 3),
    (FIRST, f'{FIRST}since: "1.1.0"\n', "since_changed", "cosmetic", 3),
    (FIRST, f'{FIRST}deprecated: {{since: "1.2.0"}}\n', "deprecation_changed", "compatible", 3),
    (FIRST, FIRST.replace("Completed", "Done"), "event_renamed", "breaking", 1),
    (FIRST, f"{FIRST}destinations: {{segment: false}}\n", "routing_changed", "breaking", 3),
    (f"{FIRST}destinations: {{segment: false}}\n", FIRST, "routing_changed", "compatible", 1),
    (FIRST, f"{FIRST}destinations: {{segment: {{rename: Sold}}}}\n", "routing_changed", "breaking", 3),
    (
        FIRST,
        f"{FIRST}destinations: {{segment: {{properties: {{exclude: [order_id]}}}}}}\n",
        "routing_changed",
        "breaking",
        3,
    ),
    (
        f"{FIRST}destinations: {{segment: {{properties: {{exclude: [order_id]}}}}}}\n",
        FIRST,
        "routing_changed",
        "compatible",
        1,
    ),
    (
        FIRST,
        f"{FIRST}destinations: {{segment: {{properties: {{rename: {{order_id: id}}}}}}}}\n",
        "routing_changed",
        "breaking",
        3,
    ),
]


@pytest.mark.parametrize(("before", "after", "kind", "level", "line"), EVENT_CASES)
def test_one_change_of_an_event(tmp_path: Path, before: str, after: str, kind: str, level: str, line: int) -> None:
    """Exactly this change is found, of this level, at the line of the later file that says it."""
    (change,) = diff_texts(tmp_path, event_files(before), event_files(after)).changes

    assert (change.kind, change.level, change.nearest.line) == (kind, level, line)


HEAD_CASES = [
    ("owner: me\n", "owner_changed", "cosmetic"),
    ("description: Text\n", "description_changed", "cosmetic"),
    ("conventions: {event_case: title}\n", "conventions_changed", "cosmetic"),
    ("unplanned_properties: allow\n", "unplanned_policy_changed", "compatible"),
    ("unplanned_events: block\n", "unplanned_policy_changed", "cosmetic"),
]


@pytest.mark.parametrize(("line", "kind", "level"), HEAD_CASES)
def test_one_change_of_the_plan_as_a_whole(tmp_path: Path, line: str, kind: str, level: str) -> None:
    """Exactly this change is found, at its line of `plan.yaml`."""
    (change,) = diff_texts(tmp_path, event_files(FIRST), event_files(FIRST, HEAD + line)).changes

    assert (change.kind, change.level, change.events, change.after and change.after.line) == (kind, level, (), 3)


def test_the_default_policy_changes_each_event_that_takes_it(tmp_path: Path) -> None:
    """The default itself is cosmetic; the event whose policy it is changed with it, one with its own did not."""
    other = FIRST.replace("Completed", "Cancelled").replace("completed", "cancelled")
    own = {"events/two.yaml": event_files(f"{other}on_violation: block\n")["events/one.yaml"]}
    after = event_files(FIRST, f"{HEAD}on_violation: warn\n") | own

    changes = diff_texts(tmp_path, event_files(FIRST) | own, after).changes

    assert [(change.kind, change.level, change.events) for change in changes] == [
        ("policy_changed", "breaking", ("Order Completed",)),
        ("default_policy_changed", "cosmetic", ()),
    ]


def test_another_name_of_the_plan_breaks_who_chooses_by_it(tmp_path: Path) -> None:
    """The name travels with every event."""
    (change,) = diff_texts(tmp_path, event_files(FIRST), event_files(FIRST, HEAD.replace("test", "shop"))).changes

    assert (change.kind, change.level) == ("plan_renamed", "breaking")


def test_events_come_and_go(tmp_path: Path) -> None:
    """An event that is not like the one that went is new; both are told, the removal first."""
    after = {"events/two.yaml": "event: Signed Up\ntrigger: customer.created\nproperties:\n  a: {type: string, value: x}\n"}

    changes = diff_texts(tmp_path, event_files(FIRST), after).changes

    assert [(change.kind, change.level, change.message) for change in changes] == [
        ("event_removed", "breaking", "`Order Completed` was removed"),
        ("event_added", "compatible", "`Signed Up` was added"),
    ]
    assert changes[0].after is None
    assert changes[0].nearest.file.endswith("plan.yaml")


def test_a_shared_definition_changes_once(tmp_path: Path) -> None:
    """A change in a definition is one change that names each event that uses it, at the definition's line."""
    folder = copy_default_plan(tmp_path)
    before = load_plan(folder)
    file = folder / "definitions" / "product_line.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("sku: {type: string,", "sku: {type: string, maxLength: 64,"), encoding="utf-8")

    (change,) = diff_plans(before, load_plan(folder)).changes

    assert (change.kind, {path for _, path in change.spots}) == ("limit_tightened", {"products[].sku"})
    assert len(change.events) == 6
    assert change.after is not None
    assert "sku" in file.read_text(encoding="utf-8").splitlines()[change.after.line - 1]


def test_a_class_that_is_inherited_changes_once(tmp_path: Path) -> None:
    """A PII class given to an object is one change, not one for each property that takes it from there."""
    inner = "properties: {a: {type: string, from: item.a}, b: {type: string, from: item.b, pii: none}}"

    (change,) = diff_properties(
        tmp_path,
        f"{{type: object, from: record.custom, pii: contact, {inner}}}",
        f"{{type: object, from: record.custom, pii: sensitive, {inner}}}",
    )

    assert [path for _, path in change.spots] == ["tested"]


def test_nothing_of_a_plan_is_overlooked() -> None:
    """Every field of the model is compared or is layout; a field that is added must be decided here."""
    layout = {"place", "group", "groups", "folder", "unused", "denied_fields", "version", "key"}
    compared = {
        Plan: {"name", "events", "owner", "description", "conventions", "on_violation"}
        | {"unplanned_properties", "unplanned_events"},
        PlannedEvent: {
            "name",
            "type",
            "trigger",
            "description",
            "on_violation",
            "properties",
            "since",
            "deprecated",
            "routing",
            "template",
        },
        Property: {"name", "types", "is_required", "description", "pii", "sources", "is_constant", "constant", "join"}
        | {"keywords", "properties", "items", "since", "deprecated", "script", "is_scripted"},
        Routing: {"is_sent", "event_name", "exclude", "rename"},
    }

    for model, known in compared.items():
        assert {each.name for each in fields(model)} - layout == known


def test_layout_is_no_change(tmp_path: Path) -> None:
    """Other files, other order, a definition instead of a text written twice: nothing changed."""
    text, amount = "{type: string, from: order.id}", "{type: number, from: order.total}"
    before = {"events/one.yaml": f"{FIRST}properties:\n  a: {text}\n  b: {amount}\n"}
    block = "properties:\n  b:\n    type: number\n    from: order.total\n  a: {$ref: text, from: order.id}\n"
    after = {"events/another.yaml": f"{block}{FIRST}", "definitions/text.yaml": "type: string\n"}

    assert diff_texts(tmp_path, before, after).changes == ()
