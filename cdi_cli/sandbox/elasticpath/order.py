"""An order and what can happen to it. Status, payment and shipping move independently of each other.

Checkout makes it: incomplete, unpaid, unfulfilled. Cancelling gives nothing back; only paid orders are fulfilled; payment
becomes `refunded` once everything went back, and until then a refund shows nowhere but on its transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cdi_cli.sandbox.elasticpath.accounts import Account, Member
from cdi_cli.sandbox.elasticpath.basket import Basket
from cdi_cli.sandbox.elasticpath.payments import Transaction
from cdi_cli.sandbox.elasticpath.people import Address, Customer, uuid_of

GATEWAYS = ("stripe", "adyen", "braintree", "manual", "elastic_path_payments_stripe")


class OrderError(ValueError):
    """The operation is not possible in the order's state; the text says why."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who ordered: a customer, an account by one of its members, or a guest, who has neither."""

    name: str
    email: str
    address: Address
    country: str
    customer: Customer | None = None
    account: Account | None = None
    member: Member | None = None


@dataclass(slots=True)
class Order:
    """The order as it is now; times in milliseconds since 1970."""

    id: str
    created: int
    updated: int
    buyer: Buyer
    basket: Basket
    gateway: str = "stripe"
    order_number: str = ""
    external_ref: str = ""
    is_manual: bool = False
    is_legacy: bool = False
    refund_moves: bool = True
    status: str = "incomplete"
    payment: str = "unpaid"
    shipping: str = "unfulfilled"
    is_anonymised: bool = False
    fully_paid_at: int = 0
    transactions: list[Transaction] = field(default_factory=list)
    flow: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """What is to be paid, with tax."""
        return self.basket.total.with_tax

    @property
    def paid(self) -> int:
        """What came in; refunds do not lessen it."""
        return sum(each.amount for each in self.transactions if each.is_money)

    @property
    def refunded(self) -> int:
        """What went back."""
        return sum(each.refunded for each in self.transactions)

    @property
    def authorised(self) -> int:
        """What is authorised and was not captured."""
        held = sum(each.amount for each in self.transactions if each.kind == "authorize" and each.status == "complete")
        return held - sum(each.amount for each in self.transactions if each.kind == "capture" and each.status == "complete")

    def fail(self, at: int) -> None:
        """An attempt to pay that the gateway declined."""
        self._require(self.payment == "unpaid", "is paid for")
        self._add("purchase", self.total, at, status="failed")
        self.updated = at

    def authorise(self, at: int, percent: int = 100) -> None:
        """Reserve what is left to pay, or a share of the total."""
        self._require(self.status != "cancelled", "is cancelled")
        left = self.total - self.paid - self.authorised
        self._require(left > 0, "is authorised already")
        self._add("authorize", left if percent == 100 else self.total * percent // 100, at)
        self._settle(at)

    def capture(self, at: int) -> None:
        """Take what was authorised."""
        left = self.authorised
        self._require(left > 0, "has nothing authorised")
        self._add("capture", left, at)
        self._settle(at)

    def pay(self, at: int, percent: int = 100) -> None:
        """Pay what is left, or a share of the total."""
        self._require(self.status != "cancelled", "is cancelled")
        left = self.total - self.paid - self.authorised
        self._require(left > 0, "is paid for")
        self._add("purchase", left if percent == 100 else self.total * percent // 100, at)
        self._settle(at)

    def fulfil(self, at: int) -> None:
        """Everything was sent."""
        self._require(self.payment in ("paid", "refunded"), "is not paid for")
        self.shipping, self.updated = "fulfilled", at

    def cancel(self, at: int) -> None:
        """Call it off; what was paid stays where it is."""
        self._require(self.status != "cancelled", "is cancelled already")
        self.status, self.updated = "cancelled", at

    def refund(self, at: int, amount: int | None = None, number: int | None = None, *, is_marked: bool = False) -> None:
        """Give back an amount of a transaction; without an amount all that is left of it, without a number of the first."""
        money = [each for each in self.transactions if each.is_money]
        chosen = next((each for each in money if each.refundable), None) if number is None else money[number]
        self._require(chosen is not None and chosen.refundable > 0, "has nothing left to refund")
        assert chosen is not None
        size = chosen.refundable if amount is None else amount
        self._require(0 < size <= chosen.refundable, "cannot give back more than was paid")
        chosen.refunded += size
        chosen.updated = at
        chosen.is_marked = is_marked
        is_whole = all(each.refundable == 0 for each in money)
        if is_whole:
            self.payment = "refunded"
        if is_whole or self.refund_moves:
            self.updated = at

    def anonymise(self, at: int) -> None:
        """Make personal data unreadable; only of what is over."""
        is_over = self.shipping == "fulfilled" or self.status == "cancelled" or self.payment == "refunded"
        self._require(is_over, "only fulfilled or refunded or cancelled orders may be anonymized")
        self.is_anonymised, self.updated = True, at

    def move(self, at: int, city: str) -> None:
        """Correct the city of the address."""
        self.buyer = replace(self.buyer, address=replace(self.buyer.address, city=city))
        self.updated = at

    def _add(self, kind: str, amount: int, at: int, *, status: str = "complete") -> None:
        number = len(self.transactions)
        identifier = uuid_of(self.id, "transaction", number)
        reference = "manual" if self.gateway == "manual" else f"ch_{identifier[:8]}"
        currency = self.basket.market.currency
        made = Transaction(identifier, kind, self.gateway, amount, currency, at, at, status, reference=reference)
        made.is_legacy = self.is_legacy
        self.transactions.append(made)

    def _settle(self, at: int) -> None:
        """The payment state that follows from what came in and what is reserved."""
        self.updated = at
        if self.paid >= self.total:
            self.payment, self.status, self.fully_paid_at = "paid", "complete", at
        elif self.paid:
            self.payment, self.status = "partially_paid", "processing"
        elif self.authorised >= self.total:
            self.payment, self.status = "authorized", "processing"
        else:
            self.payment, self.status = "partially_authorized", "processing"

    def _require(self, is_possible: bool, problem: str) -> None:
        if not is_possible:
            state = f"order:{self.status}, payment:{self.payment}, shipping:{self.shipping}"
            raise OrderError(f"order {self.id} {problem} (it has status {state})")
