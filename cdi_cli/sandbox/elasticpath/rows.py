"""Rows of orders, kept as the few facts from which an order is made again when it is read, the same each time.

Once something happens to an order it is kept whole. So a store of many orders is small and quick to make.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any

from cdi_cli.sandbox.elasticpath.accounts import Account, Member
from cdi_cli.sandbox.elasticpath.basket import BasketMaker
from cdi_cli.sandbox.elasticpath.money import MARKET_OF, Document
from cdi_cli.sandbox.elasticpath.order import GATEWAYS, Buyer, Order
from cdi_cli.sandbox.elasticpath.people import Customer, consent_of, uuid_of
from cdi_cli.sandbox.elasticpath.render import item_documents, order_document
from cdi_cli.sandbox.elasticpath.story import Step, buyer_of, story_of
from cdi_cli.sandbox.seed.dice import Dice

_KEPT_ORDERS = 1024
_PERSON, _BASKET, _STORY = range(3)
POISON = "12.34"
"""A text where the API documents a number."""


@dataclass(slots=True)
class World:
    """What orders are made of: seed, present, people, members, catalogue; orders before `legacy_until` are old ones."""

    seed: int
    now: int
    people: list[Customer]
    members: list[tuple[Account, Member]]
    baskets: BasketMaker
    legacy_until: int = 0
    refund_moves: bool = True
    _orders: OrderedDict[OrderRow, Order] = field(default_factory=OrderedDict)

    def dice(self, stream: int, number: int) -> Dice:
        """A source of chance for one purpose of one order."""
        return Dice((self.seed * 4 + stream) * 10**9 + number)

    def buyer(self, row: OrderRow) -> Buyer:
        """Who placed an order."""
        return buyer_of(self.dice(_PERSON, row.number), self.people, self.members, row.ordered, row.number)

    def steps(self, row: OrderRow) -> list[Step]:
        """What happened to an order that nobody touched since it was made."""
        if row.kind == "placed":
            return []
        if row.kind == "imported":
            return [Step(row.created, "pay"), Step(row.created, "fulfil")]
        return story_of(self.dice(_STORY, row.number), row.created, self.now)

    def order(self, row: OrderRow) -> Order:
        """The whole order; not to be changed."""
        order = row.order or self._orders.get(row)
        if order is None:
            order = self._orders[row] = self._make(row)
            if len(self._orders) > _KEPT_ORDERS:
                self._orders.popitem(last=False)
        return order

    def _make(self, row: OrderRow) -> Order:
        buyer, dice = self.buyer(row), self.dice(_BASKET, row.number)
        is_legacy = row.created < self.legacy_until
        order = Order(
            id=row.id,
            created=row.created,
            updated=row.created,
            buyer=buyer,
            basket=self.baskets.build(dice, MARKET_OF[buyer.country], is_legacy=is_legacy),
            gateway=dice.pick(GATEWAYS),
            order_number=f"{100_000 + row.number}" if row.has_number else "",
            external_ref=f"e-{10**8 + row.number}" if dice.chance(0.3) else "",
            is_manual=row.kind == "imported",
            is_legacy=is_legacy,
            refund_moves=self.refund_moves,
            flow=_flow(dice),
            attributes=_attributes(dice) if not is_legacy and dice.chance(0.1) else {},
        )
        for step in self.steps(row):
            happen(order, step)
        order.updated = row.updated
        return order


def _flow(dice: Dice) -> dict[str, Any]:
    """Flow fields: consent at checkout, notes, and one whose name is that of something else entirely."""
    flow = consent_of(dice) if dice.chance(0.5) else {}
    if dice.chance(0.2):
        flow |= {"gift_note": dice.pick(("", "Für Zoë ♥", 'Say "hi"', "お誕生日おめでとう")), "total": "n/a"}
    return flow


def _attributes(dice: Dice) -> dict[str, Any]:
    level = dice.pick(("basic", "premium"))
    return {
        "membership_level": {"type": "string", "value": level},
        "is_member": {"type": "boolean", "value": level == "premium"},
    }


def happen(order: Order, step: Step) -> None:
    """Let a step of a story happen to an order."""
    at = step.at
    match step.action:
        case "fail":
            order.fail(at)
        case "authorise":
            order.authorise(at, step.size)
        case "capture":
            order.capture(at)
        case "pay":
            order.pay(at, step.size)
        case "fulfil":
            order.fulfil(at)
        case "cancel":
            order.cancel(at)
        case "anonymise":
            order.anonymise(at)
        case "refund":
            chosen = next(each for each in order.transactions if each.refundable)
            order.refund(at, max(1, min(chosen.refundable, chosen.amount * step.size // 100)))
        case "refund rest" | "mark":
            for _each in [each for each in order.transactions if each.refundable]:
                order.refund(at, is_marked=step.action == "mark")


@dataclass(frozen=True, slots=True, eq=False)
class OrderRow:
    """An order as a row: its facts, or (`order`) the whole of it.

    `kind`: `plain` (with a story of its own), `imported`, `placed` (while the sandbox runs: nothing has happened to it yet).
    `ordered`: the time by which its buyer is chosen.
    """

    world: World
    number: int
    id: str
    created: int
    updated: int
    ordered: int
    kind: str = "plain"
    order: Order | None = None
    is_poisoned: bool = False

    @property
    def has_number(self) -> bool:
        """Whether the store gave it an order number: that is up to the store."""
        return self.number % 5 < 2

    def whole(self) -> Order:
        """The order as it is; not to be changed."""
        return self.world.order(self)

    def field(self, name: str) -> Any:
        """What orders can be filtered and sorted by."""
        if name == "order_number":
            return f"{100_000 + self.number}" if self.has_number else None
        if name in _OF_BUYER:
            buyer = self.order.buyer if self.order else self.world.buyer(self)
            is_hidden = name in ("name", "email") and self._is_anonymised()
            return None if is_hidden else _OF_BUYER[name](buyer)
        order = self.whole()
        match name:
            case "with_tax":
                return order.basket.total.with_tax
            case "without_tax":
                return order.basket.total.without
            case "currency":
                return order.basket.market.currency
            case "external_ref":
                return order.external_ref or None
        return getattr(order, name)

    def _is_anonymised(self) -> bool:
        """Told without making the whole order, as a search through all of them asks it."""
        if self.order is not None:
            return self.order.is_anonymised
        return any(step.action == "anonymise" for step in self.world.steps(self))

    def document(self) -> Document:
        """The order as `/v2/orders` lists it."""
        document = order_document(self.whole())
        if self.is_poisoned:
            document["meta"]["display_price"]["with_tax"]["amount"] = POISON
        return document

    def items(self) -> list[Document]:
        """Its lines as `included.items` shows them."""
        return item_documents(self.whole())

    def transactions(self) -> list[Document]:
        """Its transactions."""
        order = self.whole()
        return [each.document(order.id) for each in order.transactions]

    def now(self, order: Order) -> OrderRow:
        """The row of the order after something happened to it."""
        return replace(self, order=order, updated=order.updated)


_OF_BUYER: dict[str, Any] = {
    "name": lambda buyer: buyer.name,
    "email": lambda buyer: buyer.email,
    "customer_id": lambda buyer: buyer.customer.id if buyer.customer else None,
    "account_id": lambda buyer: buyer.account.id if buyer.account else None,
    "account_member_id": lambda buyer: buyer.member.id if buyer.member else None,
}


def new_row(world: World, number: int, created: int, *, ordered: int, kind: str = "plain") -> OrderRow:
    """The row of an order that is made now."""
    return OrderRow(world, number, uuid_of(world.seed, "order", number), created, created, ordered, kind)
