"""Transactions: purchases, or authorisations and their captures; refunds are an amount on them that only grows.

Several partial refunds may be made of one; `mark as refunded` names no amount and is always the whole. One object mixes
times with `Z` and times with an offset; old ones spell `transaction-type`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi_cli.sandbox.elasticpath.money import Document, shown
from cdi_cli.sandbox.elasticpath.times import text_at_offset, text_of


@dataclass(slots=True)
class Transaction:
    """Money that moved, or was to; `refunded` is what went back of it so far."""

    id: str
    kind: str
    gateway: str
    amount: int
    currency: str
    created: int
    updated: int
    status: str = "complete"
    refunded: int = 0
    reference: str = "manual"
    is_marked: bool = False
    is_legacy: bool = False

    @property
    def is_money(self) -> bool:
        """Whether it is money that came in."""
        return self.status == "complete" and self.kind in ("purchase", "capture")

    @property
    def refundable(self) -> int:
        """What can still go back."""
        return self.amount - self.refunded if self.is_money else 0

    def document(self, order_id: str) -> Document:
        """The transaction as `/v2/orders/{id}/transactions` lists it."""
        kind = "transaction-type" if self.is_legacy else "transaction_type"
        document: Document = {
            "id": self.id,
            "type": "transaction",
            "reference": self.reference,
            "gateway": self.gateway,
            "amount": self.amount,
            "refunded_amount": self.refunded,
            "currency": self.currency,
            kind: self.kind,
            "status": self.status,
            "relationships": {"order": {"data": {"type": "order", "id": order_id}}},
            "meta": {
                "display_price": shown(self.amount, self.currency),
                "display_refunded_amount": {"total": shown(self.refunded, self.currency)},
                "timestamps": {"created_at": text_of(self.created), "updated_at": text_at_offset(self.updated, -7)},
            },
        }
        if not self.is_legacy:
            document["capture_mechanism"] = "manual" if self.gateway == "manual" else "automatic"
            if self.refunded:
                document["refund_mechanism"] = "manual" if self.is_marked else "automatic"
        return document
