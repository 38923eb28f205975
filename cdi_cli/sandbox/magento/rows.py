"""Rows of the tables that are made of orders: orders themselves, their papers, carts.

An order that nobody touched is kept as the few facts from which it is made again when it is read (the same each time); once
something happens to it, it is kept whole. So a shop of many orders is small and quick to make.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from cdi_cli.sandbox.magento.basket import ITEMS_PER_ORDER, BasketMaker, shipping_of
from cdi_cli.sandbox.magento.customers import Customer
from cdi_cli.sandbox.magento.render_order import order_document
from cdi_cli.sandbox.magento.render_papers import invoice_document, memo_document, shipment_document
from cdi_cli.sandbox.magento.sale import Line, Sale
from cdi_cli.sandbox.magento.story import Buyer, Step, buyer_of, story_of
from cdi_cli.sandbox.magento.table import Document, Row, Scope
from cdi_cli.sandbox.magento.times import seconds_of, text_of
from cdi_cli.sandbox.seed.dice import Dice

_KEPT_SALES = 1024
_PERSON, _BASKET, _STORY = range(3)


@dataclass(slots=True)
class World:
    """What rows are made of: seed, present, people, catalogue; `orders` are the visible rows of orders.

    `deleted`: the ids of people whose account is gone; their orders stay, without the id.
    """

    seed: int
    now: int
    people: list[Customer]
    baskets: BasketMaker
    orders: dict[int, Row]
    deleted: set[int] = field(default_factory=set)
    _sales: OrderedDict[OrderRow, Sale] = field(default_factory=OrderedDict)

    def dice(self, stream: int, number: int) -> Dice:
        """A source of chance for one purpose of one record."""
        return Dice((self.seed * 4 + stream) * 10**9 + number)

    def buyer(self, row: OrderRow) -> Buyer:
        """Who an order belongs to; a replacement belongs to whom the replaced one did."""
        first = row.origin or row.id
        return buyer_of(self.dice(_PERSON, first), self.people, row.ordered, first)

    def steps(self, row: OrderRow, buyer: Buyer) -> list[Step]:
        """What happened to an order that nobody touched since it was made."""
        if row.kind == "placed":
            return []
        if row.kind == "edited":
            return [Step(row.turn, "cancel")]
        if row.kind == "imported":
            return [Step(row.turn, "invoice"), *([] if buyer.is_virtual else [Step(row.turn, "ship")])]
        steps = story_of(self.dice(_STORY, row.id), seconds_of(row.created), self.now, is_virtual=buyer.is_virtual)
        if any(step.action == "ship part" or step.detail == "rest" for step in steps):
            return _possible(steps, self.lines(row, buyer))
        return steps

    def lines(self, row: OrderRow, buyer: Buyer) -> list[Line]:
        """What was ordered, before anything happened to it."""
        dice, first = self.dice(_BASKET, row.id), row.id * ITEMS_PER_ORDER
        percent, is_virtual = buyer.percent, buyer.is_virtual
        return self.baskets.lines(dice, buyer.view, row.created, first, percent=percent, is_virtual=is_virtual)

    def sale(self, row: OrderRow) -> Sale:
        """The whole order; not to be changed."""
        sale = row.sale or self._sales.get(row)
        if sale is None:
            sale = self._sales[row] = self._make(row)
            if len(self._sales) > _KEPT_SALES:
                self._sales.popitem(last=False)
        if sale.customer is not None and sale.customer.id in self.deleted:
            sale.customer, sale.is_customer_deleted = None, True
        return sale

    def _make(self, row: OrderRow) -> Sale:
        buyer = self.buyer(row)
        lines = self.lines(row, buyer)
        sale = Sale(
            id=row.id,
            increment_id=row.increment_id,
            view=buyer.view,
            created=row.created,
            updated=row.created,
            email=buyer.email,
            firstname=buyer.firstname,
            lastname=buyer.lastname,
            customer=buyer.customer,
            billing=buyer.address,
            shipping=None if buyer.is_virtual else buyer.address,
            lines=lines,
            shipping_amount=shipping_of(lines, buyer.view),
            method=buyer.method,
            coupon=buyer.coupon,
            percent=buyer.percent,
            quote_id=row.id * 2,
            relations=row.relations,
        )
        _tell(sale, self.steps(row, buyer), row)
        return sale


def _possible(steps: list[Step], lines: list[Line]) -> list[Step]:
    """The steps without those for which an order holds too few pieces: what is one piece is not sent or refunded in two."""
    top = [line for line in lines if line.parent is None]
    if sum(line.quantity for line in top if line.kind != "virtual") < 2:
        steps = [step for step in steps if step.action != "ship part"]
    if sum(line.quantity for line in top) < 2:
        steps = [step for step in steps if step.detail != "rest"]
    return steps


def _tell(sale: Sale, steps: list[Step], row: OrderRow) -> None:
    """Let happen to an order what its story says; its papers have the ids that the row holds, in the order of time."""
    invoices, shipments, memos = iter(row.invoice_ids), iter(row.shipment_ids), iter(row.memo_ids)
    for step in steps:
        at = text_of(step.at)
        match step.action:
            case "await" | "review":
                sale.state = "pending_payment" if step.action == "await" else "payment_review"
            case "invoice":
                sale.invoice(at, next(invoices))
            case "ship" | "ship rest":
                sale.ship(at, next(shipments), number=step.detail)
            case "ship part":
                sale.ship(at, next(shipments), is_partial=True, number=step.detail)
            case "refund":
                _refund(sale, at, next(memos), step.detail)
            case "cancel":
                sale.cancel(at)
            case "hold":
                sale.hold(at)
            case "comment":
                sale.comment(at, step.detail)
    sale.updated = row.updated


def _refund(sale: Sale, at: str, identifier: int, kind: str) -> None:
    """Give back everything, all goods without the shipping, one piece with or without an adjustment, or what is left."""
    top = [line for line in sale.lines if line.parent is None]
    if kind == "piece":
        count = max(top[0].quantity // 2, 1)
        positive = 250 if sale.shipping_amount.base > 250 and identifier % 2 else 0
        sale.refund(at, identifier, {top[0].item_id: count}, with_shipping=False, positive=positive, comment="damaged")
        return
    left = {line.item_id: line.quantity - line.refunded for line in top if line.refunded < line.quantity}
    gives_shipping = kind != "items" and not any(memo.positive.base for memo in sale.memos)
    negative = 100 if kind == "rest" and sale.shipping_amount.base > 250 and gives_shipping else 0
    sale.refund(at, identifier, left, with_shipping=gives_shipping, negative=negative)


@dataclass(frozen=True, slots=True, eq=False)
class OrderRow:
    """An order as a row: its facts, or (`sale`) the whole of it.

    `kind`: `plain` (with a story of its own), `edited`, `replacement`, `imported`, `placed` (while the sandbox runs: nothing
    has happened to it yet). `turn`: when it was edited or imported.

    `origin`: the first order of its chain, for one that replaced another. `ordered`: when that was placed.
    """

    world: World
    id: int
    increment_id: str
    created: str
    updated: str
    ordered: int
    kind: str = "plain"
    origin: int = 0
    turn: int = 0
    relations: dict[str, Any] = field(default_factory=dict)
    invoice_ids: tuple[int, ...] = ()
    shipment_ids: tuple[int, ...] = ()
    memo_ids: tuple[int, ...] = ()
    sale: Sale | None = None
    is_poisoned: bool = False
    changes: dict[str, Any] = field(default_factory=dict)
    """Fields that are served otherwise than they would be, to break a record on purpose."""

    @property
    def owner(self) -> int:
        """Orders are not looked up by another record."""
        return 0

    def whole(self) -> Sale:
        """The order as it is; not to be changed."""
        return self.world.sale(self)

    def column(self, name: str) -> Any:
        """The value of a column."""
        return self.increment_id if name == "increment_id" else self.document(Scope()).get(name)

    def document(self, _scope: Scope) -> Document:
        """The order as `/V1/orders` lists it."""
        return {**order_document(self.whole()), **self.changes}

    def now(self, sale: Sale) -> OrderRow:
        """The row of the order after something happened to it."""
        return replace(self, sale=sale, updated=sale.updated, created=sale.created)


def link(first: OrderRow, second: OrderRow) -> None:
    """Write down on both orders of an edited pair which the other one is, as Magento does."""
    first.relations.update({"relation_child_id": str(second.id), "relation_child_real_id": second.increment_id})
    original = first.relations.get("original_increment_id", first.increment_id)
    second.relations.update(
        {
            "original_increment_id": original,
            "relation_parent_id": str(first.id),
            "relation_parent_real_id": first.increment_id,
            "edit_increment": int(second.increment_id.rpartition("-")[2]),
        }
    )


_PAPERS = {"creditmemos": memo_document, "invoices": invoice_document, "shipments": shipment_document}
_LISTS = {"creditmemos": "memos", "invoices": "invoices", "shipments": "shipments"}


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A credit memo, invoice or shipment; `owner` is the order's id."""

    world: World
    kind: str
    id: int
    owner: int
    created: str
    updated: str

    def column(self, name: str) -> Any:
        """The value of a column."""
        return self.owner if name == "order_id" else self.document(Scope()).get(name)

    def document(self, _scope: Scope) -> Document:
        """The paper as its endpoint lists it."""
        order = self.world.orders[self.owner]
        assert isinstance(order, OrderRow)
        sale = order.whole()
        papers: list[Any] = getattr(sale, _LISTS[self.kind])
        paper = next(each for each in papers if each.id == self.id)
        render: Any = _PAPERS[self.kind]
        document: Document = render(sale, paper)
        return document
