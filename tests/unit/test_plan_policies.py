"""Policies, routing and versions on the way of the data: what a plan's words do to real events."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from doubles import FakeDestination, FakeSource
from hypothesis import given
from hypothesis import strategies as st
from jobs import backfill
from plan_tools import HEAD, a_customer, a_full_order, an_order, occurrence, write_plan

from cdi_cli.commerce import Customer, Order
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.items import Issue
from cdi_cli.plan import CompiledPlan, compile_plan, load_plan
from cdi_cli.plan.model import PlannedEvent, Property, Routing
from cdi_cli.plan.problems import Place
from cdi_cli.plan.routing import compile_routes

EVENT = """
event: Order Completed
trigger: order.completed
on_violation: {policy}
properties:
  order_id: {{type: string, required: true, from: order.id}}
  tier: {{type: string, enum: [gold, silver], from: record.tier, pii: none}}
  meta: {{type: object, from: record.meta, additionalProperties: false}}
"""
UNPLANNED = b'{"tier": "gold", "meta": {"a": 1}}'
BROKEN = b'{"tier": "lead"}'
BOTH = b'{"tier": "lead", "meta": {"a": 1}}'
ORDER = an_order(customer_id="customer-1")
PLACE = Place("a.yaml")
STAMP = ("test", "1.2.3")


def compiled(folder: Path, policy: str = "block", head: str = "", more: str = "") -> CompiledPlan:
    """A plan whose only event has this policy; `more` is added to its file."""
    files = {"plan.yaml": HEAD + head, "events/a.yaml": EVENT.format(policy=policy) + more}
    return compile_plan(load_plan(write_plan(folder, files)))


def issue(
    plan: CompiledPlan, record: bytes, entity: Order | Customer = ORDER, *, off: tuple[str, ...] = (), target: str = "target"
) -> Issue:
    """What one record comes to, with nothing delivered before."""
    issuer = Issuer(
        plan=plan,
        builder=EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1, plan=STAMP),
        lifecycle=LifecycleSettings(off=off),
        destination=FakeDestination(),
        require_consent=(),
        delivered=lambda _family, _keys: {},
        scrub=lambda _stream, raw: raw,
        routes=plan.routes(target, "segment"),
    )
    return issuer.issue("orders", [record], [[entity]])


def sent(found: Issue) -> dict[str, Any]:
    """The only message that goes out."""
    assert len(found.outgoing) == 1
    message: dict[str, Any] = msgspec.json.decode(found.outgoing[0].encoded)
    return message


# on_violation, unplanned_properties, record -> what remains besides the id (None: blocked), `context.protocols`, warnings
CASES: list[tuple[str, str, bytes, dict[str, Any] | None, dict[str, Any], list[str]]] = [
    ("block", "forbid", UNPLANNED, None, {}, []),
    ("block", "strip", UNPLANNED, {"tier": "gold", "meta": {}}, {"omitted": ["meta.a"]}, ["meta.a: stripped"]),
    ("block", "warn", UNPLANNED, {"tier": "gold", "meta": {"a": 1}}, {}, ["meta.a: additionalProperties"]),
    ("strip", "block", UNPLANNED, None, {}, []),
    (
        *("strip", "forbid", BOTH, {"meta": {}}),
        {"omitted": ["meta.a"], "omitted_on_violation": ["tier"]},
        ["tier: stripped", "meta.a: stripped"],
    ),
    (
        *("strip", "warn", BOTH, {"meta": {"a": 1}}),
        {"omitted_on_violation": ["tier"]},
        ["meta.a: additionalProperties", "tier: stripped"],
    ),
    ("warn", "strip", BOTH, {"tier": "lead", "meta": {}}, {"omitted": ["meta.a"]}, ["tier: enum", "meta.a: stripped"]),
    ("warn", "forbid", BOTH, {"tier": "lead", "meta": {"a": 1}}, {}, ["tier: enum", "meta.a: additionalProperties"]),
    ("warn", "block", BROKEN, {"tier": "lead"}, {}, ["tier: enum"]),
    ("block", "allow", BROKEN, None, {}, []),
]


@pytest.mark.parametrize(("policy", "unplanned", "record", "left", "protocols", "warnings"), CASES)
def test_each_violation_has_its_policy(
    tmp_path: Path,
    policy: str,
    unplanned: str,
    record: bytes,
    left: dict[str, Any] | None,
    protocols: dict[str, Any],
    warnings: list[str],
) -> None:
    """Blocked, stripped with a note in `context.protocols`, or sent and counted; unplanned properties by their own."""
    found = issue(compiled(tmp_path, policy, f"unplanned_properties: {unplanned}\n"), record)

    if left is None:
        assert (found.outgoing, len(found.dead), found.dead[0].reason) == ([], 1, "plan_violation")
        assert found.counts == {("orders", "Order Completed", "rejected", "plan_violation"): 1}
    else:
        message = sent(found)
        assert message["properties"] == {"order_id": "order-1", **left}
        assert message["context"]["protocols"] == {"event_version": 1, **protocols}
    assert sorted(text for _, text in found.warnings) == sorted(warnings)


def test_what_strips_still_blocks_when_something_required_is_wrong(tmp_path: Path) -> None:
    """A required property cannot be stripped away; the dead letter lists everything that was wrong."""
    plan = compiled(tmp_path, "strip", more="  must: {type: integer, required: true, from: record.must}\n")

    found = issue(plan, b'{"must": "x"}')

    assert found.outgoing == []
    assert [violation[:2] for violation in found.dead[0].violations] == [("must", "type")]
    assert found.dead[0].detail == "`must` is required but missing"


def test_a_stripped_event_keeps_its_id_and_digest(tmp_path: Path) -> None:
    """What was stripped does not change who an event is: the same record is recognised under every policy."""
    stripped = issue(compiled(tmp_path / "a", "strip"), BROKEN).outgoing[0].event
    warned = issue(compiled(tmp_path / "b", "warn"), BROKEN).outgoing[0].event

    assert (stripped.id, stripped.key, stripped.content) == (warned.id, warned.key, warned.content)
    assert stripped.body != warned.body


def test_unplanned_events_are_counted(tmp_path: Path) -> None:
    """Something that happened and is planned nowhere is filtered by its kind, and nothing else is lost for it."""
    refunded = an_order(customer_id="customer-1", is_cancelled=True)

    found = issue(compiled(tmp_path), b"{}", refunded)

    assert [item.event.name for item in found.outgoing] == ["Order Completed"]
    assert found.counts == {("orders", "order.cancelled", "filtered", "unplanned_event"): 1}
    assert found.dead == []


def test_unplanned_events_can_be_blocked(tmp_path: Path) -> None:
    """With `unplanned_events: block` they go to the dead letters, with their record; kinds that are off do not."""
    plan = compiled(tmp_path, head="unplanned_events: block\n")
    cancelled = an_order(customer_id="customer-1", is_cancelled=True)

    found = issue(plan, b"{}", cancelled)
    off = issue(plan, b"{}", cancelled, off=("order.cancelled",))

    assert [(letter.reason, letter.event_name, letter.entity_id, letter.record) for letter in found.dead] == [
        ("unplanned_event", "order.cancelled", "order-1", b"{}")
    ]
    assert found.counts == {("orders", "order.cancelled", "rejected", "unplanned_event"): 1}
    assert (off.dead, off.counts) == ([], {})


def test_a_run_with_unplanned_events_closes_its_books(tmp_path: Path) -> None:
    """A whole backfill under a plan with one event: every record is accounted for, the run succeeds."""
    orders = [an_order(id=f"order-{number}", customer_id="c", is_cancelled=number % 2 == 0) for number in range(30)]
    orders = [msgspec.structs.replace(one, created_at="2026-01-02T00:00:00.000Z", id=one.id) for one in orders]
    target = FakeDestination()

    report, error = asyncio.run(
        backfill(tmp_path / "s.db", FakeSource(orders), target, plan=compiled(tmp_path / "plan"))  # type: ignore[arg-type]
    )

    assert error is None
    assert report.books.errors == ()
    assert report.books.total("filtered") == 15
    assert len(target.accepted) == 30


ROUTED = """
destinations:
  none: false
  segment:
    rename: Purchase
    properties: {exclude: [tier, meta], rename: {order_id: id}}
"""


def test_routing_changes_what_is_sent_and_nothing_else(tmp_path: Path) -> None:
    """Name and properties change on the wire; id, digests and books stay those of the plan's event."""
    plan = compiled(tmp_path, "warn", more=ROUTED)
    plain = compiled(tmp_path / "plain", "warn")

    routed, untouched = issue(plan, BOTH), issue(plain, BOTH)

    message = sent(routed)
    assert (message["event"], message["properties"]) == ("Purchase", {"id": "order-1"})
    assert message["messageId"] == sent(untouched)["messageId"]
    assert routed.outgoing[0].event == untouched.outgoing[0].event
    assert routed.warnings == untouched.warnings
    assert plan.fingerprint == plain.fingerprint


def test_an_event_that_is_kept_away_is_counted(tmp_path: Path) -> None:
    """`false` filters the event, and where no routing applies the table is empty."""
    plan = compiled(tmp_path, more=ROUTED.replace("none", "target"))

    found = issue(plan, BROKEN)

    assert (found.outgoing, found.dead) == ([], [])
    assert found.counts == {("orders", "Order Completed", "filtered", "not_routed"): 1}
    assert plan.routes("other", "mparticle") == {}
    assert compiled(tmp_path / "b").routes("target", "segment") == {}


LINES = (
    "  products:\n    type: array\n    from: order.lines\n    items:\n      type: object\n      properties:\n"
    "        sku: {type: string, from: item.sku}\n        name: {type: string, from: item.name}\n"
    "  ship:\n    type: object\n    properties: {city: {type: string, from: order.shipping_address.city}}\n"
)


def test_routing_reaches_into_lists_and_objects(tmp_path: Path) -> None:
    """Elements of lists are reshaped one by one; an object that is left empty is left out; the event keeps its own."""
    selection = '{exclude: ["products[].name", ship.city], rename: {"products[].sku": article, products: items}}'
    plan = compiled(tmp_path, more=LINES + f"destinations: {{segment: {{properties: {selection}}}}}\n")

    found = issue(plan, b"{}", a_full_order())

    assert sent(found)["properties"] == {"order_id": "order-1", "items": [{"article": "SKU-1"}]}
    assert set(found.outgoing[0].event.properties) == {"order_id", "products", "ship"}


NAMES = st.sampled_from(["a", "b", "a.b", "b[]", "c"])
TREES = st.recursive(
    st.integers() | st.text(max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3) | st.lists(inner, min_size=1, max_size=3),
    max_leaves=10,
)


def planned(name: str, value: Any) -> Property:
    """A property that fits a value; the elements of a list are those of its first."""
    if isinstance(value, dict):
        return Property(name, ("object",), PLACE, properties=tuple(planned(key, inner) for key, inner in value.items()))
    if isinstance(value, list):
        return Property(name, ("array",), PLACE, items=planned("", value[0]))
    return Property(name, ("string",), PLACE)


@given(st.dictionaries(NAMES, TREES, min_size=1, max_size=3), st.data())
def test_an_excluded_property_is_gone_and_its_neighbours_stay(properties: dict[str, Any], data: st.DataObject) -> None:
    """Whatever the names look like, excluding a property of the top level takes away that one, in a copy."""
    event = PlannedEvent("A", "track", "order.completed", "", "block", (), PLACE)
    event = replace(event, properties=tuple(planned(name, value) for name, value in properties.items()))
    path = data.draw(st.sampled_from(sorted(properties)))
    before = copy.deepcopy(properties)

    route = compile_routes([replace(event, routing=(Routing("x", PLACE, exclude=(path,)),))], "x", "y")["A"]

    assert route.reshape is not None
    assert route.reshape(properties) == {name: value for name, value in properties.items() if name != path}
    assert properties == before


def test_events_carry_the_version_they_were_checked_against(tmp_path: Path) -> None:
    """Name and version of the plan travel in the context."""
    assert sent(issue(compiled(tmp_path), b"{}"))["context"]["trackingPlan"] == {"name": "test", "version": "1.2.3"}


def test_a_profile_is_not_sent_again_for_a_new_version(tmp_path: Path) -> None:
    """The digest of an event that repeats with its content does not depend on the plan's version, nor does its id."""
    plan = compile_plan(load_plan())
    rule = plan.rules("customer.profile")[0]
    customer = a_customer(email="jo@example.com")

    def event(stamp: tuple[str, str] | None) -> Any:
        builder = EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1, plan=stamp)
        found = occurrence("customer.profile", customer=customer)
        return builder.build(found, rule.name, rule.type, rule.map(found, b"{}"))

    first, second, none = event(("commerce", "1.0.0")), event(("commerce", "1.0.1")), event(None)

    assert first.id == second.id == none.id
    assert first.content == second.content == none.content
    assert (first.context["trackingPlan"], "trackingPlan" in none.context) == (
        {"name": "commerce", "version": "1.0.0"},
        False,
    )
