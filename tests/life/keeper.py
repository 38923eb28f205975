"""The shopkeeper: seeded random changes of a living shop, each visible at once or late, as real ones are."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cdi_cli.sandbox import SandboxThread
from cdi_cli.sandbox.commercetools.mutate import MutationError, mutate
from cdi_cli.sandbox.live import live
from life.facts import is_readable, refunds_of

Document = dict[str, Any]
NAMES = ("Ada", "Grace", "Jürgen", "さくら", "O'Neil", "Zoë")
LATE_SECONDS = 60
"""What becomes visible later than this after its stamp is missed by a sync without an overlap."""
CITIES = ("Köln", "Lyon", "Leeds", "Utrecht", "Austin")


@dataclass
class Keeper:
    """Runs the shop. `lag_max`: how late a write may become visible, in seconds; `recent`: orders placed while it lives."""

    sandbox: SandboxThread
    rng: random.Random
    lag_max: float
    recent: list[str] = field(default_factory=list)
    poisoned: list[str] = field(default_factory=list)
    customers: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.old = [order["id"] for order in self.sandbox.shop.documents("orders") if is_readable(order)]
        self.customers += [customer["id"] for customer in self.sandbox.shop.documents("customers")]
        self._acts: tuple[tuple[float, Callable[[], str | None]], ...] = (
            (20, self._place),
            (12, self._pay),
            (10, self._ship),
            (2, self._ship_as_a_whole),
            (8, self._quantity),
            (6, self._address),
            (8, self._refund),
            (3, self._cancel),
            (3, self._return),
            (5, self._touch),
            (12, self._profile),
            (8, self._consent),
            (3, self._register),
            (0.6, self._delete_customer),
            (0.8, self._poison),
            (1.5, self._mend),
        )

    def work(self, count: int) -> int:
        """Make up to `count` changes; returns how many were made."""
        made = 0
        for _ in range(count):
            act = self.rng.choices([act for _, act in self._acts], [weight for weight, _ in self._acts])[0]
            made += self._late(act)
        return made

    def burst(self, count: int) -> None:
        """A bulk import: so many orders of long ago with one timestamp."""
        self.sandbox.shop.lag_seconds = 0
        self._live({"do": "import", "count": count})
        self.done["import"] += count

    def mend_all(self) -> None:
        """Every order that could not be read is stored anew."""
        self.sandbox.shop.lag_seconds = 0
        while self.poisoned:
            self._mend()

    def _late(self, act: Callable[[], str | None]) -> bool:
        shop = self.sandbox.shop
        lag = self.rng.choice((0.0, 0.0, 0.0, self.rng.uniform(0, 50), self.rng.uniform(50, self.lag_max)))
        shop.lag_seconds = lag
        try:
            name = act()
        except (MutationError, KeyError):  # the record is not visible yet, or gone, or not of the kind
            return False
        finally:
            shop.lag_seconds = 0.0
        if name is not None:
            self.done[name] += 1
            self.done["late"] += lag > LATE_SECONDS
        return name is not None

    def _live(self, change: Document) -> list[Document]:
        return live(self.sandbox.sandbox.seeder, change)

    def _order(self) -> Document:
        """Mostly one of the last orders, sometimes one of years ago."""
        ids = self.recent[-60:] if self.recent and self.rng.random() < 0.75 else self.old
        return self.sandbox.shop.latest("orders", self.rng.choice(ids))

    def _place(self) -> str:
        for order in self._live({"do": "place", "count": self.rng.choice((1, 1, 1, 2, 5))}):
            self.recent.append(order["id"])
        return "place"

    def _poison(self) -> str:
        self.poisoned += [order["id"] for order in self._live({"do": "place", "poisoned": True})]
        return "poison"

    def _mend(self) -> str | None:
        if not self.poisoned:
            return None
        order_id = self.poisoned.pop(0)
        self._live({"do": "mend", "order": order_id})
        self.recent.append(order_id)
        return "mend"

    def _pay(self) -> str | None:
        order = self._order()
        if order["orderState"] != "Open" or order["paymentState"] == "Paid":
            return None
        self._live({"do": "pay", "order": order["id"]})
        return "pay"

    def _ship(self) -> str | None:
        order = self._order()
        if order["orderState"] == "Cancelled":
            return None
        change = {"do": "ship", "order": order["id"]}
        self._live(change | ({"lines": 1} if self.rng.random() < 0.4 else {}))
        return "ship"

    def _ship_as_a_whole(self) -> str | None:
        order = self._order()
        if order["orderState"] == "Cancelled":
            return None
        self._live({"do": "shipped", "order": order["id"]})
        return "shipped"

    def _quantity(self) -> str | None:
        order = self._order()
        if order["orderState"] == "Cancelled":
            return None
        # Few values, so that an order often comes back to what it was.
        self._live({"do": "quantity", "order": order["id"], "quantity": self.rng.choice((1, 2, 3))})
        return "quantity"

    def _address(self) -> str:
        self._live({"do": "address", "order": self._order()["id"], "city": self.rng.choice(CITIES)})
        return "address"

    def _refund(self) -> str | None:
        order = self._order()
        payment = self.sandbox.shop.latest("payments", order["paymentInfo"]["payments"][0]["id"])
        left = payment["amountPlanned"]["centAmount"]
        left -= sum(refund["amount"]["centAmount"] for refund in refunds_of(payment).values())
        if left < 1 or order["paymentState"] != "Paid":
            return None
        amount = left if self.rng.random() < 0.2 else self.rng.randint(1, left)
        kind = "Chargeback" if self.rng.random() < 0.15 else "Refund"
        mutate(self.sandbox.shop, {"do": "refund", "order": order["id"], "amount": amount, "type": kind})
        return kind.lower()

    def _cancel(self) -> str | None:
        order = self._order()
        if order["orderState"] != "Open":
            return None
        mutate(self.sandbox.shop, {"do": "cancel", "order": order["id"]})
        return "cancel"

    def _return(self) -> str:
        self._live({"do": "return", "order": self._order()["id"]})
        return "return"

    def _touch(self) -> str:
        """A write that changes nothing but version and time, as back offices make them."""
        self.sandbox.shop.update("orders", self._order()["id"], {})
        return "touch"

    def _profile(self) -> str:
        customer = self.rng.choice(self.customers)
        changes = self.rng.choice(
            (
                {"firstName": self.rng.choice(NAMES)},
                {"isEmailVerified": self.rng.random() < 0.5},
                {"title": self.rng.choice(("Dr.", None))},
                {"dateOfBirth": "1990-01-01"},
            )
        )
        self._live({"do": "profile", "customer": customer, "changes": changes})
        return "profile"

    def _consent(self) -> str:
        customer = self.rng.choice(self.customers[-15:])
        field_name = self.rng.choice(("marketingConsent", "analyticsConsent"))
        self._live({"do": "profile", "customer": customer, "custom": {field_name: self.rng.choice((True, False, None))}})
        return "consent"

    def _register(self) -> str:
        self.customers.append(self._live({"do": "register"})[0]["id"])
        return "register"

    def _delete_customer(self) -> str:
        customer = self.rng.choice(self.customers)
        mutate(self.sandbox.shop, {"do": "delete", "kind": "customers", "id": customer})
        self.customers.remove(customer)
        self.deleted.append(customer)
        return "delete"
