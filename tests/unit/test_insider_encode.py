"""Events as Insider takes them: lines, amounts, names, what is filtered and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from insider_events import ENVIRONMENT, LINES, NOW, ORDER, destination, event, identify, users

from cdi_cli.clock import Clock, Instant, instant_from_datetime
from cdi_cli.destinations import DestinationContext, Filtered, Rejected
from cdi_cli.destinations.insider.destination import InsiderDestination
from cdi_cli.destinations.insider.encode import EVENT_BYTES
from cdi_cli.sandbox.insider.mistakes import of_user

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "insider"


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def insider() -> InsiderDestination:
    """An open destination for a sync."""
    return destination()


def lines_of(insider: InsiderDestination, **changes: Any) -> list[dict[str, Any]]:
    """The parameters of an order's events."""
    (user,) = users(insider, event(**changes))
    return [each["event_params"] for each in user["events"]]


def test_an_order_is_one_purchase_per_line(insider: InsiderDestination) -> None:
    """All lines share the group and the time; names, types and places are those of Insider's own sample."""
    (user,) = users(insider, event(context={"locale": "de-DE"}))

    assert user["identifiers"] == {"uuid": "customer-1"}
    assert "attributes" not in user
    first, second = user["events"]
    assert {each["event_name"] for each in user["events"]} == {"purchase"}
    assert {each["timestamp"] for each in user["events"]} == {"2026-08-01T12:00:00Z"}
    assert first["event_params"] == {
        "event_group_id": "ORD-1001", "currency": "EUR", "promotion_name": "MAY", "product_id": "p-1", "name": "Tee",
        "taxonomy": ["Apparel", "Shirts"], "url": "https://shop.example/p/tee",
        "product_image_url": "https://shop.example/i/tee.jpg", "quantity": 2, "unit_price": 24.99,
        "unit_sale_price": 19.99, "promotion_discount": 10.0, "shipping_cost": "2.50", "locale": "de_DE",
        "custom": {
            "checkout_id": "cart-7", "payment_method": "card", "total": 59.97, "revenue": 49.97, "tax": 7.5,
            "position": 1, "sku": "SKU-1", "brand": "Acme", "kind": "product",
            "cdi_event_id": "cdi:acme:shop:order:1:order-completed", "discount": 10.0,
        },
    }  # fmt: skip
    assert second["event_params"]["custom"] == {
        "checkout_id": "cart-7", "payment_method": "card", "position": 2, "kind": "product",
        "cdi_event_id": "cdi:acme:shop:order:1:order-completed",
    }  # fmt: skip


def test_only_names_that_the_vendors_sample_has_are_at_the_root(insider: InsiderDestination) -> None:
    """Every default parameter that is sent has the place and the JSON type that it has in the sample; the rest is custom."""
    (sample,) = json.loads((SAMPLES / "example-insider-upsert.json").read_text())["users"]
    known = {name: value for each in sample["events"] for name, value in each["event_params"].items()} | {"locale": ""}

    for params in lines_of(insider, context={"locale": "en"}):
        for name, value in params.items():
            assert name in known
            assert type(value) is type(known[name])


def test_an_amount_of_the_order_stands_once(insider: InsiderDestination) -> None:
    """Insider adds up what stands on lines, so numbers of the order and shipping are on the first alone, texts on all."""
    first, second = lines_of(insider)

    assert {"total", "revenue", "tax"} <= set(first["custom"])
    assert not {"total", "revenue", "tax", "discount"} & set(second["custom"])
    assert "shipping_cost" in first
    assert "shipping_cost" not in second
    assert first["custom"]["payment_method"] == second["custom"]["payment_method"] == "card"


def test_what_was_taken_off_the_order_is_divided_among_the_lines(insider: InsiderDestination) -> None:
    """The lines add up to what was paid for them, to the cent, also where a discount stands on no line."""
    lines = [
        {"product_id": "a", "price": 20.0, "quantity": 3, "discount": 6.0},
        {"product_id": "b", "price": 10.0, "quantity": 1},
        {"product_id": "credit", "price": -5.0, "quantity": 1},
    ]
    found = lines_of(insider, properties=ORDER | {"discount": 16.0, "products": lines})

    assert [params["unit_price"] for params in found] == [20.0, 10.0, -5.0]
    assert [params.get("promotion_discount") for params in found] == [14.4375, 1.5625, None]
    assert sum(params["unit_sale_price"] * params["quantity"] for params in found) == pytest.approx(60 + 10 - 5 - 16)


@pytest.mark.parametrize(
    ("shipping", "text"),
    [(2.5, "2.50"), (5, "5"), (5.0, "5.00"), (0.125, "0.125"), (0, "0"), (1234.56, "1234.56"), (1e-7, "0.0000001")],
)
def test_shipping_is_a_text_without_losing_a_digit(insider: InsiderDestination, shipping: float, text: str) -> None:
    """`shipping_cost` is the only amount that Insider takes as text."""
    assert lines_of(insider, properties=ORDER | {"shipping": shipping})[0]["shipping_cost"] == text


@pytest.mark.parametrize("products", [None, [], "p-1"])
def test_an_order_without_lines_is_one_purchase_with_its_revenue(insider: InsiderDestination, products: Any) -> None:
    """No product is made up; the order's number falls back to its id."""
    (params,) = lines_of(insider, properties={"revenue": 49.97, "currency": "EUR", "discount": 5.0, "products": products})

    assert "product_id" not in params
    assert (params["quantity"], params["unit_price"], params["unit_sale_price"]) == (1, 49.97, 49.97)
    assert params["event_group_id"] == "1"


def test_a_product_is_known_by_its_sku_where_settings_say_so() -> None:
    """Events and catalogue share the choice; a line without a sku keeps its product id."""
    insider = destination(item_id="sku")

    assert [params["product_id"] for params in lines_of(insider)] == ["SKU-1", "p-2"]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"kind": "order.refunded", "name": "Money Back"}, "order_refunded"),
        ({"kind": "cart.checkout_started", "name": "Checkout Started"}, "checkout_page_view"),
        ({"kind": "customer.created", "name": "Signed Up"}, "sign_up_confirmation"),
        ({"kind": "something.else", "name": "Loyalty Points-Earned 2x"}, "loyalty_points_earned_2x"),
        ({"kind": "order.completed", "name": "Home", "type": "page"}, "home"),
        ({"kind": "order.completed", "name": "Order Completed Twice"}, "second_order"),
        ({"kind": "order.cancelled", "name": "Order Cancelled"}, "order_void"),
    ],
)
def test_an_event_has_the_name_of_its_kind_unless_settings_give_it_one(changes: dict[str, Any], name: str) -> None:
    """The plan's names can be changed freely; a name of one's own goes by the plan's name first, then by the kind."""
    insider = destination(event_names={"Order Completed Twice": "second_order", "order.cancelled": "order_void"})

    (user,) = users(insider, event(**({"at": recent()} | changes)))

    assert user["events"][0]["event_name"] == name


def recent() -> Instant:
    """A time that no retention has passed."""
    return instant_from_datetime(NOW - timedelta(days=2))


def test_an_event_that_is_about_no_single_product_names_the_products(insider: InsiderDestination) -> None:
    """Flat parameters: default ones at the root, others custom in snake case, lines as a list of ids."""
    properties = {
        "order_id": "ORD-1", "refund_amount": 3, "currency": "EUR", "isFull": False, "nested": {"a": {"b": "c"}, "d": None},
        "tags": ["x", None, "y"], "mixed": ["x", 1], "objects": [{"a": 1}], "nothing": "", "ß": "lost", "products": LINES,
    }  # fmt: skip
    (user,) = users(insider, event(kind="order.refunded", name="Order Refunded", at=recent(), properties=properties))

    (found,) = user["events"]
    assert found["event_params"] == {
        "currency": "EUR",
        "custom": {
            "order_id": "ORD-1", "refund_amount": 3, "is_full": False, "nested_a_b": "c", "tags": ["x", "y"],
            "mixed": '["x",1]', "objects": '[{"a":1}]', "product_ids": ["p-1", "p-2"],
            "cdi_event_id": "cdi:acme:shop:order:1:order-completed",
        },
    }  # fmt: skip


def test_the_events_id_can_be_left_out() -> None:
    """An account with no parameter to spare sends none; an event without custom parameters has no `custom`."""
    insider = destination(event_id_param=None)

    (user,) = users(insider, event(kind="order.refunded", name="R", at=recent(), properties={"currency": "EUR"}))

    assert user["events"][0]["event_params"] == {"currency": "EUR"}


@pytest.mark.parametrize(
    ("kind", "days"),
    [("order.completed", 730), ("customer.created", 365), ("order.refunded", 90), ("cart.checkout_started", 90)],
)
def test_what_is_too_old_is_filtered_and_not_dropped_unseen(kind: str, days: int) -> None:
    """To the minute, with an hour to spare, by the destination's clock."""
    insider = destination()
    oldest = NOW - timedelta(days=days) + timedelta(hours=1)
    just = event(kind=kind, name="X", at=instant_from_datetime(oldest + timedelta(minutes=1)))
    gone = event(kind=kind, name="X", at=instant_from_datetime(oldest - timedelta(minutes=1)))

    assert isinstance(insider.encode(just), bytes)
    assert insider.encode(gone) == Filtered("retention")


def test_an_account_can_keep_events_longer_or_shorter() -> None:
    """By Insider's name."""
    insider = destination(retention_days={"purchase": 10, "order_refunded": 365})
    month_old = instant_from_datetime(NOW - timedelta(days=30))
    half_year_old = instant_from_datetime(NOW - timedelta(days=180))

    assert insider.encode(event(at=month_old)) == Filtered("retention")
    assert isinstance(insider.encode(event(kind="order.refunded", name="R", at=half_year_old)), bytes)


def test_a_profile_is_never_too_old() -> None:
    """It says what is so now, whenever it was changed last."""
    insider = destination(clock=Clock(now=lambda: datetime(2099, 1, 1, tzinfo=UTC)))

    assert isinstance(insider.encode(identify(1)), bytes)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"type": "alias"}, "insider_type_unsupported"),
    ({"type": "purchase"}, "insider_type_unsupported"),
    ({"kind": "own", "name": "☂"}, "insider_event_name"),
    ({"at": ""}, "insider_timestamp_invalid"),
    ({"at": "2026-08-01T12:00:00"}, "insider_timestamp_invalid"),
    ({"at": None}, "insider_timestamp_invalid"),
    ({"user_id": 12}, "insider_id_not_string"),
    ({"user_id": "a\ud800"}, "insider_not_unicode"),
    ({"properties": ORDER | {"note": float("nan")}}, "insider_not_json"),
    ({"properties": ORDER | {"note": b"bytes"}}, "insider_not_json"),
    ({"properties": ORDER | {"currency": None}}, "insider_purchase_incomplete"),
    ({"properties": {"currency": "EUR"}}, "insider_purchase_incomplete"),
    ({"properties": ORDER | {"products": ["p-1"]}}, "insider_purchase_incomplete"),
    ({"properties": ORDER | {"products": [{"product_id": "p"}]}}, "insider_purchase_incomplete"),
    ({"properties": ORDER | {"products": [{"price": "1", "quantity": 1}]}}, "insider_purchase_incomplete"),
    ({"properties": ORDER | {"products": [{"price": 1, "quantity": 1.5}]}}, "insider_purchase_incomplete"),
    ({"properties": ORDER | {"note": "x" * EVENT_BYTES}}, "insider_event_too_large"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason"), REFUSED)
def test_what_insider_would_refuse_is_rejected_with_its_reason(
    insider: InsiderDestination, changes: dict[str, Any], reason: str
) -> None:
    """A stable code and a sentence, without anybody's data."""
    outcome = insider.encode(event(**({"body": b"{}"} | changes)))

    assert isinstance(outcome, Rejected)
    assert outcome.reason == reason
    assert len(outcome.detail) > 20
    assert "customer-1" not in outcome.detail


def test_what_is_encoded_is_what_the_simulator_finds_no_mistake_in(insider: InsiderDestination) -> None:
    """Orders, guests, profiles and refunds pass the rules that Insider's error texts name."""
    guest = event(2, user_id=None, context={"traits": {"email": "Guest@Example.com "}})
    found = users(insider, event(), guest, identify(3), event(4, kind="order.refunded", name="R", at=recent()))

    assert [of_user(user, 0) for user in found] == [{}] * 4


@pytest.mark.parametrize(
    ("is_backfill", "skips", "is_on"), [(True, False, True), (False, False, False), (False, True, True)]
)
def test_a_backfill_starts_no_journeys(is_backfill: bool, skips: bool, is_on: bool) -> None:
    """`skip_hook` is on for history whatever settings say, and for a sync if they say so; overhead is to the byte."""
    insider = destination(
        DestinationContext(is_backfill=is_backfill), skip_hook=skips, error_callback="https://cdi.example/errors"
    )

    body = json.loads(insider._head + b"]}")

    assert body == {"skip_hook": is_on, "error_callback_endpoint": "https://cdi.example/errors", "users": []}
    assert insider.limits.overhead_bytes == len(insider._head) + 2
