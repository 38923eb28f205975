"""The simulated Elastic Path's records: shaped as the vendor's samples and description say, with sums that add up."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import jsonschema
import pytest
from elasticpath_store import DATA, Order, is_old, opened, served

from cdi_cli.sandbox.elasticpath.money import currency_documents
from cdi_cli.sandbox.elasticpath.system import ElasticPathSystem


@pytest.fixture(scope="module")
def store() -> ElasticPathSystem:
    """A store of 3,000 orders."""
    return opened(orders=3_000, anonymised=3)


@pytest.fixture(scope="module")
def orders(store: ElasticPathSystem) -> list[Order]:
    """All orders."""
    return [served(row) for row in store.store.orders()]


def sample(name: str) -> dict[str, Any]:
    """A record as the vendor's documentation shows it."""
    found = json.loads((DATA / "samples.json").read_text(encoding="utf-8"))[name]
    assert isinstance(found, dict)
    return found


def shape(value: Any, path: str = "", found: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    """Every path of a document with the JSON types that stand there; what is keyed by an id or a code is one path."""
    found = {} if found is None else found
    if isinstance(value, dict):
        is_keyed = path.endswith(("discounts", "extensions", "selected_options", "parts", "currencies"))
        below = [(f"{path}.*" if is_keyed else f"{path}.{name}", inner) for name, inner in value.items()]
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


def assert_shaped(name: str, made: list[dict[str, Any]]) -> None:
    """Every field of the sample is there, as deep as it goes, in each of its types."""
    real, ours = shapes([sample(name)]), shapes(made)
    missing = [path for path in real if path not in ours]
    assert missing == []
    assert {path: (real[path], ours[path]) for path in real if not real[path] <= ours[path]} == {}


def test_orders_lines_and_transactions_are_shaped_as_the_samples(orders: list[Order]) -> None:
    """All together have every field that is documented."""
    assert_shaped("order", [order for order, _items, _transactions in orders])
    assert_shaped("item", [item for _order, items, _transactions in orders for item in items])
    assert_shaped("transaction", [each for _order, _items, transactions in orders for each in transactions])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("customer", "customers"), ("account", "accounts"), ("account-member", "account-members"), ("product", "products"),
        ("price", "prices"), ("pricebook", "pricebooks"),
    ],
)  # fmt: skip
def test_other_records_are_shaped_as_the_samples(store: ElasticPathSystem, name: str, kind: str) -> None:
    """The same fields of the same types."""
    assert_shaped(name, store.store.documents(kind))


def test_currencies_are_shaped_as_the_sample() -> None:
    """The same fields, all of them."""
    assert_shaped("currency", currency_documents())
    assert set(shapes(currency_documents())) == set(shapes([sample("currency")]))


@pytest.mark.parametrize(("name", "part"), [("OrderResponse", 0), ("OrderItemResponse", 1), ("TransactionResponse", 2)])
def test_the_vendors_own_schema_holds(orders: list[Order], name: str, part: int) -> None:
    """The OpenAPI description judges every record; old orders and starred addresses are as it describes them, too."""
    schema = json.loads((DATA / "orders.schema.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema["$defs"]})
    found = [order[part] for order in orders[::7]]
    records = [each for one in found for each in (one if isinstance(one, list) else [one])]

    problems = {
        f"{'.'.join(map(str, error.path))}: {error.message}" for record in records for error in validator.iter_errors(record)
    }

    assert problems == set()
    assert len(records) > 300


# Money.


def side(items: list[dict[str, Any]]) -> str:
    """`with_tax` where prices include it; a promotion line says of itself what it likes."""
    first = next(item for item in items if item["type"] != "promotion_item" and item["unit_price"]["amount"] >= 0)
    return "with_tax" if first["unit_price"]["includes_tax"] else "without_tax"


def assert_identities(display: dict[str, Any], items: list[dict[str, Any]], *, is_legacy: bool) -> None:
    """The sums of a cart or order: of `value`, and of what is displayed."""
    own = side(items)
    shipping = display.get("shipping", {"amount": 0})["amount"]
    assert sum(item["value"]["amount"] for item in items) == display[own]["amount"] - shipping
    counted = [item for item in items if is_legacy or item["unit_price"]["amount"] >= 0]
    for part in ("with_tax", "without_tax", "tax"):
        expected = display[part]["amount"] - (shipping if part != "tax" else 0)
        assert sum(item["meta"]["display_price"][part]["value"]["amount"] for item in counted) == expected
    assert display["with_tax"]["amount"] == display["without_tax"]["amount"] + display["tax"]["amount"]
    if "discount" in display:
        assert display["discount"]["amount"] <= 0
        assert display["without_discount"]["amount"] == display[own]["amount"] - display["discount"]["amount"]
        assert display["discount"]["amount"] == sum(
            item["meta"]["display_price"]["discount"]["value"]["amount"] for item in items
        )


def test_the_vendors_own_sample_keeps_the_identities() -> None:
    """A promotion line is counted by `value` and not among the display values: the rules are not of our making."""
    cart = json.loads((DATA / "cart-with-promotion.json").read_text(encoding="utf-8"))

    assert_identities(cart["meta"]["display_price"], cart["data"], is_legacy=False)


def test_orders_keep_the_identities(orders: list[Order]) -> None:
    """New ones and old ones, with tax in the prices or without, with promotions, fees and shipping groups."""
    for order, items, _transactions in orders:
        assert_identities(order["meta"]["display_price"], items, is_legacy=is_old(order))


def test_lines_keep_the_identities(orders: list[Order]) -> None:
    """`value` is price times quantity less the line's own discount; the display value is less all of them."""
    for order, items, _transactions in orders:
        for item in items:
            whole = item["unit_price"]["amount"] * item["quantity"]
            discounts = item.get("discounts", [])
            own = sum(each["amount"]["amount"] for each in discounts if not each.get("is_cart_discount"))
            if not is_old(order):
                assert item["value"]["amount"] == whole + own
            display = item["meta"]["display_price"]["with_tax" if item["unit_price"]["includes_tax"] else "without_tax"]
            shared = sum(each["amount"]["amount"] for each in discounts if each.get("is_cart_discount"))
            assert display["value"]["amount"] == item["value"]["amount"] + shared or item["unit_price"]["amount"] < 0
            assert all(each["amount"]["amount"] < 0 for each in discounts)


def test_nothing_is_given_back_that_was_not_paid(orders: list[Order]) -> None:
    """Transactions come to the total where it is paid; refunds never exceed them; `refunded` is when all went back."""
    for order, _items, transactions in orders:
        display = order["meta"]["display_price"]
        kinds = [each.get("transaction_type", each.get("transaction-type")) for each in transactions]
        money = [
            each
            for each, kind in zip(transactions, kinds, strict=True)
            if kind in ("purchase", "capture") and each["status"] == "complete"
        ]
        paid, back = sum(each["amount"] for each in money), sum(each["refunded_amount"] for each in transactions)
        assert all(0 <= each["refunded_amount"] <= each["amount"] for each in transactions)
        assert all(each["refunded_amount"] == 0 for each in transactions if each not in money)
        assert (order["payment"] in ("paid", "refunded")) == (paid == display["with_tax"]["amount"])
        assert (order["payment"] == "refunded") == (0 < back == paid)
        if "paid" in display:
            assert display["paid"]["amount"] == paid
        assert ("fully_paid_at" in order["meta"]["timestamps"]) == (order["payment"] == "paid" and not is_old(order))


def test_books_are_the_sums_of_what_is_served(store: ElasticPathSystem, orders: list[Order]) -> None:
    """Sales and refunds by currency, told once more from the documents."""
    sales: Counter[str] = Counter()
    refunds: Counter[str] = Counter()
    for order, _items, transactions in orders:
        if order.get("anonymized"):
            continue
        price = order["meta"]["display_price"]["with_tax"]
        sales[price["currency"]] += price["amount"] if order["payment"] in ("paid", "refunded") else 0
        for each in transactions:
            refunds[each["currency"]] += each["refunded_amount"]

    books = store.books()

    for name, sums in (("sales", sales), ("refunds", refunds)):
        told = {code: int(part["amount"].replace(".", "")) for code, part in books[name].items()}
        assert told == {code: amount for code, amount in sums.items() if amount}
    assert books["sales"]["KWD"]["amount"][-4] == "."
    assert "." not in books["sales"]["JPY"]["amount"]
