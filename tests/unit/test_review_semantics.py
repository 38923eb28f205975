"""What orders, carts and refunds mean where the plain samples do not tell: normalisation, plan and delivery reviewed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from commercetools_stub import StubProject, catalogue, opened, order, sample
from doubles import FakeDestination, FakeSource
from doubles import order as fake_order
from plan_tools import copy_default_plan
from scripted_server import answer

from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Cart, Consent, Money, Order
from cdi_cli.errors import AuthError, ScopeError
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, LifecycleSettings
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.slices import plan_partitions
from cdi_cli.plan import compile_plan, load_plan
from cdi_cli.sources import ConsentField, SourceContext
from cdi_cli.sources.commercetools.carts import cart_of
from cdi_cli.sources.commercetools.orders import order_of
from cdi_cli.sources.commercetools.records import CartRecord, OrderRecord
from cdi_cli.sources.commercetools.shop import Known, Shop

AT = "2026-03-01T00:00:00.000Z"
WINDOW = Window(Instant("2026-01-01T00:00:00.000Z"), Instant("2026-04-01T00:00:00.000Z"))


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def euros(cents: int) -> Money:
    return Money(cents, "EUR", 2)


def cents(amount: int, currency: str = "EUR", digits: int = 2, **more: Any) -> dict[str, Any]:
    return {"type": "centPrecision", "currencyCode": currency, "centAmount": amount, "fractionDigits": digits, **more}


def order_from(record: dict[str, Any]) -> Order:
    return order_of(msgspec.json.decode(json.dumps(record), type=OrderRecord), Shop(), Known(), Consent())


def cart_from(record: dict[str, Any]) -> Cart:
    return cart_of(msgspec.json.decode(json.dumps(record), type=CartRecord), Shop(), Known(), Consent())


def line_with(**changes: Any) -> dict[str, Any]:
    record = sample("order-rich")
    record["lineItems"] = [record["lineItems"][0] | changes]
    return record


@pytest.mark.parametrize(("quantity", "unit"), [(4, 1000), (5, 900), (9, 900), (10, 800), (250, 800)])
def test_price_of_a_line_is_that_of_its_quantity(quantity: int, unit: int) -> None:
    """A tier is for the entire quantity once it is reached (REF type PriceTier); `price.value` stays the base price."""
    tiers = [{"minimumQuantity": 10, "value": cents(800)}, {"minimumQuantity": 5, "value": cents(900)}]
    record = line_with(
        quantity=quantity,
        price={"id": "p", "value": cents(1000), "tiers": tiers},
        totalPrice=cents(unit * quantity),
        discountedPricePerQuantity=[],
    )
    (line,) = order_from(record).lines[:1]
    assert line.price == euros(unit)
    assert line.price.minor * line.quantity == line.total.minor


def test_product_discount_rules_out_tiers() -> None:
    """Where `discounted` is set, tiers are ignored (REF type Price)."""
    price = line_with()["lineItems"][0]["price"] | {"tiers": [{"minimumQuantity": 2, "value": cents(100)}]}
    assert order_from(line_with(price=price)).lines[0].price == euros(5000)


def test_email_of_a_known_customer_is_no_checkout() -> None:
    """A cart holds the e-mail of the customer that it belongs to from the start: nobody entered it."""
    known = sample("cart") | {"customerId": "c-1", "customerEmail": "ada@example.com"}
    assert not cart_from(known).is_checkout
    assert cart_from(known).email == "ada@example.com"
    assert cart_from(known | {"shippingAddress": {"country": "DE", "city": "Berlin"}}).is_checkout
    del known["customerId"]
    assert cart_from(known).is_checkout


@pytest.mark.parametrize("status", [400, 500, 502, 503, 504])
async def test_query_that_timed_out_is_asked_in_fewer_rows(status: int) -> None:
    """`QueryTimedOut` halves the page whatever its status, which the API does not document."""
    body = json.dumps({"statusCode": status, "message": "slow", "errors": [{"code": "QueryTimedOut", "message": "slow"}]})
    project = StubProject(
        records=catalogue() | {"orders": [order(1, AT)]}, faults={"orders": [answer(status, body.encode())] * 2}
    )
    async with opened(project) as source:
        pages = [page async for page in source.pages("orders", WINDOW, None)]
    assert sum(len(page.records) for page in pages) == 1
    assert [query["limit"] for path, query in project.asked if path.endswith("/orders")] == [["500"], ["250"], ["125"]]


async def test_custom_fields_of_an_order_read_by_its_payment_are_those_of_the_order(tmp_path: Path) -> None:
    """`record.` means the record that the entity was made of, not the payment that led to it."""
    folder = copy_default_plan(tmp_path)
    for name in ("order_completed", "order_refunded"):
        path = folder / "events" / f"{name}.yaml"
        field = "  loyalty_tier: {type: string, required: true, from: record.custom.fields.loyaltyTier, pii: none}\n"
        path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n" + field, encoding="utf-8")
    rich = sample("order-rich")
    payment = rich["paymentInfo"]["payments"][0]["obj"] | {"custom": {"fields": {"loyaltyTier": "of the payment"}}}
    project = StubProject(records=catalogue() | {"orders": [rich]})
    async with opened(project) as source:
        issuer = issuer_for(folder, source.scrub)
        record = json.dumps(payment).encode()
        issue = issuer.issue("payments", [record], await source.read("payments", [record]))
    tiers = {item.event.name: item.event.properties.get("loyalty_tier") for item in issue.outgoing}
    assert issue.dead == []
    assert (tiers["Order Completed"], tiers["Order Refunded"]) == ("gold", "gold")


def issuer_for(folder: Path, scrub: Any) -> Issuer:
    """An issuer of a plan, to which nothing was delivered before."""
    return Issuer(
        plan=compile_plan(load_plan(folder)),
        builder=EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1),
        lifecycle=LifecycleSettings(),
        destination=FakeDestination(),
        require_consent=(),
        delivered=lambda _family, _keys: {},
        scrub=scrub,
    )


async def test_consent_of_an_order_read_by_its_payment_is_that_of_the_order() -> None:
    """A consent in the payment's own fields grants nothing."""
    rich = sample("order-rich")
    rich["custom"]["fields"]["consentEmail"] = False
    payment = rich["paymentInfo"]["payments"][0]["obj"] | {"custom": {"fields": {"consentEmail": True}}}
    context = SourceContext(consent={"email": ConsentField("custom.fields.consentEmail")})
    async with opened(StubProject(records=catalogue() | {"orders": [rich]}), context=context) as source:
        ((found,),) = await source.read("payments", [json.dumps(payment).encode()])
    read = getattr(found, "entity", found)
    assert isinstance(read, Order)
    assert read.consent.categories == {"email": "denied"}


async def test_a_stream_that_may_not_be_counted_is_still_planned() -> None:
    """403 on the count of one stream leaves the others their partitions; reading it then tells the missing scope."""

    class Forbidden(FakeSource):
        async def count(self, stream: str, window: Window) -> int | None:
            if stream == "customers":
                raise ScopeError("the API client lacks `view_customers:shop`")
            return await super().count(stream, window)

    partitions = await plan_partitions(Forbidden([fake_order(1)]), ["customers", "orders"], WINDOW, workers=1)
    assert [(part.stream, part.expected) for part in partitions] == [("customers", None), ("orders", 1)]


async def test_missing_scope_is_an_error_of_one_stream() -> None:
    """403 of a stream and of its count is a ScopeError; a refused client concerns every stream and is none."""
    body = b'{"statusCode":403,"message":"x","errors":[{"code":"insufficient_scope","message":"x"}]}'
    async with opened(StubProject(records=catalogue(), faults={"orders": [answer(403, body)] * 2})) as source:
        with pytest.raises(ScopeError):
            await source.count("orders", WINDOW)
        with pytest.raises(ScopeError):
            _ = [page async for page in source.pages("orders", WINDOW, None)]
    async with opened(StubProject(faults={"token": [answer(401, b'{"error":"invalid_client"}')]})) as source:
        with pytest.raises(AuthError) as caught:
            await source.count("orders", WINDOW)
    assert not isinstance(caught.value, ScopeError)


def test_refunds_over_the_total_stay_exact_and_full() -> None:
    """Pending, failed and initial transactions are no refunds; amounts are never cut to the total."""
    record = sample("order-rich")
    payment = record["paymentInfo"]["payments"][0]["obj"]
    at = "2026-03-0{}T00:00:00.000Z"
    payment["transactions"] = [
        {"id": "a", "timestamp": at.format(1), "type": "Refund", "state": "Success", "amount": cents(9000)},
        {"id": "b", "timestamp": at.format(2), "type": "Refund", "state": "Pending", "amount": cents(690)},
        {"id": "c", "timestamp": at.format(3), "type": "Chargeback", "state": "Success", "amount": cents(5000)},
        {"id": "d", "timestamp": at.format(4), "type": "Refund", "state": "Initial", "amount": cents(1)},
    ]
    found = [(refund.id, refund.amount, refund.is_full) for refund in order_from(record).refunds]
    assert found == [("a", euros(9000), False), ("c", euros(5000), True)]


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("KWD", 3), ("EUR", 2)])
def test_revenue_shipping_and_tax_add_up_in_every_currency(currency: str, digits: int) -> None:
    """Also with a credit line that is worth more than the goods, where revenue is negative."""
    amount = lambda minor: cents(minor, currency, digits)  # noqa: E731 - shorter than a function
    record = sample("order-rich") | {
        "lineItems": [],
        "customLineItems": [
            {"id": "credit", "name": {"en": "Credit"}, "quantity": 1, "money": amount(-5000), "totalPrice": amount(-5000)},
            {"id": "fee", "name": {"en": "Repair"}, "quantity": 1, "money": amount(4760), "totalPrice": amount(4760)},
        ],
        "totalPrice": amount(355),
        "taxedPrice": {"totalNet": amount(-500), "totalGross": amount(355), "totalTax": amount(855)},
        "taxedShippingPrice": {"totalNet": amount(500), "totalGross": amount(595)},
        "discountOnTotalPrice": None,
        "paymentInfo": {"payments": []},
    }
    order = order_from(record)
    assert order.tax is not None
    assert order.shipping is not None
    assert order.revenue.minor + order.shipping.minor + order.tax.minor == order.total.minor
    assert (order.revenue.minor, order.revenue.digits) == (-1000, digits)
    assert [(line.kind, line.price.minor) for line in order.lines] == [("fee", -5000), ("fee", 4760)]
