"""Fills a shop: how many of everything, spread over two years up to `now`, some of it crowded into single milliseconds.

Orders come in rising numbers over time. Two crowds share one creation time each, as an import makes them: an eighth of
all orders (at most 700) and a thirtieth (at most 300); the imported ones with `completedAt` are in the larger crowd.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from cdi_cli.clock import Instant, instant_from_datetime, to_datetime
from cdi_cli.sandbox.commercetools.records import Document
from cdi_cli.sandbox.commercetools.shop import Shop
from cdi_cli.sandbox.options import SandboxOptions
from cdi_cli.sandbox.seed.basket import BasketMaker
from cdi_cli.sandbox.seed.carts import KEPT_DAYS, CartMaker, cart_of
from cdi_cli.sandbox.seed.catalogue import build_catalogue
from cdi_cli.sandbox.seed.customers import Person, anonymise, build_customer
from cdi_cli.sandbox.seed.dice import DAY_MS, Dice
from cdi_cli.sandbox.seed.messages import messages_of
from cdi_cli.sandbox.seed.orders import OrderMaker
from cdi_cli.sandbox.seed.payments import Payments

SPAN_DAYS = 730
CUSTOMERS_PER_ORDER = 0.4
CARTS_PER_ORDER = 0.1
IMPORTED_SHARE = 0.01
_CHUNK = 2_000


@dataclass(slots=True)
class Seeder:
    """Adds seed data to a shop; `more_orders` goes on where the last call stopped."""

    shop: Shop
    options: SandboxOptions
    now_ms: int
    dice: Dice
    makers: OrderMaker
    baskets: BasketMaker
    people: list[Person]

    def more_orders(self, count: int) -> None:
        """Add `count` orders with their payments and carts; sorted by creation among themselves."""
        with _without_collector():
            self._more_orders(count)

    def _more_orders(self, count: int) -> None:
        options, dice = self.options, self.dice
        times = creation_times(dice, count, self.now_ms - SPAN_DAYS * DAY_MS, self.now_ms)
        imports = imported_positions(times, round(count * IMPORTED_SHARE))
        poisoned = {round((number + 0.5) * count / options.poison) for number in range(min(options.poison, count))}
        recent_ms = self.now_ms - KEPT_DAYS * DAY_MS
        batch: list[Document] = []
        for position, created_ms in enumerate(times):
            order = self.makers.build(created_ms, imported=position in imports)
            if position in poisoned:
                order["totalPrice"] = {**order["totalPrice"], "centAmount": "12.34"}
            batch.append(order)
            if len(batch) == _CHUNK or position == count - 1:
                self._store(batch, recent_ms)
                batch = []
        carts = CartMaker(dice, self.baskets, self.people, self.now_ms)
        self.shop.seed("carts", (carts.build() for _number in range(round(count * CARTS_PER_ORDER))))

    def _store(self, orders: list[Document], recent_ms: int) -> None:
        payments, self.makers.payments.documents = self.makers.payments.documents, []
        self.shop.seed("orders", orders)
        self.shop.seed("payments", payments)
        recent = instant_of(recent_ms)
        self.shop.seed("carts", (cart_of(order) for order in orders if "cart" in order and order["createdAt"] >= recent))
        if self.options.messages:
            for kind, documents in (("orders", orders), ("payments", payments)):
                self.shop.seed("messages", messages_of(kind, documents, self.dice, self.now_ms))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Seeding makes millions of objects and no cycles: the garbage collector would only look at them in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def seed_shop(shop: Shop, options: SandboxOptions) -> Seeder:
    """Fill an empty shop as the options say; returns the seeder, for more of the same."""
    with _without_collector():
        seeder = _seeder(shop, options)
    seeder.more_orders(options.orders)
    return seeder


def _seeder(shop: Shop, options: SandboxOptions) -> Seeder:
    """Everything but the orders, and what orders are made with."""
    now_ms = _now_ms(options)
    dice = Dice(options.seed)
    start_ms = now_ms - SPAN_DAYS * DAY_MS
    catalogue = build_catalogue(dice, start_ms - 60 * DAY_MS)
    for kind, documents in catalogue.documents.items():
        shop.seed(kind, documents)
    people: list[Person] = []
    customers: list[Document] = []
    times = creation_times(dice, round(options.orders * CUSTOMERS_PER_ORDER), start_ms - 90 * DAY_MS, now_ms)
    for number, created_ms in enumerate(times):
        person, document = build_customer(dice, catalogue, number, created_ms, now_ms)
        people.append(person)
        customers.append(document)
    for document in customers[: options.anonymised]:
        anonymise(document)
    shop.seed("customers", customers)
    if options.messages:
        shop.seed("messages", messages_of("customers", customers, dice, now_ms))
    baskets = BasketMaker(dice, catalogue, options.order_bytes)
    makers = OrderMaker(dice, baskets, people, Payments(dice, now_ms), now_ms)
    return Seeder(shop, options, now_ms, dice, makers, baskets, people)


def creation_times(dice: Dice, count: int, start_ms: int, end_ms: int) -> list[int]:
    """`count` sorted times in [start, end), denser towards the end, with two crowds at one time each."""
    times = sorted(start_ms + int((end_ms - start_ms) * dice.random() ** 0.8) for _number in range(count))
    for place, share, most in ((0.3, 8, 700), (0.7, 30, 300)):
        size, first = min(count // share, most), int(count * place)
        times[first : first + size] = times[first : first + 1] * size
    return times


def imported_positions(times: list[int], count: int) -> range:
    """Which orders are imported ones: some of the larger crowd."""
    first = int(len(times) * 0.3)
    return range(first, min(first + count, len(times)))


def project_of(options: SandboxOptions) -> Document:
    """The project's own description."""
    return {
        "key": options.project_key,
        "name": "Sandbox shop",
        "countries": ["DE", "ES", "FR", "GB", "JP", "KW", "NL", "US"],
        "currencies": ["EUR", "GBP", "JPY", "KWD", "USD"],
        "languages": ["en", "de", "fr", "es", "nl", "ja", "ar"],
        "createdAt": "2019-03-01T09:00:00.000Z",
        "trialUntil": "2030-01",
        "messages": {"enabled": options.messages, "deleteDaysAfterCreation": 15},
        "carts": {"deleteDaysAfterLastModification": KEPT_DAYS},
        "version": 7,
    }


def instant_of(epoch_ms: int) -> Instant:
    """The instant of milliseconds since 1970."""
    return instant_from_datetime(datetime.fromtimestamp(epoch_ms / 1000, UTC))


def _now_ms(options: SandboxOptions) -> int:
    now = to_datetime(options.now) if options.now else datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return round(now.timestamp() * 1000)
