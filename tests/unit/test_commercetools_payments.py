"""The payments stream: changed payments read as the orders whose money went back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from commercetools_stub import StubProject, catalogue, opened, sample

from cdi_cli.sources import Nothing


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one client."""
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


def raw(*records: Any) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub knows one client."""
    monkeypatch.setenv("CT_SECRET", "s3cret-value")


@pytest.mark.parametrize("cursor", ["", "{}", "[1]", "x", '{"at":"2026-02-01T00:00:00Z","id":"a"}', '{"at":1,"id":"a"}'])
async def test_foreign_cursor_is_refused(cursor: str) -> None:
    """A cursor that this source did not write stops the run before anything is asked."""
    project = StubProject()
    async with opened(project) as source:
        with pytest.raises(ProtocolError, match="not one of the commercetools source"):
            await walked(source, cursor=Cursor(cursor))
    assert project.asked == []


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
