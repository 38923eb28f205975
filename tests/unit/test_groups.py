"""Groups: who belongs to which business unit, store or company, told once for each person and group."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from doubles import FakeDestination, FakeSource, order
from jobs import REQUEST, run

from cdi_cli.commerce import Consent, Customer, Order
from cdi_cli.destinations.segment.encode import Encoder
from cdi_cli.events import Event, EventBuilder, IdentitySettings, IdFormat, LifecycleSettings, occurrences
from cdi_cli.events.identity import guest_id
from cdi_cli.secrets import Secret

AT = order(0).created_at
BUILDER = EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1)
ALL = LifecycleSettings(groups=("business_unit", "store", "company"))


def groups(entity: Order | Customer, settings: LifecycleSettings = ALL) -> list[Event]:
    """The group events of an entity, with the group's name as a trait."""
    found = [each for each in occurrences(entity, settings) if each.kind == "group.member"]
    events = [BUILDER.build(each, "group", "group", {"name": each.subjects["group"].name}) for each in found]
    assert None not in events
    return [event for event in events if event is not None]


def customer(**changes: Any) -> Customer:
    """A customer of two stores who orders for a company."""
    return msgspec.structs.replace(
        Customer("c1", 1, AT, AT, email="jane@example.com", stores=("berlin", "paris"), company="Meyer & Söhne GmbH"),
        **changes,
    )


def test_ids_of_different_kinds_differ() -> None:
    """A store and a business unit of one key are two groups; a company is known by its name however it is written."""
    one = order(1, business_unit="berlin", store="berlin")

    assert [event.context["groupId"] for event in groups(one)] == ["berlin", "store:berlin"]
    assert [event.context["groupId"] for event in groups(customer())] == [
        *("store:berlin", "store:paris", "company:meyer-söhne-gmbh")
    ]
    assert groups(customer(company="MEYER & söhne, GmbH."))[-1].key == groups(customer())[-1].key


def test_only_business_units_unless_more_is_asked_for() -> None:
    """A store is no company, and free text joins strangers."""
    assert [event.context["groupId"] for event in groups(order(1, business_unit="b", store="s"), LifecycleSettings())] == [
        "b"
    ]
    assert groups(customer(), LifecycleSettings()) == []
    assert groups(order(1, business_unit="b"), LifecycleSettings(off=("group.member",))) == []


def test_a_membership_is_one_whichever_order_tells_of_it() -> None:
    """Another order, version, consent or session of the same person and unit is no news; another person or unit is."""
    (first,) = groups(order(1, business_unit="acme"))
    (later,) = groups(order(8, business_unit="acme", version=9, anonymous_id="s-2", consent=Consent({"Ads": "denied"})))

    assert first.entity_id != later.entity_id
    assert (first.id, first.key, first.content, first.created_at) == (later.id, later.key, later.content, later.created_at)
    assert groups(order(2, business_unit="acme"))[0].key != first.key
    assert groups(order(1, business_unit="other"))[0].key != first.key


def test_a_guest_belongs_to_a_unit_too() -> None:
    """Under the anonymous id."""
    (event,) = groups(order(1, customer_id=None, email="jane@example.com", business_unit="acme"))

    assert (event.user_id, event.anonymous_id) == (None, guest_id("jane@example.com"))


def test_segment_s_form_of_it() -> None:
    """`groupId` beside the traits, as Segment's spec has it, in the batch and for people."""
    (event,) = groups(order(1, business_unit="acme"))

    message = json.loads(Encoder(Secret("k"), None).event(event))  # type: ignore[arg-type]

    assert (message["type"], message["groupId"], message["userId"]) == ("group", "acme", "customer-1")
    assert message["traits"] == {"name": "acme"}
    assert event.message()["groupId"] == "acme"


@pytest.mark.parametrize("size", [3, 20])
def test_a_run_tells_it_once(tmp_path: Path, size: int) -> None:
    """Of many orders for a few units each person's membership goes out once, also across pages and runs; books close."""
    orders = [order(number, business_unit=f"unit-{number % 2}" if number % 3 else None) for number in range(60)]
    expected = {(one.customer_id, one.business_unit) for one in orders if one.business_unit}
    destination = FakeDestination()

    report, error = run(tmp_path / "state.db", FakeSource(orders, page_size=size), destination)
    again, _ = run(
        tmp_path / "state.db", FakeSource(orders), destination, request=replace(REQUEST, mode="restart", asked="again")
    )

    told = [(message["userId"], message["groupId"]) for message in destination.accepted if message["type"] == "group"]
    assert error is None
    assert sorted(told) == sorted(expected)
    assert (report.books.errors, again.books.errors) == ((), ())
    assert again.books.total("delivered") == 0
