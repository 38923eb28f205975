"""What an expression must not do is found before it runs, and what it reads is known."""

from __future__ import annotations

from itertools import chain

import pytest

from cdi_cli.plan.jsonata_check import FUNCTIONS, Reads, mistakes
from cdi_cli.plan.jsonata_parse import parse
from cdi_cli.plan.script_input import inputs_of

INPUTS = inputs_of("order.refunded")
DENIED = frozenset({"password"})


def told(text: str) -> list[tuple[int, str]]:
    """The mistakes of an expression: place and message."""
    return [(each.offset, each.message) for each in mistakes(parse(text), INPUTS, DENIED)]


@pytest.mark.parametrize("name", ["now", "millis", "random", "shuffle", "eval"])
def test_what_would_differ_between_runs_is_refused(name: str) -> None:
    """Clock, chance and `$eval` are refused however they are named: called, passed on, or under another name."""
    message = f"`${name}` is not allowed in a plan"

    for text in (f"${name}()", f"order.${name}()", f"$map([1], ${name})", f"($f := ${name}; $f())", f"(${name} := 1)"):
        place = text.index(f"${name}") if ":= 1" not in text else None
        assert place is None or (place, message) in told(text)
    assert told(f"1 + ${name}()") == [(4, message)]


def test_every_function_of_the_list_is_one_of_the_engine() -> None:
    """No name is allowed that the engine does not have."""
    from cdi_cli.plan.engine import engine

    found = engine().evaluate([f"$type(${name})" for name in sorted(FUNCTIONS)], b"{}")

    assert set(found) == {b'"function"'}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$sm(order.lines)", [(0, "there is no function or variable `$sm`")]),
        ("($x := 1; $y)", [(10, "there is no function or variable `$y`")]),
        ("ordr.number", [(0, "`ordr` is not known here")]),
        ("order.nummer", [(6, "an object (Order) has no field `nummer`")]),
        ("order.lines.skuu", [(12, "an object (LineItem) has no field `skuu`")]),
        ("order.lines[qty > 1].sku", [(12, "an object (LineItem) has no field `qty`")]),
        ('order.lines.{"a": sku, "b": record.x}', [(28, "an object (LineItem) has no field `record`")]),
        ("order.total.value", [(12, "an amount has no field `value`")]),
        ("order.number.length", [(13, "text has no field `length`")]),
        ("record.user.password", [(12, "the record field `password` must never be mapped")]),
        ("$nope(ordr, record.password)", None),
    ],
)
def test_what_leads_nowhere_is_refused(text: str, expected: list[tuple[int, str]] | None) -> None:
    """Unknown names, fields that an entity does not have and protected fields are told, all at once."""
    found = told(text)

    assert found == expected if expected is not None else len(found) == 3


@pytest.mark.parametrize(
    "text",
    [
        "order.lines.price.amount",
        "order.lines[0].product_id",
        "order.consent.categories.marketing",
        "refund.amount.currency",
        "$sum(order.lines.(price.amount * quantity))",
        "$map(order.lines, function($line, $i) { $line.sku & $i })",
        "order.lines@$l.$l.sku",
        "order.lines^(>price.amount).sku",
        "record.anything.at.all[x=1]",
        'order ~> |lines|{"sku": "x"}|',
        "order.lines.%.number",
        "$$.order.number",
        "entity.number & settings.pipeline & event.time",
        'order.lines.{"a": $$.record.x}',
    ],
)
def test_what_leads_somewhere_is_taken(text: str) -> None:
    """Paths into lists, raw records, variables and back to the whole input are no mistakes."""
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order.number", {"order"}),
        ("record.a ?? order.id", {"record", "order"}),
        ("order.lines.{'x': $$.settings.locale}", {"order", "settings"}),
        ("$.refund.id", {"refund"}),
        ("1 + 2", set()),
        ("$", None),
        ("$$", None),
        ("($all := $$; $all.record)", None),
        ("*.number", None),
        ("**.sku", None),
        ("$keys()", None),
        ("$lookup('record')", None),
        ("order.lines.%", None),
        ("order@$o.record", None),
        ("$lookup(order, 'number')", {"order"}),
        ("order.$keys()", {"order"}),
    ],
)
def test_the_parts_that_are_read_are_known(text: str, expected: set[str] | None) -> None:
    """Where a script may read any part of its input, it is said so; else only what it names."""
    fields = Reads(parse(text), INPUTS).fields

    assert (set(fields) if fields is not None else None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order.number", {"number"}),
        ("order.lines.sku & $$.order.id", {"lines", "id"}),
        ('order.{"a": number, "b": lines.sku}', {"number", "lines"}),
        ("order.lines[0].(sku; $$.order.tax)", {"lines", "tax"}),
        ("order", None),
        ("$string(order)", None),
        ("order.$", None),
        ("order.*", None),
        ("order.$keys()", None),
        ("order.$lookup('tax')", None),
        ("order[number = '1'].id", None),
        ("(order).number", None),
        ("($o := order; $o.number)", None),
    ],
)
def test_the_fields_that_are_read_are_known(text: str, expected: set[str] | None) -> None:
    """Of an entity that is only gone into by names, no more is needed than these."""
    fields = Reads(parse(text), INPUTS).fields

    assert fields == {"order": frozenset(expected) if expected is not None else None}


def test_long_paths_are_no_trouble() -> None:
    """The time that looking takes grows with the text, not with its square or worse."""
    text = "record" + ".a" * 198

    assert Reads(parse(text), INPUTS).fields == {"record": frozenset({"a"})}


def test_hints_lead_on() -> None:
    """A mistake says what to write instead."""
    texts = ("$sm(1)", "ordr.id", "$now()", 'order.lines.{"a": record.x}')

    hints = chain.from_iterable(mistakes(parse(text), INPUTS, DENIED) for text in texts)

    assert [each.hint for each in hints] == [
        "did you mean `$sum`?",
        "did you mean `order`?",
        "events carry business time: use `event.time`",
        "here `record` would be a field of an object (LineItem): write `$$.record` for that of the input",
    ]
