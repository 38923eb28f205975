"""Consent that an order does not hold: taken from the customer's present record, and marked as being as of now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commercetools_stub import StubProject, catalogue, opened, sample
from scripted_server import answer

from cdi_cli.commerce import Cart, Customer, Order
from cdi_cli.errors import ScopeError
from cdi_cli.sources import ConsentField, SourceContext

CUSTOMER = "c0000000-0000-4000-8000-000000000001"
FIELDS = {
    "email": ConsentField("custom.fields.consentEmail"),
    "ads": ConsentField("custom.fields.consentAds", customer_path="custom.fields.personalAds"),
    "sms": ConsentField("custom.fields.consentSms"),
}
CONTEXT = SourceContext(consent=FIELDS)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def customer(**fields: Any) -> dict[str, Any]:
    """A customer with these custom fields."""
    return sample("customer") | {"id": CUSTOMER, "custom": {"fields": fields}}


def order(**changes: Any) -> dict[str, Any]:
    """The rich order of that customer, whose own record grants `email` and says nothing of the others."""
    one = sample("order-rich") | {"customerId": CUSTOMER} | changes
    one["custom"]["fields"] = {"consentEmail": True}
    return one


def project(*customers: dict[str, Any], **changes: Any) -> StubProject:
    """A project with these customers."""
    return StubProject(records=catalogue() | {"customers": list(customers)}, **changes)


async def read(stub: StubProject, stream: str, *records: dict[str, Any], **changes: Any) -> list[Any]:
    """The entities of records."""
    async with opened(stub, context=CONTEXT, **changes) as source:
        found = await source.read(stream, [json.dumps(record).encode() for record in records])
    return [reading for readings in found for reading in readings]


def asked(stub: StubProject) -> int:
    """How often customers were asked for."""
    return sum(path.endswith("/customers") for path, _ in stub.asked)


async def test_the_order_s_own_record_wins() -> None:
    """As of the event where the order says it, else as of now, by the field that customers have."""
    stub = project(customer(consentEmail=False, personalAds=False, consentAds=True))

    first, second = await read(stub, "orders", order(), order(id="o-2"))

    assert isinstance(first, Order)
    assert first.consent.categories == {"email": "granted", "ads": "denied", "sms": "unknown"}
    assert first.consent.as_of_now == ("ads", "sms")
    assert second.consent == first.consent
    assert asked(stub) == 1


async def test_nobody_is_asked_needlessly() -> None:
    """A guest's order, one that says everything, and a customer's own record ask for no customer."""
    stub = project(customer(consentEmail=True))
    whole = order()
    whole["custom"]["fields"] |= {"consentAds": False, "consentSms": True}
    guest = {key: value for key, value in order().items() if key != "customerId"}

    said, unsaid, own = [
        *await read(stub, "orders", whole, guest),
        *await read(stub, "customers", customer(personalAds=True)),
    ]

    assert asked(stub) == 0
    assert said.consent.as_of_now == unsaid.consent.as_of_now == ()
    assert isinstance(own, Customer)
    assert own.consent.categories == {"email": "unknown", "ads": "granted", "sms": "unknown"}


async def test_consent_is_never_remembered() -> None:
    """What is withdrawn while a run lasts counts for the next group of records."""
    stub = project(customer(personalAds=True))
    async with opened(stub, context=CONTEXT) as source:
        record = json.dumps(order()).encode()
        ((before,),) = await source.read("orders", [record])
        stub.records["customers"] = [customer(personalAds=False)]
        ((after,),) = await source.read("orders", [record])

    assert (before.consent.categories["ads"], after.consent.categories["ads"]) == ("granted", "denied")  # type: ignore[union-attr]


async def test_a_customer_who_is_gone_has_said_nothing() -> None:
    """The categories stay unknown, and as of now: the order's own content does not change by it."""
    (found,) = await read(project(), "orders", order())

    assert found.consent.categories == {"email": "granted", "ads": "unknown", "sms": "unknown"}
    assert found.consent.as_of_now == ("ads", "sms")


async def test_it_can_be_switched_off() -> None:
    """Then nobody is asked, and what the order does not say is unknown."""
    stub = project(customer(personalAds=True))

    (found,) = await read(stub, "orders", order(), lookups={"customer_consent": False})

    assert (found.consent.categories["ads"], found.consent.as_of_now, asked(stub)) == ("unknown", (), 0)


async def test_a_missing_permission_names_the_switch() -> None:
    """Consent that was asked for and cannot be read stops the run: an opt-out would otherwise be overlooked."""
    refused = answer(403, b'{"statusCode":403,"message":"Insufficient scope","errors":[{"code":"insufficient_scope"}]}')
    stub = project(customer(), faults={"customers": [refused]})

    with pytest.raises(ScopeError) as caught:
        await read(stub, "orders", order())

    assert "lookups.customer_consent: false" in (caught.value.hint or "")


async def test_carts_ask_too() -> None:
    """A cart's consent comes from the same place."""
    cart = sample("cart") | {"customerId": CUSTOMER}

    (found,) = await read(project(customer(personalAds=True)), "carts", cart)

    assert isinstance(found, Cart)
    assert found.consent.categories["ads"] == "granted"
