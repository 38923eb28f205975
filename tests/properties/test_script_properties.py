"""Properties of the plan's JSONata: read as the engine reads it, repeatable, exact to the cent, equal when ejected."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from plan_strategies import DENIED, NAMES, TEXTS, occurrences_of, plans
from plan_tools import a_line, an_order, completed, write_plan

from cdi_cli.commerce import Money
from cdi_cli.events.lifecycle import KINDS
from cdi_cli.plan import EventRule, compile_plan, load_plan
from cdi_cli.plan.eject import eject
from cdi_cli.plan.engine import Engine, Failure, engine
from cdi_cli.plan.jsonata_check import Reads
from cdi_cli.plan.jsonata_parse import parse
from cdi_cli.plan.jsonata_tokens import JsonataError
from cdi_cli.plan.script_input import inputs_of

RELAXED = settings(suppress_health_check=list(HealthCheck), deadline=None)
PROTECTED = frozenset({DENIED})
LEAVES = st.sampled_from(["a", "$x", "1", '"s"', "$", "*", "true", "b.c", "$$.a", "[]", "{}", "()", "null", "**"])
FORMS = (
    *("{}.{}", "{}[{}]", "({}; {})", "[{}, {}]", '{{"k": {}, "l": {}}}', "{} + {}", "$sum({}, {})", "{} ?? {}", "{} and {}"),
    *("($x := {}; {})", "{} ~> {}", "{}^(>{})", "{} / {}", "{} in {}", "{} ? {}", "function($x) {{ {} & {} }}", "-{} & {}"),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.tuples(st.sampled_from(FORMS), inner, inner).map(lambda made: made[0].format(made[1], made[2])),
    max_leaves=6,
)
SEMANTIC = ("S0209", "S0210", "S0213", "S0215", "S0216", "S0217", "T1006")
"""What the engine refuses of forms that are well written; `script_rule.refusals` places it."""


@RELAXED
@given(EXPRESSIONS, st.data())
def test_text_is_read_as_the_engine_reads_it(text: str, data: st.DataObject) -> None:
    """Of expressions, whole and with one character more or less, what one refuses the other refuses."""
    if data.draw(st.booleans()) and text:
        place = data.draw(st.integers(0, len(text) - 1))
        cut = data.draw(st.booleans())
        text = text[:place] + ("" if cut else data.draw(st.sampled_from('()[]{}.;:,?"$&+'))) + text[place + cut :]
    try:
        parse(text)
        is_read = True
    except JsonataError:
        is_read = False

    refusal = engine().refusal(text)

    # An assignment to something else than a variable is found by the engine only when it runs.
    assume(is_read or ":=" not in text)
    assert is_read == (refusal is None or refusal in SEMANTIC), (text, refusal)


PARTS: dict[str, Any] = {
    "record": {"a": 1, "b": {"a": [1, 2]}},
    "entity": {"b": 2, "a": "x"},
    "event": {"name": "x", "a": False},
    "settings": {"p": [1, {"a": 3}], "b": 0},
}
READERS = st.recursive(
    st.sampled_from(
        [
            "record",
            "record.a",
            "record.b.a",
            "a",
            "b",
            "entity.b",
            "entity.a",
            "event",
            "settings.p",
            "$",
            "$$",
            "$$.record",
            "*",
            "1",
            "$keys()",
        ]
    ),
    lambda inner: st.tuples(st.sampled_from(FORMS[:10]), inner, inner).map(lambda made: made[0].format(made[1], made[2])),
    max_leaves=5,
)


def _fields_of(part: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    return part if names is None else {name: value for name, value in part.items() if name in names}


@RELAXED
@given(READERS)
def test_parts_that_are_not_read_make_no_difference(text: str) -> None:
    """A script gives the same with only those parts of its input that it is said to read."""
    fields = Reads(parse(text), inputs_of("order.completed")).fields
    assume(fields is not None)
    assert fields is not None
    read = {name: _fields_of(PARTS[name], fields[name]) for name in PARTS if name in fields}

    whole, part = (engine().evaluate([text], msgspec.json.encode(document)) for document in (PARTS, read))

    assert whole == part


@RELAXED
@given(plans(), st.data())
def test_an_evaluation_repeats(plan: tuple[Any, str], data: st.DataObject) -> None:
    """Another process, another order of evaluations: the same bytes."""
    kind, event = plan
    rules = _rules(event)
    assume(rules is not None)
    assert rules is not None
    occurrence, raw = data.draw(occurrences_of(kind)), b"{}"
    first = rules[1].map(occurrence, raw)
    document, text = rules[1].given, rules[1].source
    assert document is not None

    other = Engine()
    try:
        again = other.evaluate([text], document(occurrence, raw))
    finally:
        other.close()

    assert engine().evaluate([text], document(occurrence, raw)) == again
    assert msgspec.json.encode(rules[1].map(occurrence, raw)) == msgspec.json.encode(first)


NUMBERS = st.integers(-(10**6), 10**6) | st.sampled_from([0.5, 1.25, -3.75])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.dictionaries(st.sampled_from([*NAMES, DENIED]), inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5).map(lambda record: json.dumps(record).encode())
"""Records of objects: where a list stands in the middle of a path, JSONata goes into it and `from:` does not."""


def _rules(event: str) -> tuple[EventRule, EventRule] | None:
    """A random event as it is mapped, and as the template that its mapping was written as; None for number steps."""
    if "[0]" in event or "[tier" in event:
        return None  # of an object, JSONata takes the first of one
    with TemporaryDirectory() as folder:
        first = load_plan(write_plan(Path(folder, "a"), {"events/random.yaml": event}), denied_fields=PROTECTED)
        text = eject(first.events[0])
        files = {
            "events/random.yaml": json.dumps({"template": "t.jsonata", **json.loads(event)}),
            "templates/t.jsonata": text,
        }
        second = load_plan(write_plan(Path(folder, "b"), files), denied_fields=PROTECTED)
        mapped, made = compile_plan(first), compile_plan(second)
    (kind,) = mapped.kinds
    return mapped.rules(kind)[0], made.rules(kind)[0]


@RELAXED
@given(plans(), st.data())
def test_any_mapping_is_equal_when_ejected(plan: tuple[Any, str], data: st.DataObject) -> None:
    """Random plans, random entities and records: the ejected template makes the bytes that the mapping makes."""
    kind, event = plan
    rules = _rules(event)
    assume(rules is not None)
    assert rules is not None
    occurrence, raw = data.draw(occurrences_of(kind)), data.draw(OBJECTS)
    assume(not _has_whole_float(occurrence))

    expected = msgspec.json.encode(rules[0].map(occurrence, raw))

    assert msgspec.json.encode(rules[1].map(occurrence, raw)) == expected


def _has_whole_float(value: Any) -> bool:
    """Whether a number such as 42.0 that is no amount is in an entity: it comes out of JSONata as 42."""
    if isinstance(value, float):
        return value.is_integer()
    if isinstance(value, msgspec.Struct) and not isinstance(value, Money):
        return any(_has_whole_float(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, dict):
        return any(map(_has_whole_float, value.values()))
    return isinstance(value, tuple | list) and any(map(_has_whole_float, value))


@RELAXED
@given(st.lists(st.integers(-(10**11), 10**11), min_size=1, max_size=60), st.sampled_from([0, 2, 3]), st.data())
def test_sums_and_differences_are_exact(minors: list[int], digits: int, data: st.DataObject) -> None:
    """Amounts up to 10**9, added and taken from each other in any order: the exact sum, in every currency."""
    lines = tuple(
        a_line(id=str(number), price=Money(minor, "XXX", digits), quantity=data.draw(st.integers(1, 9)))
        for number, minor in enumerate(minors)
    )
    order = an_order(total=Money(sum(map(abs, minors)), "XXX", digits), lines=lines)
    expected = order.total.decimal() - sum((line.price.decimal() * line.quantity for line in lines), Decimal(0))

    made = SUM.map(completed(order), b"{}")["a"]

    assert Decimal(repr(made)) == expected


@RELAXED
@given(st.integers(-(10**11), 10**11), st.sampled_from([1, 10, 100, 1000]))
def test_minor_units_of_a_record_become_exact_amounts(cents: int, factor: int) -> None:
    """`centAmount / 100`, as vendors' templates write it, is the nearest double, which is written as the exact amount."""
    made = CENTS.map(completed(), json.dumps({"cents": cents, "factor": factor}).encode()).get("a", 0)

    assert Decimal(repr(made)) == Decimal(cents) / factor


def _rule(expression: str) -> EventRule:
    with TemporaryDirectory() as folder:
        event = f'event: T\ntrigger: order.completed\nproperties:\n  a: {{type: number, jsonata: "{expression}"}}\n'
        return compile_plan(load_plan(write_plan(Path(folder), {"events/t.yaml": event}))).rules("order.completed")[0]


SUM = _rule("order.total.amount - $sum(order.lines.(price.amount * quantity))")
CENTS = _rule("record.cents / record.factor")


@RELAXED
@given(occurrences_of(KINDS["order.completed"]), st.binary(max_size=60))
def test_an_expression_never_fails_for_the_bytes(occurrence: Any, raw: bytes) -> None:
    """Whatever a record is, what reads it gives a value or none."""
    assert isinstance(CENTS.map(occurrence, raw), dict)


@RELAXED
@given(st.text(max_size=30), st.binary(max_size=30))
def test_the_engine_survives_any_text(text: str, document: bytes) -> None:
    """Whatever is given as expression and as document, there is an answer, and the engine goes on."""
    code = engine().refusal(text)

    (found,) = engine().evaluate([text], document)

    assert code is None or found == Failure(code)
    assert engine().evaluate(["1"], b"{}") == [b"1"]
