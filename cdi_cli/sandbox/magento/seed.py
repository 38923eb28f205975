"""Fills a shop: how many of everything, spread over two years up to `now`, some of it crowded into single seconds.

Two crowds share one creation time each, as an import makes them; 3 % of the orders are imported ones, with an old
`created_at` and the import's `updated_at`; 1 % are edited, which cancels them and makes a new order with a `-1`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cdi_cli.clock import to_datetime
from cdi_cli.sandbox.magento.basket import BasketMaker
from cdi_cli.sandbox.magento.carts import CartRow
from cdi_cli.sandbox.magento.catalogue import build_catalogue
from cdi_cli.sandbox.magento.customers import Customer, anonymised, build_customer, twin_of
from cdi_cli.sandbox.magento.rows import OrderRow, PaperRow, World, link
from cdi_cli.sandbox.magento.shop import Shop
from cdi_cli.sandbox.magento.stock import StockRow
from cdi_cli.sandbox.magento.stores import SHARES
from cdi_cli.sandbox.magento.story import last_change
from cdi_cli.sandbox.magento.times import DAY_SECONDS, text_of
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.seed.dice import Dice

SPAN_DAYS = 730
CUSTOMERS_PER_ORDER = 0.4
CARTS_PER_ORDER = 0.12
IMPORTED_SHARE, EDITED_SHARE, TWIN_SHARE, DELETED_SHARE = 0.03, 0.01, 0.02, 0.01
CARTS_KEPT_DAYS = 90
_PAPER_ACTIONS = {"invoice": "invoices", "ship": "shipments", "refund": "creditmemos"}


@dataclass(slots=True)
class Entry:
    """An order that is to be: when it is inserted, and what kind of one it is."""

    inserted: int
    created: int
    kind: str = "plain"
    turn: int = 0
    replaces: Entry | None = None
    row: OrderRow | None = None


@dataclass(slots=True)
class Seeder:
    """Adds seed data to a shop; `more_orders` goes on where the last call stopped."""

    shop: Shop
    options: SandboxOptions
    dice: Dice
    now: int
    numbers: dict[int, int] = field(default_factory=dict)
    """The last increment number of each store view."""

    @property
    def world(self) -> World:
        """What rows are made of."""
        return self.shop.world

    def more_orders(self, count: int) -> None:
        """Add `count` orders with their papers and carts."""
        with _without_collector():
            rows = [self._row(entry) for entry in self._entries(count)]
            rows = self._papers(rows)
            poisoned = {
                round((place + 0.5) * count / self.options.poison) for place in range(min(self.options.poison, count))
            }
            rows = [replace(row, is_poisoned=True) if place in poisoned else row for place, row in enumerate(rows)]
            self.shop.seed("orders", rows)
            self._carts(rows, count)

    def _entries(self, count: int) -> list[Entry]:
        """The orders in the order in which they are inserted."""
        dice = self.dice
        start = self.now - SPAN_DAYS * DAY_SECONDS
        edited, imported = round(count * EDITED_SHARE), round(count * IMPORTED_SHARE)
        times = creation_times(dice, count - edited, start, self.now)
        entries = [Entry(created, created) for created in times]
        moment = start + (self.now - start) * 6 // 10
        old = [entry for entry in entries if entry.created < moment]
        for place in sorted({dice.below(len(old)) for _number in range(imported)} if old else ()):
            old[place].kind, old[place].turn, old[place].inserted = "imported", moment, moment
        left = [entry for entry in entries if entry.kind == "plain"]
        for number in range(min(edited, len(left))):
            first = left[(number * 2 + 1) * len(left) // (2 * edited)]
            first.kind, first.turn = "edited", min(self.now, first.created + dice.between(60, 2 * DAY_SECONDS))
            entries.append(Entry(first.turn, first.turn, "replacement", replaces=first))
        return sorted(entries, key=lambda entry: (entry.inserted, entry.replaces is not None))

    def _row(self, entry: Entry) -> OrderRow:
        """The next order; what it replaces is there already."""
        identifier = self.shop.next_id("orders")
        first = entry.replaces.row if entry.replaces else None
        row = OrderRow(
            self.world, identifier, "", text_of(entry.created), "", entry.created, entry.kind, turn=entry.turn, relations={}
        )
        if first is not None:
            row = replace(
                row, origin=first.origin or first.id, ordered=first.ordered, increment_id=f"{first.increment_id}-1"
            )
            link(first, row)
        else:
            row = replace(row, increment_id=self.next_number(self.world.buyer(row).view.id))
        entry.row = row
        return row

    def next_number(self, store_id: int) -> str:
        """The next order number of a store view."""
        self.numbers[store_id] = self.numbers.get(store_id, 0) + 1
        return f"{store_id if store_id > 1 else ''}{self.numbers[store_id]:09d}"

    def _papers(self, rows: list[OrderRow]) -> list[OrderRow]:
        """The rows with `updated_at` and with the ids of their invoices, shipments and credit memos, which are added."""
        due: list[tuple[int, int, str]] = []
        updated: list[str] = []
        for place, row in enumerate(rows):
            steps = self.world.steps(row, self.world.buyer(row))
            updated.append(text_of(last_change(row.ordered if row.kind != "replacement" else row.turn, steps)))
            for step in steps:
                kind = _PAPER_ACTIONS.get(step.action.split()[0])
                if kind is not None:
                    due.append((step.at, place, kind))
        ids: dict[str, dict[int, tuple[int, ...]]] = {kind: {} for kind in _PAPER_ACTIONS.values()}
        papers: dict[str, list[PaperRow]] = {kind: [] for kind in ids}
        for at, place, kind in sorted(due):
            identifier, when = self.shop.next_id(kind), text_of(at)
            ids[kind][place] = (*ids[kind].get(place, ()), identifier)
            papers[kind].append(PaperRow(self.world, kind, identifier, rows[place].id, when, when))
        for kind, made in papers.items():
            self.shop.seed(kind, made)
        return [
            replace(
                row,
                updated=max(updated[place], row.created),
                invoice_ids=ids["invoices"].get(place, ()),
                shipment_ids=ids["shipments"].get(place, ()),
                memo_ids=ids["creditmemos"].get(place, ()),
            )
            for place, row in enumerate(rows)
        ]

    def _carts(self, rows: list[OrderRow], count: int) -> None:
        """The carts of recent orders, and those that were left."""
        dice, world = self.dice, self.world
        oldest = self.now - CARTS_KEPT_DAYS * DAY_SECONDS
        carts: list[CartRow] = []
        for row in rows:
            if row.kind != "imported" and row.created >= text_of(oldest):
                buyer = world.buyer(row)
                member = buyer.customer
                store = buyer.view.id
                carts.append(
                    CartRow(world, row.id * 2, row.created, row.created, store, member, is_active=False, order_id=row.id)
                )
        for _number in range(round(count * CARTS_PER_ORDER)):
            created = self.now - dice.between(1, CARTS_KEPT_DAYS * DAY_SECONDS)
            updated = text_of(min(self.now, created + dice.below(2 * DAY_SECONDS)))
            person = dice.pick(world.people) if world.people and dice.chance(0.6) else None
            store = person.store_id if person else dice.weighted(SHARES).id
            identifier = self.shop.next_id("carts") * 2 + 1
            carts.append(CartRow(world, identifier, text_of(created), updated, store, person, is_empty=dice.chance(0.1)))
        self.shop.seed("carts", carts)


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


def seed_shop(shop: Shop, options: SandboxOptions) -> Seeder:
    """Fill an empty shop as the options say; returns the seeder, for more of the same."""
    now = shop.world.now
    dice = Dice(options.seed)
    start = now - SPAN_DAYS * DAY_SECONDS
    catalogue = build_catalogue(dice, start - 60 * DAY_SECONDS)
    shop.world.baskets = BasketMaker.of(catalogue)
    shop.categories.extend(catalogue.categories)
    shop.seed("products", catalogue.products)
    shop.seed("source-items", StockRow.all_of(catalogue.products, dice))
    people = _people(shop, options, dice, start, now)
    shop.world.people = people
    shop.seed("customers", [person for person in people if person.id not in shop.world.deleted])
    seeder = Seeder(shop, options, dice, now)
    seeder.more_orders(options.orders)
    return seeder


def _people(shop: Shop, options: SandboxOptions, dice: Dice, start: int, now: int) -> list[Customer]:
    count = round(options.orders * CUSTOMERS_PER_ORDER)
    people: list[Customer] = []
    alone: list[Customer] = []
    for created in creation_times(dice, count, start - 90 * DAY_SECONDS, now):
        identifier = shop.next_id("customers")
        if alone and dice.chance(TWIN_SHARE):
            people.append(twin_of(alone.pop(dice.below(len(alone))), identifier, text_of(created)))
        else:
            people.append(build_customer(dice, identifier, created, now))
            alone.append(people[-1])
        if dice.chance(DELETED_SHARE):
            shop.world.deleted.add(identifier)
    for place in range(min(options.anonymised, count)):
        people[place] = anonymised(people[place])
        shop.world.deleted.discard(people[place].id)
    return people


def creation_times(dice: Dice, count: int, start: int, end: int) -> list[int]:
    """`count` sorted times in [start, end), denser towards the end, with two crowds at one time each."""
    times = sorted(start + int((end - start) * dice.random() ** 0.8) for _number in range(count))
    for place, share, most in ((0.3, 8, 700), (0.7, 30, 300)):
        size, first = min(count // share, most), int(count * place)
        times[first : first + size] = times[first : first + 1] * size
    return times


def present(options: SandboxOptions) -> int:
    """The moment up to which the data reaches, in seconds since 1970."""
    now = to_datetime(options.now) if options.now else datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round(now.timestamp())
