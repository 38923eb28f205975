"""Who bought something, and what happened to the order since: decided by chance, the same each time for the same order.

Shares follow real stores: a quarter are guests, an eighth accounts, 4 % are never paid, 9 % of what was paid is refunded, in
one or several parts, or marked as refunded.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from cdi_cli.sandbox.elasticpath.accounts import Account, Member
from cdi_cli.sandbox.elasticpath.money import MARKET_OF, MARKETS
from cdi_cli.sandbox.elasticpath.order import Buyer
from cdi_cli.sandbox.elasticpath.people import Customer, address_of, name_of, whole_name
from cdi_cli.sandbox.elasticpath.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from cdi_cli.sandbox.seed.customers import email_of
from cdi_cli.sandbox.seed.dice import Dice

GUEST_SHARE, ACCOUNT_SHARE = 0.26, 0.12
ANONYMISED_SHARE, ANONYMISED_AFTER_DAYS = 0.008, 200
QUIET = frozenset({"refund"})
"""What moves `updated_at` only where the store is set up so."""


class Step(NamedTuple):
    """Something that happens to an order at a time; `size` is a share in per cent."""

    at: int
    action: str
    size: int = 100


def buyer_of(dice: Dice, people: list[Customer], members: list[tuple[Account, Member]], created: int, number: int) -> Buyer:
    """Who placed an order at a time; `people` and `members` by the time from which on they could."""
    fate = dice.random()
    if fate < ACCOUNT_SHARE:
        known = bisect_right(members, created, key=lambda pair: max(pair[0].created, pair[1].created))
        if known:
            account, member = members[dice.below(known)]
            market = MARKET_OF[account.country]
            first, _, last = member.name.partition(" ")
            address = address_of(dice, market, first, last)
            return Buyer(member.name, member.email, address, market.country, account=account, member=member)
    elif fate >= ACCOUNT_SHARE + GUEST_SHARE:
        known = bisect_right(people, created, key=lambda person: person.created)
        if known:
            person = people[int(known * dice.random() ** 0.7)]
            first, _, last = person.name.partition(" ")
            address = person.address or address_of(dice, person.market, first, last)
            return Buyer(person.name, person.email, address, person.country, customer=person)
    market = dice.weighted(MARKETS)
    first, last = name_of(dice, market)
    email = email_of(dice, first, last, 10**6 + number)
    return Buyer(whole_name(first, last), email, address_of(dice, market, first, last), market.country)


def story_of(dice: Dice, created: int, now: int) -> list[Step]:
    """What happened to an order up to now, in whole seconds."""
    steps = _story(dice, created)
    return [step._replace(at=step.at - step.at % SECOND_MS) for step in steps if step.at <= now]


def _story(dice: Dice, created: int) -> list[Step]:
    fate = dice.random()
    soon = created + dice.between(MINUTE_MS, 3 * HOUR_MS)
    if fate < 0.04:
        return []
    if fate < 0.05:
        return [Step(soon, "cancel")]
    if fate < 0.07:
        return [Step(soon, "authorise")]
    if fate < 0.08:
        return [Step(soon, "pay", 40)]
    if fate < 0.085:
        return [Step(soon, "authorise", 40)]
    steps = _payment(dice, soon)
    at = steps[-1].at
    if fate < 0.105:
        steps.append(Step(at + dice.between(HOUR_MS, DAY_MS), "cancel"))
        if dice.chance(0.5):
            steps.append(Step(steps[-1].at + dice.between(HOUR_MS, 3 * DAY_MS), "refund rest"))
        return steps
    if dice.chance(0.88):
        steps.append(Step(at + dice.between(6 * HOUR_MS, 4 * DAY_MS), "fulfil"))
    if dice.chance(0.09):
        steps += _refunds(dice, steps[-1].at)
    if steps[-1].action in ("fulfil", "refund rest") and dice.chance(ANONYMISED_SHARE):
        steps.append(Step(steps[-1].at + ANONYMISED_AFTER_DAYS * DAY_MS, "anonymise"))
    return steps


def _payment(dice: Dice, at: int) -> list[Step]:
    way = dice.random()
    if way < 0.15:
        return [Step(at, "authorise"), Step(at + dice.between(HOUR_MS, 2 * DAY_MS), "capture")]
    if way < 0.21:
        return [Step(at, "pay", 40), Step(at + dice.between(MINUTE_MS, DAY_MS), "pay")]
    if way < 0.24:
        return [Step(at, "fail"), Step(at + 5 * MINUTE_MS, "pay")]
    return [Step(at, "pay")]


def _refunds(dice: Dice, at: int) -> list[Step]:
    way, first = dice.random(), at + dice.between(HOUR_MS, 20 * DAY_MS)
    if way < 0.25:
        return [Step(first, "refund rest")]
    if way < 0.45:
        return [Step(first, "mark")]
    if way < 0.75:
        return [Step(first, "refund", dice.between(10, 70))]
    second = first + dice.between(MINUTE_MS, 9 * DAY_MS)
    parts = [Step(first, "refund", 20), Step(second, "refund", 30)]
    return parts if dice.chance(0.6) else [*parts, Step(second + DAY_MS, "refund rest")]


def last_change(created: int, steps: list[Step], *, refund_moves: bool) -> int:
    """When `updated_at` was moved last."""
    return max([created, *(step.at for step in steps if refund_moves or step.action not in QUIET)])
