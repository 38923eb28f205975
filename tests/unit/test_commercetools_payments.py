"""The payments stream: changed payments read as the orders whose money went back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commercetools_stub import StubProject, catalogue, opened, sample

from cdi_cli.commerce import Order
from cdi_cli.sources import Nothing, Unreadable


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one client."""
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def raw(*records: Any) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


async def test_payment_gives_the_same_refund_as_its_order() -> None:
    """Read through payments or through orders, an order is the same entity, so its events have the same ids."""
    project = StubProject(catalogue() | {"orders": [sample("order-rich")]})
    async with opened(project) as source:
        ((through_payment,),) = await source.read("payments", raw(payment("payment-1", ("Refund", "Success"))))
        ((through_order,),) = await source.read("orders", raw(sample("order-rich")))
    assert through_payment == through_order


async def test_refund_of_another_store_is_no_error() -> None:
    """Reading one store, payments of the others have no order here."""
    project = StubProject(catalogue())
    async with opened(project, store_key="berlin") as source:
        ((reading,),) = await source.read("payments", raw(payment("p", ("Refund", "Success"))))
    assert reading == Nothing("refund_outside_store")


async def test_payments_without_refunds_ask_for_no_orders() -> None:
    """A group of payments that only charged costs no request."""
    project = StubProject(catalogue())
    async with opened(project) as source:
        assert await source.read("payments", raw(payment("p", ("Charge", "Success")))) == [[Nothing("no_refund")]]
    assert [path for path, _ in project.asked] == ["/shop"]


def payment(identifier: str, *transactions: tuple[str, str]) -> dict[str, Any]:
    record = sample("payment")
    template = record["transactions"][0]
    record["id"] = identifier
    record["transactions"] = [
        template | {"id": f"{identifier}-{number}", "type": kind, "state": state}
        for number, (kind, state) in enumerate(transactions)
    ]
    return record


async def test_changed_payments_are_read_as_their_orders() -> None:
    """A payment with a refund gives its order once, with all refunds; without one it says nothing."""
    rich = sample("order-rich")
    second = dict(rich["paymentInfo"]["payments"][0])
    second = second | {"id": "payment-2", "obj": second["obj"] | {"id": "payment-2", "transactions": []}}
    rich["paymentInfo"]["payments"].append(second)
    project = StubProject(catalogue() | {"orders": [rich]})
    records = raw(
        payment("payment-1", ("Refund", "Success")),
        payment("payment-3", ("Charge", "Success"), ("Refund", "Pending")),
        payment("payment-4", ("Chargeback", "Success")),
        {"id": "payment-5"},
        payment("payment-2", ("Refund", "Success")),
    )
    async with opened(project) as source:
        readings = await source.read("payments", records)
    (found,), (nothing,), (orphan,), (broken,), (other,) = readings
    assert isinstance(found, Order)
    assert [refund.id for refund in found.refunds] == ["tx-refund"]
    assert nothing == Nothing("no_refund")
    assert isinstance(orphan, Unreadable)
    assert (orphan.reason, orphan.record_id) == ("refund_without_order", "payment-4")
    assert isinstance(broken, Unreadable)
    assert (broken.reason, broken.record_id) == ("unreadable_record", "payment-5")
    assert other == Nothing("order_read_with_other_payment")
    (query,) = [query for path, query in project.asked if path == "/shop/orders"]
    assert query["where"] == ['paymentInfo(payments(id in ("payment-1", "payment-4", "payment-2")))']
    assert query["expand"] == ["paymentInfo.payments[*]"]
