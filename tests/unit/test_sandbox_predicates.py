"""The sandbox's predicate language: what it accepts, what it refuses with which words, and that it means what it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.sandbox.commercetools.predicate import bounds, check_fields, compile_root, points
from cdi_cli.sandbox.commercetools.predicate_syntax import (
    And,
    Compare,
    Contains,
    Exists,
    Expression,
    In,
    Nested,
    Not,
    Or,
    PredicateError,
    parse,
)
from cdi_cli.sandbox.commercetools.records import Record, id_key

ID = "00010203-0405-4007-8009-0a0b0c0d0e0f"


def record(**fields: Any) -> Record:
    """A record with these fields on top of the ones every record has."""
    base = {"id": ID, "version": 3, "createdAt": "2026-01-01T00:00:00.000Z", "lastModifiedAt": "2026-02-01T00:00:00.000Z"}
    return Record({**base, **fields})


def matches(predicate: str, stored: Record, **variables: list[str]) -> bool:
    """Whether a predicate's text matches a record."""
    return compile_root(parse(predicate, variables))(stored)


@pytest.mark.parametrize(
    ("predicate", "expected"),
    [
        ("version >= 3 and version < 4", True),
        ("version = 3 or version = 9", True),
        ("not(version = 3)", False),
        ("version != 3", False),
        ("version <> 4", True),
        (f'id = "{ID}"', True),
        (f'id in ("{ID}")', True),
        (f'id not in ("{ID}")', False),
        ('custom(fields(tier = "gold"))', True),
        ('custom(fields(`loyalty-tier` = "gold"))', False),
        ("custom(fields(points > 9.5)) and custom(fields(isMember = true))", True),
        ('lines(sku = "b" and quantity = 2)', True),
        ('lines(sku = "a" and quantity = 2)', False),
        ('tags contains any ("x", "nope")', True),
        ('tags contains all ("x", "nope")', False),
        ("tags is not empty", True),
        ("orderNumber is defined", False),
        ("orderNumber is not defined", True),
        ('orderNumber != "7"', False),
        ('name(en matches ignore case "TEE")', True),
        ('name(de = "Hemd \\"weiß\\"")', True),
        ('tags = "x"', False),
    ],
)
def test_predicate_means_what_it_says(predicate: str, expected: bool) -> None:
    """Each operator holds and fails as the API's documentation describes."""
    stored = record(
        custom={"fields": {"tier": "gold", "points": 10, "isMember": True}},
        lines=[{"sku": "a", "quantity": 1}, {"sku": "b", "quantity": 2}],
        tags=["x", "y"],
        name={"en": "Tee", "de": 'Hemd "weiß"'},
    )

    assert matches(predicate, stored) is expected


@pytest.mark.parametrize(
    "literal",
    ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000+01:00", "2025-12-31T16:00:00-08:00"],
)
def test_instants_are_compared_as_instants(literal: str) -> None:
    """The spelling of a moment does not matter, only the moment."""
    assert matches(f'createdAt = "{literal}"', record())
    assert not matches(f'createdAt > "{literal}"', record())


def test_variables_stand_for_values_and_lists() -> None:
    """`:x` takes one value, or all values given for its name after `in`."""
    stored = record(key="b")

    assert matches("key = :k and createdAt >= :from", stored, k=["b"], **{"from": ["2026-01-01T00:00:00.000Z"]})
    assert matches("key in :keys", stored, keys=["a", "b"])
    assert not matches("key in (:one, :two)", stored, one=["x"], two=["y"])
    with pytest.raises(PredicateError, match="input variable 'gone'"):
        parse("key = :gone")


def test_id_order_is_binary_order() -> None:
    """Ids compare by halves in reverse byte order, which is not the order of their text."""
    assert id_key(ID).hex(" ") == "07 40 05 04 03 02 01 00 0f 0e 0d 0c 0b 0a 09 80"
    low, high = "ff000000-0000-4000-8000-000000000000", "00000000-0000-4001-8000-000000000000"
    assert low > high
    assert matches(f'id > "{low}"', record(id=high))
    assert not matches(f'id > "{high}"', record(id=low))


def test_syntax_error_points_at_the_place() -> None:
    """The message has the API's form: what was found, what was expected, line, column and a caret."""
    with pytest.raises(PredicateError) as caught:
        parse("id in ()")

    assert str(caught.value) == (
        "Syntax error while parsing 'where'. Invalid input ')', expected StringLiteral, NumberLiteral, boolean or "
        "inputParam (line 1, column 8):\nid in ()\n       ^"
    )


@pytest.mark.parametrize(
    "predicate",
    [
        "",
        "id",
        "id =",
        'id = "open',
        'id == "x"',
        "version = 1 version = 2",
        "version = 1 and",
        "(version = 1",
        'version = 1 AND key = "x"',
        "name(en)",
        'createdAt > "2026-01-01"',
        'createdAt > "2026-01-01T00:00:00.000"',
        "createdAt > 5",
        'id > "not-a-uuid"',
        'version = "3"',
        'key matches case "x"',
        "key is",
        "key contains (1)",
        "=<",
        "§",
        "a(" * 60 + "b = 1" + ")" * 60,
    ],
)
def test_malformed_predicate_is_refused(predicate: str) -> None:
    """What the grammar or a field's type does not allow is an error, never an empty result."""
    with pytest.raises(PredicateError):
        compile_root(parse(predicate))


def test_unknown_fields_and_enum_values_are_named() -> None:
    """All mistakes of a predicate are in one message, as the API writes them."""
    expression = parse('orderState = "aOpen" and not(limit = 5)')

    with pytest.raises(PredicateError) as caught:
        check_fields(expression, frozenset({"orderState"}))

    assert str(caught.value) == "Invalid enum value for OrderState: aOpenThe field 'limit' does not exist."


_TEXTS = st.sampled_from(["a", "b", 'q"uote', "ü"])
_NUMBERS = st.integers(0, 3)
_NAMES = st.sampled_from(["p", "q", "r"])
_OPS = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
_SCALARS = _TEXTS | _NUMBERS | st.booleans()
_VALUES = st.lists(_SCALARS, min_size=1, max_size=3).map(tuple)
_LEAVES = st.one_of(
    st.builds(Compare, _NAMES, _OPS, _SCALARS),
    st.builds(In, _NAMES, _VALUES, st.booleans()),
    st.builds(Contains, _NAMES, _VALUES, st.booleans()),
    st.builds(Exists, _NAMES, st.sampled_from(["defined", "empty"]), st.booleans()),
)
_EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Nested, _NAMES, inner),
        st.builds(Not, inner),
        st.builds(lambda parts: And(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)
_OBJECTS = st.recursive(
    st.dictionaries(_NAMES, _SCALARS, max_size=3),
    lambda inner: st.dictionaries(_NAMES, _SCALARS | inner | st.lists(inner | _SCALARS, max_size=3), max_size=3),
    max_leaves=8,
)


def _write(expression: Expression) -> str:
    """The text of a tree, over-parenthesised."""
    match expression:
        case Compare(field, op, value):
            return f"{field} {op} {_literal(value)}"
        case In(field, values, negated):
            return f"{field} {'not ' if negated else ''}in ({', '.join(map(_literal, values))})"
        case Contains(field, values, needs_all):
            return f"{field} contains {'all' if needs_all else 'any'} ({','.join(map(_literal, values))})"
        case Exists(field, what, negated):
            return f"{field} is {'not ' if negated else ''}{what}"
        case Nested(field, inner):
            return f"{field}({_write(inner)})"
        case Not(inner):
            return f"not({_write(inner)})"
        case And(parts):
            return " and ".join(f"({_write(part)})" for part in parts)
        case Or(parts):
            return " or ".join(f"({_write(part)})" for part in parts)
    raise AssertionError(expression)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else '"' + value.replace('"', '\\"') + '"'


def _same_kind(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and isinstance(left, str) == isinstance(right, str)


def _naive(expression: Expression, item: dict[str, Any]) -> bool:
    """The meaning of a tree, written as plainly as possible and without the code under test."""
    match expression:
        case And(parts):
            return all(_naive(part, item) for part in parts)
        case Or(parts):
            return any(_naive(part, item) for part in parts)
        case Not(inner):
            return not _naive(inner, item)
    value = item.get(expression.field)
    match expression:
        case Nested(_, inner):
            elements = value if isinstance(value, list) else [value]
            return any(_naive(inner, element) for element in elements if isinstance(element, dict))
        case Exists(_, what, negated):
            holds = value is not None if what == "defined" else value in (None, "", 0, False, [], {})
            return holds != negated
        case Contains(_, values, needs_all):
            if not isinstance(value, list):
                return False
            found = [any(_same_kind(v, e) and v == e for e in value if not isinstance(e, dict)) for v in values]
            return all(found) if needs_all else any(found)
        case In(_, values, negated):
            if value is None:
                return False
            scalar = not isinstance(value, dict | list)
            return (scalar and any(_same_kind(v, value) and v == value for v in values)) != negated
        case Compare(_, op, wanted):
            if value is None or isinstance(value, dict | list) or not _same_kind(value, wanted):
                return False
            order = (value > wanted) - (value < wanted)
            table = {"=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}
            return table[op]
    raise AssertionError(expression)


@given(expression=_EXPRESSIONS, item=_OBJECTS)
def test_predicates_agree_with_a_naive_evaluator(expression: Expression, item: dict[str, Any]) -> None:
    """Writing a tree, parsing it and running it gives what a plain reading of the tree gives."""
    stored = record(**item)

    assert compile_root(parse(_write(expression)))(stored) is _naive(expression, item)


_MOMENTS = [f"2026-01-01T00:00:0{second}.000Z" for second in range(6)]
_TIME_LEAVES = st.builds(Compare, st.just("createdAt"), _OPS, st.sampled_from(_MOMENTS)) | st.builds(
    Compare, st.just("version"), _OPS, st.integers(1, 3)
)
_TIME_TREES: st.SearchStrategy[Expression] = st.recursive(
    _TIME_LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(lambda parts: And(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda parts: Or(tuple(parts)), st.lists(inner, min_size=2, max_size=3)),
    ),
    max_leaves=6,
)


@given(expression=_TIME_TREES, at=st.sampled_from(_MOMENTS), version=st.integers(1, 3))
def test_bounds_never_exclude_a_match(expression: Expression, at: str, version: int) -> None:
    """Every record that matches lies within the bounds that the index is cut by."""
    low, high = bounds(expression, "createdAt")

    if compile_root(expression)(record(createdAt=at, version=version)):
        assert low is None or at >= low
        assert high is None or at <= high


def test_points_are_found_only_where_they_bind() -> None:
    """A value pins the result when it is ANDed, not when it is one of several ways to match."""
    path = ("paymentInfo", "payments", "id")

    assert points(parse('paymentInfo(payments(id in ("a", "b"))) and version > 1'), path) == {"a", "b"}
    assert points(parse('paymentInfo(payments(id = "a")) or version > 1'), path) is None
    assert points(parse('paymentInfo(payments(id not in ("a")))'), path) is None


def test_the_lower_case_email_can_only_be_asked_for() -> None:
    """`lowercaseEmail` finds a customer whatever the case in which the address is stored; it is in no record."""
    stored = record(email="Jane.Doe@Example.com")

    assert matches('lowercaseEmail = "jane.doe@example.com"', stored)
    assert not matches('lowercaseEmail = "Jane.Doe@Example.com"', stored)
    assert not matches('lowercaseEmail = "jane.doe@example.com"', record())
