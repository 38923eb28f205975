"""Lifecycle: what has happened to an entity, told from its present state.

`KINDS` is the list of everything that can happen; a tracking-plan event names one of them as its `trigger`. Each
`Occurrence` carries business time (when the order was placed, the refund made), never "now".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from cdi_cli.clock import Instant
from cdi_cli.commerce import Cart, Customer, Entity, Group, Order, Product, Refund, Shipment
from cdi_cli.events.groups import GroupKind, groups_of


@dataclass(frozen=True, slots=True)
class Kind:
    """One thing that can happen: which entities its mapping may name, and how often it happens.

    `repeats`: "once" per entity; "each" once per part of it (a refund, a shipment), whose id is the discriminator;
    "content" again whenever the mapped content changes, the content hash is then the discriminator. `has_whole`: one without
    a discriminator speaks for the whole entity, and parts that become known later say nothing new. `told_by`: families of
    records that it comes of, where that is not its own.
    """

    name: str
    subjects: dict[str, type]
    repeats: Literal["once", "each", "content"]
    description: str
    has_whole: bool = False
    told_by: frozenset[str] = frozenset()

    @property
    def origins(self) -> frozenset[str]:
        """The families of records that this comes of."""
        return self.told_by or frozenset({self.family})

    @property
    def family(self) -> str:
        """The entity that this happens to: the part of the name before the dot."""
        return self.name.partition(".")[0]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("customer.created", {"customer": Customer}, "once", "A customer account was created"),
        Kind("customer.profile", {"customer": Customer}, "content", "A customer's profile has this content now"),
        Kind("cart.checkout_started", {"cart": Cart}, "once", "A cart reached checkout"),
        Kind("order.completed", {"order": Order}, "once", "An order was placed (or paid, or fulfilled: a setting)"),
        Kind("order.updated", {"order": Order}, "content", "A completed order changed its content"),
        Kind("order.cancelled", {"order": Order}, "once", "An order was cancelled"),
        Kind("order.refunded", {"order": Order, "refund": Refund}, "each", "Money of an order went back"),
        Kind("order.fulfilled", {"order": Order, "shipment": Shipment}, "each", "Goods of an order were shipped", True),
        Kind(
            "group.member",
            {"group": Group},
            "content",
            "Somebody orders for a business unit (or belongs to a store, a company: a setting)",
            told_by=frozenset({"order", "customer"}),
        ),
        Kind("product.snapshot", {"product": Product}, "content", "A product of the catalogue has this content now"),
    )
}


CHECKOUT_STARTED = "cart.checkout_started"
_SHARED = tuple(name for name in Cart.__struct_fields__ if name in Order.__struct_fields__ and name != "id")
"""What an order tells of the cart that it was."""


class LifecycleSettings(msgspec.Struct, frozen=True):
    """Which state of an order counts as Order Completed, which kinds are off altogether, and which groups are told of.

    `checkout_started`: whether a cart tells it, or an order that was created or whose payment was authorized.
    """

    order_completed: Literal["placed", "paid", "fulfilled"] = "placed"
    off: tuple[str, ...] = ()
    groups: tuple[GroupKind, ...] = ("business_unit",)
    checkout_started: Literal["cart", "created", "authorized"] = "cart"


class Occurrence(msgspec.Struct, frozen=True, gc=False):
    """Something that happened to an entity; `subjects` are the values that the mapping may read, by name.

    `reached_at`: when the state that makes this happen was reached, where that is later than its business time `at` and is
    known (an order is completed as of the day it was placed, though it was paid a week later). `is_dated`: the platform
    keeps the time; without it `at` is when the record last changed, which says nothing about when this happened.
    `told_by`: the family of the record that told it, where that is not the kind's own.
    """

    kind: str
    at: Instant
    entity: Entity
    subjects: dict[str, Any]
    discriminator: str = ""
    reached_at: Instant | None = None
    is_dated: bool = True
    told_by: str | None = None

    @property
    def is_cumulative(self) -> bool:
        """Whether this is a refund that says all that went back so far, of which some may have been told before."""
        refund = self.subjects.get("refund")
        return isinstance(refund, Refund) and refund.so_far is not None


def origins_of(kind: Kind, settings: LifecycleSettings) -> frozenset[str]:
    """The families of records that a kind comes of under these settings."""
    if kind.name == CHECKOUT_STARTED and settings.checkout_started != "cart":
        return frozenset({"order"})
    return kind.origins


def occurrences(entity: Entity, settings: LifecycleSettings) -> list[Occurrence]:
    """Everything that has happened to an entity, oldest first, as far as its present state tells."""
    if isinstance(entity, Order):
        found = _of_order(entity, settings)
    elif isinstance(entity, Customer):
        found = _of_customer(entity, settings)
    elif isinstance(entity, Cart):
        found = _of_cart(entity) if settings.checkout_started == "cart" else iter(())
    else:
        found = iter((Occurrence("product.snapshot", entity.updated_at, entity, {"product": entity}),))
    return [occurrence for occurrence in found if occurrence.kind not in settings.off]


def updated(order: Order) -> Occurrence:
    """A completed order that no longer has the content with which it was delivered."""
    return Occurrence("order.updated", order.updated_at, order, {"order": order})


def _of_order(order: Order, settings: LifecycleSettings) -> Iterator[Occurrence]:
    subjects: dict[str, Any] = {"order": order}
    if settings.checkout_started == "created" or (settings.checkout_started == "authorized" and order.is_authorized):
        cart = _checkout_of(order)
        yield Occurrence(CHECKOUT_STARTED, order.placed_at, cart, {"cart": cart}, told_by="order")
    if _is_completed(order, settings):
        reached_at = order.paid_at if settings.order_completed == "paid" else None
        yield Occurrence("order.completed", order.placed_at, order, subjects, reached_at=reached_at)
    for shipment in order.shipments:
        of_shipment = {"order": order, "shipment": shipment}
        is_dated = shipment.id is not None  # a whole order is only known by its state
        yield Occurrence("order.fulfilled", shipment.at, order, of_shipment, shipment.id or "", is_dated=is_dated)
    for refund in order.refunds:
        yield Occurrence("order.refunded", refund.at, order, {"order": order, "refund": refund}, refund.id)
    if order.is_cancelled:
        cancelled_at = order.cancelled_at
        is_dated = cancelled_at is not None
        yield Occurrence("order.cancelled", cancelled_at or order.updated_at, order, subjects, is_dated=is_dated)
    for group in groups_of(order, settings.groups):
        yield Occurrence("group.member", order.placed_at, order, {"group": group}, group.id)


def _is_completed(order: Order, settings: LifecycleSettings) -> bool:
    if settings.order_completed == "paid":
        return order.is_paid
    if settings.order_completed == "fulfilled":
        return order.is_fulfilled
    return order.is_authorized is not False


def _checkout_of(order: Order) -> Cart:
    """The cart that an order was, as the order tells it: its id is what the order names as its checkout."""
    shared = {name: getattr(order, name) for name in _SHARED}
    return Cart(id=order.checkout_id or order.id, is_checkout=True, **shared)


def _of_customer(customer: Customer, settings: LifecycleSettings) -> Iterator[Occurrence]:
    subjects = {"customer": customer}
    yield Occurrence("customer.profile", customer.updated_at, customer, subjects)
    yield Occurrence("customer.created", customer.created_at, customer, subjects)
    for group in groups_of(customer, settings.groups):
        yield Occurrence("group.member", customer.updated_at, customer, {"group": group}, group.id)


def _of_cart(cart: Cart) -> Iterator[Occurrence]:
    if cart.is_checkout and cart.lines:
        yield Occurrence(CHECKOUT_STARTED, cart.created_at, cart, {"cart": cart})
