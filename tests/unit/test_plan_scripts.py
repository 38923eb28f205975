"""`jsonata:` and `template:` in a plan: what they make, where their mistakes are told, what stays as it was without them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from plan_tools import a_full_order, a_line, a_refund, an_order, completed, copy_default_plan, euro, occurrence, write_plan
from script_tools import HEAD, expression_rule, mistakes_of, rule_of, template_rule, with_templates

from cdi_cli.commerce import Money
from cdi_cli.events.lifecycle import KINDS
from cdi_cli.plan import MappingError, PlanError, compile_plan, load_plan
from cdi_cli.plan.compile import fingerprint
from cdi_cli.plan.eject import eject

TEMPLATE = """\
/* what was bought */
(
  $count := $count(order.lines);
  {
    "order_id": order.number ?? order.id,
    "total": order.total,
    "lines": $count,
    "products": [order.lines.{
      "sku": sku,
      "name": $uppercase(name),
      "value": price.amount * quantity
    }]
  }
)
"""
PROPERTIES = """\
  order_id: {type: string, required: true}
  total: {type: number, required: true}
  lines: {type: integer}
  products:
    type: array
    items: {type: object, properties: {sku: {type: string}, name: {type: string}, value: {type: number}}}
"""


def test_an_expression_makes_a_property_beside_mapped_ones(tmp_path: Path) -> None:
    """A property with `jsonata:` stands where the file has it, among those with `from:`, and inside objects."""
    event = f"""{HEAD}properties:
  id: {{type: string, from: order.id}}
  city: {{type: string, jsonata: $uppercase(order.shipping_address.city)}}
  total: {{type: number, from: order.total}}
  shop:
    type: object
    properties:
      name: {{type: string, jsonata: "order.store & '/' & order.channel"}}
"""
    rule = rule_of(tmp_path, {"events/tested.yaml": event})

    values = rule.map(completed(a_full_order()), b"{}")

    assert list(values.items()) == [
        ("id", "order-1"),
        ("city", "BERLIN"),
        ("total", 45.48),
        ("shop", {"name": "web-de/online"}),
    ]


def test_a_template_makes_a_whole_event(tmp_path: Path) -> None:
    """A template gives all properties; what the event's file says of them is the check."""
    rule = template_rule(tmp_path, TEMPLATE, PROPERTIES)

    values = rule.map(completed(), b"{}")

    products = [{"sku": "SKU-1", "name": "SHIRT", "value": 39.98}]
    assert values == {"order_id": "order-1", "total": 45.48, "lines": 1, "products": products}
    assert rule.check(values) == ()


def test_traits_are_made_by_a_template_too(tmp_path: Path) -> None:
    """`template:` stands in an identify event as well, and makes its traits."""
    event = "event: identify\ntype: identify\ntrigger: customer.profile\ntemplate: t.jsonata\ntraits:\n  n: {type: string}\n"
    rule = rule_of(tmp_path, {"events/i.yaml": event, "templates/t.jsonata": '{"n": customer.id}'})
    from plan_tools import a_customer

    assert rule.map(occurrence("customer.profile", customer=a_customer()), b"{}") == {"n": "customer-1"}


@pytest.mark.parametrize("expression", ["order.coupons", "order.nothing_of_it", "null", '""', "[]", "{}", "record.missing"])
def test_what_is_missing_leaves_nothing_behind(tmp_path: Path, expression: str) -> None:
    """Undefined, null and emptiness are no values: the property is absent."""
    rule = expression_rule(tmp_path, expression.replace("order.nothing_of_it", "order.billing_address.city"), "array")

    assert rule.map(completed(), b'{"a": null}') == {}


def test_false_and_zero_are_values(tmp_path: Path) -> None:
    """Only emptiness is left out."""
    assert expression_rule(tmp_path / "a", "1 = 2", "boolean").map(completed(), b"{}") == {"a": False}
    assert expression_rule(tmp_path / "b", "0").map(completed(), b"{}") == {"a": 0}


def test_the_output_is_checked_against_the_plan(tmp_path: Path) -> None:
    """What a script makes breaks the plan as anything else does."""
    rule = template_rule(tmp_path, '{"order_id": 5, "new": 1}', PROPERTIES)

    found = {(violation.path, violation.rule) for violation in rule.check(rule.map(completed(), b"{}"))}

    assert found == {("order_id", "type"), ("new", "additionalProperties"), ("total", "required")}


def test_the_input_is_what_the_manual_says(tmp_path: Path) -> None:
    """Record, entity, subjects, event and settings are there, under their names."""
    rule = expression_rule(tmp_path, "$keys($$)", "array", items={"type": "string"})
    kind = KINDS["order.completed"]

    assert rule.map(completed(), b'{"x": 1}')["a"] == ["settings", "event", *kind.subjects, "entity", "record"]


def test_the_event_and_the_settings_can_be_read(tmp_path: Path) -> None:
    """`event` names what happened and to what, `settings` the pipeline."""
    expression = "event.name & ' ' & event.kind & ' ' & event.time & ' ' & event.entity_id & ' ' & settings.pipeline"
    files = {"events/t.yaml": f"{HEAD}properties:\n  a: {{type: string, jsonata: {json.dumps(expression)}}}\n"}

    rule = rule_of(tmp_path, files, settings={"pipeline": "main"})

    assert rule.map(completed(), b"{}")["a"] == "Tested order.completed 2026-01-31T12:00:00.000Z order-1 main"


def test_a_protected_field_of_the_record_is_not_there(tmp_path: Path) -> None:
    """What a source protects cannot be reached, whatever the way: by a wildcard, by its parts, with escapes in its name."""
    raw = b'{"user": {"p\\u0061ssword": "canary", "name": "x"}, "list": [{"password": "canary"}]}'
    for number, expression in enumerate(("$string($$)", "$string(record.**)", "$lookup(record.user, 'pass' & 'word')")):
        rule = expression_rule(tmp_path / str(number), expression, "string")
        hidden = rule_of(
            tmp_path / f"{number}-denied",
            {"events/t.yaml": f"{HEAD}properties:\n  a: {{type: string, jsonata: {json.dumps(expression)}}}\n"},
            denied_fields=frozenset({"password"}),
        )

        assert "canary" in str(rule.map(completed(), raw))
        assert "canary" not in str(hidden.map(completed(), raw))


def test_amounts_are_exact_in_every_currency(tmp_path: Path) -> None:
    """An amount that is passed on has its own digits; `42.00` is the number that the mapping makes of it."""
    rule = expression_rule(tmp_path / "a", "order.total")
    mapped = rule_of(tmp_path / "b", {"events/t.yaml": f"{HEAD}properties:\n  a: {{type: number, from: order.total}}\n"})
    amounts = [euro(4200), euro(1), Money(4200, "JPY", 0), Money(1234567, "EUR", 7), euro(-1999), euro(999_999_999_999_999)]

    for amount in [*amounts, euro(1_234_567_890_123_456)]:
        one = completed(an_order(total=amount))
        assert msgspec.json.encode(rule.map(one, b"{}")) == msgspec.json.encode(mapped.map(one, b"{}"))


def test_computed_amounts_are_exact(tmp_path: Path) -> None:
    """What doubles lose on the way is given back: to the cent, to the yen, to a thousandth."""
    rule = expression_rule(tmp_path, "order.total.amount - order.tax.amount - order.shipping.amount")

    assert rule.map(completed(an_order(total=euro(100_000_010), tax=euro(0), shipping=euro(100_000_000))), b"{}") == {
        "a": 0.1
    }
    assert rule.map(completed(an_order(total=euro(30), tax=euro(10), shipping=euro(20))), b"{}") == {"a": 0}


def test_a_number_that_is_no_amount_stays_what_it_is(tmp_path: Path) -> None:
    """A share or a weight is not rounded to cents."""
    assert expression_rule(tmp_path / "a", "1 / 3").map(completed(), b"{}") == {"a": 1 / 3}
    weights = expression_rule(tmp_path / "b", "record.weight").map(completed(), b'{"weight": 56.42999999}')
    assert weights == {"a": 56.42999999}


def test_a_long_number_of_the_record_keeps_its_digits(tmp_path: Path) -> None:
    """A whole number that no double holds passes through unharmed."""
    rule = expression_rule(tmp_path, "record.id", "integer")

    assert rule.map(completed(), b'{"id": 9007199254740993}') == {"a": 9007199254740993}
    assert rule.map(completed(), b'{"id": -12345678901234567890}') == {"a": -12345678901234567890}


def test_a_record_that_is_no_json_has_no_values(tmp_path: Path) -> None:
    """As for `from: record...`, nothing is there, and the rest of the event is made."""
    rule = template_rule(tmp_path, '{"order_id": order.id, "total": record.total}', PROPERTIES)

    for raw in (b"", b"{", b"\xff", b'{"total": 1'):
        assert rule.map(completed(), raw) == {"order_id": "order-1"}


def test_a_failure_names_template_line_and_column_and_no_value(tmp_path: Path) -> None:
    """The place is the innermost part that fails; the value that made it fail is not told."""
    template = '{\n  "order_id": order.id,\n  "products": [record.items.{\n    "value": 1 +   $number(mail)\n  }]\n}\n'
    rule = template_rule(tmp_path, template, PROPERTIES)

    with pytest.raises(MappingError) as raised:
        rule.map(completed(), b'{"items": [{"mail": "1"}, {"mail": "jo@example.com"}]}')

    place = tmp_path / "templates" / "tested.jsonata"
    sentence = "a value cannot be turned into a number"
    assert str(raised.value.place) == f"{place}:4:20"
    assert raised.value.detail == f"template tested.jsonata:4:20: {sentence}"
    assert raised.value.reason == "template_failed"


@pytest.mark.parametrize(
    ("expression", "column", "sentence"),
    [
        ("1 + order.id", 1, "the right side of an arithmetic operator is no number"),
        ("order.id & $number(order.id)", 12, "a value cannot be turned into a number"),
        ("($x := 1; $x + $number(order.state); 5)", 16, "a value cannot be turned into a number"),
        ("order.lines[$number(sku) > 1].sku", 13, "a value cannot be turned into a number"),
        ("$map(order.lines, function($l) { $number($l.sku) })", 1, "a value cannot be turned into a number"),
        ("$error('jo@example.com')", 1, "it calls `$error`"),
        ("order.id > 5", 1, "values of different types are compared"),
        ("[order.lines, order.lines]^($number(sku))", 29, "a value cannot be turned into a number"),
        ("true ? $number(order.id) : 1", 8, "a value cannot be turned into a number"),
    ],
)
def test_a_failure_is_placed_in_the_expression(tmp_path: Path, expression: str, column: int, sentence: str) -> None:
    """Whatever the form around it, the part that fails is found."""
    event = f"{HEAD}properties:\n  a:\n    type: number\n    jsonata: |\n      {expression}\n"
    rule = rule_of(tmp_path, {"events/tested.yaml": event})

    with pytest.raises(MappingError) as raised:
        rule.map(completed(), b"{}")

    assert raised.value.detail == f"expression tested.yaml:7:{column + 6}: {sentence}"
    assert raised.value.reason == "expression_failed"


@pytest.mark.parametrize("made", ["[1]", "1", '"x"', "true"])
def test_a_template_must_make_an_object(tmp_path: Path, made: str) -> None:
    """Anything else is a failure of the template, not of the record."""
    with pytest.raises(MappingError, match="not an object of properties"):
        template_rule(tmp_path, made, PROPERTIES).map(completed(), b"{}")


def test_the_line_that_makes_a_property_is_known(tmp_path: Path) -> None:
    """Lineage: a property, an element, what is inside, and what no line makes alone."""
    planned = template_rule(tmp_path, TEMPLATE, PROPERTIES).planned

    lines = {steps: planned.made_by(steps) for steps in (("total",), ("products", 0, "name"), ("products",), ("other",))}

    assert {steps: made.removeprefix("template tested.jsonata:") for steps, made in lines.items()} == {
        ("total",): "6",
        ("products", 0, "name"): "10",
        ("products",): "8",
        ("other",): "2",
    }


def test_mistakes_are_told_with_file_line_and_column(tmp_path: Path) -> None:
    """All mistakes of all scripts at once, each where it stands: in plain text, in quotes, in a block, in a template."""
    files = {
        "events/a.yaml": f"""{HEAD}properties:
  plain: {{type: number, jsonata: order.total.amount + $rand()}}
  quoted: {{type: string, jsonata: "$now()"}}
  block:
    type: number
    jsonata: |
      (
        $x := order.lnes;
        1
      )
  open: {{type: string, jsonata: 'order.id & '}}
  refused: {{type: number, from: order.total, jsonata: order.total}}
  text: {{type: string, jsonata: 5}}
  list: {{type: array, from: order.lines, items: {{type: object, properties: {{s: {{type: string, jsonata: sku}}}}}}}}
""",
        "events/b.yaml": "event: B Tested\ntrigger: order.completed\ntemplate: b.jsonata\nproperties: {a: {type: string}}\n",
        "events/c.yaml": "event: C Tested\ntrigger: order.completed\ntemplate: c.yaml\nproperties: {a: {type: string}}\n",
        "templates/b.jsonata": '{\n  "a": order.id,\n  "b": $random()\n}\n',
    }

    found = mistakes_of(tmp_path, files)

    assert [(place, message) for place, message, _ in found] == [
        ("events/a.yaml:4:55", "there is no function or variable `$rand`"),
        ("events/a.yaml:5:36", "`$now` is not allowed in a plan"),
        ("events/a.yaml:10:21", "an object (Order) has no field `lnes`"),
        ("events/a.yaml:13:45", "the text ends where a value is expected"),
        ("events/a.yaml:14:46", "a property has either `jsonata` or `from`, not both"),
        ("events/a.yaml:15:24", "`jsonata` must be text"),
        ("events/a.yaml:16:95", "`jsonata` has no meaning inside a list, or an object with a `from` of its own"),
        ("events/c.yaml:3:1", "`c.yaml` is no template of this plan"),
        ("templates/b.jsonata:3:8", "`$random` is not allowed in a plan"),
    ]
    assert all(hint for _, message, hint in found if "text ends" not in message)


def test_what_only_the_engine_refuses_has_a_place_too(tmp_path: Path) -> None:
    """A form that reads well and that the engine will not run is told at its part."""
    files = {
        "events/a.yaml": f"{HEAD}properties:\n  a:\n    type: number\n    jsonata: |\n      (\n        order.1\n      )\n"
    }

    assert mistakes_of(tmp_path, files) == [("events/a.yaml:8:9", "a literal value cannot be a step of a path", None)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"events/a.yaml": "event: A\ntrigger: none\ntemplate: t.jsonata\nproperties: {a: {type: string}}\n"},
            "no `template`",
        ),
        ({"events/a.yaml": "event: A\ntrigger: none\nproperties: {a: {type: string, jsonata: order.id}}\n"}, "no `jsonata`"),
        ({"events/a.yaml": f"{HEAD}template: ../x.jsonata\nproperties: {{a: {{type: string}}}}\n"}, "is no template"),
        ({"events/a.yaml": f"{HEAD}template: t.jsonata\nproperties: {{a: {{type: string, jsonata: '1'}}}}\n"}, "already"),
    ],
)
def test_a_script_where_none_can_be_is_a_mistake(tmp_path: Path, files: dict[str, str], message: str) -> None:
    """Events that others send have no scripts, a template lies in its folder, and one script makes a value."""
    found = mistakes_of(tmp_path, {**files, "templates/t.jsonata": '{"a": order.id}'})

    assert any(message in told for _, told, _ in found)


def test_a_template_outside_the_plan_is_not_read(tmp_path: Path) -> None:
    """A link that leads out of the folder is a mistake, as for any file of a plan."""
    (tmp_path / "secret.jsonata").write_text('{"a": 1}')
    plan = write_plan(
        tmp_path / "plan", {"events/a.yaml": f"{HEAD}template: t.jsonata\nproperties: {{a: {{type: string}}}}\n"}
    )
    (plan / "templates").mkdir()
    (plan / "templates" / "t.jsonata").symlink_to(tmp_path / "secret.jsonata")

    with pytest.raises(PlanError) as raised:
        load_plan(plan)
    assert any("leads out of the plan" in one.message for one in raised.value.problems)


def test_an_unused_template_is_told(tmp_path: Path) -> None:
    """As definitions and groups are."""
    files = {"events/a.yaml": f"{HEAD}properties:\n  a: {{type: string, from: order.id}}\n", "templates/t.jsonata": "1"}

    (unused,) = load_plan(write_plan(tmp_path, files)).unused

    assert (unused.noun, unused.name) == ("template", "t.jsonata")


def test_the_fingerprint_changes_with_a_script(tmp_path: Path) -> None:
    """A job that was begun under another template knows that."""
    files = {"events/a.yaml": f"{HEAD}template: t.jsonata\nproperties:\n  a: {{type: string}}\n"}
    prints = {
        fingerprint(load_plan(write_plan(tmp_path / name, {**files, "templates/t.jsonata": text})))
        for name, text in (("one", '{"a": order.id}'), ("two", '{"a": order.number}'), ("three", '{"a": order.id}'))
    }

    assert len(prints) == 2


def test_a_plan_without_scripts_loads_nothing_of_the_engine() -> None:
    """Neither the engine nor the code around its process is imported, and no process is started."""
    code = (
        "import sys\nfrom cdi_cli.plan import compile_plan, load_plan\ncompile_plan(load_plan())\n"
        "print([name for name in sys.modules if 'jsonatapy' in name or name in "
        "('cdi_cli.plan.engine', 'cdi_cli.plan.expressions', 'cdi_cli.plan.script_rule')])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_ejected_default_plan_is_readable_and_equal(tmp_path: Path) -> None:
    """Every event of the default plan, written as a template, makes the same bytes; and reads as one would write it."""
    plan = load_plan()
    templated = with_templates(plan, copy_default_plan(tmp_path))
    subjects = {"order": a_full_order(), "refund": a_refund()}
    mapped = compile_plan(plan)

    for kind, one in (
        ("order.completed", completed(a_full_order())),
        ("order.refunded", occurrence("order.refunded", **subjects)),
    ):
        for before, after in zip(mapped.rules(kind), templated.rules(kind), strict=True):
            assert msgspec.json.encode(after.map(one, b"{}")) == msgspec.json.encode(before.map(one, b"{}"))
    text = eject(next(event for event in plan.events if event.name == "Order Completed"))
    assert '  "order_id": order.number ?? order.id,\n' in text
    assert '  "products": [order.lines.{\n    "product_id": product_id ?? sku ?? id,\n' in text


def test_an_ejected_script_is_taken_as_it_is(tmp_path: Path) -> None:
    """A template is its own ejection, and an expression stands in it as it was written."""
    assert eject(template_rule(tmp_path / "a", TEMPLATE, PROPERTIES).planned) == TEMPLATE
    assert '"a": (order.total.amount * 2)' in eject(expression_rule(tmp_path / "b", "order.total.amount * 2").planned)


def test_a_line_of_many_computes_its_sum(tmp_path: Path) -> None:
    """Sums over lines are exact: here 500 lines of 0.10."""
    rule = expression_rule(tmp_path, "$sum(order.lines.(price.amount * quantity))")
    lines = tuple(a_line(id=str(number), price=euro(10), quantity=1) for number in range(500))

    assert rule.map(completed(an_order(lines=lines)), b"{}") == {"a": 50}
