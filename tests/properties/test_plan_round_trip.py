"""A plan that is exported and imported again is the same plan, up to what was listed as lost. For any plan."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from plan_documents import schemas, there_and_back
from plan_tools import write_plan

from cdi_cli.plan import Plan, Property, load_plan
from cdi_cli.plan.export_losses import Loss, Losses

EVENT_NAMES = [
    "Order Completed",
    "Checkout Started",
    "Order Refunded",
    "Thing Done",
    "42_--terrible==\\\"event'++name~!3",
    "注文",
]
WORDS = [
    "order_id",
    "total",
    "value",
    "currency",
    "products",
    "coupon",
    "product_id",
    "price",
    "quantity",
    "sku",
    "a b",
    "e5",
    "no",
]
TRAITS = ["email", "firstName", "phone", "address", "city", "company", "tags", "$city", "1"]
TEXTS = st.sampled_from(
    ["", "What it is", "a: b # c", "'quoted' \"twice\"", "two\nlines", "12:30", "naïve ☃ text", " padded ", "<<"]
)
ENUMS = st.lists(st.sampled_from(["", "yes", "no", "null", "1e5", "EUR", "- a", "{b}"]), min_size=1, max_size=3, unique=True)


def optional(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the keywords."""
    return st.fixed_dictionaries({}, optional=keywords)


def typed(kind: Any, **keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A property of a type with some keywords."""
    return optional(description=TEXTS, **keywords).map(lambda found: {"type": kind, **found})


LEAVES = st.one_of(
    typed("string", enum=ENUMS, maxLength=st.integers(1, 9), pattern=st.sampled_from(["^[A-Z]{3}$", "a|b", "\\d+"])),
    typed("string", format=st.sampled_from(["date-time", "idn-email"])),
    typed("number", minimum=st.integers(-5, 5) | st.floats(-1, 1), multipleOf=st.sampled_from([0.01, 5])),
    typed("integer", exclusiveMaximum=st.integers(0, 10**18)),
    typed("boolean"),
    typed(["string", "null"], default=st.just("x")),
    typed(["string", "number", "boolean", "object", "array", "null"]),
    typed("number", anyOf=st.just([{"minimum": 3}, {"maximum": 1}])),
)


def properties(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """The properties of an event, by name."""
    flag = st.booleans()

    def holders(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        table = st.dictionaries(st.sampled_from([*names, "street", "city"]), st.tuples(inner, flag), min_size=1, max_size=4)
        extra = optional(description=TEXTS, additionalProperties=flag, minProperties=st.integers(0, 2))
        objects = st.tuples(table, extra).map(lambda both: {"type": "object", **both[1], "properties": _required(both[0])})
        lists = st.tuples(inner, optional(minItems=st.integers(0, 3), uniqueItems=flag, description=TEXTS)).map(
            lambda both: {"type": "array", **both[1], "items": both[0]}
        )
        return objects | lists

    schema = st.recursive(LEAVES, holders, max_leaves=6)
    return st.dictionaries(st.sampled_from(names), st.tuples(schema, flag), min_size=1, max_size=5).map(_required)


def _required(table: dict[str, tuple[dict[str, Any], bool]]) -> dict[str, Any]:
    return {name: schema | ({"required": True} if needed else {}) for name, (schema, needed) in table.items()}


PLANS = st.fixed_dictionaries(
    {
        "head": st.fixed_dictionaries(
            {
                "name": st.sampled_from(["shop", "My Shop", "e5", "yes"]),
                "version": st.sampled_from(["1.0.0", "0.3.1", "12.4.0"]),
                "description": TEXTS,
                "unplanned_properties": st.sampled_from(["forbid", "allow", "strip"]),
            }
        ),
        "events": st.dictionaries(st.sampled_from(EVENT_NAMES), st.tuples(TEXTS, properties(WORDS)), min_size=1, max_size=3),
        "traits": st.none() | properties(TRAITS),
    }
)


ONE_PART_IS_LOST = {
    "head": {"name": "shop", "version": "1.0.0", "unplanned_properties": "allow"},
    "traits": None,
    "events": {
        "Checkout Started": (
            "",
            {
                "products": {
                    "type": "array",
                    "items": {"type": "object", "properties": {"order_id": {"type": "boolean"}}},
                }
            },
        )
    },
}
"""An object whose only part mParticle has in another type: what is left of it is open, as it was."""


OPEN_AFTER_A_LOSS = {
    "head": {"name": "shop", "version": "1.0.0", "unplanned_properties": "forbid"},
    "traits": None,
    "events": {
        "Checkout Started": (
            "",
            {
                "products": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "additionalProperties": True,
                        "properties": {"order_id": {"type": "boolean"}},
                    },
                }
            },
        )
    },
}
"""The same, said to be open, in a plan whose objects are closed."""


def load(folder: Path, plan: dict[str, Any]) -> Plan:
    """A generated plan, written and loaded; nothing in it comes from anywhere."""
    files = {"plan.yaml": json.dumps(plan["head"])}
    for number, (name, (description, table)) in enumerate(plan["events"].items()):
        event = {"event": name, "trigger": "none", "description": description, "properties": table}
        files[f"events/{number}.yaml"] = json.dumps(event)
    if plan["traits"] is not None:
        event = {"event": "identify", "type": "identify", "trigger": "none", "traits": plan["traits"]}
        files["events/identify.yaml"] = json.dumps(event)
    return load_plan(write_plan(folder, files))


@given(PLANS)
def test_segment_can_say_every_rule(generated: dict[str, Any]) -> None:
    """What goes to Segment and comes back judges every event as before; no loss of a rule on either way."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load(Path(folder, "plan"), generated)

        found, out, back = there_and_back(plan, "segment", Path(folder, "back"))

    assert schemas(found) == schemas(plan)
    assert (found.name, found.description, found.allows_unplanned) == (plan.name, plan.description, plan.allows_unplanned)
    assert {event.name: event.description for event in found.events} == {each.name: each.description for each in plan.events}
    assert out.rules() == back.rules() == ()


@given(PLANS)
@example(
    {
        "head": {"name": "shop", "version": "1.0.0", "unplanned_properties": "forbid"},
        "traits": None,
        "events": {"A": ("", {})},
    }
)
@example(ONE_PART_IS_LOST)
def test_mparticle_keeps_what_is_not_listed(generated: dict[str, Any]) -> None:
    """What goes to mParticle and comes back is the same, but for properties that are listed as lost; nothing is added."""
    generated["events"] = {name: event for name, event in generated["events"].items() if event[1]} or {
        "A": ("", {"a": {"type": "string"}})
    }
    with tempfile.TemporaryDirectory() as folder:
        plan = load(Path(folder, "plan"), generated)

        found, out, back = there_and_back(plan, "mparticle", Path(folder, "back"))

    losses = [*out.all(), *back.all()]
    before, after = parts(plan), parts(found)
    assert after.keys() <= before.keys()
    unlisted = [place for place, part in before.items() if after.get(place) != part and not is_listed(place, losses)]
    assert unlisted == []


@given(PLANS)
@example(OPEN_AFTER_A_LOSS)
def test_what_came_back_from_mparticle_can_go_again(generated: dict[str, Any]) -> None:
    """What mParticle could say the first time it can say the second time: no further rule gets lost."""
    with tempfile.TemporaryDirectory() as folder:
        plan = load(Path(folder, "plan"), generated)
        once, _, _ = there_and_back(plan, "mparticle", Path(folder, "once"))

        twice, out, back = there_and_back(once, "mparticle", Path(folder, "twice"))

    assert rules(out) + rules(back) == []
    assert schemas(twice) == schemas(once)


def rules(losses: Losses) -> list[str]:
    """The losses of rules, as text."""
    return [f"{loss.aspect}: {loss.place}" for loss in losses.rules()]


def parts(plan: Plan) -> dict[tuple[str, str], Any]:
    """Everything that a plan says about each property, apart from what it holds."""
    return {(event.name, path): _part(each, plan) for event in plan.events for path, each in event.walk()}


def _part(each: Property, plan: Plan) -> Any:
    """What a part says; an object that plans nothing of what it holds is open, whatever holds for the plan."""
    keywords = dict(each.keywords)
    if "object" in each.types:
        keywords.setdefault("additionalProperties", plan.allows_unplanned or not each.properties)
    return each.types, each.is_required, each.description, keywords


def is_listed(place: tuple[str, str], losses: list[Loss]) -> bool:
    """Whether a loss names this property, or one that it lies in."""
    event, path = place
    return any(
        loss.event == event and (path == loss.path or (loss.is_rule and path.startswith((f"{loss.path}.", f"{loss.path}["))))
        for loss in losses
        if loss.path
    )
