"""Verdicts: the fast engine that checks every event and `jsonschema`, the reference, agree on random plans and events."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_tools import write_plan

from cdi_cli.plan import compile_plan, load_plan
from cdi_cli.plan.lint import lint
from cdi_cli.plan.schema import event_schema

RELAXED = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])
NAMES = st.sampled_from(["a", "b", "c", "order_id"])
# No line ends: Python's `$` matches before a last one, JSON Schema's does not.
TEXTS = st.text("abcXYZ09 é😀", max_size=8)
NUMBERS = st.integers(-20, 20) | st.sampled_from([0.5, -1.5, 3.0, 1e3, 10**17, 2.5])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


def keywords(types: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Random keywords of JSON Schema, most of them about one of the types; contradictions included."""
    choices: dict[str, st.SearchStrategy[Any]] = {
        "enum": st.lists(SCALARS, min_size=1, max_size=4, unique_by=repr),
        "const": SCALARS,
    }
    if "string" in types:
        choices |= {
            "minLength": st.integers(0, 4),
            "maxLength": st.integers(0, 6),
            "pattern": st.sampled_from(["^[A-Z]{3}$", "a", "^a|b$", "[0-9]+", "^.$", "^$", "é"]),
        }
    if {"number", "integer"} & set(types):
        choices |= {
            "minimum": NUMBERS,
            "maximum": NUMBERS,
            "exclusiveMinimum": NUMBERS,
            "exclusiveMaximum": NUMBERS,
            "multipleOf": st.sampled_from([1, 2, 5]),
        }
    if "array" in types:
        choices |= {"minItems": st.integers(0, 2), "maxItems": st.integers(0, 3), "uniqueItems": st.booleans()}
    if "object" in types:
        choices |= {"minProperties": st.integers(0, 2), "maxProperties": st.integers(0, 3)}
    return st.lists(st.sampled_from(sorted(choices)), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: choices[name] for name in names})
    )


TYPES = st.lists(
    st.sampled_from(["string", "number", "integer", "boolean", "array", "object", "null"]),
    min_size=1,
    max_size=2,
    unique=True,
)
COMPOSED = st.sampled_from(["anyOf", "oneOf", "allOf", "not"])


@st.composite
def properties(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """A property of a plan file, as plain data."""
    types = draw(TYPES)
    made: dict[str, Any] = {"type": types[0] if len(types) == 1 else types, **draw(keywords(types))}
    if draw(st.booleans()):
        made["required"] = True
        made["from"] = "record.x"
    if depth and "object" in types and draw(st.booleans()):
        inner = draw(st.dictionaries(NAMES, properties(depth=depth - 1), min_size=1, max_size=2))
        made["properties"] = inner
    if depth and "array" in types and draw(st.booleans()):
        made["items"] = {key: value for key, value in draw(properties(depth=0)).items() if key not in ("required", "from")}
    if draw(st.integers(0, 4)) == 0:
        keyword = draw(COMPOSED)
        schemas = [{"type": draw(TYPES)[0], **draw(keywords(["string"]))} for _ in range(2)]
        made[keyword] = schemas[0] if keyword == "not" else schemas
    return made


EVENTS = st.dictionaries(NAMES, properties(), min_size=1, max_size=3)


def as_yaml(value: Any) -> str:
    """Plain data as a plan file; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


@RELAXED
@given(
    EVENTS,
    st.sampled_from(["allow", "forbid"]),
    st.lists(st.dictionaries(NAMES, VALUES, max_size=4), min_size=1, max_size=4),
)
def test_both_engines_give_the_same_verdict(event: dict[str, Any], unplanned: str, messages: list[dict[str, Any]]) -> None:
    """For any plan that loads and any properties, one engine finds something exactly where the other does."""
    with TemporaryDirectory() as folder:
        head = f'name: test\nversion: "1.0.0"\nunplanned_properties: {unplanned}\n'
        files = {"event": "Tested", "trigger": "order.completed", "properties": event}
        plan = load_plan(write_plan(Path(folder), {"plan.yaml": head, "events/a.yaml": as_yaml(files)}))
        # Contradictions are for lint to tell; both engines must judge them alike all the same.
        lint(plan)
    (rule,) = compile_plan(plan).rules("order.completed")
    reference = jsonschema.Draft7Validator(event_schema(rule.planned, allows_unplanned=plan.allows_unplanned))

    for message in messages:
        assert bool(rule.check(message)) == (not reference.is_valid(message)), message


BOUNDED: dict[str, tuple[tuple[str, ...], list[Any]]] = {
    "number": (("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), [number / 4 for number in range(-16, 17)]),
    "string": (("minLength", "maxLength"), ["x" * size for size in range(5)]),
    "array": (("minItems", "maxItems"), [[1] * size for size in range(5)]),
    "object": (("minProperties", "maxProperties"), [{str(key): 1 for key in range(size)} for size in range(5)]),
}
"""Type -> its bounds, and values of it: one within any bounds from 0 to 3 (-3 to 3 for numbers) that leave room for one."""


@st.composite
def bounded(draw: st.DrawFn) -> dict[str, Any]:
    """A property of one type with some of its bounds."""
    kind = draw(st.sampled_from(sorted(BOUNDED)))
    limits = st.integers(-3 if kind == "number" else 0, 3)
    return {"type": kind, **draw(st.dictionaries(st.sampled_from(BOUNDED[kind][0]), limits))}


def lint_of(properties: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The rules of the errors that lint finds, and the schema of the event."""
    with TemporaryDirectory() as folder:
        files = {"event": "Tested", "trigger": "order.completed", "properties": properties}
        plan = load_plan(write_plan(Path(folder), {"events/a.yaml": as_yaml(files)}))
        errors = [one.rule for one in lint(plan).sorted() if one.severity == "error"]
    return errors, event_schema(plan.events[0], allows_unplanned=True)


@RELAXED
@given(bounded())
def test_bounds_contradict_exactly_where_nothing_passes(planned: dict[str, Any]) -> None:
    """Lint calls bounds contradictory where `jsonschema` lets no value of the type pass, and nowhere else."""
    errors, schema = lint_of({"a": planned})
    reference = jsonschema.Draft7Validator(schema)

    passing = [value for value in BOUNDED[planned["type"]][1] if reference.is_valid({"a": value})]

    assert (errors != []) == (passing == [])


@RELAXED
@given(st.lists(SCALARS, min_size=1, max_size=4, unique_by=repr), TYPES, st.data())
def test_members_are_forbidden_exactly_where_they_fail(values: list[Any], types: list[str], data: st.DataObject) -> None:
    """Lint calls an `enum` wrong where `jsonschema` refuses one of its members for another reason, and nowhere else."""
    others = {name: value for name, value in data.draw(keywords(types)).items() if name not in ("enum", "const")}
    errors, schema = lint_of({"a": {"type": types, "enum": values, **others}})
    reference = jsonschema.Draft7Validator(schema)

    assert ("plan/enum" in errors) == any(not reference.is_valid({"a": value}) for value in values)
