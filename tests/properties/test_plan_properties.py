"""Properties of the tracking plan: mapping is total and does what a naive reading does; two schema engines agree."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_interpreter import interpret
from plan_strategies import DENIED, RECORDS, occurrences_of, plans
from plan_tools import write_plan

from cdi_cli.events.lifecycle import KINDS, Occurrence
from cdi_cli.plan import CompiledPlan, EventRule, compile_plan, load_plan, strip
from cdi_cli.plan.check import path_text
from cdi_cli.plan.schema import event_schema

PROTECTED = frozenset({DENIED})
RELAXED = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
OCCURRENCES = st.sampled_from(sorted(KINDS.values(), key=lambda kind: kind.name)).flatmap(occurrences_of)


@cache
def default_plan() -> CompiledPlan:
    """The plan that ships with cdi, compiled."""
    return compile_plan(load_plan())


def rule_of(event: str) -> EventRule:
    """The only rule of a plan with this event file."""
    with TemporaryDirectory() as folder:
        plan = load_plan(write_plan(Path(folder), {"events/random.yaml": event}), denied_fields=PROTECTED)
    compiled = compile_plan(plan)
    (kind,) = compiled.kinds
    return compiled.rules(kind)[0]


def as_json(value: Any) -> str:
    """A value as text that tells 1 from 1.0 and keeps the order of names."""
    return json.dumps(value)


@RELAXED
@given(OCCURRENCES, RECORDS)
def test_the_default_plan_maps_as_a_naive_reading_does(occurrence: Occurrence, raw: bytes) -> None:
    """On random entities, the generated code gives what walking the property tree gives, and what it gives is JSON."""
    for rule in default_plan().rules(occurrence.kind):
        values = rule.map(occurrence, raw)

        assert as_json(interpret(rule.planned, occurrence, raw)) == as_json(values)
        assert msgspec.json.decode(msgspec.json.encode(values)) == values


@RELAXED
@given(plans(), st.data())
def test_any_plan_maps_as_a_naive_reading_does(plan: tuple[Any, str], data: st.DataObject) -> None:
    """Random plans that agree with the entities load without a mistake, and map as a naive reading does."""
    kind, event = plan
    rule = rule_of(event)

    occurrence, raw = data.draw(occurrences_of(kind)), data.draw(RECORDS)

    assert as_json(interpret(rule.planned, occurrence, raw, PROTECTED)) == as_json(rule.map(occurrence, raw))


@RELAXED
@given(plans(), st.binary(max_size=40) | RECORDS.map(lambda raw: raw[: len(raw) // 2]), st.data())
def test_mapping_never_raises_whatever_the_bytes(plan: tuple[Any, str], raw: bytes, data: st.DataObject) -> None:
    """Bytes that are no JSON, or half of it, leave the record's values out and nothing else."""
    kind, event = plan
    occurrence = data.draw(occurrences_of(kind))

    assert isinstance(rule_of(event).map(occurrence, raw), dict)


def contains_null_or_emptiness(value: Any) -> bool:
    """Whether a null, an empty text, list or object is anywhere inside."""
    if isinstance(value, dict):
        return any(each in (None, "", [], {}) or contains_null_or_emptiness(each) for each in value.values())
    return isinstance(value, list) and any(each is None or contains_null_or_emptiness(each) for each in value)


@RELAXED
@given(occurrences_of(KINDS["order.completed"]), RECORDS)
def test_nothing_empty_and_no_null_ever_leaves(occurrence: Occurrence, raw: bytes) -> None:
    """Whatever is missing leaves no trace."""
    for rule in default_plan().rules("order.completed"):
        values = rule.map(occurrence, raw)

        assert not contains_null_or_emptiness({name: each for name, each in values.items() if name != "coupon"})


@RELAXED
@given(OCCURRENCES, st.data())
def test_two_engines_give_the_same_verdict(occurrence: Occurrence, data: st.DataObject) -> None:
    """On mapped events, whole and with one thing broken, jsonschema finds the same places and rules as the fast engine."""
    for rule in default_plan().rules(occurrence.kind):
        values = rule.map(occurrence, b"{}")
        if values and data.draw(st.booleans()):
            values[data.draw(st.sampled_from(sorted(values)))] = data.draw(st.sampled_from([None, 1, "x", -5.5, [], [{}]]))
        if data.draw(st.booleans()):
            values["unplanned"] = 1
        # Without its extras, jsonschema does not check formats.
        found = {(each.path, each.rule) for each in rule.check(values) if each.rule != "format"}

        assert expected_violations(rule, values) == found


def expected_violations(rule: EventRule, values: dict[str, Any]) -> set[tuple[str, str]]:
    """What `jsonschema` finds, with missing and unplanned properties named one by one."""
    found = set()
    for error in jsonschema.Draft7Validator(event_schema(rule.planned, allows_unplanned=False)).iter_errors(values):
        steps = tuple(error.absolute_path)
        if error.validator == "required":
            missing = re.match(r"'(.*)' is a required property", error.message)
            assert missing is not None
            steps = (*steps, missing.group(1))
        if error.validator == "additionalProperties":
            named = set(error.instance) - set(error.schema["properties"])
            found |= {(path_text((*steps, name)), "additionalProperties") for name in named}
        else:
            found.add((path_text(steps), str(error.validator)))
    return found


@RELAXED
@given(occurrences_of(KINDS["order.refunded"]), st.data())
def test_stripping_leaves_only_what_is_missing(occurrence: Occurrence, data: st.DataObject) -> None:
    """After stripping, nothing is wrong but that required properties are missing, and nothing was added."""
    (rule,) = default_plan().rules("order.refunded")
    values = rule.map(occurrence, b"{}")
    values[data.draw(st.sampled_from(["total", "products", "kind", "new"]))] = data.draw(
        st.sampled_from([None, 1, "x", [{}, 5]])
    )

    stripped = strip(values, rule.check(values))

    assert {each.rule for each in rule.check(stripped)} <= {"required"}
    assert stripped.keys() <= values.keys()
