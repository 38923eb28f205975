"""Mapping: what a compiled rule makes of entities and raw records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from plan_tools import (
    a_cart,
    a_full_customer,
    a_full_order,
    a_line,
    a_refund,
    an_order,
    completed,
    copy_default_plan,
    euro,
    occurrence,
    one_rule,
)

from cdi_cli.commerce import Address, Consent, Money, Refund
from cdi_cli.data import data_folder
from cdi_cli.events.lifecycle import KINDS
from cdi_cli.plan import compile_plan, load_plan

RECORD: dict[str, Any] = {
    "id": "order-1",
    "custom": {
        "fields": {"loyaltyTier": "gold", "vip-score": 7, "isGift": False, "empty": "", "none": None, "tags": ["a", "b"]}
    },
    "lineItems": [{"sku": "S1", "n": 1}, {"sku": "S2"}, "oddity"],
    "custom_attributes": [{"attribute_code": "tier", "value": "silver"}, {"attribute_code": 7, "value": "seven"}],
    "customer": {"name": "Jo", "password": "hash", "cards": [{"password": "x", "brand": "visa"}]},
}
RAW = json.dumps(RECORD).encode()


def mapped(tmp_path: Path, properties: str, *, order: Any = None, raw: bytes = RAW, **options: Any) -> dict[str, Any]:
    """What an order and its record become under these properties."""
    return one_rule(tmp_path, properties, **options).map(completed(order), raw)


def test_an_amount_becomes_the_exact_number(tmp_path: Path) -> None:
    """Amounts leave as JSON numbers with the currency's digits; a currency without decimals gives an integer."""
    order = an_order(total=Money(1010, "EUR"), revenue=Money(4200, "JPY", 0), tax=Money(123456, "EUR", 7), shipping=euro(-1))
    properties = "".join(
        f"  {name}: {{type: number, from: order.{name}}}\n" for name in ("total", "revenue", "tax", "shipping")
    )

    values = mapped(tmp_path, properties, order=order)

    assert json.dumps(values) == '{"total": 10.1, "revenue": 4200, "tax": 0.0123456, "shipping": -0.01}'


def test_an_amount_too_large_for_a_number_stays_visible(tmp_path: Path) -> None:
    """Sixteen digits leave as exact text, and the check says that the amount is too large."""
    rule = one_rule(tmp_path, "  total: {type: number, from: order.total}\n")

    values = rule.map(completed(an_order(total=euro(1_234_567_890_123_456))), b"{}")

    assert values == {"total": "12345678901234.56"}
    violation = rule.check(values)[0]
    assert (violation.path, violation.rule) == ("total", "type")
    assert violation.message == "`total` is too large: an amount of 16 or more digits cannot be sent as an exact number"


def test_missing_values_leave_nothing_behind(tmp_path: Path) -> None:
    """None, empty text, empty lists and objects without content give no key at all; false and zero are values."""
    properties = """
  number: {type: string, from: order.number}
  email: {type: string, from: order.email}
  coupons: {type: array, from: order.coupons}
  refunds: {type: array, from: order.refunds, items: {type: object, properties: {id: {type: string, from: item.id}}}}
  ship_to: {type: object, from: order.shipping_address, properties: {city: {type: string, from: item.city}}}
  bill_to: {type: object, properties: {city: {type: string, from: order.billing_address.city}}}
  consent: {type: object, from: order.consent.categories}
  is_paid: {type: boolean, from: order.is_paid}
  tax: {type: number, from: order.tax}
"""
    order = an_order(email="", tax=euro(0), shipping_address=Address(), consent=Consent())

    assert mapped(tmp_path, properties, order=order) == {"is_paid": False, "tax": 0.0}


def test_the_first_path_with_a_value_wins(tmp_path: Path) -> None:
    """A list of paths gives the first value that is there, also across kinds of sources."""
    properties = """
  a: {type: string, from: [order.number, order.email, order.id]}
  b: {type: string, from: [order.email, record.custom.fields.loyaltyTier, order.id]}
  c: {type: number, from: [order.tax, order.total, order.revenue]}
  d: {type: array, from: [order.coupons, order.coupons]}
  e:
    type: object
    from: [order.shipping_address, order.billing_address]
    properties: {city: {type: string, from: item.city}}
"""
    order = an_order(tax=None, billing_address=Address(city="Bonn"))

    assert mapped(tmp_path, properties, order=order) == {"a": "order-1", "b": "gold", "c": 45.48, "e": {"city": "Bonn"}}


def test_elements_are_mapped_one_by_one(tmp_path: Path) -> None:
    """Inside `items`, `item` is the element; the subjects stay within reach; an element can be a single value."""
    properties = """
  products:
    type: array
    from: order.lines
    items:
      type: object
      properties:
        sku: {type: string, from: item.sku}
        currency: {type: string, from: order.currency}
        paid: {type: number, from: item.total}
  skus: {type: array, from: order.lines, items: {type: string, from: item.sku}}
  prices: {type: array, from: order.lines, items: {type: number, from: item.price}}
  codes: {type: array, from: order.coupons, items: {type: string}}
  returned:
    type: array
    from: order.refunds
    items: {type: array, from: item.lines, items: {type: string, from: item.sku}}
"""
    refund = Refund(id="r", amount=euro(1), at=an_order().placed_at, lines=(a_line(sku="R1"), a_line(sku=None)))
    order = an_order(lines=(a_line(), a_line(sku=None)), coupons=("A", "B"), refunds=(refund,))

    assert mapped(tmp_path, properties, order=order) == {
        "products": [{"sku": "SKU-1", "currency": "EUR", "paid": 39.98}, {"currency": "EUR", "paid": 39.98}],
        "skus": ["SKU-1"],
        "prices": [19.99, 19.99],
        "codes": ["A", "B"],
        "returned": [["R1"]],
    }


def test_the_raw_record_is_read_by_any_path(tmp_path: Path) -> None:
    """Names with hyphens, false and zero, lists, element numbers, selectors by text and by number."""
    properties = """
  tier: {type: string, from: record.custom.fields.loyaltyTier}
  score: {type: integer, from: record.custom.fields.vip-score}
  gift: {type: boolean, from: record.custom.fields.isGift}
  tags: {type: array, from: record.custom.fields.tags}
  joined: {type: string, from: record.custom.fields.tags, join: "+"}
  second: {type: string, from: "record.lineItems[1].sku"}
  attribute: {type: string, from: "record.custom_attributes[attribute_code=tier].value"}
  numbered: {type: string, from: "record.custom_attributes[attribute_code=7].value"}
  empty: {type: string, from: record.custom.fields.empty}
  none: {type: string, from: record.custom.fields.none}
  absent: {type: string, from: record.custom.nothing.here}
  through_text: {type: string, from: record.id.x.y}
  beyond: {type: string, from: "record.lineItems[9].sku"}
  unmatched: {type: string, from: "record.custom_attributes[attribute_code=x].value"}
"""

    assert mapped(tmp_path, properties) == {
        "tier": "gold",
        "score": 7,
        "gift": False,
        "tags": ["a", "b"],
        "joined": "a+b",
        "second": "S2",
        "attribute": "silver",
        "numbered": "seven",
    }


def test_a_list_of_the_raw_record_is_mapped_element_by_element(tmp_path: Path) -> None:
    """Elements that are no objects are put as they are, so that the check finds them."""
    properties = """
  lines: {type: array, from: record.lineItems, items: {type: object, properties: {s: {type: string, from: item.sku}}}}
  odd: {type: array, from: record.id, items: {type: object, properties: {s: {type: string, from: item.sku}}}}
  held: {type: object, from: record.custom.fields, properties: {t: {type: string, from: item.loyaltyTier}}}
  off: {type: object, from: record.id, properties: {t: {type: string, from: item.x}}}
"""
    rule = one_rule(tmp_path, properties)

    values = rule.map(completed(), RAW)

    assert values == {
        "lines": [{"s": "S1"}, {"s": "S2"}, "oddity"],
        "odd": "order-1",
        "held": {"t": "gold"},
        "off": "order-1",
    }
    assert [(each.path, each.rule) for each in rule.check(values)] == [
        ("lines[2]", "type"),
        ("odd", "type"),
        ("off", "type"),
    ]


def test_fields_that_the_source_protects_never_leave_in_an_object(tmp_path: Path) -> None:
    """A whole raw object is sent without the fields that no plan may map, at any depth."""
    properties = "  customer: {type: object, from: record.customer}\n"

    values = mapped(tmp_path, properties, denied=frozenset({"password"}))

    assert values == {"customer": {"name": "Jo", "cards": [{"brand": "visa"}]}}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"a": {"b": {"c": "deep"}}, "x": "flat"}', {"c": "deep", "x": "flat"}),
        (b'{"a": "text", "x": "flat"}', {"x": "flat"}),
        (b'{"a": {"b": [1]}, "x": "flat"}', {"x": "flat"}),
        (b'{"a": {"b": "text"}, "x": {"not": "text"}}', {"x": {"not": "text"}}),
        (b'{"a": null, "x": null}', {}),
        (b"[]", {}),
        (b"null", {}),
        (b"{", {}),
        (b"", {}),
        (b"\xff", {}),
        (b'{"x": "\xff"}', {}),
        (b'{"x": "\\ud800"}', {}),
        (b'{"x": ' + b"[" * 100_000, {}),
        (b'{"y": ' + b'{"y":' * 5_000, {}),
        (b'{"x": ' + b"[" * 500 + b"1" + b"]" * 500 + b"}", {}),
        (b'{"x": 1e999}', {}),
        (b'{"x": ' + b"9" * 5_000 + b"}", {}),
        (b'{"x": 123456789012345678901234567890}', {"x": 123456789012345678901234567890}),
    ],
    ids=range(18),
)
def test_a_record_that_is_not_as_expected_gives_what_can_be_read(
    tmp_path: Path, raw: bytes, expected: dict[str, Any]
) -> None:
    """Wrong types on the way, nulls, broken or hostile bytes: whatever can be read is, the rest is missing."""
    properties = "  c: {type: string, from: record.a.b.c}\n  x: {type: string, from: record.x}\n"

    assert mapped(tmp_path, properties, raw=raw) == expected


def test_a_field_can_be_sent_whole_and_in_part(tmp_path: Path) -> None:
    """One path may lead through a value that another path takes whole."""
    properties = (
        "  all: {type: object, from: record.custom}\n  tier: {type: string, from: record.custom.fields.loyaltyTier}\n"
    )

    values = mapped(tmp_path, properties, raw=b'{"custom": {"fields": {"loyaltyTier": "gold"}}}')

    assert values == {"all": {"fields": {"loyaltyTier": "gold"}}, "tier": "gold"}


def test_constants_are_fresh_each_time(tmp_path: Path) -> None:
    """A constant list or object is not shared between events."""
    rule = one_rule(
        tmp_path,
        "  a: {type: array, value: [1, two]}\n  b: {type: string, value: 'it''s'}\n  c: {type: boolean, value: false}\n",
    )

    first, second = rule.map(completed(), b"{}"), rule.map(completed(), b"{}")

    assert first == {"a": [1, "two"], "b": "it's", "c": False}
    assert first["a"] is not second["a"]


def test_names_are_data_and_never_code(tmp_path: Path) -> None:
    """Property names, separators and record fields that look like code are taken literally."""
    properties = """
  "'] = 1; raise SystemExit #": {type: string, from: order.id}
  "\\"\\"\\"": {type: string, value: "{out!r}"}
  joined: {type: string, from: order.coupons, join: "'); raise SystemExit #"}
  evil: {type: string, from: "record.__class__.f0');raise"}
"""
    raw = json.dumps({"__class__": {"f0');raise": "read"}}).encode()

    values = mapped(tmp_path, properties, order=an_order(coupons=("A", "B")), raw=raw)

    assert values == {
        "'] = 1; raise SystemExit #": "order-1",
        '"""': "{out!r}",
        "joined": "A'); raise SystemExit #B",
        "evil": "read",
    }


def test_a_path_through_the_consent_table(tmp_path: Path) -> None:
    """The categories of a consent are read by name; one that is absent is missing."""
    properties = (
        "  a: {type: string, from: order.consent.categories.ads}\n  b: {type: string, from: order.consent.categories.mail}\n"
    )

    assert mapped(tmp_path, properties, order=an_order(consent=Consent({"ads": "denied"}))) == {"a": "denied"}


def test_a_definition_is_filled_by_the_keys_beside_its_reference(tmp_path: Path) -> None:
    """`$ref` takes the definition; keys beside it win; a definition can refer to another."""
    rule = one_rule(
        tmp_path,
        "  to: {$ref: place, from: order.billing_address, description: Bill to, required: true}\n",
        place="description: A place\ntype: object\npii: contact\nproperties: {city: {$ref: town, from: item.city}}\n",
        town="type: string\nmaxLength: 5\n",
    )

    assert rule.map(completed(an_order(billing_address=Address(city="Berlin"))), b"") == {"to": {"city": "Berlin"}}
    assert rule.planned.properties[0].description == "Bill to"
    assert rule.pii == {"to": "contact", "to.city": "contact"}
    assert [violation.rule for violation in rule.check({"to": {"city": "Berlin"}})] == ["maxLength"]


def test_a_custom_field_takes_two_lines_and_no_code(tmp_path: Path) -> None:
    """The example of tracking_plan/README.md: two lines in a copy of the default plan, and the field arrives, checked."""
    readme = (data_folder("tracking_plan") / "README.md").read_text(encoding="utf-8")
    lines = readme.partition("<!-- two lines -->\n```yaml\n")[2].partition("```")[0]
    plan = copy_default_plan(tmp_path)
    before = compile_plan(load_plan(plan)).fingerprint
    event = plan / "events" / "order_completed.yaml"
    event.write_text(event.read_text(encoding="utf-8") + lines, encoding="utf-8")

    compiled = compile_plan(load_plan(plan))
    rule = compiled.rules("order.completed")[0]
    values = rule.map(completed(), RAW)

    assert len(lines.splitlines()) == 2
    assert values["loyalty_tier"] == "gold"
    assert rule.check(values) == ()
    assert [violation.path for violation in rule.check({**values, "loyalty_tier": 7})] == ["loyalty_tier"]
    assert compiled.fingerprint != before


def test_every_kind_of_event_is_planned_by_default() -> None:
    """Whatever the lifecycle can emit has an event in the shipped plan, all of it documented and classified."""
    plan = load_plan()
    compiled = compile_plan(plan)

    assert set(compiled.kinds) == set(KINDS)
    assert compiled.rules("no.such.kind") == ()
    for event in plan.events:
        assert event.description
        for path, each in event.walk():
            assert each.description, (event.name, path)
            assert each.pii is not None or path in ("products",), (event.name, path)


@pytest.mark.parametrize(
    ("kind", "subjects"),
    [
        ("customer.profile", {"customer": a_full_customer()}),
        ("customer.created", {"customer": a_full_customer()}),
        ("cart.checkout_started", {"cart": a_cart()}),
        ("order.completed", {"order": a_full_order()}),
        ("order.updated", {"order": a_full_order()}),
        ("order.cancelled", {"order": an_order()}),
        ("order.refunded", {"order": an_order(), "refund": a_refund()}),
    ],
)
def test_the_default_plan_accepts_what_it_maps(kind: str, subjects: dict[str, Any]) -> None:
    """An ordinary entity, mapped by the shipped plan, keeps to the shipped plan."""
    for rule in compile_plan(load_plan()).rules(kind):
        assert rule.check(rule.map(occurrence(kind, **subjects), b"{}")) == ()


def test_revenue_is_total_without_shipping_and_tax() -> None:
    """The amounts of Order Completed add up as its description says."""
    values = compile_plan(load_plan()).rules("order.completed")[0].map(completed(a_full_order()), b"{}")

    assert values["revenue"] == pytest.approx(values["total"] - values["shipping"] - values["tax"])
    assert values["subtotal"] == values["revenue"]


def test_the_fingerprint_follows_what_shapes_events(tmp_path: Path) -> None:
    """Comments, layout, descriptions and file names do not change it; a rule, a path or the version does."""
    plan = copy_default_plan(tmp_path)
    event = plan / "events" / "order_completed.yaml"
    text = event.read_text(encoding="utf-8")
    first = compile_plan(load_plan(plan)).fingerprint

    event.rename(plan / "events" / "zzz.yaml")
    (plan / "events" / "zzz.yaml").write_text("# note\n" + text.replace("Grand total", "All of it"), encoding="utf-8")
    same = compile_plan(load_plan(plan)).fingerprint
    (plan / "events" / "zzz.yaml").write_text(text.replace("from: order.total", "from: order.revenue"), encoding="utf-8")
    other = compile_plan(load_plan(plan)).fingerprint

    assert first == compile_plan(load_plan()).fingerprint == same
    assert other != first
