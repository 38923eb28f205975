"""Hypothesis strategies for the tracking plan: entities by their annotations, raw records, and whole plans."""

from __future__ import annotations

import json
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

from cdi_cli.clock import Instant
from cdi_cli.commerce import Money
from cdi_cli.events.lifecycle import KINDS, Kind, Occurrence
from cdi_cli.plan.shapes import Shape, entity_shape

# No surrogates (no JSON reader lets them in), no line ends: Python's `$` matches before a last one, JSON Schema's does not.
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n"), max_size=8) | st.sampled_from(
    ["", "EUR", "DE", "jo@example.com", "gold"]
)
INSTANTS = st.sampled_from([Instant("2026-01-31T12:00:00.000Z"), Instant("1999-12-31T23:59:59.999Z")])
MONIES = st.builds(
    Money,
    st.integers(-(10**17), 10**17) | st.integers(-100, 100_000),
    st.sampled_from(["EUR", "JPY", "KWD"]),
    st.sampled_from([0, 2, 3, 7]),
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = ("custom", "fields", "tier", "items", "loyalty-tier", "0")
DENIED = "password"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, DENIED]), inner, max_size=4),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=5).map(lambda record: json.dumps(record).encode())


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of an entity's annotation."""
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXTS,
        Instant: INSTANTS,
        Money: MONIES,
        bool: st.booleans(),
        int: st.integers(-5, 10**6),
    }
    if annotation in simple:
        return simple[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if set(arguments) == {str, int, float, bool}:
        return TEXTS | st.booleans() | NUMBERS
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return st.none() | values_of(inner)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        # Entities promise that a list holds no empty text: an absent value is absent.
        return st.lists(values_of(arguments[0]).filter(lambda each: each != ""), max_size=2).map(tuple)
    if origin is dict:
        # No "0": where a schema of a table's values is broken, the engine tells a name of digits as the place in a list.
        return st.dictionaries(st.sampled_from(NAMES[:-1]), values_of(arguments[1]), max_size=2)
    return entities(annotation)


def entities(entity: Any) -> st.SearchStrategy[Any]:
    """Entities of a type, every field drawn by its annotation."""
    hints = get_type_hints(entity)
    return st.fixed_dictionaries({field.name: values_of(hints[field.name]) for field in msgspec.structs.fields(entity)}).map(
        lambda fields: entity(**fields)
    )


def occurrences_of(kind: Kind) -> st.SearchStrategy[Occurrence]:
    """Occurrences of a kind, with random subjects."""
    subjects = st.fixed_dictionaries({name: entities(entity) for name, entity in kind.subjects.items()})
    return subjects.map(
        lambda found: Occurrence(kind.name, Instant("2026-01-31T12:00:00.000Z"), next(iter(found.values())), found)
    )


@st.composite
def paths(draw: st.DrawFn, roots: dict[str, Shape]) -> tuple[str, Shape]:
    """A path that exists, and the shape it leads to; through the raw record with any steps."""
    text = draw(st.sampled_from(sorted(roots)))
    shape = roots[text]
    if shape.kind == "raw":
        steps = draw(st.lists(st.sampled_from([*(f".{name}" for name in NAMES), "[0]", "[tier=gold]"]), max_size=4))
        if text == "record":
            steps.insert(0, f".{draw(st.sampled_from(NAMES))}")
        return text + "".join(steps), shape
    while shape.kind in ("object", "map") and draw(st.integers(0, 9)) > 0:
        name = draw(st.sampled_from(shape.fields() or NAMES[:3]))
        inner = shape.inner(name)
        assert inner is not None
        text, shape = f"{text}.{name}", inner
    return text, shape


@st.composite
def properties(draw: st.DrawFn, roots: dict[str, Shape], depth: int = 0, is_element: bool = False) -> dict[str, Any]:
    """A property that agrees with the entities: a value, an object or a list, from one path or two."""
    if not is_element and draw(st.integers(0, 9)) == 0:
        return {"type": "array", "value": draw(st.lists(st.integers() | st.text("ab'{}"), min_size=1, max_size=2))}
    if is_element and draw(st.booleans()):
        text, shape = "item", roots["item"]
    else:
        text, shape = draw(paths(roots))
    written: dict[str, Any] = {} if text == "item" and is_element else {"from": text}
    simple = {
        "text": "string",
        "instant": "string",
        "money": "number",
        "integer": "integer",
        "boolean": "boolean",
        "map": "object",
    }
    if shape.kind in simple:
        written["type"] = simple[shape.kind]
        if draw(st.booleans()) and "from" in written:
            written["from"] = [text, "record.custom.tier"]
        return written
    inner_type = draw(st.sampled_from(["object", "array", "string"])) if shape.kind == "raw" else shape.kind
    if inner_type == "string" or depth > 2:
        if shape.kind in ("list", "object"):
            return {"type": "string", "from": "record.custom.fields.tier", "join": "-"}
        return {**written, "type": "string", **({"join": ","} if draw(st.booleans()) else {})}
    if inner_type == "object":
        inner = draw(tables({**roots, "item": shape}, depth + 1))
        return {**written, "type": "object", "properties": inner}
    element = shape.element or shape
    return {**written, "type": "array", "items": draw(properties({**roots, "item": element}, depth + 1, is_element=True))}


def tables(roots: dict[str, Shape], depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """The properties of an event or object, by name."""
    return st.dictionaries(st.sampled_from(["a", "b", "c'\"", "d"]), properties(roots, depth), min_size=1, max_size=3)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Kind, str]:
    """An event file as YAML text (JSON is YAML), and the kind that triggers it."""
    kind = draw(st.sampled_from(sorted(KINDS.values(), key=lambda kind: kind.name)))
    roots = {name: entity_shape(entity) for name, entity in kind.subjects.items()}
    event = {"event": "Random", "trigger": kind.name, "properties": draw(tables({**roots, "record": Shape("raw", True)}))}
    return kind, json.dumps(event, ensure_ascii=False)
