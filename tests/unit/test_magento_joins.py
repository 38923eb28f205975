"""What the Magento source joins to orders and carts: their customer's consent, and when they were paid."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from magento_stub import StubShop, opened, order, sample

from cdi_cli.commerce import Cart, Order
from cdi_cli.errors import ScopeError
from cdi_cli.sources import ConsentField, SourceContext, Unreadable
from cdi_cli.sources.magento.invoices import InvoiceRecord, paid_at

CONSENT = SourceContext(
    run_id="r1", consent={"email": ConsentField("extension_attributes.is_subscribed"), "ads": ConsentField("ads")}
)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one token."""
    monkeypatch.setenv("MAGENTO_TOKEN", StubShop().token)


def raw(*records: Any) -> list[bytes]:
    """Records as they are served."""
    return [json.dumps(record).encode() for record in records]


def of(number: int, customer: int | str | None, **changes: Any) -> dict[str, Any]:
    """An order of a customer; None: of a guest."""
    return order(number, **({"customer_id": customer} if customer is not None else {}), **changes)


def people(**views: dict[int, dict[str, Any]]) -> StubShop:
    """A shop with the recorded customers, 1 and 3 of view `default` and 2 of `eu_de`, all of them subscribed."""
    rows = [row | {"extension_attributes": {"is_subscribed": True}} for row in sample("customers_search")["items"]]
    return StubShop({"/customers/search": rows, "/orders": []}, by_store=views)


async def test_orders_have_the_consent_of_their_customer_under_the_own_view() -> None:
    """One request for a group and one for each other view; guests, deleted customers and other categories: unknown."""
    shop = people(eu_de={2: {"extension_attributes": {"is_subscribed": False}}})
    async with opened(shop, context=CONSENT) as source:
        readings = await source.read("orders", raw(of(1, 1), of(2, "2"), of(3, None), of(4, 99), of(5, 1)))

    found = [reading.consent.categories for (reading,) in readings if isinstance(reading, Order)]
    assert [each["email"] for each in found] == ["granted", "denied", "unknown", "unknown", "granted"]
    assert {each["ads"] for each in found} == {"unknown"}
    assert [code for code, path, _ in shop.asked if path == "/customers/search"] == ["default", "eu_de"]


async def test_consent_that_an_order_tells_itself_is_its_own() -> None:
    """An extension that writes it on orders says what was true then."""
    own = {"extension_attributes": {"is_subscribed": False}}
    async with opened(people(), context=CONSENT) as source:
        ((reading,),) = await source.read("orders", raw(of(1, 1, **own)))

    assert isinstance(reading, Order)
    assert reading.consent.categories["email"] == "denied"


async def test_nobody_is_asked_for_where_consent_is_kept_elsewhere() -> None:
    """Without a category of the newsletter, and for guests, there is no look-up."""
    elsewhere = SourceContext(run_id="r1", consent={"ads": ConsentField("ads")})
    shop, other = people(), people()
    async with opened(shop, context=elsewhere) as source:
        await source.read("orders", raw(of(1, 1)))
    async with opened(other, context=CONSENT) as source:
        await source.read("orders", raw(of(1, None)))

    assert shop.queries("/customers/search") == other.queries("/customers/search") == []


async def test_carts_have_the_consent_of_their_customer() -> None:
    """As orders have."""
    cart = {"id": 5, "created_at": "2026-03-01 12:00:00", "currency": {"base_currency_code": "USD"}, "items": []}
    async with opened(people(), context=CONSENT) as source:
        readings = await source.read(
            "carts", raw(cart | {"customer": {"id": 1}}, cart | {"customer": {"id": 1}, "customer_is_guest": True})
        )

    found = [reading.consent.categories["email"] for (reading,) in readings if isinstance(reading, Cart)]
    assert found == ["granted", "unknown"]


async def test_an_order_whose_customer_cannot_be_served_waits() -> None:
    """Whether its customer agreed cannot be known: it goes to the dead letters, alone."""
    shop = people()
    shop.poisoned = {"/customers/search": {1}}
    async with opened(shop, context=CONSENT) as source:
        ((first,), (second,)) = await source.read("orders", raw(of(7, 1), of(8, 3)))

    assert isinstance(first, Unreadable)
    assert (first.reason, first.record_id) == ("source_error", "7")
    assert isinstance(second, Order)


async def test_a_missing_permission_for_customers_is_told_with_the_way_out() -> None:
    """Leaving consent out would be noticed by nobody."""
    shop = people()
    shop.denied = {"/customers/search"}
    async with opened(shop, context=CONSENT) as source:
        with pytest.raises(ScopeError, match="Magento_Customer::customer") as caught:
            await source.read("orders", raw(of(1, 1)))

    assert "`extension_attributes.is_subscribed` out of the pipeline's `consent`" in (caught.value.hint or "")


def invoice(number: int, day: int, amount: str, state: int | None = 2) -> InvoiceRecord:
    """An invoice of that day."""
    return InvoiceRecord(number, 1, f"2026-03-{day:02d} 10:00:00", Decimal(amount), state)


@pytest.mark.parametrize(
    ("invoices", "day"),
    [
        ([], None),
        ([invoice(1, 3, "100")], 3),
        ([invoice(2, 5, "60"), invoice(1, 3, "40")], 5),
        ([invoice(1, 3, "100"), invoice(2, 9, "5")], 3),
        ([invoice(1, 3, "40")], 3),
        ([invoice(1, 3, "100", 1), invoice(2, 4, "100", 3)], None),
        ([invoice(1, 3, "100", 3), invoice(2, 6, "100")], 6),
    ],
)
def test_an_order_is_paid_with_the_invoice_that_reaches_its_total(invoices: list[InvoiceRecord], day: int | None) -> None:
    """Open and cancelled ones count for nothing; the last one counts where they do not reach it."""
    expected = None if day is None else f"2026-03-{day:02d}T10:00:00.000Z"

    assert paid_at(invoices, Decimal(100)) == expected


async def test_invoices_are_asked_for_only_where_it_matters_and_there_are_some() -> None:
    """Together, for the paid orders of a group."""
    invoices = sample("invoices")["items"]
    paid = order(invoices[0]["order_id"], grand_total=37.73, total_paid=37.73)
    shop = StubShop({"/invoices": invoices, "/orders": []})
    async with opened(shop) as source:
        ((without,),) = await source.read("orders", raw(paid))
    async with opened(shop, context=SourceContext(run_id="r1", with_paid_at=True)) as source:
        ((told,), (unpaid,)) = await source.read("orders", raw(paid, order(900, grand_total=5, total_paid=0)))
        checks = {check.name: check for check in await source.check()}

    assert isinstance(without, Order)
    assert isinstance(told, Order)
    assert isinstance(unpaid, Order)
    assert (without.paid_at, told.paid_at, unpaid.paid_at) == (None, "2026-11-22T07:18:52.000Z", None)
    assert (told.is_paid, unpaid.is_paid) == (True, False)
    first, *_ = shop.queries("/invoices")
    assert first["searchCriteria[filter_groups][0][filters][0][value]"] == str(paid["entity_id"])
    assert checks["look-up invoices"].is_ok
