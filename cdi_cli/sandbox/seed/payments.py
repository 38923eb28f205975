"""Payments: what orders were paid with, and the refunds that live only here.

About 8 % of the orders are refunded: in full, in part, in several parts, or by chargeback. Refund transactions that
failed or are still pending occur too, on top; only `Refund` and `Chargeback` with state `Success` moved money. A refund
changes the payment's `lastModifiedAt` and never the order's, unless a return was recorded on the order as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cdi_cli.sandbox.commercetools.records import Document, reference
from cdi_cli.sandbox.seed.basket import Basket
from cdi_cli.sandbox.seed.dice import DAY_MS, Dice, instant
from cdi_cli.sandbox.seed.money import Market, money

REFUNDED_SHARE = 0.08
_PATTERNS = (("full", 0.45), ("partial", 0.3), ("several", 0.15), ("chargeback", 0.1))
_METHODS = (
    ("stripe", "CREDIT_CARD", "Credit card"),
    ("paypal", "PAYPAL", "PayPal"),
    ("klarna", "INVOICE", "Invoice"),
    ("adyen", "IDEAL", "iDEAL"),
)


@dataclass(slots=True)
class Payments:
    """Makes payments for orders and keeps their documents."""

    dice: Dice
    now_ms: int
    documents: list[Document] = field(default_factory=list)

    def pay(self, order: Document, basket: Basket, created_ms: int) -> None:
        """Pay an order: attaches `paymentInfo`, adds the payments with their transactions, refunds some."""
        dice, market, gross = self.dice, basket.market, basket.gross
        if gross <= 0 or dice.chance(0.01):
            return
        parts = [gross]
        if gross > 1 and dice.chance(0.02):
            first = dice.between(1, gross - 1)
            parts = [first, gross - first]
        is_paid = order.get("paymentState") == "Paid"
        payments = [self._payment(order, market, amount, created_ms, is_paid=is_paid) for amount in parts]
        if is_paid and dice.chance(REFUNDED_SHARE):
            self._refund(order, payments, parts, created_ms, basket)
        if is_paid and dice.chance(0.01):
            at_ms = min(self.now_ms, created_ms + dice.between(1, 20) * DAY_MS)
            amount, state = money(parts[0], market), dice.pick(("Failure", "Pending"))
            self._transact(payments[0], ("Refund", state), amount, at_ms)
        order["paymentInfo"] = {"payments": [reference("payment", payment["id"]) for payment in payments]}
        self.documents += payments

    def _payment(self, order: Document, market: Market, amount: int, created_ms: int, *, is_paid: bool) -> Document:
        dice = self.dice
        interface, method, name = dice.pick(_METHODS)
        at_ms = min(self.now_ms, created_ms + dice.below(60_000))
        payment: Document = {
            "id": dice.uuid(),
            "version": 1,
            "createdAt": instant(at_ms),
            "lastModifiedAt": instant(at_ms),
            "key": f"pay-{len(self.documents)}-{dice.below(10**6)}",
            "interfaceId": f"pi_{dice.below(10**12):012d}",
            "amountPlanned": money(amount, market),
            "paymentMethodInfo": {
                "paymentInterface": interface,
                "method": method,
                "name": {"en": name},
                "token": {"value": f"tok_{dice.below(10**12):012d}"},
            },
            "paymentStatus": {},
            "transactions": [],
            "interfaceInteractions": [
                {"type": reference("type", dice.uuid()), "fields": {"rawResponse": f"card=****{dice.below(10**4):04d}"}}
            ],
        }
        if "customerId" in order:
            payment["customer"] = reference("customer", order["customerId"])
        else:
            payment["anonymousId"] = order["anonymousId"]
        if order["orderState"] == "Cancelled":
            self._transact(payment, ("Authorization", "Success"), payment["amountPlanned"], at_ms)
            self._transact(payment, ("CancelAuthorization", "Success"), payment["amountPlanned"], at_ms + 60_000)
        else:
            charged = ("Charge", "Success" if is_paid else dice.pick(("Initial", "Pending", "Failure")))
            self._transact(payment, charged, payment["amountPlanned"], at_ms)
        return payment

    def _transact(self, payment: Document, what: tuple[str, str], amount: dict[str, Any], at_ms: int) -> None:
        """Add a transaction and move the payment's own version and time."""
        at = instant(min(at_ms, self.now_ms))
        payment["transactions"].append({
            "id": self.dice.uuid(),
            "timestamp": at,
            "type": what[0],
            "amount": amount,
            "interactionId": f"ch_{self.dice.below(10**12):012d}",
            "state": what[1],
        })  # fmt: skip
        payment["version"] += 2
        payment["lastModifiedAt"] = max(at, payment["lastModifiedAt"])

    def _refund(self, order: Document, payments: list[Document], parts: list[int], created_ms: int, basket: Basket) -> None:
        """Refund a paid order after one of the usual patterns."""
        dice, market = self.dice, basket.market
        at_ms = created_ms + dice.between(2, 40) * DAY_MS + dice.below(DAY_MS)
        pattern = dice.weighted(_PATTERNS)
        if pattern == "full":
            for payment, amount in zip(payments, parts, strict=True):
                self._transact(payment, ("Refund", "Success"), money(amount, market), at_ms)
            returned = basket.lines
        elif pattern == "chargeback":
            self._transact(payments[0], ("Chargeback", "Success"), money(parts[0], market), at_ms)
            returned = []
        else:
            returned = basket.lines[:1]
            left = parts[0]
            for number in range(1 if pattern == "partial" else dice.between(2, 3)):
                amount = dice.between(1, max(1, left // 2))
                left -= amount
                if left < 0:
                    break
                self._transact(payments[0], ("Refund", "Success"), money(amount, market), at_ms + number * 2 * DAY_MS)
        if returned and dice.chance(0.5):
            self._return(order, returned, min(at_ms, self.now_ms))

    def _return(self, order: Document, lines: list[dict[str, Any]], at_ms: int) -> None:
        """Record goods that came back on the order; this does change the order."""
        at = instant(at_ms)
        items = [
            {
                "type": "LineItemReturnItem",
                "id": self.dice.uuid(),
                "lineItemId": line["id"],
                "quantity": line["quantity"],
                "shipmentState": "Returned",
                "paymentState": "Refunded",
                "createdAt": at,
                "lastModifiedAt": at,
            }
            for line in lines
        ]
        tracking = f"RET{self.dice.below(10**9):09d}"
        order["returnInfo"] = [{"items": items, "returnTrackingId": tracking, "returnDate": at}]
        order["version"] += 3
        order["lastModifiedAt"] = max(at, order["lastModifiedAt"])
