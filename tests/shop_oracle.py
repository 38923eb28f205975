"""What must have arrived at Segment, told from the shop's raw records alone: no code of the connector, exact decimals.

Documents are read as the reference describes them: an order is worth `taxedPrice.totalGross`, else `totalPrice`;
a refund is a transaction of type Refund or Chargeback in state Success, of a payment that an order refers to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from cdi_cli.sandbox import SandboxThread

Totals = dict[str, Decimal]


def amount(cents: dict[str, Any]) -> Decimal:
    """A commercetools amount of either precision."""
    minor = cents.get("preciseAmount", cents["centAmount"])
    return Decimal(minor).scaleb(-cents["fractionDigits"])


def number_of(order: dict[str, Any]) -> str:
    """What an order is called: its number, else its id."""
    return str(order.get("orderNumber") or order["id"])


def order_totals(orders: Iterable[dict[str, Any]]) -> Totals:
    """The worth of all orders by currency."""
    totals: Totals = {}
    for order in orders:
        price = order.get("taxedPrice", {}).get("totalGross") or order["totalPrice"]
        _add(totals, price)
    return totals


def refund_transactions(sandbox: SandboxThread, orders: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Id -> transaction of every refund of these orders."""
    payments = {payment["id"]: payment for payment in sandbox.shop.documents("payments")}
    linked = [link["id"] for order in orders for link in order.get("paymentInfo", {}).get("payments", [])]
    return {
        transaction["id"]: transaction
        for payment_id in linked
        if payment_id in payments
        for transaction in payments[payment_id]["transactions"]
        if transaction["type"] in ("Refund", "Chargeback") and transaction["state"] == "Success"
    }


def said(applied: Iterable[dict[str, Any]], event: str, field: str) -> Totals:
    """What the events of one name say, by currency."""
    totals: Totals = {}
    for message in applied:
        if message.get("event") == event:
            properties = message["properties"]
            currency = properties["currency"]
            totals[currency] = totals.get(currency, Decimal(0)) + Decimal(str(properties[field]))
    return totals


def reconcile(sandbox: SandboxThread, *, without: Iterable[str] = ()) -> None:
    """Assert that everything of the shop arrived once, nothing else did, and the money agrees; `without`: order ids."""
    left_out = set(without)
    orders = [order for order in sandbox.shop.documents("orders") if order["id"] not in left_out]
    applied = sandbox.segment.applied
    refunds = refund_transactions(sandbox, orders)
    assert sandbox.segment.dropped == []
    assert not [message_id for message_id, n in Counter(m["messageId"] for m in applied).items() if n > 1]
    assert _named(applied, "Order Completed", "order_id") == Counter(number_of(order) for order in orders)
    assert _named(applied, "Order Refunded", "refund_id") == Counter(list(refunds))
    customers = Counter(customer["id"] for customer in sandbox.shop.documents("customers"))
    assert Counter(message["userId"] for message in applied if message["type"] == "identify") == customers
    assert said(applied, "Order Completed", "total") == order_totals(orders)
    refunded: Totals = {}
    for transaction in refunds.values():
        _add(refunded, transaction["amount"])
    assert said(applied, "Order Refunded", "refund_amount") == refunded


def _named(applied: Iterable[dict[str, Any]], event: str, field: str) -> Counter[str]:
    return Counter(message["properties"][field] for message in applied if message.get("event") == event)


def _add(totals: Totals, price: dict[str, Any]) -> None:
    currency = price["currencyCode"]
    totals[currency] = totals.get(currency, Decimal(0)) + amount(price)
