"""The simulated Magento's data: shaped as recorded answers are, with the sums of the fact sheet, and all that a shop has."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cdi_cli.clock import Instant
from cdi_cli.sandbox import Sandbox, SandboxOptions
from cdi_cli.sandbox.magento.shop import KINDS
from cdi_cli.sandbox.magento.system import MagentoSystem

DATA = Path(__file__).resolve().parent.parent / "data" / "magento"
NOW = Instant("2026-11-01T00:00:00.000Z")
ORDERS = ("config_bundle", "eur", "guest", "guest_virtual", "refunded_partial", "canceled")
FAMILIES = ("", "base_")


def opened(**options: Any) -> MagentoSystem:
    """A simulated shop without a server."""
    return Sandbox(SandboxOptions(**{"sources": ("magento",), "now": NOW} | options)).magento


@pytest.fixture(scope="module")
def magento() -> MagentoSystem:
    """A shop of 3,000 orders."""
    return opened(orders=3_000, anonymised=3)


@pytest.fixture(scope="module")
def orders(magento: MagentoSystem) -> list[dict[str, Any]]:
    """All orders as they are served."""
    return magento.shop.documents("orders")


@pytest.fixture(scope="module")
def memos(magento: MagentoSystem) -> list[dict[str, Any]]:
    """All credit memos as they are served."""
    return magento.shop.documents("creditmemos")


def exact(amount: float) -> Decimal:
    """An amount of a document, exactly as it is written."""
    return Decimal(str(amount))


def shape(value: Any, path: str = "", found: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    """Every path of a document with the JSON types that stand there."""
    found = {} if found is None else found
    if isinstance(value, dict):
        below = [(f"{path}.{name}", inner) for name, inner in value.items()]
    else:
        below = [(f"{path}[]", inner) for inner in value] if isinstance(value, list) else []
    for name, inner in below:
        kind = "number" if isinstance(inner, int | float) and not isinstance(inner, bool) else type(inner).__name__
        found.setdefault(name, set()).add(kind)
        shape(inner, name, found)
    return found


def shapes(documents: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The shape of many documents together."""
    found: dict[str, set[str]] = {}
    for document in documents:
        shape(document, "", found)
    return found


def recorded(name: str) -> list[dict[str, Any]]:
    """The records of a recorded answer."""
    document = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return list(document["items"]) if "search_criteria" in document else [document]


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ([f"order_{name}" for name in ORDERS], "orders"), (["creditmemos"], "creditmemos"), (["invoices"], "invoices"),
        (["shipments"], "shipments"), (["customers_search"], "customers"), (["products"], "products"),
        (["source_items"], "source-items"),
    ],
)  # fmt: skip
def test_records_are_shaped_as_the_recorded_ones(magento: MagentoSystem, names: list[str], kind: str) -> None:
    """Every field that the real server sent is there, as deep as it goes, in each of its types."""
    real = shapes([record for name in names for record in recorded(name)])
    made = shapes(magento.shop.documents(kind))
    # Nobody commented on a shipment here.
    missing = [path for path in real if path not in made and not path.startswith(".comments[]")]

    assert missing == []
    assert {path: (real[path], made[path]) for path in real if path in made and not real[path] <= made[path]} == {}


@pytest.mark.parametrize(
    ("name", "table"), [("coupons", "coupons"), ("customer_groups", "groups"), ("categories_list", "categories")]
)
def test_small_tables_are_shaped_as_the_recorded_ones(magento: MagentoSystem, name: str, table: str) -> None:
    """The same fields of the same types."""
    made = [dict(row.document(None)) for row in magento.shop.small_table(table).rows.values()]  # type: ignore[arg-type]

    assert shapes(made) == shapes(recorded(name))


@pytest.mark.parametrize("name", ORDERS)
def test_recorded_orders_keep_the_identities(name: str) -> None:
    """What is asserted of simulated orders holds of the real ones: the rules are not of our making."""
    assert_identities(recorded(f"order_{name}")[0])


def test_orders_keep_the_identities(orders: list[dict[str, Any]]) -> None:
    """The sums of the fact sheet hold for every order, in both currencies."""
    for order in orders:
        assert_identities(order)


def assert_identities(order: dict[str, Any]) -> None:
    """Grand total, subtotal, discount and tax from the lines, the mangled `row_total`, parents and children."""
    items = order["items"]
    for family in FAMILIES:
        head = {name: exact(order[family + name]) for name in ("grand_total", "subtotal", "tax_amount", "shipping_amount")}
        discount = exact(order[f"{family}discount_amount"])
        top = [item for item in items if "parent_item_id" not in item]
        taxed = [item for item in items if item["product_type"] != "bundle"]

        assert head["grand_total"] == head["subtotal"] + head["tax_amount"] + head["shipping_amount"] + discount
        assert head["subtotal"] == sum(exact(item[f"{family}price"]) * item["qty_ordered"] for item in top)
        assert discount == -sum(exact(item[f"{family}discount_amount"]) for item in items) <= 0
        assert head["tax_amount"] == sum(exact(item[f"{family}tax_amount"]) for item in taxed)
        for item in items:
            row = exact(item[f"{family}price"]) * item["qty_ordered"] - exact(item[f"{family}discount_amount"])
            assert exact(item[f"{family}row_total"]) == max(row, Decimal(0))
    by_id = {item["item_id"]: item for item in items}
    for item in items:
        if "parent_item_id" in item:
            parent = by_id[item["parent_item_id"]]
            assert item["parent_item"] == parent
            assert parent["product_type"] in ("configurable", "bundle")
            assert (item["sku"] == parent["sku"]) == (parent["product_type"] == "configurable")
            assert parent["product_type"] == "bundle" or item["price"] == item["tax_amount"] == item["discount_amount"] == 0
        elif item["product_type"] == "bundle":
            children = [each for each in items if each.get("parent_item_id") == item["item_id"]]
            assert item["discount_amount"] == 0
            pieces = (exact(each["price"]) * each["qty_ordered"] for each in children)
            assert exact(item["price"]) * item["qty_ordered"] == sum(pieces)
    assert order["extension_attributes"]["shipping_assignments"][0]["items"] == items


def test_credit_memos_add_up(orders: list[dict[str, Any]], memos: list[dict[str, Any]]) -> None:
    """Each by itself, and all of an order to what its header says went back; never more than was paid."""
    by_order: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for memo in memos:
        by_order[memo["order_id"]].append(memo)
        for family in FAMILIES:
            amounts = (
                exact(memo[family + name]) for name in ("subtotal", "tax_amount", "shipping_amount", "discount_amount")
            )
            assert exact(memo[f"{family}grand_total"]) == sum(amounts) + exact(memo[f"{family}adjustment"])
            rows = [item for item in memo["items"] if "row_total" in item]
            assert exact(memo[f"{family}subtotal"]) == sum(exact(item[f"{family}row_total"]) for item in rows)
            assert exact(memo[f"{family}tax_amount"]) == sum(exact(item[f"{family}tax_amount"]) for item in rows)
    for order in orders:
        back = sum(exact(memo["grand_total"]) for memo in by_order[order["entity_id"]])
        assert back == exact(order.get("total_refunded", 0)) <= exact(order["grand_total"])
        assert (order["state"] == "closed") == (back == exact(order["grand_total"]))
        refunded = Counter[int]()
        for item in (item for memo in by_order[order["entity_id"]] for item in memo["items"]):
            refunded[item["order_item_id"]] += item["qty"]
        assert {item["item_id"]: item["qty_refunded"] for item in order["items"] if item["qty_refunded"]} == refunded


def test_papers_belong_to_their_orders(magento: MagentoSystem, orders: list[dict[str, Any]]) -> None:
    """Invoices and shipments are of the order's money and pieces; nothing is made before the order or after the present."""
    by_id = {order["entity_id"]: order for order in orders}
    shipped = Counter[int]()

    for invoice in magento.shop.documents("invoices"):
        order = by_id[invoice["order_id"]]
        assert (invoice["grand_total"], invoice["state"]) == (order["total_paid"], 2)
    for shipment in magento.shop.documents("shipments"):
        for item in shipment["items"]:
            shipped[item["order_item_id"]] += item["qty"]
    for kind in ("invoices", "shipments", "creditmemos"):
        for row in magento.shop.rows(kind):
            order = by_id[row.owner]
            assert order["created_at"] <= row.created <= order["updated_at"] <= "2026-11-01 00:00:00"
            assert row.document(None)["created_at"] == row.created  # type: ignore[arg-type]
    sent = {item["item_id"]: item["qty_shipped"] for order in orders for item in order["items"] if item["qty_shipped"]}
    assert sent == shipped


def test_the_shop_has_everything(magento: MagentoSystem, orders: list[dict[str, Any]], memos: list[dict[str, Any]]) -> None:
    """Every kind of order that the fact sheet warns of occurs, in its share."""
    share = Counter[str]()
    (imported_at, _count), *_others = Counter(order["updated_at"] for order in orders).most_common(1)
    for order in orders:
        kinds = {item["product_type"] for item in order["items"]}
        share.update(kinds)
        share.update([order["state"], order["order_currency_code"]])
        share["guest"] += order["customer_is_guest"]
        share["virtual order"] += order["is_virtual"]
        share["deleted customer"] += not order["customer_is_guest"] and "customer_id" not in order
        share["edited"] += "relation_child_id" in order
        share["replacement"] += "relation_parent_id" in order
        share["imported"] += order["created_at"] < order["updated_at"] == imported_at
        share["discounted"] += order["discount_amount"] < 0
        share["no address"] += "address" not in order["extension_attributes"]["shipping_assignments"][0]["shipping"]
    per_order = Counter(memo["order_id"] for memo in memos)

    assert 0.22 < share["guest"] / 3_000 < 0.30
    states = {"new", "pending_payment", "payment_review", "processing", "complete", "closed", "canceled", "holded"}
    assert states <= share.keys()
    assert min(share["configurable"], share["bundle"], share["virtual"], share["EUR"], share["discounted"]) > 80
    assert share["edited"] == share["replacement"] == 30
    assert share["no address"] == share["virtual order"] > 80
    assert share["deleted customer"] > 5
    assert share["imported"] > 30
    assert Counter(per_order.values())[2] > 5
    assert any(memo["adjustment"] > 0 for memo in memos)
    assert any(memo["adjustment"] < 0 for memo in memos)
    assert any(memo["shipping_amount"] == 0 for memo in memos)


def test_edited_orders_name_each_other(orders: list[dict[str, Any]]) -> None:
    """The old one is cancelled and names the new one, which has its number with `-1` and the same buyer."""
    by_id = {order["entity_id"]: order for order in orders}

    for new in (order for order in orders if "relation_parent_id" in order):
        old = by_id[int(new["relation_parent_id"])]
        assert (old["state"], old["relation_child_id"]) == ("canceled", str(new["entity_id"]))
        assert old["relation_child_real_id"] == new["increment_id"] == f"{old['increment_id']}-1"
        assert new["original_increment_id"] == new["relation_parent_real_id"] == old["increment_id"]
        assert (new["customer_email"], new["created_at"]) == (old["customer_email"], old["updated_at"])


def test_times_crowd_and_reach_over_two_years(magento: MagentoSystem) -> None:
    """Many orders share a second of creation, and of change; imports come late with an old `created_at`."""
    rows = magento.shop.rows("orders")
    created, updated = Counter(row.created for row in rows), Counter(row.updated for row in rows)

    assert all("2024-11-01" <= row.created <= row.updated <= "2026-11-01 00:00:00" for row in rows)
    assert max(created.values()) > 300
    assert max(updated.values()) > 30
    assert [row.created for row in sorted(rows, key=lambda row: row.id)] != sorted(row.created for row in rows)


def test_customers_are_accounts_per_website(magento: MagentoSystem) -> None:
    """Some people have two accounts of one address; consent differs; names are of many scripts; some were anonymised."""
    customers = magento.shop.documents("customers")
    websites = defaultdict(list)
    for customer in customers:
        websites[customer["email"]].append(customer["website_id"])

    assert sorted(next(w for w in websites.values() if len(w) == 2)) == [1, 2]
    assert all(len(set(each)) == len(each) for each in websites.values())
    assert any(not customer["firstname"].isascii() for customer in customers)
    assert sum(customer["email"].endswith("@anonymous.example") for customer in customers) == 3
    assert any(not customer["addresses"] for customer in customers)


def test_members_order_after_they_registered(magento: MagentoSystem, orders: list[dict[str, Any]]) -> None:
    """An order refers to an account that existed by then; accounts that are gone are referred to by nobody."""
    created = {customer["id"]: customer["created_at"] for customer in magento.shop.documents("customers")}

    for order in (order for order in orders if "customer_id" in order and "relation_parent_id" not in order):
        assert created[order["customer_id"]] <= order["created_at"]


def test_carts_are_of_all_kinds(magento: MagentoSystem, orders: list[dict[str, Any]]) -> None:
    """Active ones with and without a person, empty ones, and those that an order was made of."""
    numbers = {order["increment_id"]: order for order in orders}
    kinds = Counter[tuple[bool, bool, bool]]()
    for cart in magento.shop.documents("carts"):
        kinds[cart["is_active"], cart["customer_is_guest"], cart["items_count"] > 0] += 1
        if cart["is_active"]:
            assert cart["items_count"] == len(cart["items"])
            assert cart["items_qty"] == sum(item["qty"] for item in cart["items"])
        else:
            order = numbers[cart["reserved_order_id"]]
            assert order["quote_id"] == cart["id"]
            assert cart["items_count"] == sum("parent_item_id" not in item for item in order["items"])
            assert "items" not in cart

    for kind in ((True, True, True), (True, False, True), (False, True, True), (False, False, True), (True, True, False)):
        assert kinds[kind] > 5, kind


def test_products_have_special_prices_and_categories(magento: MagentoSystem) -> None:
    """Special prices run, are over or come; configurable and bundle have no price, grouped not even the field."""
    kinds: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for product in magento.shop.documents("products"):
        kinds[product["type_id"]].append(product)
    specials = Counter[str]()
    for product in kinds["simple"]:
        attributes = {each["attribute_code"]: each["value"] for each in product["custom_attributes"]}
        if "special_price" in attributes:
            end = attributes.get("special_to_date", "9")
            is_future = attributes["special_from_date"] > "2026-11-01"
            specials["future" if is_future else "over" if end < "2026-11-01" else "running"] += 1

    assert kinds.keys() == {"simple", "configurable", "bundle", "virtual", "grouped"}
    assert {product["price"] for product in [*kinds["configurable"], *kinds["bundle"]]} == {0}
    assert not any("price" in product for product in kinds["grouped"])
    assert specials["over"] > 0
    assert specials["running"] > 0
    known = {str(category["id"]) for category in magento.shop.categories}
    links = [link for product in kinds["simple"] for link in product["extension_attributes"]["category_links"]]
    assert {link["category_id"] for link in links} <= known
    assert any(product["extension_attributes"]["category_links"] == [] for product in kinds["simple"]) is False
    stock = magento.shop.documents("source-items")
    assert any(item["quantity"] == 0 and item["status"] == 0 for item in stock)
    assert max(Counter(item["sku"] for item in stock).values()) == 2


def test_equal_seeds_make_equal_shops() -> None:
    """The same options give the same records, however often they are read; another seed gives others."""

    def digest(magento: MagentoSystem) -> list[Any]:
        return [magento.shop.documents(kind) for kind in KINDS]

    first = opened(orders=150)
    assert digest(first) == digest(first) == digest(opened(orders=150))
    assert digest(opened(orders=150, seed=2)) != digest(first)


def test_poison_only_when_asked(magento: MagentoSystem) -> None:
    """`poison=N` makes exactly N orders fail their pages; the default makes none."""
    poisoned = opened(orders=100, poison=3)

    assert sum(row.is_poisoned for row in poisoned.shop.rows("orders")) == 3  # type: ignore[attr-defined]
    assert sum(row.is_poisoned for row in magento.shop.rows("orders")) == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_shops_of_any_size(count: int) -> None:
    """Even the smallest can be made, and grown."""
    magento = opened(orders=count)

    assert magento.shop.count("orders") == count
    assert magento.more_orders(10)["orders"] == count + 10
    assert len(magento.shop.documents("orders")) == count + 10


def test_starting_a_sandbox_makes_only_what_it_was_asked_for() -> None:
    """A system that the options do not name costs nothing until somebody asks it."""
    sandbox = Sandbox(SandboxOptions(orders=3, sources=("magento",)))
    assert sandbox.opened().keys() == {"magento"}
    sandbox = Sandbox(SandboxOptions(orders=3))
    assert sandbox.opened().keys() == {"commercetools"}

    started = time.perf_counter()
    assert sandbox.magento.shop.count("orders") == 3
    assert sandbox.opened().keys() == {"commercetools", "magento"}
    assert time.perf_counter() - started < 5
