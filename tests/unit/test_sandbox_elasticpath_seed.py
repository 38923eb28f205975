"""What the simulated Elastic Path holds: every state, buyer, line and oddity that the sheet knows, the same each time."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from elasticpath_store import Order, is_old, opened, served

from cdi_cli.clock import parse_instant
from cdi_cli.sandbox.elasticpath.options import ElasticPathOptions
from cdi_cli.sandbox.elasticpath.system import ElasticPathSystem


@pytest.fixture(scope="module")
def store() -> ElasticPathSystem:
    """A store of 3,000 orders."""
    return opened(orders=3_000, anonymised=3)


@pytest.fixture(scope="module")
def orders(store: ElasticPathSystem) -> list[Order]:
    """All orders."""
    return [served(row) for row in store.store.orders()]


def test_every_state_is_there(orders: list[Order]) -> None:
    """Never paid, authorised, partly so, paid, sent or not, cancelled with and without a refund, refunded."""
    states = {(order["status"], order["payment"], order["shipping"]) for order, _items, _transactions in orders}

    assert states == {
        ("incomplete", "unpaid", "unfulfilled"),
        ("cancelled", "unpaid", "unfulfilled"),
        ("processing", "authorized", "unfulfilled"),
        ("processing", "partially_authorized", "unfulfilled"),
        ("processing", "partially_paid", "unfulfilled"),
        ("complete", "paid", "unfulfilled"),
        ("complete", "paid", "fulfilled"),
        ("cancelled", "paid", "unfulfilled"),
        ("cancelled", "refunded", "unfulfilled"),
        ("complete", "refunded", "unfulfilled"),
        ("complete", "refunded", "fulfilled"),
    }


def test_refunds_of_all_kinds(orders: list[Order]) -> None:
    """Partial ones that the order does not show, marked ones, split payments, failed attempts, authorise and capture."""
    partial = [
        order
        for order, _items, transactions in orders
        if any(0 < each["refunded_amount"] < each["amount"] for each in transactions)
    ]
    assert partial
    assert all(order["payment"] in ("paid", "refunded") for order in partial)
    flat = [each for _order, _items, transactions in orders for each in transactions]
    assert {each.get("transaction_type", each.get("transaction-type")) for each in flat} == {
        "purchase", "authorize", "capture",
    }  # fmt: skip
    assert {each["status"] for each in flat} == {"complete", "failed"}
    assert {each.get("refund_mechanism") for each in flat} == {None, "manual", "automatic"}
    assert any("transaction-type" in each for each in flat)
    stamps = [each["meta"]["timestamps"] for each in flat]
    assert all(each["created_at"].endswith("Z") and each["updated_at"].endswith("-07:00") for each in stamps)


def test_buyers_of_all_kinds(orders: list[Order]) -> None:
    """Registered ones have an id, guests have none, accounts have a contact instead of a customer."""
    kinds = Counter(
        "account" if "contact" in order else "registered" if "id" in order["customer"] else "guest"
        for order, _items, _transactions in orders
    )
    assert min(kinds.values()) > 200
    for order, _items, _transactions in orders:
        relations = order["relationships"]
        assert ("contact" in order) == ("account" in relations) == ("account_member" in relations)
        assert ("customer" in relations) == ("id" in order.get("customer", {}))
        assert not ("contact" in order and "customer" in order)
    types = {
        order["relationships"]["account_member"]["data"]["type"]
        for order, _items, _transactions in orders
        if "contact" in order
    }
    assert types == {"account_member", "account-member"}


def test_lines_of_all_kinds(orders: list[Order]) -> None:
    """Promotion lines carry a promotion's id as product, custom lines none; a bundle is one line."""
    items = [item for _order, items, _transactions in orders for item in items]
    products = {item["product_id"] for item in items if item.get("catalog_id")}
    promotions = [item for item in items if item["unit_price"]["amount"] < 0]

    assert {item["type"] for item in promotions} == {"order_item", "promotion_item"}
    assert all(item["product_id"] and item["product_id"] not in products for item in promotions)
    assert {item["sku"] for item in items if not item["product_id"]} == {"STANDARD-DELIVERY", "HANDLING-FEE", "DONATION"}
    assert any(item.get("bundle_configuration") for item in items)
    assert any(item["quantity"] > 1 and item.get("discounts") for item in items)
    flags = [{item["unit_price"]["includes_tax"] for item in items} for _order, items, _transactions in orders]
    assert {True, False} in flags, "no promotion line says of its price what its neighbours do not"
    assert {True} in flags
    assert {False} in flags


def test_old_orders_lack_keys(orders: list[Order]) -> None:
    """No sums of discounts, `anonymized` only where true, taxes of nothing without currency, lines' times outside `meta`."""
    old = [(order, items) for order, items, _transactions in orders if is_old(order)]

    assert 100 < len(old) < len(orders) / 3
    for order, items in old:
        assert set(order["meta"]["display_price"]) == {"with_tax", "without_tax", "tax"}
        assert all("timestamps" in item and "timestamps" not in item["meta"] for item in items)
        assert "." in order["meta"]["timestamps"]["created_at"]
        assert order.get("anonymized", True)
    assert any(order["meta"]["display_price"]["tax"]["currency"] == "" for order, _items in old)


def test_anonymised_orders_hold_stars(store: ElasticPathSystem, orders: list[Order]) -> None:
    """No name, e-mail or street; ids, country and money stay; the change shows in `updated_at`."""
    hidden = [order for order, _items, _transactions in orders if order.get("anonymized")]

    assert hidden
    for order in hidden:
        person = order.get("contact") or order["customer"]
        assert (person["name"], person["email"]) == ("**", "**")
        assert {value for name, value in order["shipping_address"].items() if name != "country"} == {"**"}
        stamps = order["meta"]["timestamps"]
        assert parse_instant(stamps["updated_at"]) > parse_instant(stamps["created_at"])
    customers = store.store.documents("customers")
    assert sum(customer["name"] == customer["email"] == "**" for customer in customers) >= 3


def test_flow_fields_stand_at_the_top(store: ElasticPathSystem, orders: list[Order]) -> None:
    """Consent and others; one has the name of something else; they may be null or absent."""
    found = Counter(name for order, _items, _transactions in orders for name in order)
    assert 0 < found["marketing_consent"] < len(orders)
    assert found["total"] == found["gift_note"] > 0
    consents = Counter(customer.get("marketing_consent") for customer in store.store.documents("customers"))
    assert set(consents) == {True, False, None}
    assert any(order.get("custom_attributes") for order, _items, _transactions in orders)


def test_names_and_currencies_of_many_places(store: ElasticPathSystem, orders: list[Order]) -> None:
    """Names in other scripts, people with one name, amounts with 0, 2 and 3 decimals and their texts."""
    names = [customer["name"] for customer in store.store.documents("customers")]
    prices = [order["meta"]["display_price"]["with_tax"] for order, _items, _transactions in orders]

    assert any(not name.isascii() for name in names)
    assert any(" " not in name for name in names)
    assert {price["currency"] for price in prices} == {"EUR", "USD", "GBP", "JPY", "KWD"}
    for price in prices:
        digits = {"JPY": 0, "KWD": 3}.get(price["currency"], 2)
        number = price["formatted"].replace(",", "").lstrip("€$£¥KD ")
        assert number == (f"{price['amount'] / 10**digits:.{digits}f}" if digits else str(price["amount"]))


def test_crowds_are_larger_than_a_page(store: ElasticPathSystem) -> None:
    """Many orders share one creation, many others one change."""
    rows = store.store.rows("orders")

    assert Counter(row.created for row in rows).most_common(1)[0][1] > 100
    shared = Counter(row.updated for row in rows).most_common(2)
    assert shared[1][1] > 100


def test_every_time_is_past_and_in_order(store: ElasticPathSystem, orders: list[Order]) -> None:
    """Nothing changed before it was made, nothing happens after the shop's present."""
    for kind in ("orders", "customers", "accounts", "account-members", "products", "prices"):
        assert all(row.created <= row.updated <= store.store.world.now for row in store.store.rows(kind)), kind
    for order, _items, transactions in orders:
        created, updated = (parse_instant(order["meta"]["timestamps"][name]) for name in ("created_at", "updated_at"))
        for each in transactions:
            assert created <= parse_instant(each["meta"]["timestamps"]["updated_at"]) <= updated


def test_equal_options_make_equal_stores() -> None:
    """Also when the orders come in parts; another seed makes another store."""
    first, second, other = opened(orders=120), opened(orders=120), opened(orders=120, seed=2)
    kinds = ("orders", "customers", "accounts", "products")

    made = [[one.store.documents(kind) for kind in kinds] for one in (first, second, other)]

    assert made[0] == made[1] != made[2]
    assert first.more_orders(30)["orders"] == 150
    assert [served(row) for row in first.store.orders()][:120] == [served(row) for row in second.store.orders()]


def test_a_record_is_the_same_each_time_it_is_made(store: ElasticPathSystem) -> None:
    """Orders are kept as facts only: what is made of them again, much later, is what was made first."""
    rows = store.store.orders()
    before = [served(row) for row in rows[:5]]
    for row in rows[:1500]:
        row.document()

    assert [served(row) for row in rows[:5]] == before


def test_poisoned_orders_hold_a_text_for_a_number() -> None:
    """As many as were wanted."""
    rows = opened(orders=100, poison=4).store.orders()

    amounts = [row.document()["meta"]["display_price"]["with_tax"]["amount"] for row in rows]
    assert sum(isinstance(amount, str) for amount in amounts) == 4


def test_partial_refunds_may_leave_an_order_unmoved() -> None:
    """With the switch off, `updated_at` is of before them; whole refunds move it all the same."""
    moves = {row.id: row.updated for row in opened(orders=2_000).store.orders()}
    still = opened(orders=2_000, elasticpath=ElasticPathOptions(refund_moves=False)).store.orders()

    crowds = {at for at, _size in Counter(row.updated for row in still).most_common(2)}
    earlier = [row for row in still if row.updated < moves[row.id] and row.updated not in crowds]
    assert earlier
    assert all(row.updated <= moves[row.id] for row in still)
    for row in earlier:
        assert row.whole().payment == "paid"
        assert row.whole().refunded > 0


@pytest.mark.slow
def test_large_stores_are_quick_to_make() -> None:
    """20,000 orders within ten seconds, on whatever machine this is."""
    start = time.monotonic()

    made = opened(orders=20_000)

    assert made.store.count("orders") == 20_000
    assert time.monotonic() - start < 10


def test_an_empty_store() -> None:
    """No orders, no customers; a catalogue and accounts are there."""
    made = opened(orders=0)

    assert made.store.count("orders") == made.store.count("customers") == 0
    assert made.store.count("products") > 0
    assert made.books() == {"sales": {}, "refunds": {}, "anonymised": {}}
