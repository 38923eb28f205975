"""Records of commercetools as entities: recorded samples, amounts, lines, refunds, deliveries."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from commercetools_stub import sample

from cdi_cli.clock import Instant
from cdi_cli.commerce import Cart, Consent, Customer, Money, Order
from cdi_cli.sources._records import scrubbed
from cdi_cli.sources.commercetools.carts import cart_of
from cdi_cli.sources.commercetools.customers import customer_of
from cdi_cli.sources.commercetools.money import money
from cdi_cli.sources.commercetools.orders import order_of
from cdi_cli.sources.commercetools.prices import Market
from cdi_cli.sources.commercetools.products import Offer, products_of
from cdi_cli.sources.commercetools.reading import attempt
from cdi_cli.sources.commercetools.records import DENIED_FIELDS, CartRecord, Cents, CustomerRecord, OrderRecord
from cdi_cli.sources.commercetools.records_products import ProductRecord
from cdi_cli.sources.commercetools.shop import Known, Shop

KNOWN = Known(
    coupons={"code-spring": "SPRING", "code-other": "OTHER"},
    groups={"group-vip": "VIP"},
    categories={"product-shirt": "Clothes > Shirts"},
)
SHOP = Shop(product_url_template="https://shop.example.com/p/{slug}")


def euros(cents: int) -> Money:
    return Money(cents, "EUR", 2)


def cents(amount: int, currency: str = "EUR", digits: int = 2, **more: Any) -> dict[str, Any]:
    return {"type": "centPrecision", "currencyCode": currency, "centAmount": amount, "fractionDigits": digits, **more}


def order_from(record: dict[str, Any], known: Known = KNOWN) -> Order:
    return order_of(msgspec.json.decode(json.dumps(record), type=OrderRecord), SHOP, known, Consent())


def rich(**changes: Any) -> dict[str, Any]:
    return sample("order-rich") | changes


def with_refunds(*refunds: tuple[str, str, int, str]) -> dict[str, Any]:
    """The rich order with these transactions (id, timestamp, cents, type) besides its charge."""
    record = rich()
    payment = record["paymentInfo"]["payments"][0]["obj"]
    payment["transactions"] = payment["transactions"][:1] + [
        {"id": name, "timestamp": at, "type": kind, "state": "Success", "amount": cents(amount)}
        for name, at, amount, kind in refunds
    ]
    return record


def test_recorded_samples_are_read() -> None:
    """The official sample bodies become entities with their ids and amounts."""
    order = order_from(sample("order"))
    assert (order.id, order.total, order.revenue, order.tax) == (sample("order")["id"], euros(1000), euros(1000), None)
    assert order.lines[0].name == "MyProduct"
    cart = cart_of(msgspec.json.decode(json.dumps(sample("cart")), type=CartRecord), SHOP, KNOWN, Consent())
    assert isinstance(cart, Cart)
    assert (cart.state, cart.is_checkout, cart.total) == ("Active", False, euros(0))
    customer = customer_of(msgspec.json.decode(json.dumps(sample("customer")), type=CustomerRecord), KNOWN, Consent())
    assert (customer.email, customer.first_name) == ("johndoe@example.com", "John")
    offer = Offer(Instant("2026-06-01T00:00:00.000Z"), Market())
    record = msgspec.json.decode(json.dumps(sample("product")), type=ProductRecord)
    (product,) = products_of(record, SHOP, (), lambda _locale: {}, offer)
    assert (product.name, product.prices, product.sku) == (
        "MB PREMIUM TECH T",
        {"EUR": euros(10000)},
        "sku_MB_PREMIUM_TECH_T_variant1_1369226795424",
    )


def test_amounts_add_up_with_tax_and_shipping_apart() -> None:
    """Total is gross, shipping is net, revenue is the rest; discounts of lines and total are summed."""
    order = order_from(rich())
    assert order.total == euros(9690)
    assert order.tax == euros(1547)
    assert order.shipping == euros(412)
    assert order.revenue == euros(9690 - 1547 - 412)
    assert order.discount == euros(2 * 500 + 100)


def test_lines_keep_price_before_and_total_after_cart_discounts() -> None:
    """A product, a gift and a fee, numbered from 1, with names in the preferred language or the one there is."""
    shirt, sock, wrap = order_from(rich()).lines
    assert (shirt.price, shirt.total, shirt.discount, shirt.quantity) == (euros(5000), euros(9000), euros(1000), 2)
    assert (shirt.name, shirt.brand, shirt.category) == ("Linen shirt", "Flax & Co", "Clothes > Shirts")
    assert (shirt.sku, shirt.variant, shirt.product_id) == ("SHIRT-M", "shirt-m", "product-shirt")
    assert shirt.url == "https://shop.example.com/p/linen%20shirt"
    assert shirt.image_url == "https://img.example.com/shirt.jpg"
    assert (sock.kind, sock.name, sock.variant, sock.url, sock.image_url) == ("gift", "Socken", "1", None, None)
    assert (wrap.kind, wrap.product_id, wrap.total) == ("fee", None, euros(300))
    assert [line.position for line in (shirt, sock, wrap)] == [1, 2, 3]


def test_order_carries_who_and_where() -> None:
    """Customer, contact, coupons that applied, store, channel, group and payment."""
    order = order_from(rich())
    assert (order.customer_id, order.anonymous_id) == ("c0000000-0000-4000-8000-000000000001", "anon-77")
    assert (order.email, order.phone) == ("ada@example.com", "+49 30 2")
    assert order.coupons == ("SPRING",)
    assert (order.store, order.channel, order.business_unit) == ("berlin", "channel-web", "acme")
    assert (order.customer_group, order.locale, order.country) == ("VIP", "de-DE", "DE")
    assert (order.checkout_id, order.number, order.origin) == ("cart-1", "R-1001", "Customer")
    assert (order.is_paid, order.paid_at, order.payment_method) == (True, "2026-03-01T10:01:00.000Z", "CREDIT_CARD")
    assert order.shipping_method == "DHL Paket"
    assert order.shipping_address is not None
    assert (order.shipping_address.street, order.shipping_address.state) == ("Lange Straße 7", "BE")


def test_single_partial_refund_names_the_refunded_return() -> None:
    """Only the successful refund counts, and its line is the returned unit with its share of the total."""
    (refund,) = order_from(rich()).refunds
    assert (refund.id, refund.amount, refund.at) == ("tx-refund", euros(4500), "2026-03-05T09:20:00.000Z")
    assert (refund.payment_id, refund.kind, refund.is_full) == ("payment-1", "refund", False)
    assert [(line.id, line.quantity, line.total, line.discount) for line in refund.lines] == [
        ("line-1", 1, euros(4500), euros(500))
    ]


def test_single_full_refund_names_all_lines() -> None:
    """A refund of the whole total is for every line."""
    order = order_from(with_refunds(("r", "2026-03-06T00:00:00.000Z", 9690, "Refund")))
    assert order.refunds[0].is_full
    assert order.refunds[0].lines == order.lines


def test_several_refunds_are_sorted_and_full_once_they_reach_the_total() -> None:
    """Refunds come oldest first; the one with which the total is reached is full; none claims lines."""
    order = order_from(
        with_refunds(
            ("late", "2026-03-08T00:00:00.000Z", 4690, "Chargeback"), ("early", "2026-03-06T00:00:00.000Z", 5000, "Refund")
        )
    )
    assert [(refund.id, refund.kind, refund.is_full) for refund in order.refunds] == [
        ("early", "refund", False),
        ("late", "chargeback", True),
    ]
    assert all(refund.lines == () for refund in order.refunds)


def test_refund_in_another_currency_is_never_full() -> None:
    """Amounts of two currencies are not compared."""
    record = with_refunds(("r", "2026-03-06T00:00:00.000Z", 999_999, "Refund"))
    record["paymentInfo"]["payments"][0]["obj"]["transactions"][1]["amount"]["currencyCode"] = "USD"
    assert [refund.is_full for refund in order_from(record).refunds] == [False]


def test_payment_that_was_not_expanded_gives_no_refund() -> None:
    """A payment whose target is gone is passed over."""
    order = order_from(rich(paymentInfo={"payments": [{"typeId": "payment", "id": "gone"}]}))
    assert (order.refunds, order.paid_at, order.is_paid) == ((), None, True)


def test_delivery_is_a_shipment_with_its_lines() -> None:
    """A delivery tells carrier, tracking number and what was in it."""
    (shipment,) = order_from(rich()).shipments
    assert (shipment.id, shipment.at) == ("delivery-1", "2026-03-02T08:00:00.000Z")
    assert (shipment.carrier, shipment.tracking_number) == ("DHL", "T-42")
    assert [(line.id, line.quantity) for line in shipment.lines] == [("line-1", 1)]


def test_shipped_order_without_deliveries_is_one_shipment() -> None:
    """A shop that keeps no deliveries ships the whole order when its state says so."""
    order = order_from(sample("order") | {"shipmentState": "Shipped"})
    assert order.is_fulfilled
    assert [(shipment.id, shipment.at, shipment.lines) for shipment in order.shipments] == [
        (None, order.updated_at, order.lines)
    ]


def test_imported_order_was_placed_when_it_was_completed() -> None:
    """`completedAt` is business time; windows and ledger keep `createdAt`."""
    order = order_from(sample("order") | {"completedAt": "2012-05-06T07:08:09.010Z"})
    assert (order.placed_at, order.created_at) == ("2012-05-06T07:08:09.010Z", "2017-01-04T19:54:49.797Z")


def test_cancelled_order_says_when() -> None:
    """The state Cancelled is told with the time of the last change."""
    order = order_from(rich(orderState="Cancelled"))
    assert (order.is_cancelled, order.cancelled_at) == (True, "2026-03-05T09:30:00.000Z")


def test_new_enum_values_and_fields_pass() -> None:
    """A state, origin or field that did not exist when this was written is no error."""
    order = order_from(rich(orderState="Imploded", origin="Robot", shipmentState="Teleported", brandNew={"a": [1]}))
    assert (order.state, order.origin, order.shipment_state, order.is_fulfilled) == (
        "Imploded",
        "Robot",
        "Teleported",
        False,
    )


def test_untaxed_order_has_no_tax() -> None:
    """Before taxes are known tax is unknown, not zero."""
    record = rich()
    del record["taxedPrice"], record["taxedShippingPrice"]
    order = order_from(record)
    assert (order.total, order.tax) == (euros(9690), None)
    assert order.shipping == euros(412)  # 4.90 with 19 % in it
    assert order.revenue == euros(9690 - 412)


def test_tax_that_is_not_told_is_gross_less_net() -> None:
    """`totalTax` is missing on old orders."""
    record = rich()
    del record["taxedPrice"]["totalTax"]
    assert order_from(record).tax == euros(9690 - 8143)


def test_shipping_to_several_addresses_is_summed() -> None:
    """With `shippingMode` Multiple every method counts, at its discounted price, and its deliveries too."""
    record = rich(shippingMode="Multiple")
    info = record.pop("shippingInfo")
    del record["taxedShippingPrice"], info["taxRate"]
    second = {"shippingMethodName": "Express", "price": cents(1000), "discountedPrice": {"value": cents(800)}}
    address = record.pop("shippingAddress")
    record["shipping"] = [
        {"shippingKey": "a", "shippingInfo": info, "shippingAddress": address},
        {"shippingKey": "b", "shippingInfo": second, "shippingAddress": address | {"city": "Bonn"}},
    ]
    order = order_from(record)
    assert order.shipping == euros(490 + 800)
    assert [shipment.id for shipment in order.shipments] == ["delivery-1"]
    assert order.shipping_address is not None
    assert order.shipping_address.city == "Berlin"


def test_mixed_currencies_are_an_error() -> None:
    """An order that adds euros to dollars is refused, not guessed."""
    record = rich()
    record["taxedShippingPrice"]["totalNet"]["currencyCode"] = "USD"
    with pytest.raises(ValueError, match="cannot add"):
        order_from(record)


def test_unreadable_record_keeps_its_id() -> None:
    """What cannot be decoded is known by its id, where it has one."""
    decode = msgspec.json.Decoder(OrderRecord).decode
    assert attempt(decode, b'{"id":"o-1","version":"x"}').record_id == "o-1"
    assert attempt(decode, b'{"id":7}').record_id is None
    assert attempt(decode, b"null").reason == "unreadable_record"


def test_what_is_not_json_is_not_kept() -> None:
    """A record that cannot be scrubbed is not stored."""
    assert scrubbed(b'{"password": ', DENIED_FIELDS) is None


def test_customer_address_is_billing_then_shipping_then_first() -> None:
    """The profile's address follows the defaults; phone and country come with it."""
    addresses = [
        {"id": "a1", "country": "FR", "city": "Paris"},
        {"id": "a2", "country": "DE", "city": "Berlin", "mobile": "+49 1"},
        {"id": "a3", "country": "IT", "city": "Rome"},
    ]
    base = sample("customer") | {"addresses": addresses, "stores": [{"typeId": "store", "key": "berlin"}]}

    def customer(**changes: Any) -> Customer:
        return customer_of(msgspec.json.decode(json.dumps(base | changes), type=CustomerRecord), KNOWN, Consent())

    assert customer().country == "FR"
    assert customer(defaultShippingAddressId="a3").country == "IT"
    both = customer(defaultShippingAddressId="a3", defaultBillingAddressId="a2")
    assert (both.country, both.phone, both.store, both.stores) == ("DE", "+49 1", "berlin", ("berlin",))
    assert customer().phone == "+49 1"


def test_cart_with_only_a_country_is_no_checkout() -> None:
    """Checkout began when an e-mail or a street, town or postal code was entered."""

    def cart(**changes: Any) -> Cart:
        data = json.dumps(sample("cart") | changes)
        return cart_of(msgspec.json.decode(data, type=CartRecord), SHOP, KNOWN, Consent())

    assert not cart(shippingAddress={"country": "DE"}).is_checkout
    assert cart(shippingAddress={"country": "DE"}).country == "DE"
    assert cart(shippingAddress={"country": "DE", "postalCode": "10115"}).is_checkout
    assert cart(customerEmail="a@example.com").is_checkout


@pytest.mark.parametrize(
    ("names", "locale", "record_locale", "expected"),
    [
        ({"en": "A", "de": "B"}, "en", "de", "A"),
        ({"de": "B", "fr": "C"}, "en", "fr-CH", "C"),
        ({"en-GB": "A", "de": "B"}, "en", None, "A"),
        ({"en": "A", "de": "B"}, "en-GB", None, "A"),
        ({"it": "D", "es": "E"}, "en", "de", "D"),
        ({"nl": "F", "es": "E"}, "en", "de", "E"),
        ({"en": "", "es": "E"}, "en", None, "E"),
        ({}, "en", "de", None),
    ],
)
def test_localized_text(names: dict[str, str], locale: str, record_locale: str | None, expected: str | None) -> None:
    """Preferred language, record's own, project's first, first by name."""
    assert Shop(locale=locale, languages=("it", "nl")).text(names, record_locale) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Flax", "Flax"),
        ({"key": "flax", "label": "Flax"}, "Flax"),
        ({"key": "flax", "label": {"en": "Flax"}}, "Flax"),
        ({"en": "Flax", "de": "Flachs"}, "Flax"),
        (7, None),
        (["Flax"], None),
    ],
)
def test_brand_attribute_of_every_type(value: Any, expected: str | None) -> None:
    """Text, enumeration, localized enumeration and localized text give a brand; other types do not."""
    record = rich()
    record["lineItems"][0]["variant"]["attributes"] = [{"name": "size", "value": 1}, {"name": "brand", "value": value}]
    assert order_from(record).lines[0].brand == expected


@pytest.mark.parametrize(
    ("served", "expected", "number"),
    [
        (cents(4200), Money(4200, "EUR", 2), 42.0),
        (cents(4200, "JPY", 0), Money(4200, "JPY", 0), 4200),
        (cents(4200, "KWD", 3), Money(4200, "KWD", 3), 4.2),
        (cents(1, "EUR", 7, preciseAmount=123456) | {"type": "highPrecision"}, Money(123456, "EUR", 7), 0.0123456),
    ],
)
def test_money_keeps_its_digits(served: dict[str, Any], expected: Money, number: float) -> None:
    """Digits come from the record, and a high-precision price from its precise amount."""
    amount = money(msgspec.convert(served, Cents))
    assert (amount, amount.number()) == (expected, number)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"createdAt": "yesterday at noon"}, "$.createdAt"),
        ({"lineItems": [{"id": 5}]}, "$.lineItems[0].id"),
        ({"totalPrice": cents(1) | {"centAmount": "secret-amount"}}, "$.totalPrice.centAmount"),
    ],
)
def test_what_is_wrong_is_told_by_path_without_the_value(changes: dict[str, Any], path: str) -> None:
    """The message names the field and the types, never what it held."""
    data = json.dumps(rich(**changes)).encode()
    with pytest.raises(ValueError, match="Expected") as caught:
        order_of(msgspec.json.decode(data, type=OrderRecord), SHOP, KNOWN, Consent())
    assert path in str(caught.value)
    assert "secret-amount" not in str(caught.value)
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize("name", ["customer", "order-rich"])
def test_secrets_never_reach_an_entity_or_a_dead_letter(name: str) -> None:
    """Password hashes, payment tokens and provider messages are in no entity and in no scrubbed record."""
    data = json.dumps(sample(name) | {"vatId": "DE123", "dateOfBirth": "1815-12-10"}).encode()
    if name == "customer":
        shown = repr(customer_of(msgspec.json.decode(data, type=CustomerRecord), KNOWN, Consent()))
    else:
        shown = repr(order_of(msgspec.json.decode(data, type=OrderRecord), SHOP, KNOWN, Consent()))
    kept = scrubbed(data, DENIED_FIELDS)
    assert kept is not None
    for secret in ("****aGg=", "tok_secret_123", "pan_4242", "DE123", "1815-12-10"):
        assert secret not in shown
        assert secret not in kept.decode()
    assert json.loads(kept)["id"] == sample(name)["id"]
