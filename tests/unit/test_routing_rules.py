"""Routing rules on single events: which of them hold, in which order, and what they make of the event."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from doubles import order
from hypothesis import given
from hypothesis import strategies as st
from plan_tools import write_plan
from routing_bench import compiled, event_of, rules

from cdi_cli.commerce import LineItem, Money
from cdi_cli.commerce.regions import REGIONS, countries_of
from cdi_cli.plan import compile_plan, load_plan

TEN = Money(1000, "EUR")
LINES = (
    LineItem("l1", "p1", "Shoe", TEN, 1, TEN, 1, sku="S-1", brand="Acme", coupon="TEST-1"),
    LineItem("l2", "p2", "Sock", TEN, 2, TEN, 2, sku="S-2", brand="Other"),
)


def an_order(**changes: Any) -> Any:
    """An order of two lines from a German store."""
    values: dict[str, Any] = {"lines": LINES, "store": "de-web", "channel": "web", "country": "DE", "coupons": ("TEST-1",)}
    return order(1, **(values | changes))


def outcome(when: dict[str, Any], **changes: Any) -> bool:
    """Whether a rule with this condition holds for the order's completion."""
    ruling = rules({"when": when, "then": {"filter": "held"}})(event_of(an_order(**changes)))
    return ruling is not None and ruling.reason == "routing:held"


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ({}, True),
        ({"event": "Order Completed"}, True),
        ({"event": ["Signed Up", "Order Completed"]}, True),
        ({"event": "Signed Up"}, False),
        ({"store": "de-web"}, True),
        ({"store": ["fr-web", "de-web"]}, True),
        ({"store": "fr-web"}, False),
        ({"channel": "web", "country": "DE"}, True),
        ({"channel": "web", "country": "FR"}, False),
        ({"country": ["EU"]}, True),
        ({"country": ["GB", "US"]}, False),
        ({"brand": "Acme"}, True),
        ({"brand": ["Nobody", "Other"]}, True),
        ({"brand": "Nobody"}, False),
        ({"property": {"path": "coupon", "is": "TEST-1"}}, True),
        ({"property": {"path": "coupon", "in": ["A", "TEST-1"]}}, True),
        ({"property": {"path": "coupon", "matches": "^TEST-[0-9]$"}}, True),
        ({"property": {"path": "coupon", "matches": "^EST"}}, False),
        ({"property": {"path": "coupon", "exists": True}}, True),
        ({"property": {"path": "coupon", "exists": False}}, False),
        ({"property": {"path": "tax", "exists": False}}, True),
        ({"property": {"path": "tax", "exists": True}}, False),
        ({"property": {"path": "products[].sku", "is": "S-2"}}, True),
        ({"property": {"path": "products[].sku", "is": "S-3"}}, False),
        ({"property": {"path": "products[].coupon", "exists": True}}, True),
        ({"property": {"path": "products[].quantity", "is": 2}}, True),
        ({"property": {"path": "products[].quantity", "is": "2"}}, False),
        ({"property": {"path": "products[].quantity", "is": True}}, False),
        ({"property": {"path": "revenue", "is": 10}}, True),
        ({"property": [{"path": "coupon", "exists": True}, {"path": "revenue", "is": 10}]}, True),
        ({"property": [{"path": "coupon", "exists": True}, {"path": "revenue", "is": 11}]}, False),
        ({"destination": "target"}, True),
        ({"destination": ["other", "target"], "country": "DE"}, True),
    ],
)
def test_a_condition_holds_where_all_that_it_names_does(when: dict[str, Any], holds: bool) -> None:
    """Names are alternatives, tests add up; a value equals only its like."""
    assert outcome(when) is holds


def test_a_rule_about_another_destination_is_none_here() -> None:
    """What concerns other destinations only does not even shape the jobs of this one."""
    assert compiled({"when": {"destination": "other"}, "then": {"filter": "held"}}) is None
    assert compiled({"then": {"not": "other"}}, {"then": {"only": ["target", "other"]}}) is None


def test_an_event_without_a_country_is_in_no_country_and_no_region() -> None:
    """A record that does not say where it belongs is not taken for one of anywhere."""
    regions = {"europe": {"countries": ["EU"], "regime": "opt_in"}, "rest": {"countries": ["*"], "regime": "opt_out"}}
    made = rules({"when": {"region": ["europe", "rest"]}, "then": {"filter": "held"}}, regions=regions)

    assert made(event_of(an_order(country=None))) is None
    assert not outcome({"country": "EU"}, country=None)


@pytest.mark.parametrize(("country", "region"), [("DE", "europe"), ("GB", "britain"), ("NZ", "rest")])
def test_a_region_is_that_of_the_settings(country: str, region: str) -> None:
    """A country belongs to the first region that lists it, any other to the region of all others."""
    regions = {
        "britain": {"countries": ["GB"], "regime": "opt_in"},
        "europe": {"countries": ["EU", "GB"], "regime": "opt_in"},
        "rest": {"countries": ["*"], "regime": "opt_out"},
    }
    event = event_of(an_order(country=country))

    held = [
        name
        for name in regions
        if rules({"when": {"region": name}, "then": {"filter": "held"}}, regions=regions)(event) is not None
    ]

    assert held == [region]


def test_the_first_rule_that_stops_an_event_ends_it() -> None:
    """Rules after it are not asked, those before it that stop nothing do not matter."""
    made = rules(
        {"then": {"drop": "tax"}},
        {"when": {"country": "FR"}, "then": {"filter": "french"}},
        {"when": {"store": "de-web"}, "then": {"block": "german"}},
        {"then": {"filter": "all"}},
    )

    german, french = made(event_of(an_order())), made(event_of(an_order(country="FR")))

    assert german is not None
    assert (german.outcome, german.reason, german.rules) == ("block", "blocked:german", (1, 3))
    assert french is not None
    assert (french.outcome, french.reason) == ("filter", "routing:french")


@pytest.mark.parametrize(
    ("then", "is_sent"),
    [
        ({"only": "target"}, True),
        ({"only": ["other"]}, False),
        ({"not": ["target", "other"]}, False),
        ({"not": "other"}, True),
    ],
)
def test_destinations_are_chosen(then: dict[str, Any], is_sent: bool) -> None:
    """`only` and `not` keep the event away from a destination, and are counted as what the plan keeps away is."""
    made = compiled({"when": {"event": "Order Completed"}, "then": then})
    ruling = made(event_of(an_order())) if made is not None else None

    assert (ruling is None or ruling.outcome == "sent") is is_sent
    if not is_sent:
        assert ruling is not None
        assert ruling.reason == "not_routed"


def test_what_is_dropped_and_renamed_adds_up() -> None:
    """All rules that hold take part, also inside lists; conditions see what the plan made, whatever was dropped before."""
    made = rules(
        {"then": {"drop": ["coupon", "products[].coupon"]}},
        {"when": {"property": {"path": "coupon", "exists": True}}, "then": {"rename": {"order_id": "id", "revenue": "net"}}},
        {"when": {"country": "FR"}, "then": {"drop": "products"}},
        {"then": {"rename": {"products[].sku": "code", "revenue": "net_revenue"}}},
    )
    event = event_of(an_order())

    ruling = made(event)

    assert ruling is not None
    assert ruling.rules == (1, 2, 4)
    assert ruling.route is not None
    assert ruling.route.reshape is not None
    sent = ruling.route.reshape(event.properties)
    assert "coupon" in event.properties, "the event itself is not touched"
    assert {"coupon", "order_id", "revenue"}.isdisjoint(sent)
    assert (sent["id"], sent["net_revenue"]) == (event.properties["order_id"], event.properties["revenue"])
    assert [(line["code"], "coupon" in line, "sku" in line) for line in sent["products"]] == [
        ("S-1", False, False),
        ("S-2", False, False),
    ]


def test_a_rename_does_not_hide_what_the_plan_keeps_back(tmp_path: Path) -> None:
    """The plan's own routing for the destination still applies to properties that a rule gives another name."""
    text = (
        "event: Order Completed\ntrigger: order.completed\nproperties:\n  order_id: {type: string, from: order.id}\n"
        "  lines: {type: array, from: order.lines, items: {type: object, properties: {sku: {type: string, from: item.sku},"
        " secret: {type: string, from: item.coupon}}}}\n"
        'destinations:\n  target:\n    rename: Bought\n    properties: {exclude: ["lines[].secret"]}\n'
    )
    write_plan(tmp_path, {"events/a.yaml": text})
    plan = compile_plan(load_plan(tmp_path))
    made = rules({"then": {"rename": {"lines": "products"}}}, plan=plan)
    event = event_of(an_order(), plan=plan)

    ruling = made(event)

    assert ruling is not None
    assert ruling.route is not None
    assert ruling.route.event_name == "Bought"
    assert ruling.route.reshape is not None
    assert ruling.route.reshape(event.properties)["products"] == [{"sku": "S-1"}, {"sku": "S-2"}]


def test_quarantine_is_passed_over_once_released() -> None:
    """Only the quarantine is: what the other rules say still holds."""
    made = rules(
        {"then": {"quarantine": "look"}},
        {"when": {"country": "FR"}, "then": {"block": "french"}},
        {"then": {"drop": "coupon"}},
    )

    held = made(event_of(an_order()))
    released = made(event_of(an_order()), is_released=True)
    blocked = made(event_of(an_order(country="FR")), is_released=True)

    assert held is not None
    assert held.reason == "quarantine:look"
    assert released is not None
    assert (released.outcome, released.rules) == ("sent", (3,))
    assert blocked is not None
    assert blocked.outcome == "block"


def test_regions_of_the_law() -> None:
    """The EU has 27 members and the EEA 30; any other name is the country that it names."""
    assert (len(REGIONS["EU"]), len(REGIONS["EEA"])) == (27, 30)
    assert countries_of(["EU", "CH"]) == REGIONS["EU"] | {"CH"}


@given(
    st.lists(st.sampled_from(["coupon", "revenue", "products[].sku", "products[].brand", "order_id"]), unique=True),
    st.lists(st.sampled_from(["coupon", "revenue", "products", "products[].brand", "total"]), unique=True),
)
def test_dropping_is_the_same_in_any_order_and_twice(first: list[str], second: list[str]) -> None:
    """What is left of an event depends on which properties are dropped, not on the rules that they are spread over."""
    event = event_of(an_order())

    def left(*parts: list[str]) -> dict[str, Any]:
        made = compiled(*({"then": {"drop": part}} for part in parts if part))
        ruling = made(event) if made is not None else None
        route = ruling.route if ruling is not None else None
        return route.reshape(event.properties) if route is not None and route.reshape is not None else event.properties

    both = left(first, second)

    assert both == left(second, first) == left([*first, *(path for path in second if path not in first)])
    assert both == left(first, second, first)
    assert not {path for path in (*first, *second) if "[]" not in path} & set(both)
