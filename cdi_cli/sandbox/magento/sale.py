"""An order as the tables hold it, and what happens to it: invoice, shipment, credit memo, cancel, hold, comment.

Every operation takes the time at which it happens. Those that bump the order's `updated_at` are listed in `BUMPING`; a
comment, an edited address and a tracking number leave it alone. Money of a line is never changed after the order was
placed; shares of it (a part of the quantity is refunded) are cut so that they add up to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cdi_cli.sandbox.magento.customers import Address, Customer
from cdi_cli.sandbox.magento.money import ZERO, Both, total
from cdi_cli.sandbox.magento.products import Product
from cdi_cli.sandbox.magento.stores import StoreView

BUMPING = frozenset({"invoice", "ship", "refund", "cancel", "hold", "unhold", "touch"})
STATES = frozenset({
    "new", "pending_payment", "payment_review", "processing", "complete", "closed", "canceled", "holded",
})  # fmt: skip
_OPEN = frozenset({"new", "pending_payment", "payment_review", "processing"})
_STATUS = {"new": "pending"}


class SaleError(ValueError):
    """The operation is not possible in the order's state; the text says why."""


@dataclass(slots=True)
class Line:
    """One line: a parent's `children` follow it. Counts are pieces, `discount` is positive, both for the whole quantity."""

    item_id: int
    product: Product
    kind: str
    sku: str
    name: str
    quantity: int
    price: Both = ZERO
    original: Both = ZERO
    discount: Both = ZERO
    tax: Both = ZERO
    parent: Line | None = None
    invoiced: int = 0
    shipped: int = 0
    refunded: int = 0
    canceled: int = 0

    @property
    def row(self) -> Both:
        """Price times quantity, before any discount."""
        return self.price.times(self.quantity)

    @property
    def is_taxed(self) -> bool:
        """Whether money stands on this very line: not on a bundle's parent, not on a variant below its parent."""
        return self.kind != "bundle" and (self.parent is None or self.parent.kind == "bundle")

    def share(self, whole: Both, before: int, after: int) -> Both:
        """The part of an amount that the pieces from number `before` up to `after` bear; all parts add up to it."""
        return whole.part(after, self.quantity).minus(whole.part(before, self.quantity))


@dataclass(slots=True)
class MemoLine:
    """A refunded line: pieces `before` up to `after` of it."""

    line: Line
    before: int
    after: int

    @property
    def quantity(self) -> int:
        """How many pieces."""
        return self.after - self.before


@dataclass(slots=True)
class Memo:
    """A credit memo."""

    id: int
    created: str
    lines: list[MemoLine]
    shipping: Both = ZERO
    positive: Both = ZERO
    negative: Both = ZERO
    comment: str = ""

    def amount(self, name: str) -> Both:
        """`tax` or `discount` of its lines."""
        return total([m.line.share(getattr(m.line, name), m.before, m.after) for m in self.lines if m.line.is_taxed])

    @property
    def subtotal(self) -> Both:
        """Of the lines without a parent, before discounts."""
        return total([m.line.price.times(m.quantity) for m in self.lines if m.line.parent is None])

    @property
    def grand_total(self) -> Both:
        """What the customer gets back."""
        gross = self.subtotal.plus(self.amount("tax")).minus(self.amount("discount")).plus(self.shipping)
        return gross.plus(self.positive).minus(self.negative)


@dataclass(slots=True)
class Shipment:
    """What was sent at once, by line."""

    id: int
    created: str
    quantities: list[tuple[Line, int]]
    tracks: list[tuple[str, str, str]] = field(default_factory=list)
    """(time, carrier title, number)"""


@dataclass(slots=True)
class Invoice:
    """What was invoiced: always the whole order."""

    id: int
    created: str


@dataclass(slots=True)
class Comment:
    """An entry of the status history."""

    text: str
    created: str
    status: str
    entity: str = ""


@dataclass(slots=True)
class Sale:
    """An order and everything that hangs on it."""

    id: int
    increment_id: str
    view: StoreView
    created: str
    updated: str
    email: str
    firstname: str
    lastname: str
    customer: Customer | None
    billing: Address
    shipping: Address | None
    lines: list[Line]
    shipping_amount: Both
    method: str = "checkmo"
    coupon: str = ""
    percent: int = 0
    quote_id: int = 0
    is_customer_deleted: bool = False
    state: str = "new"
    held_state: str = ""
    relations: dict[str, Any] = field(default_factory=dict)
    invoices: list[Invoice] = field(default_factory=list)
    shipments: list[Shipment] = field(default_factory=list)
    memos: list[Memo] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)

    @property
    def is_virtual(self) -> bool:
        """Nothing of it is shipped."""
        return self.shipping is None

    @property
    def status(self) -> str:
        """The status that the state stands for in a shop that made none of its own."""
        return _STATUS.get(self.state, self.state)

    @property
    def subtotal(self) -> Both:
        """Rows of the lines without a parent."""
        return total([line.row for line in self.lines if line.parent is None])

    @property
    def tax(self) -> Both:
        """Of all lines that bear it themselves."""
        return total([line.tax for line in self.lines if line.is_taxed])

    @property
    def discount(self) -> Both:
        """Of all lines; positive."""
        return total([line.discount for line in self.lines])

    @property
    def grand_total(self) -> Both:
        """What is to be paid."""
        return self.subtotal.plus(self.tax).plus(self.shipping_amount).minus(self.discount)

    @property
    def refunded(self) -> Both:
        """What went back in all credit memos."""
        return total([memo.grand_total for memo in self.memos])

    def line(self, item_id: int) -> Line:
        """A line by its id; raises SaleError."""
        found = next((line for line in self.lines if line.item_id == item_id), None)
        if found is None:
            raise SaleError(f"order {self.id} has no line {item_id}")
        return found

    def invoice(self, at: str, identifier: int) -> None:
        """Invoice and pay the whole order."""
        self._require(not self.invoices and self.state in _OPEN, "cannot be invoiced")
        self.invoices.append(Invoice(identifier, at))
        for line in self.lines:
            line.invoiced = line.quantity
        self._settle(at)

    def ship(self, at: str, identifier: int, *, is_partial: bool = False, number: str = "") -> None:
        """Ship what was not yet, or only the first of it, with a tracking number if there is one."""
        self._require(not self.is_virtual and self.state == "processing", "cannot be shipped")
        left = [(line, line.quantity - line.shipped - line.refunded) for line in self.lines if line.parent is None]
        left = [(line, pieces) for line, pieces in left if pieces > 0 and line.kind != "virtual"]
        self._require(bool(left), "has nothing left to ship")
        sent = [(left[0][0], 1)] if is_partial else left
        for line, pieces in sent:
            line.shipped += pieces
        tracks = [(at, "UPS", number)] if number else []
        self.shipments.append(Shipment(identifier, at, sent, tracks))
        self._settle(at)

    def refund(
        self,
        at: str,
        identifier: int,
        pieces: dict[int, int] | None = None,
        *,
        with_shipping: bool = True,
        positive: int = 0,
        negative: int = 0,
        comment: str = "",
    ) -> Memo:
        """Give back pieces of lines without a parent (None: all that is left), the shipping, and adjustments in cents."""
        self._require(bool(self.invoices), "was never paid")
        wanted = pieces if pieces is not None else {
            line.item_id: line.quantity - line.refunded for line in self.lines if line.parent is None
        }  # fmt: skip
        shipped_back = any(memo.shipping.base for memo in self.memos)
        memo = Memo(identifier, at, [], comment=comment)
        memo.shipping = self.shipping_amount if with_shipping and not shipped_back else ZERO
        memo.positive, memo.negative = (Both(self._shown(cents), cents) for cents in (positive, negative))
        for line in self.lines:
            count = wanted.get((line.parent or line).item_id, 0)
            if line.parent is not None:
                count = count * line.quantity // line.parent.quantity
            if not 0 <= count <= line.quantity - line.refunded:
                raise SaleError(f"line {line.item_id} has no {count} pieces left to refund")
            if count:
                memo.lines.append(MemoLine(line, line.refunded, line.refunded + count))
        back = self.refunded.plus(memo.grand_total)
        self._require(memo.grand_total.base > 0, "has nothing left to refund")
        self._require(back.base <= self.grand_total.base, "cannot give back more than was paid")
        for each in memo.lines:
            each.line.refunded = each.after
        self.memos.append(memo)
        text = f"We refunded ${memo.grand_total.base / 100:.2f} offline."
        self._settle(at)
        self.comments.append(Comment(text, at, self.status, "creditmemo"))
        return memo

    def cancel(self, at: str) -> None:
        """Cancel an order that was not invoiced."""
        self._require(not self.invoices and self.state in _OPEN, "cannot be cancelled")
        for line in self.lines:
            line.canceled = line.quantity
        self.state, self.updated = "canceled", at

    def hold(self, at: str) -> None:
        """Put aside."""
        self._require(self.state in _OPEN, "cannot be held")
        self.held_state, self.state, self.updated = self.state, "holded", at

    def unhold(self, at: str) -> None:
        """Take up again."""
        self._require(self.state == "holded", "is not held")
        self.state, self.held_state, self.updated = self.held_state, "", at

    def comment(self, at: str, text: str) -> None:
        """Note something; `updated_at` stays as it is."""
        self.comments.append(Comment(text, at, self.status))

    def _settle(self, at: str) -> None:
        """The state that follows from what was invoiced, shipped and refunded."""
        self.updated = at
        if self.refunded.base >= self.grand_total.base:
            self.state = "closed"
            return
        kept = [line for line in self.lines if line.parent is None and line.kind != "virtual"]
        is_done = all(line.shipped + line.refunded >= line.quantity for line in kept)
        self.state = "complete" if self.invoices and is_done else "processing"

    def _shown(self, base_cents: int) -> int:
        return Both(base_cents, base_cents).part(self.view.rate, 100).shown

    def _require(self, is_possible: bool, problem: str) -> None:
        if not is_possible:
            raise SaleError(f"order {self.id} {problem} (state {self.state})")
