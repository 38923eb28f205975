"""When an order was paid: its invoices tell (an order itself only tells how much).

Looked up only where it matters, which is where an order is completed by being paid. State 2 of an invoice is "paid", 1
"open", 3 "cancelled" (Magento 2.4.7, `Magento\\Sales\\Model\\Order\\Invoice`).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.sources.magento.records import Record
from cdi_cli.sources.magento.search import instant_of

PAID = 2


class InvoiceRecord(Record):
    """A bill of an order, or of a part of it."""

    entity_id: int
    order_id: int
    created_at: str
    grand_total: Decimal
    state: int | None = None


decode_invoice = msgspec.json.Decoder(InvoiceRecord).decode
"""A raw invoice; raises ValueError for one that cannot be read."""


def paid_at(invoices: Sequence[InvoiceRecord], total: Decimal) -> Instant | None:
    """When the paid invoices reached the order's total; the last one where they do not, None without any."""
    paid = sorted((instant_of(one.created_at), one.entity_id, one.grand_total) for one in invoices if one.state == PAID)
    so_far = Decimal()
    for at, _, amount in paid:
        so_far += amount
        if so_far >= total:
            return at
    return paid[-1][0] if paid else None
