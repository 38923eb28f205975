"""Orders of Elastic Path: money, lines, states, identity, refunds, and people whose data was removed."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from elasticpath_stub import NOON, item, order, record_of, shown, transaction

from cdi_cli.commerce import Consent, Order
from cdi_cli.sources import Joined, Nothing, SourceContext, Unreadable
from cdi_cli.sources.elasticpath.money import Currencies
from cdi_cli.sources.elasticpath.offline import open_offline
from cdi_cli.sources.elasticpath.orders import Known, order_of
from cdi_cli.sources.elasticpath.records import OrderRecord, Transaction
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings

BASE = {"base_url": "https://store.example", "client_id": "key", "client_secret": "${EP_SECRET}"}


def settings(**changes: Any) -> ElasticPathSettings:
    """Good settings, changed."""
    return ElasticPathSettings.model_validate(BASE | changes)


def read(
    served: dict[str, Any], transactions: list[dict[str, Any]] | None = None, known: Known | None = None, **changes: Any
) -> Order:
    """The order of a record."""
    known = known or Known()
    if transactions is not None:
        known.transactions[served["id"]] = msgspec.convert(transactions, type=list[Transaction])
    record = msgspec.json.decode(record_of(served), type=OrderRecord)
    return order_of(record, settings(**changes), known, Consent())


async def reading(served: dict[str, Any], answers: dict[str, Any] | None = None) -> Any:
    """What becomes of a record, without a connection."""
    source = open_offline(None, SourceContext(), answers or {})
    (found,) = await source.read("orders", [record_of(served)])
    return found[0]


def display(**amounts: Any) -> dict[str, Any]:
    """The amounts of an order."""
    times = {"created_at": NOON, "updated_at": NOON}
    return {"display_price": amounts, "timestamps": times}


def line(identifier: str, unit: int, with_tax: int, without_tax: int, **changes: Any) -> dict[str, Any]:
    """A line with tax: its value with and without."""
    quantity = changes.get("quantity", 1)
    prices = {
        "with_tax": {"unit": shown(with_tax // quantity), "value": shown(with_tax)},
        "without_tax": {"unit": shown(without_tax // quantity), "value": shown(without_tax)},
        "tax": {"unit": shown(0), "value": shown(with_tax - without_tax)},
        "without_discount": {"unit": shown(unit), "value": shown(unit * quantity)},
    }
    return item(identifier, unit, quantity) | {"meta": {"display_price": prices}} | changes


def adds_up(found: Order) -> bool:
    """Total is revenue, shipping and tax, to the smallest unit."""
    assert found.shipping is not None
    assert found.tax is not None
    return found.total.decimal() == found.revenue.decimal() + found.shipping.decimal() + found.tax.decimal()


def test_lines_are_parted_into_products_shipping_fees_and_promotions() -> None:
    """Prices without tax: a promotion is a discount, shipping is no line, what has no product is a fee."""
    lines = [
        line("a", 1000, 2160, 1800, quantity=2, discounts=[{"amount": {"amount": -200}, "code": "10_OFF"}]),
        line("ship", 500, 600, 500, product_id="", sku="STANDARD-DELIVERY"),
        line("gift", 100, 100, 100, product_id="", sku="DONATION"),
        item("promo", -300, product_id="promotion-1", sku="SPRING", type="promotion_item"),
    ]
    total = {"with_tax": shown(2560), "without_tax": shown(2100), "tax": shown(460), "discount": shown(-500)}
    found = read(order("o1", lines=lines) | {"meta": display(**total)}, shipping_skus=["*-DELIVERY"])

    assert [(one.id, one.kind, one.position, one.quantity) for one in found.lines] == [
        ("a", "product", 1, 2),
        ("gift", "fee", 2, 1),
    ]
    product = found.lines[0]
    assert (product.price.minor, product.total.minor, product.discount and product.discount.minor) == (1000, 1800, 200)
    assert (product.coupon, found.coupons) == ("10_OFF", ("10_OFF", "SPRING"))
    assert found.shipping is not None
    assert found.discount is not None
    assert (found.shipping.minor, found.discount.minor) == (500, 500)
    assert adds_up(found)


def test_prices_with_tax_stay_as_the_shop_has_them() -> None:
    """List price and total of a line are with tax, shipping and revenue never are."""
    lines = [
        line("a", 1200, 1200, 1000, unit_price=shown(1200) | {"includes_tax": True}),
        line("ship", 600, 600, 500, unit_price=shown(600) | {"includes_tax": True}, product_id="", sku="EXPRESS"),
    ]
    total = {"with_tax": shown(1800), "without_tax": shown(1500), "tax": shown(300), "discount": shown(0)}
    found = read(order("o1", lines=lines) | {"meta": display(**total)}, shipping_skus=["EXPRESS"])

    assert (found.lines[0].price.minor, found.lines[0].total.minor, found.lines[0].discount) == (1200, 1200, None)
    assert (found.shipping and found.shipping.minor, found.revenue.minor) == (500, 1000)
    assert adds_up(found)


def test_shipping_of_shipping_groups_counts_with_its_discount() -> None:
    """What is charged beside the lines, less what was taken off it."""
    total = {
        "with_tax": shown(1700), "without_tax": shown(1700), "tax": shown(0), "shipping": shown(900),
        "shipping_discount": shown(-200),
    }  # fmt: skip
    found = read(order("o1") | {"meta": display(**total)})
    assert (found.shipping and found.shipping.minor, found.revenue.minor) == (700, 1000)


def test_shipping_that_is_not_named_is_a_fee() -> None:
    """No setting, no guess: a custom line is a fee, and a named product can be one, too."""
    lines = [line("ship", 500, 500, 500, product_id="", sku="STANDARD-DELIVERY"), line("wrap", 100, 100, 100, sku="WRAP")]
    found = read(order("o1", lines=lines), fee_skus=["WR*"])
    assert [one.kind for one in found.lines] == ["fee", "fee"]
    assert found.shipping is not None
    assert found.shipping.minor == 0


@pytest.mark.parametrize(("total", "is_told"), [(1000, False), (999, True)])
def test_lines_that_do_not_add_up_are_told_and_read(total: int, is_told: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A warning with the order's id, and no more: the total is right whatever the lines say."""
    amounts = display(with_tax=shown(total), without_tax=shown(total), tax=shown(0))
    found = read(order("o1", lines=[item("a", 1200), item("p", -200, type="promotion_item")]) | {"meta": amounts})
    assert found.total.minor == total
    assert [(one.getMessage(), one.order_id) for one in caplog.records] == (  # type: ignore[attr-defined]
        [("lines do not add up to the order's total", "o1")] if is_told else []
    )


def test_a_bundle_is_one_line() -> None:
    """Its parts are named inside it and are no lines."""
    parts = {"games": {"name": "Games", "options": [{"id": "x", "quantity": 1}, {"id": "y", "quantity": 2}]}}
    found = read(order("o1", lines=[item("bundle", components=parts, bundle_configuration={"selected_options": {}})]))
    assert [one.id for one in found.lines] == ["bundle"]


def test_an_older_order_is_read_without_what_came_later() -> None:
    """No amounts of discounts, no currency of a tax of nothing, times of lines elsewhere: discounts come of the lines."""
    lines = [
        item("a", 1000, timestamps={"created_at": NOON}, meta=None, discounts=[{"amount": {"amount": -100}}]),
        item("promo", -50, product_id="promotion-1", sku="10off", meta=None),
    ]
    tax = {"amount": 0, "currency": "", "formatted": "0"}
    found = read(order("o1", lines=lines) | {"meta": display(with_tax=shown(850), without_tax=shown(850), tax=tax)})
    assert (found.total.minor, found.revenue.minor, found.discount and found.discount.minor) == (850, 850, 150)
    assert found.tax is not None
    assert (found.tax.minor, found.tax.currency, found.lines[0].total.minor) == (0, "GBP", 900)


@pytest.mark.parametrize(
    ("currency", "told", "expected"),
    [("GBP", {}, "10.00"), ("JPY", {}, "1000"), ("KWD", {}, "1.000"), ("JPY", {"JPY": 2}, "10.00"), ("gbp", {}, "10.00")],
)
def test_decimals_are_those_of_the_store_else_of_iso(currency: str, told: dict[str, int], expected: str) -> None:
    """Amounts are whole numbers of the smallest unit, whatever that is."""
    total = shown(1000, currency)
    served = order("o1", lines=[]) | {"meta": display(with_tax=total, without_tax=total, tax=shown(0, ""))}
    found = read(served, known=Known(currencies=Currencies(told)))
    assert (str(found.total.decimal()), found.currency) == (expected, currency.upper())


def test_an_amount_without_any_currency_makes_a_record_unreadable() -> None:
    """Money of no currency is not guessed at."""
    total = shown(1000, "")
    with pytest.raises(ValueError, match="Expected a currency code"):
        read(order("o1", lines=[]) | {"meta": display(with_tax=total)})


@pytest.mark.parametrize(
    ("status", "payment", "shipping", "expected"),
    [
        ("incomplete", "unpaid", "unfulfilled", (False, False, False, False)),
        ("processing", "partially_authorized", "unfulfilled", (False, False, False, False)),
        ("processing", "authorized", "unfulfilled", (True, False, False, False)),
        ("processing", "partially_paid", "unfulfilled", (False, False, False, False)),
        ("complete", "paid", "unfulfilled", (True, True, False, False)),
        ("complete", "paid", "fulfilled", (True, True, True, False)),
        ("complete", "refunded", "fulfilled", (True, True, True, False)),
        ("cancelled", "paid", "unfulfilled", (True, True, False, True)),
        ("cancelled", "unpaid", "unfulfilled", (False, False, False, True)),
    ],
)
def test_the_three_axes_are_independent(status: str, payment: str, shipping: str, expected: tuple[bool, ...]) -> None:
    """Status, payment and shipping each say what they say; a refunded order was paid."""
    found = read(order("o1", status=status, payment=payment, shipping=shipping), [])
    assert (found.is_authorized, found.is_paid, found.is_fulfilled, found.is_cancelled) == expected
    assert (found.state, found.payment_state, found.shipment_state) == (status, payment, shipping)
    assert len(found.shipments) == (1 if shipping == "fulfilled" else 0)
    assert all(shipment.id is None for shipment in found.shipments)
    assert found.refunds == ()
    assert found.cancelled_at is None


def test_when_an_order_was_paid_is_told_by_itself_or_by_its_transactions() -> None:
    """`fully_paid_at` goes away with the refund; the last payment that came in says the same."""
    paid = read(order("o1"))
    assert paid.paid_at == "2026-03-01T12:00:00.000Z"
    refunded = order("o1", payment="refunded")
    del refunded["meta"]["timestamps"]["fully_paid_at"]
    assert read(refunded, [transaction("t1", refunded=1000)]).paid_at == "2026-03-01T12:00:01.000Z"
    assert read(order("o1", payment="unpaid")).paid_at is None


def test_who_ordered() -> None:
    """A registered customer, else the member of an account; a guest has an e-mail only; a contact has one, too."""
    registered = read(order("o1"))
    assert (registered.customer_id, registered.email) == ("customer-1", "Ron.Swanson@moltin.com")

    guest = read(order("o1", customer={"name": "A", "email": "a@b.example"}, relationships={}))
    assert (guest.customer_id, guest.email, guest.business_unit) == (None, "a@b.example", None)

    relations = {
        "account": {"data": {"type": "account", "id": "account-1"}},
        "account_member": {"data": {"type": "account_member", "id": "member-1"}},
    }
    served = order("o1", contact={"name": "B", "email": "b@b.example"}, relationships=relations)
    del served["customer"]
    member = read(served, known=Known(accounts={"account-1": "Swanson Ltd"}))
    assert (member.customer_id, member.email) == ("member-1", "b@b.example")
    assert (member.business_unit, member.business_unit_name) == ("account-1", "Swanson Ltd")


def test_addresses_say_where() -> None:
    """The country is that of the shipping address; a phone is any that there is; empty texts say nothing."""
    shipping = {"first_name": "Jack", "line_1": "1 Street", "line_2": "", "county": "Tyne", "region": "", "country": "GB"}
    billing = {"line_1": "2 Street", "phone_number": "123", "company_name": "Macs", "postcode": "NE1", "country": "FR"}
    found = read(order("o1", shipping_address=shipping, billing_address=billing | {"city": ""}))
    assert found.shipping_address is not None
    assert found.billing_address is not None
    assert (found.shipping_address.street, found.shipping_address.state) == ("1 Street", "Tyne")
    assert (found.billing_address.company, found.billing_address.city) == ("Macs", None)
    assert (found.country, found.phone) == ("GB", "123")
    assert read(order("o1", shipping_address={"first_name": ""})).shipping_address is None


def test_partial_refunds_are_known_by_how_much_went_back() -> None:
    """One refund for each transaction that gave something back, at its last change, whatever zone that is told in."""
    served = order("o1", lines=[item("a", 1000)])
    found = read(served, [transaction("t1", 600, 150), transaction("t2", 400), transaction("t3", 400, 0, status="failed")])
    (refund,) = found.refunds
    assert (refund.id, refund.amount.minor, refund.so_far) == ("o1:t1:150", 150, refund.amount)
    assert (refund.at, refund.payment_id, refund.is_full, refund.lines) == ("2026-03-02T12:00:00.000Z", "t1", False, ())


def test_the_refund_that_reaches_the_total_is_full() -> None:
    """Split payments: the later of two is full when both together are all that was paid."""
    later = {"timestamps": {"created_at": NOON, "updated_at": "2026-03-05T00:00:00Z"}}
    split = [transaction("t2", 400, 400, meta=later), transaction("t1", 600, 600)]
    found = read(order("o1", payment="refunded"), split)
    assert [(one.id, one.is_full) for one in found.refunds] == [("o1:t1:600", False), ("o1:t2:400", True)]
    (whole,) = read(order("o1", payment="refunded"), [transaction("t1", 1000, 1000)]).refunds
    assert (whole.is_full, [one.id for one in whole.lines]) == (True, ["o1-1"])


@pytest.mark.parametrize("spelling", ["transaction_type", "transaction-type"])
def test_what_was_marked_as_refunded_went_back_whole(spelling: str) -> None:
    """No amount on the transaction: the order says that everything did; an authorization moved no money."""
    kinds = [("t0", "authorize"), ("t1", "capture")]
    rows = [{**transaction(name), spelling: kind, "refunded_amount": None} for name, kind in kinds]
    for row in rows:
        row.pop("transaction_type" if spelling != "transaction_type" else "", None)
    found = read(order("o1", payment="refunded"), rows)
    assert [(one.id, one.amount.minor, one.is_full) for one in found.refunds] == [("o1:t1:1000", 1000, True)]
    assert read(order("o1"), rows).refunds == ()


def test_without_transactions_only_a_full_refund_is_told() -> None:
    """`lookups.transactions: none`: one refund, of everything, once the order says so."""
    (refund,) = read(order("o1", payment="refunded")).refunds
    assert (refund.id, refund.amount.minor, refund.is_full, refund.so_far) == ("o1:1000", 1000, True, None)
    assert read(order("o1")).refunds == ()


async def test_what_was_anonymized_says_nothing() -> None:
    """Neither the flag nor the stars alone let anything through."""
    assert await reading(order("o1", anonymized=True)) == Nothing("anonymized")
    assert await reading(order("o1", customer={"name": "**", "email": "**"})) == Nothing("anonymized")
    source = open_offline(None, SourceContext(), {})
    people = [{"id": "c1", "name": "**", "email": "**"}, {"id": "c2", "name": "**Star**", "email": "a@b.example"}]
    raws = [json.dumps({**one, "meta": {"timestamps": {"created_at": NOON}}}).encode() for one in people]
    (hidden,), (star,) = await source.read("customers", raws)
    assert hidden == Nothing("anonymized")
    assert (star.first_name, star.email) == ("**Star**", "a@b.example")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ron Swanson", ("Ron", "Swanson")),
        ("Ron", ("Ron", None)),
        ("  Anne  Marie  de la Cruz ", ("Anne", "Marie de la Cruz")),
        ("", (None, None)),
        (None, (None, None)),
        ("王小明", ("王小明", None)),
    ],
)
async def test_names_are_parted_at_the_first_blank(name: str | None, expected: tuple[str | None, str | None]) -> None:
    """A guess, and the same one as the vendor's own templates make."""
    source = open_offline(None, SourceContext(), {})
    record = {"id": "c1", "name": name, "external_ref": "crm-1", "meta": {"timestamps": {"created_at": NOON}}}
    ((found,),) = await source.read("customers", [json.dumps(record).encode()])
    assert (found.first_name, found.last_name) == expected  # type: ignore[union-attr]
    assert found.external_id == "crm-1"  # type: ignore[union-attr]


async def test_a_message_of_the_api_is_read_as_the_record_in_it() -> None:
    """What the API serves for one order, and what a webhook brings, can be read as it is; the record is told."""
    served = order("o1")
    message = {"data": {k: v for k, v in served.items() if k != "_lines"}, "included": {"items": served["_lines"]}}
    source = open_offline(None, SourceContext(), {})
    (found,) = await source.read("orders", [json.dumps(message).encode()])
    ((expected,),) = await source.read("orders", [record_of(served)])
    assert isinstance(found, Joined)
    assert list(found) == [expected]
    assert json.loads(found.records[0])["id"] == "o1"


async def test_lines_that_did_not_come_along_are_looked_up() -> None:
    """An order that refers to more than it holds is completed; shipping groups among its items are no lines."""
    served = order("o1")
    served["relationships"]["items"]["data"].append({"type": "shipping_group", "id": "g1"})
    bare = {**served, "_lines": []}
    answers = {"/v2/orders/o1/items": {"data": served["_lines"]}}
    found = await reading(bare, answers)
    assert [line.id for line in found.lines] == ["o1-1"]
    assert [line.id for line in (await reading(served)).lines] == ["o1-1"]


async def test_what_cannot_be_read_is_told_without_values() -> None:
    """Times that are none, transactions of another shape: the record fails alone, by path and type."""
    source = open_offline(None, SourceContext(), {"/v2/orders/o2/transactions": {"data": [{"id": 5}]}})
    broken = order("o1", "tomorrow at noon, says Ron")
    (first,), (second,), (third,) = await source.read(
        "orders", [record_of(one) for one in (broken, order("o2"), order("o3"))]
    )
    assert isinstance(first, Unreadable)
    assert "Ron" not in first.detail
    assert "created_at" in first.detail
    assert isinstance(second, Unreadable)
    assert second.record_id == "o2"
    assert "transaction" in second.detail
    assert isinstance(third, Order)


def test_the_version_is_the_last_change() -> None:
    """In milliseconds, so that two changes of one second are two versions."""
    first, second = (read(order("o1", f"2026-03-01T12:00:00.{part}Z")) for part in ("001", "002"))
    assert second.version - first.version == 1
    assert Decimal(first.version) == Decimal("1772366400001")
