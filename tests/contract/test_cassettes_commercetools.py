"""What the commercetools source makes of its cassettes, compared with the recorded answers by plain JSON.

Nothing here depends on where they were recorded: a maintainer may record a real project and the tests still hold.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
from recording import recording_of
from recording.cassette import CASSETTES, Answers, cassette
from recording.commercetools import Walked

from cdi_cli.clock import Instant
from cdi_cli.commerce import Cart, Customer, Money, Order, Product
from cdi_cli.sources import Departed, Nothing, Reading, Unreadable

FOLDER = CASSETTES / "commercetools"
STREAMS = ["deletions", "customers", "carts", "orders", "payments", "products", "product-deletions"]
PATHS = {"deletions": "messages", "product": "messages"}


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The placeholder account's secret."""
    for name, value in recording_of("commercetools").replayed.environment.items():
        monkeypatch.setenv(name, value)


async def replayed(scenario: str) -> tuple[Any, Answers]:
    """What the source makes of a cassette, and the cassette."""
    recording, path = recording_of("commercetools"), FOLDER / f"{scenario}.yaml"
    answers = Answers(path)
    with cassette(path, recording.replayed.scrubber.fresh()):
        return await recording.scenarios[scenario].run(recording.replayed, answers.window_start), answers


async def walked(scenario: str) -> tuple[Walked, list[dict[str, Any]], Answers]:
    """What the source read of a stream, the rows as recorded, and the cassette."""
    result, answers = await replayed(scenario)
    assert isinstance(result, Walked)
    stream = scenario.partition("-")[0]
    pages = answers.bodies(f"/{PATHS.get(stream, stream)}?where=", without=" in (")
    return result, [row for page in pages for row in page["results"]], answers


def exact(amount: Money) -> Decimal:
    return amount.decimal()


def recorded_amount(money: dict[str, Any]) -> Decimal:
    if money["type"] == "highPrecision":
        return Decimal(money["preciseAmount"]).scaleb(-money["fractionDigits"])
    return Decimal(money["centAmount"]).scaleb(-money["fractionDigits"])


@pytest.mark.parametrize("stream", STREAMS)
async def test_two_pages_are_read_in_order_with_a_count(stream: str) -> None:
    """The rows of both pages come as recorded, byte for value; the cursor goes on; the count is the recorded total."""
    result, rows, answers = await walked(stream)

    assert [json.loads(record) for page in result.pages for record in page.records] == rows
    assert len(result.pages) == 2
    assert len(rows) >= 3
    assert result.pages[0].cursor != result.pages[1].cursor
    assert result.count == answers.bodies("withTotal=true")[0]["total"]


@pytest.mark.parametrize("stream", STREAMS)
async def test_every_recorded_record_can_be_read(stream: str) -> None:
    """Each becomes an entity with the recorded id, version and times, or, for a payment, a counted reason."""
    result, rows, _ = await walked(stream)
    readings = [found for page in result.readings for found in page]

    assert len(readings) == len(rows)
    kinds = {
        "deletions": Departed,
        "customers": Customer,
        "carts": Cart,
        "orders": Order,
        "payments": Order | Nothing,
        "products": Product,
        "product-deletions": Product,
    }
    for row, found in zip(rows, readings, strict=True):
        (reading, *more) = found
        assert isinstance(reading, kinds[stream])
        if isinstance(reading, Departed):
            told = (row["resource"]["id"], row["createdAt"], row.get("email"))
            assert (reading.customer_id, reading.at, reading.email, more) == (*told, [])
        elif isinstance(reading, Product):
            _assert_variants(row, found)
        elif stream != "payments":
            assert more == []
            assert not isinstance(reading, Nothing | Unreadable)
            assert (reading.id, reading.version, reading.created_at, reading.updated_at) == (
                row["id"],
                row["version"],
                row["createdAt"],
                row["lastModifiedAt"],
            )


def _assert_variants(row: dict[str, Any], found: list[Reading]) -> None:
    """The readings are the variants of the recorded product, or of the one that the message says was deleted."""
    is_gone = row.get("type") == "ProductDeleted"
    current = row["currentProjection"] if is_gone else row["masterData"]["current"]
    products = [reading for reading in found if isinstance(reading, Product)]
    assert len(products) == len(found)
    recorded = (current["masterVariant"], *current["variants"])
    assert [product.sku for product in products] == [variant["sku"] for variant in recorded]
    identifier, created = (row["resource"]["id"], current["createdAt"]) if is_gone else (row["id"], row["createdAt"])
    for product in products:
        assert (product.product_id, product.created_at, product.updated_at) == (identifier, created, row["lastModifiedAt"])
        assert product.is_published is (not is_gone and row["masterData"]["published"])


async def test_products_have_the_recorded_prices_and_stock() -> None:
    """Amounts are those of the product or, where it keeps them apart, of the look-up; stock is the recorded one."""
    result, rows, answers = await walked("products")
    stock = {row["sku"]: row["availableQuantity"] for body in answers.bodies("/inventory") for row in body["results"]}
    readings = [found for page in result.readings for found in page]

    assert stock
    for row, found in zip(rows, readings, strict=True):
        current = row["masterData"]["current"]
        for variant, product in zip((current["masterVariant"], *current["variants"]), found, strict=True):
            assert isinstance(product, Product)
            if not product.is_published or row["priceMode"] != "Embedded":
                continue
            recorded = {price["value"]["currencyCode"]: price["value"]["centAmount"] for price in variant["prices"]}
            assert {name: price.minor for name, price in product.original_prices.items()} == recorded
            assert product.stock_count == stock[product.sku or ""]
            assert product.locales["de"].name == current["name"]["de"]


async def test_customers_keep_their_data_and_group() -> None:
    """E-mail, names and address are the recorded ones; the group's name comes of one look-up."""
    result, rows, answers = await walked("customers")
    groups = {row["id"]: row["name"] for body in answers.bodies("/customer-groups") for row in body["results"]}
    customers = [reading for page in result.readings for (reading,) in page]

    assert groups
    for row, customer in zip(rows, customers, strict=True):
        assert isinstance(customer, Customer)
        assert (customer.email, customer.first_name, customer.number) == (
            row.get("email"),
            row.get("firstName"),
            row.get("customerNumber"),
        )
        assert customer.customer_group == groups.get(row.get("customerGroup", {}).get("id"))
        assert customer.country in {None, *(address["country"] for address in row["addresses"])}
        given = row.get("custom", {}).get("fields", {}).get("analyticsConsent")
        assert customer.consent.categories == {"Analytics": {True: "granted", False: "denied", None: "unknown"}[given]}


@pytest.mark.parametrize("scenario", ["orders", "orders-by-change"])
async def test_orders_keep_their_amounts_exactly(scenario: str) -> None:
    """Grand total and tax are the recorded ones, lines and quantities too, and the parts add up to the total."""
    result, rows, _ = await walked(scenario)
    orders = [reading for page in result.readings for (reading,) in page]

    assert len(orders) == len(rows) >= 2
    for row, order in zip(rows, orders, strict=True):
        assert isinstance(order, Order)
        taxed = row.get("taxedPrice")
        assert exact(order.total) == recorded_amount(taxed["totalGross"] if taxed else row["totalPrice"])
        parts = [order.revenue, *(part for part in (order.tax, order.shipping) if part is not None)]
        assert sum((exact(part) for part in parts), Decimal(0)) == exact(order.total)
        products = [line for line in order.lines if line.kind != "fee"]
        recorded = [(line["id"], line["quantity"]) for line in row["lineItems"]]
        assert [(line.id, line.quantity) for line in products] == recorded
        assert (order.state, order.number) == (row["orderState"], row.get("orderNumber"))


async def test_an_order_gets_its_refunds_coupons_and_categories() -> None:
    """Refunds come of expanded payments, coupon codes and category paths of look-ups in batches, not one per order."""
    result, rows, answers = await walked("orders")
    orders = [reading for page in result.readings for (reading,) in page]
    codes = {row["id"]: row["code"] for body in answers.bodies("/discount-codes") for row in body["results"]}
    names = {row["id"]: row for body in answers.bodies("/categories") for row in body["results"]}

    assert codes
    assert names
    for row, order in zip(rows, orders, strict=True):
        assert isinstance(order, Order)
        used = [code["discountCode"]["id"] for code in row.get("discountCodes", ())]
        assert list(order.coupons) == [codes[identifier] for identifier in used if identifier in codes]
        paid = [link["obj"] for link in row.get("paymentInfo", {}).get("payments", ())]
        transactions = [transaction for payment in paid for transaction in payment["transactions"]]
        assert {refund.id for refund in order.refunds} == {
            each["id"] for each in transactions if each["type"] in ("Refund", "Chargeback") and each["state"] == "Success"
        }
    assert any(line.category for order in orders for line in order.lines)
    look_ups = [uri for uri in map(unquote, answers.uris) if " in (" in uri or "/categories" in uri]
    assert len(look_ups) <= 4 * len(result.pages)


async def test_payments_become_the_orders_whose_money_went_back() -> None:
    """A refunded payment gives the order that refers to it, with that refund; others are counted as without one."""
    result, rows, answers = await walked("payments")
    readings = [found for page in result.readings for found in page]
    orders = {row["id"]: row for body in answers.bodies("/orders?") for row in body["results"]}

    assert orders
    given = 0
    for payment, found in zip(rows, readings, strict=True):
        refunds = {
            each["id"]
            for each in payment["transactions"]
            if each["type"] in ("Refund", "Chargeback") and each["state"] == "Success"
        }
        for reading in found:
            if isinstance(reading, Order):
                given += 1
                assert payment["id"] in [link["id"] for link in orders[reading.id]["paymentInfo"]["payments"]]
                assert refunds <= {refund.id for refund in reading.refunds}
            else:
                assert isinstance(reading, Nothing)
                assert not refunds or reading.reason != "no_refund"
    assert given


async def test_changed_orders_are_asked_for_by_change() -> None:
    """The second way of reading windows and sorts by `lastModifiedAt`, in every page."""
    result, rows, answers = await walked("orders-by-change")

    pages = [uri for uri in map(unquote, answers.uris) if "/orders?" in uri]
    assert len(pages) == len(result.pages) == 2
    assert all("sort=lastModifiedAt asc&sort=id asc" in uri and "createdAt" not in uri for uri in pages)
    changed = [Instant(row["lastModifiedAt"]) for row in rows]
    assert changed == sorted(changed)


async def test_the_check_reads_scopes_and_project() -> None:
    """Every line but the clock, which the recording is behind, is ok; languages and currencies are the recorded ones."""
    checks, answers = await replayed("check")
    (project,) = [body for body in answers.bodies("/project") if "languages" in body]

    assert [check for check in checks if not check.is_ok and check.name != "clock"] == []
    (line,) = [check for check in checks if check.name == "project"]
    assert ", ".join(project["languages"]) in line.detail
    assert ", ".join(project["currencies"]) in line.detail
    scopes = {check.name for check in checks if check.name.startswith("scope of")}
    assert {f"scope of {stream.replace('-', '_')}" for stream in STREAMS} <= scopes
