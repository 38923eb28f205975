"""What the store sold and gave back, told from its own records: what proofs compare deliveries with.

An order is sold once it was paid in full, whatever became of it; a refund is the amount of a transaction that went back.
Anonymised orders are counted apart, as nothing is said about them any more.
"""

from __future__ import annotations

from cdi_cli.sandbox.elasticpath.money import CURRENCIES, Document
from cdi_cli.sandbox.elasticpath.store import Store

SOLD = frozenset({"paid", "refunded"})


def books(store: Store) -> Document:
    """`sales` and `refunds` by currency, each `{"count", "amount"}` with the amount as an exact decimal text."""
    found: dict[str, dict[str, list[int]]] = {"sales": {}, "refunds": {}, "anonymised": {}}
    for row in store.orders():
        order = row.whole()
        currency = order.basket.market.currency
        if order.payment in SOLD:
            _add(found["anonymised" if order.is_anonymised else "sales"], currency, order.total)
        if not order.is_anonymised:
            for transaction in order.transactions:
                if transaction.refunded:
                    _add(found["refunds"], currency, transaction.refunded)
    return {name: {code: _told(code, *pair) for code, pair in sorted(part.items())} for name, part in found.items()}


def _add(part: dict[str, list[int]], currency: str, amount: int) -> None:
    pair = part.setdefault(currency, [0, 0])
    pair[0] += 1
    pair[1] += amount


def _told(code: str, count: int, amount: int) -> Document:
    digits = CURRENCIES[code].digits
    whole, rest = divmod(amount, 10**digits)
    return {"count": count, "amount": f"{whole}.{rest:0{digits}d}" if digits else str(whole)}
