"""Properties of the difference between plans: nothing for equal ones, something for every mutation, the same backwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from cdi_cli.plan import Plan, PlannedEvent, Property
from cdi_cli.plan.diff import diff_plans
from cdi_cli.plan.diff_version import demanded_bump, is_bump_made
from cdi_cli.plan.model import Conventions, Deprecation, Routing
from cdi_cli.plan.paths import Path
from cdi_cli.plan.problems import Place
from cdi_cli.plan.shapes import Shape
from cdi_cli.plan.versions import Version

PLACE = Place("nowhere.yaml")
KEYWORDS = {
    "minimum": [0, 1, 2.5],
    "exclusiveMaximum": [9, 10],
    "minLength": [1, 5],
    "maxItems": [3, 4],
    "pattern": ["^a", "^b"],
    "format": ["email", "date"],
    "enum": [["a"], ["a", "b"], [1], [True]],
    "const": [1, True, "1"],
    "multipleOf": [1, 2],
    "uniqueItems": [True],
    "anyOf": [[{"maxLength": 3}], [{"maxLength": 4}]],
    "patternProperties": [{"^a": {"type": "string"}}],
    "additionalProperties": [True, {"type": "string"}],
    "contentEncoding": ["base64"],
    "title": ["Title", "Another"],
}
PAIRS = (
    *(("property_added", "property_removed"), ("event_added", "event_removed"), ("fallback_added", "fallback_removed")),
    *(("became_required", "became_optional"), ("type_narrowed", "type_widened"), ("limit_tightened", "limit_loosened")),
    *(("enum_values_added", "enum_values_removed"), ("elements_planned", "elements_unplanned")),
    ("object_planned", "object_unplanned"),
)
MIRROR = {one: other for pair in PAIRS for one, other in (pair, pair[::-1])}


def raw_path(name: str) -> Path:
    """A path into the raw record."""
    return Path(f"record.{name}", "record", (name,), Shape("raw"))


def plain(name: str, *types: str, **more: Any) -> Property:
    """A property that comes from the record's field of its name."""
    return Property(name, types, PLACE, sources=(raw_path(name),), **more)


TEXTS = (
    plain("id", "string", is_required=True, pii="identifier"),
    plain("kind", "string", keywords={"enum": ["a", "b"]}),
    plain("amount", "number", keywords={"minimum": 0, "multipleOf": 0.5}),
    Property("channel", ("string",), PLACE, is_constant=True, constant="web"),
)
ORIGINAL = Plan(
    name="plan",
    version="1.2.3",
    folder=FilePath("nowhere"),
    events=(
        PlannedEvent(
            "Order Completed",
            "track",
            "order.completed",
            "",
            "block",
            (
                *TEXTS,
                plain("address", "object", pii="contact", properties=TEXTS),
                plain("products", "array", items=Property("", ("object",), PLACE, properties=TEXTS)),
                plain("coupons", "string", join=", "),
            ),
            PLACE,
        ),
        PlannedEvent("identify", "identify", "customer.profile", "", "strip", TEXTS, PLACE),
    ),
)


NAMES = st.sampled_from(["alpha", "beta", "gamma"])


@st.composite
def mutated_property(draw: st.DrawFn, each: Property) -> Property:
    """The property with one thing changed."""
    keyword = draw(st.sampled_from(sorted(KEYWORDS)))
    value = draw(st.sampled_from(KEYWORDS[keyword]))
    text = draw(NAMES)
    version = draw(st.sampled_from(["0.1.0", "0.2.0"]))
    changes: list[dict[str, Any]] = [
        {"is_required": not each.is_required},
        {"types": draw(st.sampled_from([("string",), ("number",), ("integer",), ("string", "null"), ("boolean",)]))},
        {"description": text},
        {"pii": draw(st.sampled_from([None, "none", "identifier", "contact", "sensitive"]))},
        {"sources": draw(st.sampled_from([(raw_path(text),), (*each.sources, raw_path(text)), each.sources[1:], ()]))},
        {"is_constant": True, "constant": text, "sources": ()},
        {"join": text},
        {"keywords": {**each.keywords, keyword: value}},
        {"keywords": {}},
        {"since": version},
        {"deprecated": Deprecation(version)},
        {"properties": (*each.properties, Property(text, ("string",), PLACE))},
        {"properties": each.properties[1:]},
        {"items": Property("", ("string",), PLACE) if each.items is None else None},
    ]
    if each.name:
        changes.append({"name": text})
    if each.properties:
        index = draw(st.integers(0, len(each.properties) - 1))
        changes.append({"properties": swapped(each.properties, index, draw(mutated_property(each.properties[index])))})
    if each.items is not None:
        changes.append({"items": draw(mutated_property(each.items))})
    changed: Property = replace(each, **draw(st.sampled_from(changes)))
    return changed


def swapped(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    """The values with one of them replaced."""
    return (*values[:index], value, *values[index + 1 :])


@st.composite
def mutated_event(draw: st.DrawFn, event: PlannedEvent) -> PlannedEvent:
    """The event with one thing changed."""
    index = draw(st.integers(0, len(event.properties) - 1))
    text = draw(NAMES)
    changes: list[dict[str, Any]] = [
        *[{"properties": swapped(event.properties, index, draw(mutated_property(event.properties[index])))}] * 8,
        {"properties": (*event.properties, Property(text, ("string",), PLACE))},
        {"properties": event.properties[:index] + event.properties[index + 1 :]},
        {"name": text},
        {"trigger": draw(st.sampled_from(["order.completed", "order.cancelled"]))},
        {"on_violation": draw(st.sampled_from(["block", "strip", "warn"]))},
        {"description": text},
        {"since": "0.1.0"},
        {"deprecated": Deprecation("0.1.0", text)},
        {"routing": (Routing(text, PLACE, is_sent=draw(st.booleans())),)},
        {"routing": (Routing(text, PLACE, exclude=(text,), rename={"order_id": text}),)},
    ]
    changed: PlannedEvent = replace(event, **draw(st.sampled_from(changes)))
    return changed


def is_sound(properties: tuple[Property, ...]) -> bool:
    """Whether no object names a property twice, as YAML cannot."""
    inner = [each.properties for each in properties] + [each.items.properties for each in properties if each.items]
    return len({each.name for each in properties}) == len(properties) and all(map(is_sound, inner))


@st.composite
def mutated_plan(draw: st.DrawFn, times: int = 1) -> Plan:
    """The original plan with so many things changed, each more than layout."""
    plan = ORIGINAL
    for _ in range(times):
        index = draw(st.integers(0, len(plan.events) - 1))
        text = draw(NAMES)
        changes: list[dict[str, Any]] = [
            *[{"events": swapped(plan.events, index, draw(mutated_event(plan.events[index])))}] * 8,
            {"name": text},
            {"owner": text},
            {"description": text},
            {"conventions": Conventions(property_case="camel")},
            {"on_violation": draw(st.sampled_from(["block", "strip", "warn"]))},
            {"unplanned_properties": draw(st.sampled_from(["forbid", "strip", "warn", "allow"]))},
            {"unplanned_events": draw(st.sampled_from(["ignore", "block"]))},
        ]
        if len(plan.events) > 1:
            changes.append({"events": plan.events[:index] + plan.events[index + 1 :]})
        plan = replace(plan, **draw(st.sampled_from(changes)))
    assume(repr(plan) != repr(ORIGINAL))
    assume(all(is_sound(event.properties) for event in plan.events))
    return plan


@given(mutated_plan())
def test_a_plan_does_not_differ_from_itself(plan: Plan) -> None:
    """No change, no bump demanded, in whatever plan."""
    found = diff_plans(plan, plan)

    assert (found.changes, found.demanded.word, found.is_bump_made) == ((), "none", True)


@given(mutated_plan())
def test_every_mutation_is_found(plan: Plan) -> None:
    """Whatever is changed in a plan is at least one change, which demands at least a patch that was not made."""
    found = diff_plans(ORIGINAL, plan)

    assert found.changes
    assert found.demanded
    assert not found.is_bump_made


@given(mutated_plan(times=2))
def test_seen_backwards_what_was_added_was_removed(plan: Plan) -> None:
    """Each addition forwards is a removal backwards and the other way round; a tightening is a loosening."""

    def kinds(before: Plan, after: Plan) -> list[tuple[str, int]]:
        return sorted((change.kind, len(change.spots)) for change in diff_plans(before, after).changes)

    forwards, backwards = kinds(ORIGINAL, plan), kinds(plan, ORIGINAL)

    def of(found: list[tuple[str, int]], kind: str) -> int:
        return sum(number for name, number in found if name == kind)

    for kind, mirror in MIRROR.items():
        assert of(forwards, kind) == of(backwards, mirror), (kind, forwards, backwards)


@given(mutated_plan(times=2), st.data())
def test_more_changes_never_demand_less(plan: Plan, data: st.DataObject) -> None:
    """The bump of some of the changes is at most that of all, and the version that is proposed makes it."""
    found = diff_plans(ORIGINAL, plan)
    some = data.draw(st.lists(st.sampled_from(found.changes), unique=True)) if found.changes else []
    version = Version(ORIGINAL.version)

    assert demanded_bump(some, version) <= found.demanded
    assert all(found.demand_of(change) <= found.demanded for change in found.changes)
    assert is_bump_made(version, Version(found.next_version), found.demanded)
