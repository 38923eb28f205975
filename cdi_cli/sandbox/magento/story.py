"""Who bought something, and what happened to the order since: decided by chance, the same each time for the same order.

Shares follow real shops: a quarter are guests, 4 % are cancelled, 2 % were never paid, 8 % of what was paid is refunded in
one or several credit memos.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

from cdi_cli.sandbox.magento.customers import Address, Customer, address_of, name_of
from cdi_cli.sandbox.magento.sale import BUMPING
from cdi_cli.sandbox.magento.stores import BY_ID, SHARES, StoreView
from cdi_cli.sandbox.magento.times import DAY_SECONDS, text_of
from cdi_cli.sandbox.seed.customers import email_of
from cdi_cli.sandbox.seed.dice import Dice

GUEST_SHARE = 0.25
VIRTUAL_SHARE = 0.05
COUPONS = (("WELCOME10", 10), ("H20", 20), ("SOMMER25", 25))
_REFUNDS = (("whole", 0.35), ("piece", 0.35), ("pieces", 0.18), ("items", 0.12))


class Step(NamedTuple):
    """Something that happens to an order at a time (seconds since 1970)."""

    at: int
    action: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who an order belongs to and what they ordered it with."""

    view: StoreView
    customer: Customer | None
    email: str
    firstname: str
    lastname: str
    address: Address
    is_virtual: bool
    percent: int
    coupon: str
    method: str


def buyer_of(dice: Dice, people: list[Customer], created: int, number: int) -> Buyer:
    """The buyer of an order that was placed at a time; `people` by the time of their registration."""
    person = _member(dice, people, created) if not dice.chance(GUEST_SHARE) else None
    view = BY_ID[person.store_id] if person else dice.weighted(SHARES)
    first, last = (person.firstname, person.lastname) if person else name_of(dice, view)
    email = person.email if person else email_of(dice, first, last, 10**6 + number)
    address = person.address if person and person.address else address_of(dice, view.country, first, last)
    coupon, percent = dice.pick(COUPONS) if dice.chance(0.12) else ("", 0)
    return Buyer(
        view=view,
        customer=person,
        email=email,
        firstname=first,
        lastname=last,
        address=address,
        is_virtual=dice.chance(VIRTUAL_SHARE),
        percent=percent,
        coupon=coupon,
        method="checkmo" if dice.chance(0.4) else "braintree",
    )


def _member(dice: Dice, people: list[Customer], created: int) -> Customer | None:
    known = bisect_right(people, text_of(created), key=lambda person: person.created)
    return people[int(known * dice.random() ** 0.7)] if known else None


def story_of(dice: Dice, created: int, now: int, *, is_virtual: bool) -> list[Step]:
    """What happened to an ordinary order up to now."""
    fate = dice.random()
    if fate < 0.02:
        return [Step(created, "await")]
    if fate < 0.023:
        return [Step(created, "review")]
    if fate < 0.063:
        return [Step(min(now, created + dice.below(3 * DAY_SECONDS)), "cancel")]
    if fate < 0.073 or now - created < dice.below(2 * DAY_SECONDS):
        held = [Step(min(now, created + 600), "hold")] if fate < 0.07 else []
        return held if now - created > DAY_SECONDS else []
    steps = [Step(min(now, created + dice.below(DAY_SECONDS)), "invoice")]
    if dice.chance(0.1):
        steps.append(Step(steps[0].at + 60, "comment", "called customer"))
    if not is_virtual and now - created > 2 * DAY_SECONDS and not dice.chance(0.03):
        steps += _shipments(dice, steps[0].at, now)
    if dice.chance(0.08):
        steps += _refunds(dice, steps[-1].at, now)
    return [step for step in steps if step.at <= now]


def _shipments(dice: Dice, at: int, now: int) -> list[Step]:
    number = f"1Z{dice.between(10**6, 10**7)}" if dice.chance(0.9) else ""
    first = min(now, at + 3600 + dice.below(3 * DAY_SECONDS))
    if not dice.chance(0.06):
        return [Step(first, "ship", number)]
    return [Step(first, "ship part", number), Step(min(now, first + dice.below(4 * DAY_SECONDS)), "ship rest", number)]


def _refunds(dice: Dice, at: int, now: int) -> list[Step]:
    kind = dice.weighted(_REFUNDS)
    first = min(now, at + dice.between(3600, 20 * DAY_SECONDS))
    if kind != "pieces":
        return [Step(first, "refund", kind)]
    return [Step(first, "refund", "piece"), Step(min(now, first + dice.between(60, 9 * DAY_SECONDS)), "refund", "rest")]


def last_change(created: int, steps: list[Step]) -> int:
    """When `updated_at` was bumped last."""
    return max([created, *(step.at for step in steps if step.action.split()[0] in BUMPING)])
