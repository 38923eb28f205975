"""What the difference calls harmless is harmless: whatever passes the later rules passes the earlier ones (jsonschema)."""

from __future__ import annotations

from typing import Any

import jsonschema
from hypothesis import example, given
from hypothesis import strategies as st

from cdi_cli.plan import PlannedEvent, Property
from cdi_cli.plan.diff_event import event_changes
from cdi_cli.plan.problems import Place
from cdi_cli.plan.schema import event_schema

PLACE = Place("nowhere.yaml")
NUMBERS = st.sampled_from([0, 1, 2, 3, 0.5, 1.5, -1, 6])
COUNTS = st.integers(0, 4)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "b", "1", "a@b.c"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=5,
)
KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), NUMBERS),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), COUNTS),
        "multipleOf": st.sampled_from([0.5, 1, 2, 3, 6]),
        "pattern": st.sampled_from(["^a", "b$"]),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "uniqueItems": st.booleans(),
        "not": st.sampled_from([{"maxLength": 1}, {"minimum": 2}]),
        "anyOf": st.sampled_from([[{"maxLength": 1}], [{"maxLength": 1}, {"minimum": 2}]]),
        "propertyNames": st.sampled_from([{"maxLength": 0}, {"enum": ["a"]}]),
        "title": st.just("Title"),
    },
)
TYPES = st.lists(
    st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "null"]),
    min_size=1,
    max_size=3,
    unique=True,
).map(tuple)


@st.composite
def properties(draw: st.DrawFn, name: str, depth: int = 0) -> Property:
    """A property with random rules; objects and lists may plan what they hold."""
    inner = draw(st.lists(st.sampled_from("ab"), unique=True)) if depth < 2 else []
    return Property(
        name,
        draw(TYPES),
        PLACE,
        is_required=bool(name) and draw(st.booleans()),
        keywords=draw(KEYWORDS),
        properties=tuple(draw(properties(each, depth + 1)) for each in inner),
        items=draw(st.none() | properties("", depth + 1)) if depth < 2 else None,
    )


def event_of(*planned: Property) -> PlannedEvent:
    """An event with these properties."""
    return PlannedEvent("Tested", "track", "order.completed", "", "block", planned, PLACE)


def is_valid(event: PlannedEvent, values: dict[str, Any]) -> bool:
    """The verdict of `jsonschema`."""
    return jsonschema.Draft7Validator(event_schema(event, allows_unplanned=False)).is_valid(values)


@given(properties("a"), properties("a"), st.dictionaries(st.just("a"), VALUES))
@example(Property("a", ("number",), PLACE, keywords={"minimum": 1}), Property("a", ("integer",), PLACE), {"a": 0})
def test_nothing_that_is_not_breaking_admits_more(before: Property, after: Property, values: dict[str, Any]) -> None:
    """If no change between two random properties is breaking, each value valid afterwards was valid before."""
    old, new = event_of(before), event_of(after)
    changes = list(event_changes(old, new, is_closed=True))

    if is_valid(new, values) and not is_valid(old, values):
        assert any(change.level == "breaking" for change in changes) or adds_properties(changes)


def adds_properties(changes: list[Any]) -> bool:
    """Whether a property became planned: the one way in which a compatible change lets through what was forbidden."""
    return any(change.kind == "property_added" for change in changes)


@given(properties("a"), st.data())
def test_one_rule_more_or_less(before: Property, data: st.DataObject) -> None:
    """A property that differs in one keyword only: harmless changes admit no value that was ruled out before."""
    more = data.draw(KEYWORDS)
    keywords = {**before.keywords, **dict(list(more.items())[:1])}
    if before.keywords and data.draw(st.booleans()):
        keywords.pop(data.draw(st.sampled_from(sorted(before.keywords))))
    after = Property("a", before.types, PLACE, before.is_required, keywords=keywords, properties=before.properties)
    before = Property("a", before.types, PLACE, before.is_required, keywords=before.keywords, properties=before.properties)
    values = {"a": data.draw(VALUES)}

    changes = list(event_changes(event_of(before), event_of(after), is_closed=True))

    if all(change.level != "breaking" for change in changes) and is_valid(event_of(after), values):
        assert is_valid(event_of(before), values)
