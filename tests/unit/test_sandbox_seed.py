"""The seed data: the same for the same options, with sums that add up and everything a real shop has."""

from __future__ import annotations

import uuid
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.clock import Instant, to_datetime
from cdi_cli.sandbox import Sandbox, SandboxOptions
from cdi_cli.sandbox.commercetools.shop import KINDS, Shop
from cdi_cli.sandbox.seed.money import half_even

NOW = Instant("2026-11-01T00:00:00.000Z")


@pytest.fixture(scope="module")
def shop() -> Shop:
    """A shop of 4,000 orders."""
    return Sandbox(SandboxOptions(orders=4_000, now=NOW, messages=True, anonymised=3)).shop


@pytest.fixture(scope="module")
def orders(shop: Shop) -> list[dict[str, Any]]:
    """All orders of the shop."""
    return shop.documents("orders")


def cents(money: dict[str, Any]) -> int:
    """The minor units of an amount."""
    amount: int = money["centAmount"]
    return amount


def shipping_infos(order: dict[str, Any]) -> list[dict[str, Any]]:
    """The shipping of an order, one method or several."""
    if order["shippingMode"] == "Multiple":
        return [entry["shippingInfo"] for entry in order["shipping"]]
    return [order["shippingInfo"]]


def shipping_cents(info: dict[str, Any]) -> int:
    """What a shipping method costs after its discount."""
    return cents(info["discountedPrice"]["value"] if "discountedPrice" in info else info["price"])


def test_equal_seeds_make_equal_shops() -> None:
    """The same options give the same bytes; another seed gives another shop."""

    def digest(seed: int) -> list[bytes]:
        shop = Sandbox(SandboxOptions(orders=150, seed=seed, now=NOW, messages=True)).shop
        return [record.body for kind in KINDS for record in shop._collections[kind]]

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_totals_add_up(orders: list[dict[str, Any]]) -> None:
    """totalPrice = lines + custom lines + shipping - discount on total, for every order."""
    for order in orders:
        parts = sum(cents(line["totalPrice"]) for line in order["lineItems"] + order["customLineItems"])
        shipping = sum(shipping_cents(info) for info in shipping_infos(order))
        discount = cents(order["discountOnTotalPrice"]["discountedAmount"]) if "discountOnTotalPrice" in order else 0

        assert cents(order["totalPrice"]) == parts + shipping - discount


def test_lines_add_up(orders: list[dict[str, Any]]) -> None:
    """A line's total is its (discounted) unit price times its quantity."""
    for line in (line for order in orders for line in order["lineItems"]):
        value = cents(line["price"].get("discounted", line["price"])["value"])
        discounted = line["discountedPricePerQuantity"]
        unit = cents(discounted[0]["discountedPrice"]["value"]) if discounted else value
        off = sum(
            cents(d["discountedAmount"]) for entry in discounted for d in entry["discountedPrice"]["includedDiscounts"]
        )

        assert cents(line["totalPrice"]) == unit * line["quantity"]
        assert unit == value - off


def test_taxes_add_up(orders: list[dict[str, Any]]) -> None:
    """net + tax = gross; the side that the market prices in is the order's total; portions sum to the tax."""
    for order in (order for order in orders if "taxedPrice" in order):
        taxes = order["taxedPrice"]
        net, gross, tax = (cents(taxes[name]) for name in ("totalNet", "totalGross", "totalTax"))
        is_included = order["lineItems"][0]["taxRate"]["includedInPrice"]

        assert net + tax == gross
        assert sum(cents(portion["amount"]) for portion in taxes["taxPortions"]) == tax
        assert cents(order["totalPrice"]) == (gross if is_included else net)


def test_payments_cover_the_order_and_refunds_do_not_exceed_it(shop: Shop, orders: list[dict[str, Any]]) -> None:
    """The payments of an order are its grand total; money that went back is at most that."""
    for order in (order for order in orders if "paymentInfo" in order):
        payments = [shop.document("payments", ref["id"]) for ref in order["paymentInfo"]["payments"]]
        total = cents(order["taxedPrice"]["totalGross"] if "taxedPrice" in order else order["totalPrice"])
        back = sum(
            cents(transaction["amount"])
            for payment in payments
            for transaction in payment["transactions"]
            if transaction["type"] in ("Refund", "Chargeback") and transaction["state"] == "Success"
        )

        assert sum(cents(payment["amountPlanned"]) for payment in payments) == total
        assert 0 <= back <= total


def test_shop_has_everything(shop: Shop, orders: list[dict[str, Any]]) -> None:
    """Guests, cancellations, refunds of all kinds, imports, odd currencies, rarities: each occurs, in its share."""
    share = Counter[str]()
    for order in orders:
        share["guest"] += "customerId" not in order
        share["cancelled"] += order["orderState"] == "Cancelled"
        share["imported"] += "completedAt" in order
        share["untaxed"] += "taxedPrice" not in order
        share["multiple"] += order["shippingMode"] == "Multiple"
        share["gift"] += any(line["lineItemMode"] == "GiftLineItem" for line in order["lineItems"])
        share["fee"] += bool(order["customLineItems"])
        share["code"] += bool(order["discountCodes"])
        share["delivered"] += any(info["deliveries"] for info in shipping_infos(order))
        share["business"] += "businessUnit" in order
        share["unknown_field"] += "fulfilmentPromise" in order
        share[order["origin"]] += 1
        share[order["totalPrice"]["currencyCode"]] += 1
    kinds = Counter(
        (transaction["type"], transaction["state"])
        for payment in shop.documents("payments")
        for transaction in payment["transactions"]
    )

    assert 0.22 < share["guest"] / 4_000 < 0.30
    assert 0.03 < share["cancelled"] / 4_000 < 0.05
    assert share["imported"] == 40
    assert {"RecurringOrder", "Marketplace", "EUR", "USD", "GBP", "JPY", "KWD"} <= share.keys()
    for name in ("untaxed", "multiple", "gift", "fee", "code", "delivered", "business", "unknown_field"):
        assert share[name] > 40, name
    assert kinds["Refund", "Success"] > 100
    assert min(kinds["Refund", "Failure"], kinds["Refund", "Pending"], kinds["Chargeback", "Success"]) >= 5


def test_orders_fall_into_the_span_and_crowd(orders: list[dict[str, Any]]) -> None:
    """All orders lie in the two years before `now`, never change before they are made, and some crowd one instant."""
    times = Counter(order["createdAt"] for order in orders)

    assert all("2024-11-01T" <= order["createdAt"] <= order["lastModifiedAt"] <= NOW for order in orders)
    assert sorted(times.values())[-2:] == [133, 500]
    assert all(order["completedAt"] < order["createdAt"] for order in orders if "completedAt" in order)


def test_ids_are_random_uuids_whose_text_order_is_not_theirs(orders: list[dict[str, Any]]) -> None:
    """Ids have the version 4 layout and are all different."""
    ids = [order["id"] for order in orders]

    assert len(set(ids)) == len(ids)
    assert all(uuid.UUID(text).version == 4 and str(uuid.UUID(text)) == text for text in ids)


def test_customers_are_people_from_everywhere(shop: Shop) -> None:
    """Consents are given, refused and absent; scripts mix; passwords are there to be dropped; some are anonymised."""
    customers = shop.documents("customers")
    consents = Counter(str(c.get("custom", {}).get("fields", {}).get("marketingConsent")) for c in customers)

    assert min(consents[answer] for answer in ("True", "False", "None")) > 50
    assert any(not customer.get("firstName", "").isascii() for customer in customers)
    assert all(customer["password"] for customer in customers)
    assert sum(customer["email"].endswith("@invalid.example") and not customer["addresses"] for customer in customers) == 3


def test_members_order_after_they_registered(shop: Shop, orders: list[dict[str, Any]]) -> None:
    """An order refers to a customer who existed by then."""
    created = {customer["id"]: customer["createdAt"] for customer in shop.documents("customers")}

    assert all(created[order["customerId"]] <= order["createdAt"] for order in orders if "customerId" in order)


def test_carts_are_recent_and_of_all_states(shop: Shop, orders: list[dict[str, Any]]) -> None:
    """Active carts with and without address, merged ones, and those that an order was made of."""
    carts = shop.documents("carts")
    states = Counter((cart["cartState"], "shippingAddress" in cart) for cart in carts)
    ordered = {order["cart"]["id"] for order in orders if "cart" in order}

    assert min(states["Active", True], states["Active", False], states["Ordered", True]) > 20
    assert any(cart["cartState"] == "Merged" for cart in carts)
    assert {cart["id"] for cart in carts if cart["cartState"] == "Ordered"} <= ordered
    assert all((to_datetime(NOW) - to_datetime(cart["createdAt"])).days <= 90 for cart in carts)


def test_messages_cover_the_retention_only(shop: Shop) -> None:
    """Messages say what happened in the last 15 days, and nothing older."""
    messages = shop.documents("messages")

    assert {"OrderCreated", "CustomerCreated", "PaymentCreated", "PaymentTransactionAdded"} <= {m["type"] for m in messages}
    assert min(message["createdAt"] for message in messages) >= "2026-10-17T00:00:00.000Z"


def test_poison_only_when_asked(orders: list[dict[str, Any]]) -> None:
    """`poison=N` makes exactly N orders carry a text where a number must be; the default makes none."""
    poisoned = Sandbox(SandboxOptions(orders=100, now=NOW, poison=3)).shop.documents("orders")

    assert sum(isinstance(order["totalPrice"]["centAmount"], str) for order in poisoned) == 3
    assert all(isinstance(order["totalPrice"]["centAmount"], int) for order in orders)


def test_order_bytes_pads_as_real_shops_do() -> None:
    """Padded orders have about the asked size, in variant prices and attributes."""
    records = list(Sandbox(SandboxOptions(orders=300, now=NOW, order_bytes=17_000)).shop._collections["orders"])
    sizes = sorted(len(record.body) for record in records)

    assert 15_000 < sizes[len(sizes) // 2] < 21_000
    assert len(records[0].document()["lineItems"][0]["variant"]["prices"]) > 3


@given(numerator=st.integers(-(10**12), 10**12), denominator=st.integers(1, 10**6))
def test_half_even_rounds_as_python_does(numerator: int, denominator: int) -> None:
    """The integer rounding is the one of exact fractions."""
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))
