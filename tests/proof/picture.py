"""A picture of a shop: what happened in it, who its customers are, what it sells. Amounts are exact decimals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

Money = tuple[str, Decimal]
Days = dict[tuple[str, str], Decimal]
"""(currency, day) -> amount."""
Key = tuple[str, str]
"""What kind of thing happened, and to which: `("purchase", order number)`, `("refund", refund id)`."""
KINDS = ("purchase", "refund", "cancelled", "shipped", "signed up", "checkout")
CATEGORIES = ("Advertising", "Analytics")


@dataclass(frozen=True)
class Fact:
    """Something that happened: on which day (UTC; empty where the shop keeps none), about how much money, to whom."""

    day: str
    money: Money | None = None
    owner: str | None = None


@dataclass
class Picture:
    """See the module. `worth`: order number -> what it is worth by what was said last, where it was said anew.

    `consents`: (customer, category) -> yes or no; who said neither is not in it. `products`: (SKU, locale) -> name, price by
    currency, whether it can be sold. `doubled`: what is held twice that must be there once. `goods`: order number -> what
    its lines come to, where they are told apart.
    """

    facts: dict[Key, Fact] = field(default_factory=dict)
    worth: dict[str, Money] = field(default_factory=dict)
    goods: dict[str, Money] = field(default_factory=dict)
    profiles: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    consents: dict[tuple[str, str], bool] = field(default_factory=dict)
    products: dict[tuple[str, str], tuple[Any, ...]] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)

    def note(self, key: Key, fact: Fact) -> None:
        """Take in a fact; a second one of the same key is a double."""
        if key in self.facts:
            self.doubled.append(" ".join(key))
        self.facts[key] = fact

    def count(self, kind: str) -> int:
        """How many facts there are of a kind."""
        return sum(key[0] == kind for key in self.facts)

    def revenue(self) -> Days:
        """What the orders are worth now, by currency and the day of the purchase."""
        return self._days("purchase", self.worth)

    def refunded(self) -> Days:
        """What was given back, by currency and day."""
        return self._days("refund", {})

    def _days(self, kind: str, instead: Mapping[str, Money]) -> Days:
        found: Days = {}
        for (each, name), fact in self.facts.items():
            if each == kind and fact.money is not None:
                currency, amount = instead.get(name, fact.money)
                found[currency, fact.day] = found.get((currency, fact.day), Decimal(0)) + amount
        return found


def sums(days: Days) -> dict[str, Decimal]:
    """The same by currency alone."""
    found: dict[str, Decimal] = {}
    for (currency, _), amount in days.items():
        found[currency] = found.get(currency, Decimal(0)) + amount
    return dict(sorted(found.items()))


def differences(expected: Picture, held: Picture, *, either: frozenset[Key] = frozenset()) -> list[str]:
    """What is wrong with what is held, one sentence each; `either`: facts that may be there and may be missing."""
    found = [f"{each} is there twice" for each in held.doubled]
    for name in ("facts", "profiles", "consents", "products", "goods"):
        mine, theirs = getattr(expected, name), getattr(held, name)
        if name == "goods" and not theirs:
            continue  # most products tell no lines apart
        left_open = either if name == "facts" else {key for kind, key in either if kind == "purchase"}
        found += [f"{name} {key}: missing" for key in mine.keys() - theirs.keys() if key not in left_open]
        found += [f"{name} {key}: nothing in the shop stands for it" for key in theirs.keys() - mine.keys() - left_open]
        found += [
            f"{name} {key}: held as {theirs[key]}, is {mine[key]}"
            for key in mine.keys() & theirs.keys()
            if theirs[key] != mine[key]
        ]
    for name in ("revenue", "refunded"):
        mine, theirs = (getattr(_without(each, either), name)() for each in (expected, held))
        found += [
            f"{name} {key}: {theirs.get(key)}, not {mine.get(key)}"
            for key in sorted(mine.keys() | theirs.keys())
            if mine.get(key) != theirs.get(key)
        ]
    return found


def _without(picture: Picture, left_open: frozenset[Key]) -> Picture:
    return replace(picture, facts={key: fact for key, fact in picture.facts.items() if key not in left_open})


def tally(picture: Picture) -> Counter[str]:
    """How much there is of everything."""
    found: Counter[str] = Counter({kind: picture.count(kind) for kind in KINDS})
    found["days with revenue"] = len(picture.revenue())
    found["days with refunds"] = len(picture.refunded())
    found["profiles"] = len(picture.profiles)
    found["consents"] = len(picture.consents)
    found["products"] = len(picture.products)
    return found
