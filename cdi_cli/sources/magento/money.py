"""Money of Magento as exact `Money`, and the amounts of an order.

    total    = grand_total           tax = tax_amount          shipping = shipping_amount (net of tax)
    revenue  = total - shipping - tax                          so the four always add up exactly
    discount = -discount_amount      negative on the order's header, positive on its lines; here positive

and for the lines, each counted once: sum(price * quantity) - discount + shipping + tax = total, as held on all recorded
orders (sheet "magento", section 3). All amounts are those in the order's currency; `base_*` is never mixed in.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from cdi_cli.commerce import Money, subtract
from cdi_cli.commerce.currencies import digits_of
from cdi_cli.sources.magento.records import OrderRecord

DIGITS_MAX = 6
"""Catalogue prices are kept with six decimals, those of orders with four."""


class Amounts(NamedTuple):
    """The amounts of an order; see the module."""

    total: Money
    revenue: Money
    tax: Money
    shipping: Money
    discount: Money | None


def money(amount: Decimal, currency: str) -> Money:
    """The exact amount, with at least the currency's own decimals and no more than six; raises ValueError for no number."""
    if not amount.is_finite():
        raise ValueError("Expected a finite amount")
    digits = min(max(digits_of(currency), decimals_of(amount)), DIGITS_MAX)
    minor = amount.scaleb(digits).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return Money(int(minor), currency, digits)


def decimals_of(amount: Decimal) -> int:
    """How many decimals an amount has, without zeros at the end."""
    exponent = amount.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def amounts_of(record: OrderRecord) -> Amounts:
    """The amounts of an order."""
    currency = record.order_currency_code
    total = money(record.grand_total, currency)
    tax, shipping = money(record.tax_amount or Decimal(), currency), money(record.shipping_amount or Decimal(), currency)
    discount = money(-record.discount_amount, currency) if record.discount_amount else None
    return Amounts(total, subtract(total, shipping, tax), tax, shipping, discount)
