"""Refunds: successful Refund and Chargeback transactions of payments, in the order in which money went back.

A payment has no order: orders refer to payments. A change of a payment does not change its order (sheet "commercetools",
section 3), so payments are a stream of their own whose refunds are joined to their orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import LineItem, Money, Refund, add
from cdi_cli.sources.commercetools.baskets import part_of
from cdi_cli.sources.commercetools.money import money
from cdi_cli.sources.commercetools.records import OrderRecord, Payment
from cdi_cli.sources.commercetools.shop import instant

REFUND_TYPES = frozenset({"Refund", "Chargeback"})


def has_refund(payment: Payment) -> bool:
    """Whether money of this payment went back."""
    return any(transaction.type in REFUND_TYPES and transaction.state == "Success" for transaction in payment.transactions)


def payments_of(record: OrderRecord) -> list[Payment]:
    """The order's payments, each once, as far as they were expanded and still exist."""
    if record.payment_info is None:
        return []
    return list({reference.id: reference.obj for reference in record.payment_info.payments if reference.obj}.values())


def paid_at(payments: Iterable[Payment]) -> Instant | None:
    """When the last successful charge was made."""
    return max(
        (
            instant(transaction.timestamp, "paymentInfo.payments[...].obj.transactions[...].timestamp")
            for payment in payments
            for transaction in payment.transactions
            if transaction.type == "Charge" and transaction.state == "Success" and transaction.timestamp
        ),
        default=None,
    )


def method_of(payments: Iterable[Payment]) -> str | None:
    """How it was paid, as the first payment that says it has it."""
    methods = (payment.payment_method_info.method for payment in payments if payment.payment_method_info is not None)
    return next((method for method in methods if method), None)


def refunds_of(
    record: OrderRecord, payments: Iterable[Payment], total: Money, lines: tuple[LineItem, ...]
) -> tuple[Refund, ...]:
    """The order's refunds, oldest first.

    Commercetools does not say what a refund was for. A single one is for all lines when it is full, else for the lines
    whose return was refunded; several cannot be told apart and name no lines.
    """
    refunds = sorted(_transactions(payments), key=lambda refund: (refund.at, refund.id))
    if not refunds:
        return ()
    is_full = _reaches(total, [refund.amount for refund in refunds])
    if len(refunds) == 1:
        named = lines if is_full[0] else _returned(record, lines)
        return (msgspec.structs.replace(refunds[0], is_full=is_full[0], lines=named),)
    return tuple(msgspec.structs.replace(refund, is_full=full) for refund, full in zip(refunds, is_full, strict=True))


def _transactions(payments: Iterable[Payment]) -> Iterable[Refund]:
    for payment in payments:
        for transaction in payment.transactions:
            if transaction.type in REFUND_TYPES and transaction.state == "Success":
                yield Refund(
                    id=transaction.id,
                    amount=money(transaction.amount),
                    at=instant(transaction.timestamp or payment.last_modified_at, "transactions[...].timestamp"),
                    payment_id=payment.id,
                    kind="chargeback" if transaction.type == "Chargeback" else "refund",
                )


def _reaches(total: Money, amounts: Sequence[Money]) -> list[bool]:
    """For each amount, whether it and those before it reach the total; never in another currency."""
    reached: list[bool] = []
    so_far = Money(0, total.currency, total.digits)
    for amount in amounts:
        if amount.currency == total.currency:
            so_far = add(so_far, amount)
        reached.append(amount.currency == total.currency and so_far.decimal() >= total.decimal())
    return reached


def _returned(record: OrderRecord, lines: tuple[LineItem, ...]) -> tuple[LineItem, ...]:
    quantities: dict[str, int] = {}
    for info in record.return_info:
        for item in info.items:
            line_id = item.line_item_id or item.custom_line_item_id
            if item.payment_state == "Refunded" and line_id:
                quantities[line_id] = quantities.get(line_id, 0) + item.quantity
    return tuple(part_of(line, quantities[line.id]) for line in lines if line.id in quantities)
