"""Exact money: an integer count of `10**-digits` units of a currency.

42.00 EUR is `Money(4200, "EUR", 2)`, 4200 JPY is `Money(4200, "JPY", 0)`, a unit price of 0.0123456 EUR is
`Money(123456, "EUR", 7)`. Sums and differences are integer arithmetic; `number()` is the only way out, and exact up to
15 significant digits, the most a JSON reader can be trusted to keep.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

SIGNIFICANT_MAX = 10**15


class Money(msgspec.Struct, frozen=True, gc=False):
    """An exact amount: `minor` units of `10**-digits` of `currency` (ISO 4217)."""

    minor: int
    currency: str
    digits: int = 2

    def number(self) -> float | int:
        """The amount as a JSON number (int without decimals, else the float nearest to the exact decimal).

        Raises ValueError at 15 or more significant digits, where a float would no longer print the exact amount.
        """
        if not -SIGNIFICANT_MAX < self.minor < SIGNIFICANT_MAX:
            msg = f"an amount of {len(str(abs(self.minor)))} digits cannot be sent as an exact JSON number"
            raise ValueError(msg)
        return self.minor / 10**self.digits if self.digits else self.minor

    def decimal(self) -> Decimal:
        """The amount as an exact Decimal."""
        return Decimal(self.minor).scaleb(-self.digits)


def zero(like: Money) -> Money:
    """No money, in the currency and precision of `like`."""
    return Money(0, like.currency, like.digits)


def add(first: Money, *others: Money) -> Money:
    """The exact sum, in the finest precision among the terms; raises ValueError for mixed currencies."""
    minor, digits = first.minor, first.digits
    for other in others:
        if other.currency != first.currency:
            msg = f"cannot add {other.currency} to {first.currency}"
            raise ValueError(msg)
        if other.digits == digits:
            minor += other.minor
        elif other.digits > digits:
            minor = minor * 10 ** (other.digits - digits) + other.minor
            digits = other.digits
        else:
            minor += other.minor * 10 ** (digits - other.digits)
    return Money(minor, first.currency, digits)


def negate(amount: Money) -> Money:
    """The same amount with the other sign."""
    return Money(-amount.minor, amount.currency, amount.digits)


def subtract(first: Money, *others: Money) -> Money:
    """`first` less all the others, exact; raises ValueError for mixed currencies."""
    return add(first, *map(negate, others))


def scale(amount: Money, factor: Decimal | int) -> Money:
    """`amount * factor` in the precision of `amount`, rounded half to even (exact for an int factor)."""
    if isinstance(factor, int):
        return Money(amount.minor * factor, amount.currency, amount.digits)
    minor = (Decimal(amount.minor) * factor).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return Money(int(minor), amount.currency, amount.digits)
