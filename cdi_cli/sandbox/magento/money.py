"""Amounts of the seed data: whole cents in two currencies at once, rounded half up as PHP does, written as numbers."""

from __future__ import annotations

from typing import NamedTuple


class Both(NamedTuple):
    """An amount in the order's currency and in the website's base currency, in cents; each is computed by itself."""

    shown: int
    base: int

    def plus(self, other: Both) -> Both:
        """The sum."""
        return Both(self.shown + other.shown, self.base + other.base)

    def minus(self, other: Both) -> Both:
        """The difference."""
        return Both(self.shown - other.shown, self.base - other.base)

    def times(self, count: int) -> Both:
        """The multiple."""
        return Both(self.shown * count, self.base * count)

    def part(self, numerator: int, denominator: int) -> Both:
        """A share, rounded half up."""
        return Both(half_up(self.shown * numerator, denominator), half_up(self.base * numerator, denominator))

    def per(self, count: int) -> Both:
        """One of `count` equal parts, rounded half up."""
        return self.part(1, count)


ZERO = Both(0, 0)


def total(amounts: list[Both]) -> Both:
    """The sum of many."""
    return Both(sum(amount.shown for amount in amounts), sum(amount.base for amount in amounts))


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of a number that is not negative, rounded to the nearest whole number, ties up."""
    return (2 * numerator + denominator) // (2 * denominator)


def number(cents: int) -> float | int:
    """Cents as the API writes amounts: 25, 37.4, -24.05."""
    return cents / 100 if cents % 100 else cents // 100
