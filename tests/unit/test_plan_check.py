"""The check: what breaks a plan, in sentences, and what can be stripped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plan_tools import one_rule

from cdi_cli.plan import Violation, strip
from cdi_cli.plan.check import VIOLATIONS_MAX, path_text

PROPERTIES = """
  id: {type: string, required: true, from: order.id, pii: identifier, minLength: 3, maxLength: 9}
  email: {type: string, format: email, from: order.email, pii: contact}
  total: {type: number, minimum: 0, maximum: 100, from: order.total, pii: none}
  rate: {type: number, exclusiveMinimum: 0, exclusiveMaximum: 1, multipleOf: 0.25, pii: none}
  state: {type: string, enum: [open, closed], from: order.state, pii: none}
  currency: {type: string, pattern: "^[A-Z]{3}$", from: order.currency, pii: none}
  note: {type: string, pattern: "^[a-z]+$", from: order.phone}
  kind: {type: string, const: web, pii: none}
  count: {type: [integer, "null"]}
  odd: {type: string, pii: none, not: {minLength: 50}}
  tags: {type: array, minItems: 2, maxItems: 3, uniqueItems: true}
  map: {type: object, minProperties: 1, maxProperties: 2}
  products:
    type: array
    from: order.lines
    items:
      type: object
      properties:
        sku: {type: string, required: true, from: item.sku}
        price: {type: number, from: item.price, pii: none}
"""
UNPLANNED = "additionalProperties"
GOOD: dict[str, Any] = {"id": "abc"}


@pytest.mark.parametrize(
    ("broken", "path", "rule", "message"),
    [
        ({"id": 5}, "id", "type", "`id` must be text, found a whole number"),
        ({"id": None}, "id", "type", "`id` must be text, found null"),
        ({"id": "ab"}, "id", "minLength", "`id` must have at least 3 characters, found 2"),
        ({"id": "a" * 10}, "id", "maxLength", "`id` must have at most 9 characters, found 10"),
        ({"email": "jo at home"}, "email", "format", "`email` is not a valid `email`"),
        ({"total": -1}, "total", "minimum", "`total` must be at least 0, found -1"),
        ({"total": 100.5}, "total", "maximum", "`total` must be at most 100, found 100.5"),
        ({"total": True}, "total", "type", "`total` must be a number, found true or false"),
        ({"total": "5"}, "total", "type", "`total` must be a number, found text"),
        ({"rate": 0}, "rate", "exclusiveMinimum", "`rate` must be more than 0, found 0"),
        ({"rate": 1}, "rate", "exclusiveMaximum", "`rate` must be less than 1, found 1"),
        ({"rate": 0.3}, "rate", "multipleOf", "`rate` must be a multiple of 0.25, found 0.3"),
        ({"state": "x" * 50}, "state", "enum", f'`state` must be one of "open", "closed", found "{"x" * 40}…"'),
        ({"currency": "eur"}, "currency", "pattern", '`currency` does not match the pattern `^[A-Z]{3}$`, found "eur"'),
        ({"note": "Secret 1"}, "note", "pattern", "`note` does not match the pattern `^[a-z]+$`"),
        ({"kind": "app"}, "kind", "const", '`kind` must be "web", found "app"'),
        ({"count": "x"}, "count", "type", "`count` must be a whole number or null, found text"),
        ({"odd": "y" * 50}, "odd", "not", f'`odd` breaks the rule `not` of the plan, found "{"y" * 40}…"'),
        ({"tags": ["a"]}, "tags", "minItems", "`tags` must have at least 2 elements, found 1"),
        ({"tags": [1, 2, 3, 4]}, "tags", "maxItems", "`tags` must have at most 3 elements, found 4"),
        ({"tags": ["a", "a"]}, "tags", "uniqueItems", "`tags` holds the same element twice"),
        ({"map": {}}, "map", "minProperties", "`map` must have at least 1 properties, found 0"),
        ({"map": {"a": 1, "b": 1, "c": 1}}, "map", "maxProperties", "`map` must have at most 2 properties, found 3"),
        ({"products": "x"}, "products", "type", "`products` must be a list, found text"),
        ({"products": [{"sku": "a"}, {}]}, "products[1].sku", "required", "`products[1].sku` is required but missing"),
        ({"products": [{"sku": "a", "x": 1}]}, "products[0].x", UNPLANNED, "`products[0].x` is not in the plan"),
        ({"unplanned": 1}, "unplanned", UNPLANNED, "`unplanned` is not in the plan"),
    ],
)  # fmt: skip
def test_a_violation_says_what_is_wrong(tmp_path: Path, broken: dict[str, Any], path: str, rule: str, message: str) -> None:
    """Each rule has its sentence; the value is quoted only where the plan declares `pii: none`."""
    found = one_rule(tmp_path, PROPERTIES).check({**GOOD, **broken})

    assert [(each.path, each.rule, each.message) for each in found] == [(path, rule, message)]


def test_no_sentence_quotes_personal_or_unclassified_values(tmp_path: Path) -> None:
    """Whatever breaks a rule in a property that is not declared harmless, its value is not in any message."""
    secret = "canary 7f3a"
    values = {
        "id": secret,
        "email": secret,
        "note": secret,
        "count": secret,
        "products": [{"sku": 1, "price": 1}, {"sku": [secret]}],
    }

    found = one_rule(tmp_path, PROPERTIES).check(values)

    assert len(found) == 6
    assert not any("7f3a" in each.message for each in found)


def test_all_violations_are_found_up_to_a_bound(tmp_path: Path) -> None:
    """An event with thousands of violations is reported with the first hundred."""
    rule = one_rule(tmp_path, PROPERTIES)

    found = rule.check({"id": "abc", "products": [{"sku": number} for number in range(5_000)]})

    assert len(found) == VIOLATIONS_MAX


def test_unplanned_properties_can_be_allowed(tmp_path: Path) -> None:
    """`unplanned_properties: allow` lets through what the plan does not name, at every level."""
    rule = one_rule(tmp_path, PROPERTIES, head="unplanned_properties: allow\n")

    assert rule.check({"id": "abc", "x": 1, "products": [{"sku": "a", "y": 2}]}) == ()


def test_a_pattern_made_to_stall_is_harmless(tmp_path: Path) -> None:
    """Patterns run in linear time: the classic catastrophic one answers at once on a long text."""
    rule = one_rule(tmp_path, "  a: {type: string, pattern: '^(a+)+$', from: order.id}\n")

    found = rule.check({"a": "a" * 50_000 + "!"})

    assert [each.rule for each in found] == ["pattern"]


def test_strip_removes_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    """Offending properties and elements go, also several of one list; the original is not touched."""
    rule = one_rule(tmp_path, PROPERTIES)
    products = [{"sku": "a", "price": "x"}, "bad", {"sku": "b"}, 7, {"sku": "c", "extra": 1}]
    values = {"id": "abc", "email": "nope", "extra": {}, "total": 5, "products": products}
    copy = {**values, "products": [*products]}

    stripped = strip(values, rule.check(values))

    assert stripped == {"id": "abc", "total": 5, "products": [{"sku": "a"}, {"sku": "b"}, {"sku": "c"}]}
    assert rule.check(stripped) == ()
    assert values == copy
    assert products[0] == {"sku": "a", "price": "x"}


def test_strip_cannot_supply_what_is_missing(tmp_path: Path) -> None:
    """A required property that is missing is still missing afterwards."""
    rule = one_rule(tmp_path, PROPERTIES)
    values: dict[str, Any] = {"email": "nope", "products": [{}]}

    stripped = strip(values, rule.check(values))

    assert stripped == {"products": [{}]}
    assert [each.rule for each in rule.check(stripped)] == ["required", "required"]


def test_strip_of_nothing_is_a_copy() -> None:
    """Violations that point nowhere change nothing."""
    values = {"a": {"b": 1}}

    assert strip(values, [Violation("", "minProperties", "the event ...")]) == values
    assert (
        strip(values, [Violation("a.c.d", "type", "...", ("a", "c", "d")), Violation("a[0]", "type", "...", ("a", 0))])
        == values
    )


def test_the_policy_of_an_event_is_its_own_or_the_plans(tmp_path: Path) -> None:
    """`on_violation` of the plan holds for events that say nothing."""
    assert one_rule(tmp_path / "a", PROPERTIES).on_violation == "block"
    assert one_rule(tmp_path / "b", PROPERTIES, head="on_violation: warn\n").on_violation == "warn"


def test_a_long_name_is_cut_in_a_path() -> None:
    """A path is for people: names of absurd length are shortened in it."""
    assert path_text(("a", 1, "b" * 500)) == f"a[1].{'b' * 80}…"
