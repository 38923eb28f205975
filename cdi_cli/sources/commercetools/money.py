"""Money of commercetools as exact `Money`, and the amounts of an order or cart.

total    = taxedPrice.totalGross, else totalPrice (which holds tax only where prices include it)
tax      = taxedPrice.totalTax, else gross - net; None while nothing is taxed
shipping = net of tax; None where there is no shipping
revenue  = total - shipping - tax, so the four always add up exactly

Apart from these, discount is what cart discounts took off lines and total, positive: not off shipping or catalogue prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from cdi_cli.commerce import LineItem, Money, add, scale, subtract
from cdi_cli.sources.commercetools.records import Basket, Cents, DiscountedQuantity, Price, ShippingInfo


class Amounts(NamedTuple):
    """The amounts of an order or cart; see the module."""

    total: Money
    revenue: Money
    tax: Money | None
    shipping: Money | None


def money(cents: Cents) -> Money:
    """The exact amount: `preciseAmount` where there is one (highPrecision), else `centAmount`."""
    if cents.precise_amount is not None:
        return Money(cents.precise_amount, cents.currency_code, cents.fraction_digits)
    return Money(cents.cent_amount, cents.currency_code, cents.fraction_digits)


def unit_price(price: Price, quantity: int) -> Money:
    """What one of `quantity` units costs before cart discounts.

    That is the product discount where there is one, else the highest tier that the quantity reaches, else the base price:
    a line's `price.value` stays the base price also where a tier was charged (REF types Price, PriceTier).
    """
    if price.discounted is not None:
        return money(price.discounted.value)
    reached = [tier for tier in price.tiers if tier.minimum_quantity <= quantity]
    return money(max(reached, key=lambda tier: tier.minimum_quantity).value if reached else price.value)


def amounts_of(record: Basket) -> Amounts:
    """The amounts of an order or cart; raises ValueError when it mixes currencies."""
    taxed = record.taxed_price
    if taxed is None:
        total, tax = money(record.total_price), None
    else:
        total = money(taxed.total_gross)
        tax = money(taxed.total_tax) if taxed.total_tax is not None else subtract(total, money(taxed.total_net))
    shipping = _shipping_of(record)
    revenue = subtract(total, *(part for part in (shipping, tax) if part is not None))
    return Amounts(total, revenue, tax, shipping)


def line_discount(quantities: Iterable[DiscountedQuantity]) -> Money | None:
    """What cart discounts took off a line: units times what they took off one unit; None if they took nothing."""
    return _sum(
        scale(money(portion.discounted_amount), part.quantity)
        for part in quantities
        for portion in part.discounted_price.included_discounts
    )


def _shipping_of(record: Basket) -> Money | None:
    if record.taxed_shipping_price is not None:
        return money(record.taxed_shipping_price.total_net)
    return _sum(_net_shipping(info) for info in shipping_infos(record))


def shipping_infos(record: Basket) -> Iterator[ShippingInfo]:
    """The shipping methods: one, or one per address where `shippingMode` is Multiple."""
    if record.shipping_info is not None:
        yield record.shipping_info
    for shipping in record.shipping:
        if shipping.shipping_info is not None:
            yield shipping.shipping_info


def _net_shipping(info: ShippingInfo) -> Money:
    if info.taxed_price is not None:
        return money(info.taxed_price.total_net)
    price = money(info.discounted_price.value if info.discounted_price is not None else info.price)
    if info.tax_rate is None or not info.tax_rate.included_in_price:
        return price
    net = (Decimal(price.minor) / (1 + info.tax_rate.amount)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return Money(int(net), price.currency, price.digits)


def discount_of(record: Basket, lines: Iterable[LineItem]) -> Money | None:
    """What cart discounts took off the lines and the total; None if they took nothing."""
    parts = [line.discount for line in lines if line.discount is not None]
    if record.discount_on_total_price is not None:
        parts.append(money(record.discount_on_total_price.discounted_amount))
    return _sum(parts)


def _sum(parts: Iterable[Money]) -> Money | None:
    terms = list(parts)
    return add(*terms) if terms else None
