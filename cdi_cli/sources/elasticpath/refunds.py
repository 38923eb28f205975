"""Refunds: what the transactions of an order say went back (sheet "elasticpath", sections 3.3 and 5.6).

A transaction says only how much of it went back so far, so a refund is known by that sum: `order:transaction:sum`. The sum
is `so_far`, and the amount, too: what of it is news is decided where it is known what was told before.

"Mark as refunded" may leave a transaction without a sum; then the order's `payment` says that everything went back. Without
transactions there is one refund, of everything, once that is so.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdi_cli.clock import Instant
from cdi_cli.commerce import LineItem, Money, Refund, add
from cdi_cli.sources.elasticpath.money import Currencies
from cdi_cli.sources.elasticpath.records import OrderRecord, Transaction
from cdi_cli.sources.elasticpath.times import instant_of

REFUNDED = "refunded"
COMPLETE = "complete"
TAKEN = frozenset({"purchase", "capture", "refund"})
"""Types of transactions that moved money; Elastic Path may call one that was refunded a `refund`."""


def refunds_of(
    record: OrderRecord,
    transactions: Sequence[Transaction] | None,
    total: Money,
    lines: tuple[LineItem, ...],
    currencies: Currencies,
    changed_at: Instant,
) -> tuple[Refund, ...]:
    """The refunds of an order, oldest first; `transactions` None: they are not read. Raises ValueError, without values."""
    if transactions is None:
        if record.payment != REFUNDED or not total.minor:
            return ()
        return (Refund(f"{record.id}:{total.minor}", total, changed_at, is_full=True, lines=lines),)
    found = [
        (_changed_at(one, changed_at), one, amount) for one in transactions if (amount := _returned(one, record.payment)) > 0
    ]
    refunds: list[Refund] = []
    so_far = Money(0, total.currency, total.digits)
    for at, one, amount in sorted(found, key=lambda each: (each[0], each[1].id)):
        money = currencies.money(amount, one.currency or total.currency)
        is_comparable = money.currency == total.currency
        so_far = add(so_far, money) if is_comparable else so_far
        is_full = is_comparable and so_far.decimal() >= total.decimal()
        refunds.append(
            Refund(
                id=f"{record.id}:{one.id}:{amount}",
                amount=money,
                at=at,
                payment_id=one.id,
                is_full=is_full,
                lines=lines if is_full and len(found) == 1 else (),
                so_far=money,
            )
        )
    return tuple(refunds)


def paid_at(transactions: Sequence[Transaction] | None) -> Instant | None:
    """When the last of the money came in, for an order that does not say so any more; None where none is known."""
    times = [
        instant_of(one.meta.timestamps.created_at, "created_at")
        for one in transactions or ()
        if one.kind in TAKEN
        and one.status == COMPLETE
        and one.meta is not None
        and one.meta.timestamps is not None
        and one.meta.timestamps.created_at
    ]
    return max(times, default=None)


def payment_method(transactions: Sequence[Transaction] | None) -> str | None:
    """How an order was paid: the gateway of its first transaction that did not fail."""
    return next((one.gateway for one in transactions or () if one.gateway and one.status != "failed"), None)


def _returned(transaction: Transaction, payment: str | None) -> int:
    """How much of a transaction went back so far."""
    if transaction.refunded_amount:
        return transaction.refunded_amount
    is_whole = transaction.kind in TAKEN and transaction.status == COMPLETE
    if transaction.kind == "refund" and transaction.refunded_amount is None and is_whole:
        return transaction.amount
    return transaction.amount if payment == REFUNDED and is_whole else 0


def _changed_at(transaction: Transaction, otherwise: Instant) -> Instant:
    times = transaction.meta.timestamps if transaction.meta is not None else None
    text = (times.updated_at or times.created_at) if times is not None else None
    return instant_of(text, "updated_at") if text else otherwise
