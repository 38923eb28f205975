"""JSONata is read as the engine reads it, and every part of it knows its place."""

from __future__ import annotations

import pytest

from cdi_cli.plan.engine import engine
from cdi_cli.plan.jsonata_parse import parse
from cdi_cli.plan.jsonata_tokens import JsonataError

GOOD = r"""
a.b | a.b[c = 1].d^(>e, <f){g: h} | ($x := 1; $x + 2;) | () | $map(a, function($v, $i) { $v & $i }) | λ($x) { $x }(1)
*[0] | a.*.b | **.c[0] | a.%.b | a / b / c | (a) / 2 | a[0]/2 | "x" & 'y' | $match(a, /(x|y)+/im) | a ~> $contains(/x\/y/)
a@$b.c#$i[d=$b] | a[] | [1..5, 7] | [a..b] | -a + -b | not | and.or.in | a and b or c | a in [1,2] | a ?? b ?? c | a ?: b
a ~> |b|{"c": 1}, ["d"]| | a ~> |b|{"c": 1}| | $f(?, 2) | function($x)<n:n>{$x} | `a b`.`c-d` | a /* why */ . b | 1.5e-3
{"a": 1, "b": [2, {"c": null}]} | a ? b : c ? d : e | a ? b | $$.a | $.a | "\u00e9\n\"" | a != b | é.ü | $sum(a.(b * c))
a.[b, c] | a.{b: c} | (function() { 1 })() | $f()() | {}.a | [] | {} | a - b | a-b | /* x */ a | true | a^(b)
"""
BAD = r"""
a b | a. | {a} | {"a":1,} | [1,] | (1 | [1 | {"a": 1 | a ? | * * | 1a | .5 | 5. | "abc | 'abc | `abc | /abc | /* abc
"\q" | "\u12" | a! | a==b | ^(a) | @ | a@b | a#1 | function(x) { 1 } | function($x) 1 | a^() | f(a,) | , | : | a:b
$x := | (a; ; b) | a[ | a{ | | } | a ~> | -  | + 1
"""


def texts(block: str) -> list[str]:
    """The expressions of a block."""
    separated = block.replace("\n", " | ").split(" | ")
    return [text for text in separated if text.strip()]


PIPES = ['a ~> |b|{"c": 1}, ["d"]|', 'a ~> |b|{"c": 1}|']


@pytest.mark.parametrize("text", [*texts(GOOD), *PIPES])
def test_what_the_engine_takes_is_taken(text: str) -> None:
    """Every form of the language is read, and the engine agrees that it is one."""
    assert engine().refusal(text) is None

    assert parse(text).kind


@pytest.mark.parametrize("text", ["", "   ", *texts(BAD)])
def test_what_the_engine_refuses_is_refused_with_a_place(text: str) -> None:
    """What is no expression for the engine is none here, and the mistake has a place inside the text."""
    assert engine().refusal(text) is not None

    with pytest.raises(JsonataError) as raised:
        parse(text)
    assert 0 <= raised.value.offset <= len(text)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("order.total +", 13, "the text ends where a value is expected"),
        ("(a\n  b)", 5, "found `b` where `)` is expected"),
        ("$sum(a", 4, "`(` is never closed"),
        ('{"a": [1, 2}', 11, "found `}` where `]` is expected"),
        ('a & "b', 4, "a text has no end"),
        ("a := 1", 0, "only a variable can be assigned"),
        ("x.y[z == 1]", 7, "found `=` where a value is expected"),
        ("function($x, y) { 1 }", 13, "a parameter must be a variable"),
    ],
)
def test_a_mistake_is_told_where_it_is(text: str, offset: int, message: str) -> None:
    """The place is the character where reading stops making sense."""
    with pytest.raises(JsonataError) as raised:
        parse(text)

    assert (raised.value.offset, raised.value.message) == (offset, message)


def test_every_part_knows_its_text() -> None:
    """A part's place covers it and what is in it, no more and no less."""
    text = '( $x := order.lines[price > 1]; {"n": $count($x), "t": [$x.{"p": price}]} )'

    found = {text[node.start : node.end] for node in parse(text).walk()}

    assert {"order.lines[price > 1]", "price > 1", "$count($x)", '[$x.{"p": price}]', '{"p": price}', text} <= found


def test_nesting_is_bounded() -> None:
    """No text exhausts the stack."""
    with pytest.raises(JsonataError, match="nested deeper than"):
        parse("(" * 5_000 + "1" + ")" * 5_000)
    for chain in ("a" + ".b" * 5_000, "1" + " + 1" * 5_000, "a" + "[0]" * 5_000, "$f" + "()" * 5_000):
        with pytest.raises(JsonataError, match="more than 200 operators follow each other"):
            parse(chain)
