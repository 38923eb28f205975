"""Fills a store: how many of everything, spread over two years up to `now`, some of it crowded into single seconds.

One crowd of orders was imported at one time; another shares its last change, as a bulk edit leaves it. In a large store both
are larger than a page.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cdi_cli.clock import to_datetime
from cdi_cli.sandbox.elasticpath.accounts import Account, Member, build_account, build_member
from cdi_cli.sandbox.elasticpath.basket import BasketMaker
from cdi_cli.sandbox.elasticpath.catalogue import build_catalogue
from cdi_cli.sandbox.elasticpath.people import STARS, Customer, build_customer
from cdi_cli.sandbox.elasticpath.rows import OrderRow, World, new_row
from cdi_cli.sandbox.elasticpath.store import Store
from cdi_cli.sandbox.elasticpath.story import last_change
from cdi_cli.sandbox.elasticpath.times import DAY_MS, SECOND_MS
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.seed.dice import Dice

SPAN_DAYS = 730
LEGACY_SHARE = 0.15
"""How much of these days lies before the platform told discounts and shipping apart."""
CUSTOMERS_PER_ORDER, ACCOUNTS_PER_ORDER, MEMBERS_PER_ACCOUNT, ACCOUNTS_MIN = 0.4, 0.02, 2, 16
ANONYMISED_SHARE = 0.004
_CROWDS = ((0.35, 5, 700, "imported"), (0.7, 6, 500, "plain"))
"""Where in the line of orders a crowd begins, which part of all it is, and how many at most."""


@dataclass(slots=True)
class Seeder:
    """Adds seed data to a store; `more_orders` goes on where the last call stopped."""

    store: Store
    options: SandboxOptions
    dice: Dice
    orders: int = 0
    customers: int = 0

    def more_orders(self, count: int) -> None:
        """Add `count` orders with what happened to them."""
        with _without_collector():
            rows = [self._order(created, kind) for created, kind in self._times(count)]
            rows = self._edited_at_once(rows)
            for place in range(min(self.options.poison, count)):
                number = int((place + 0.5) * count / self.options.poison)
                rows[number] = replace(rows[number], is_poisoned=True)
            self.store.seed("orders", rows)

    def _times(self, count: int) -> list[tuple[int, str]]:
        """When orders are placed, in order, and of what kind they are."""
        world = self.store.world
        times = creation_times(self.dice, count, world.now - SPAN_DAYS * DAY_MS, world.now)
        made = [(at if at < world.legacy_until else at - at % SECOND_MS, "plain") for at in times]
        start, share, most, kind = _CROWDS[0]
        size, first = min(count // share, most), int(count * start)
        at = made[first][0] if made else 0
        made[first : first + size] = [(at - at % SECOND_MS, kind)] * size
        return made

    def _order(self, created: int, kind: str) -> OrderRow:
        row = new_row(self.store.world, self.next_order(), created, ordered=created, kind=kind)
        moves = self.store.world.refund_moves
        return replace(row, updated=last_change(created, self.store.world.steps(row), refund_moves=moves))

    def _edited_at_once(self, rows: list[OrderRow]) -> list[OrderRow]:
        """Some neighbours get one and the same last change, later than all that happened to them."""
        start, share, most, _kind = _CROWDS[1]
        size, first = min(len(rows) // share, most), int(len(rows) * start)
        if size:
            at = min(self.store.world.now, max(row.updated for row in rows[first : first + size]))
            rows[first : first + size] = [replace(row, updated=at) for row in rows[first : first + size]]
        return rows

    def next_order(self) -> int:
        """The next order's number."""
        self.orders += 1
        return self.orders

    def next_customer(self) -> int:
        """The next customer's number."""
        self.customers += 1
        return self.customers


@contextmanager
def _without_collector() -> Iterator[None]:
    """Seeding makes many objects and no cycles: the garbage collector would only look at them in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def empty_world(options: SandboxOptions) -> World:
    """What orders will be made of, with the catalogue still to come."""
    now = present(options)
    start = now - SPAN_DAYS * DAY_MS
    legacy_until = start + int((now - start) * LEGACY_SHARE)
    makers = BasketMaker([], [], options.seed)
    return World(options.seed, now, [], [], makers, legacy_until, options.elasticpath.refund_moves)


def seed_store(store: Store, options: SandboxOptions) -> Seeder:
    """Fill an empty store as the options say; returns the seeder, for more of the same."""
    world, dice = store.world, Dice(options.seed)
    start = world.now - SPAN_DAYS * DAY_MS
    seeder = Seeder(store, options, dice)
    catalogue = build_catalogue(dice, options.seed, start - 60 * DAY_MS, world.now)
    world.baskets = BasketMaker.of(catalogue, options.seed)
    store.seed("products", catalogue.products)
    store.seed("pricebooks", catalogue.books)
    store.seed("prices", catalogue.prices)
    people = _people(seeder, start)
    accounts, members = _companies(seeder, start)
    # Whoever orders does so under the name that they had then: nobody was anonymised yet.
    world.people = people
    by_id = {account.id: account for account in accounts}
    pairs = [(by_id[account_id], member) for member in members for account_id in member.account_ids]
    world.members = sorted(pairs, key=lambda pair: max(pair[0].created, pair[1].created))
    store.seed("customers", _anonymised(seeder, people))
    store.seed("accounts", accounts)
    store.seed("account-members", members)
    seeder.more_orders(options.orders)
    return seeder


def _people(seeder: Seeder, start: int) -> list[Customer]:
    dice, options, now = seeder.dice, seeder.options, seeder.store.world.now
    times = creation_times(dice, round(options.orders * CUSTOMERS_PER_ORDER), start - 90 * DAY_MS, now)
    times = [at - at % SECOND_MS for at in times]
    size, first = len(times) // 6, len(times) // 4
    times[first : first + size] = times[first : first + 1] * size
    return [build_customer(dice, options.seed, seeder.next_customer(), at, now) for at in times]


def _anonymised(seeder: Seeder, people: list[Customer]) -> list[Customer]:
    """The customers, a few of them without their personal data; the wanted number of them for certain."""
    wanted = min(seeder.options.anonymised, len(people))
    now = seeder.store.world.now
    return [
        anonymised(person, now - DAY_MS * (1 + number % 20) if person.updated < now - 30 * DAY_MS else person.updated)
        if number < wanted or seeder.dice.chance(ANONYMISED_SHARE)
        else person
        for number, person in enumerate(people)
    ]


def anonymised(person: Customer, at: int) -> Customer:
    """What is left of somebody who asked to be forgotten; the change shows."""
    return replace(person, name=STARS, email=STARS, external_ref="", updated=at - at % SECOND_MS, is_anonymised=True)


def _companies(seeder: Seeder, start: int) -> tuple[list[Account], list[Member]]:
    dice, seed, now = seeder.dice, seeder.options.seed, seeder.store.world.now
    count = max(ACCOUNTS_MIN, round(seeder.options.orders * ACCOUNTS_PER_ORDER))
    times = creation_times(dice, count, start - 60 * DAY_MS, now)
    accounts = [build_account(dice, seed, number, at, now) for number, at in enumerate(times)]
    accounts = [replace(each, parent_id=accounts[0].id) if number % 9 == 8 else each for number, each in enumerate(accounts)]
    members = [build_member(dice, seed, number, accounts, now) for number in range(count * MEMBERS_PER_ACCOUNT)]
    return accounts, members


def creation_times(dice: Dice, count: int, start: int, end: int) -> list[int]:
    """`count` sorted times in [start, end), denser towards the end."""
    return sorted(start + int((end - start) * dice.random() ** 0.8) for _number in range(count))


def present(options: SandboxOptions) -> int:
    """The moment up to which the data reaches, in milliseconds since 1970."""
    now = to_datetime(options.now) if options.now else datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round(now.timestamp()) * SECOND_MS
