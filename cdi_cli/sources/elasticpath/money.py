"""Money of Elastic Path as exact `Money`, and the amounts of an order (sheet "elasticpath", sections 3.1 and 5.9).

Amounts are whole numbers of the currency's smallest unit; how many decimals that has is said by the store's own currencies,
and by ISO 4217 where the store does not say. Tax is never computed: it depends on the store's method of calculation.

    total    = with_tax        tax = tax
    shipping = shipping + shipping_discount of the order, and its shipping lines, net of tax
    revenue  = total - shipping - tax                      so the four always add up exactly
    discount = -discount, else what the lines say          negative in the record, positive here
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cdi_cli.commerce import Money, add, negate, subtract
from cdi_cli.commerce.currencies import digits_of
from cdi_cli.sources.elasticpath.records import Amount, DisplayPrice

DIGITS_MAX = 6


class Currencies:
    """The currencies of a store: their decimals by code."""

    def __init__(self, decimals: Mapping[str, int] | None = None) -> None:
        self._decimals = dict(decimals or {})

    @property
    def codes(self) -> list[str]:
        """The codes that the store told of, sorted."""
        return sorted(self._decimals)

    def digits(self, code: str) -> int:
        """How many decimals a currency has."""
        digits = self._decimals.get(code)
        return digits if digits is not None and 0 <= digits <= DIGITS_MAX else digits_of(code)

    def money(self, minor: int, currency: str) -> Money:
        """The exact amount; raises ValueError for a code that is none."""
        if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
            raise ValueError("Expected a currency code - at `$.meta.display_price.with_tax.currency`")
        code = currency.upper()
        return Money(minor, code, self.digits(code))


class Amounts(NamedTuple):
    """The amounts of an order; see the module."""

    total: Money
    revenue: Money
    tax: Money
    shipping: Money
    discount: Money | None


def amounts_of(price: DisplayPrice, currencies: Currencies, shipping_lines: int, line_discounts: int) -> Amounts:
    """The amounts of an order, with what its lines say of shipping (net) and discounts (positive), in smallest units."""
    currency = price.with_tax.currency or ""
    total = currencies.money(price.with_tax.amount, currency)

    def money(amount: int) -> Money:
        return currencies.money(amount, currency)

    tax = money(_tax(price))
    shipping = add(money(_amount(price.shipping)), money(_amount(price.shipping_discount)), money(shipping_lines))
    own = price.discount.amount if price.discount is not None else None
    discount = negate(money(own)) if own else money(line_discounts)
    return Amounts(total, subtract(total, shipping, tax), tax, shipping, discount if discount.minor > 0 else None)


def _tax(price: DisplayPrice) -> int:
    """The tax; of an older order without one what its two totals differ by."""
    if price.tax is not None:
        return price.tax.amount
    return price.with_tax.amount - price.without_tax.amount if price.without_tax is not None else 0


def _amount(found: Amount | None) -> int:
    return found.amount if found is not None else 0
