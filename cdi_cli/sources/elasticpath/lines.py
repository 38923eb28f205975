"""Lines of orders, parted into what they are (sheet "elasticpath", sections 3.2 and 5.8).

- A promotion on the whole cart is a line with a negative price; its `product_id` is that of the promotion. It is a discount,
  not a line.
- A line whose SKU is one of `shipping_skus` is a shipping cost, not a line.
- A line whose SKU is one of `fee_skus`, or that has no product, is a fee.
- Any other is a product; a bundle is one line.

Prices are as the shop has them, with tax where `unit_price.includes_tax` says so: `price` is the list price of one unit,
`total` the line after its own discounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cdi_cli.commerce import LineItem
from cdi_cli.sources.elasticpath.money import Currencies
from cdi_cli.sources.elasticpath.records import Amount, DisplayPrice, ItemPrice, OrderItem
from cdi_cli.sources.elasticpath.settings import ElasticPathSettings

PROMOTION = "promotion_item"


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of an order; `shipping` (net of tax) and `discounts` (positive) are what the others come to."""

    lines: tuple[LineItem, ...]
    shipping: int = 0
    discounts: int = 0
    coupons: tuple[str, ...] = ()


def lines_of(items: Sequence[OrderItem], currency: str, currencies: Currencies, settings: ElasticPathSettings) -> Lines:
    """The lines of an order, numbered from 1; raises ValueError for a currency that is none."""
    lines: list[LineItem] = []
    shipping = discounts = 0
    for item in items:
        kind = settings.kind_of(item.sku or "")
        if is_promotion(item):
            discounts -= _total(item)
        elif kind == "shipping":
            shipping += _net(item)
        else:
            found = _line(item, len(lines) + 1, currency, currencies, is_fee=kind == "fee" or not item.product_id)
            discounts += found.discount.minor if found.discount is not None else 0
            lines.append(found)
    return Lines(tuple(lines), shipping, discounts, tuple(dict.fromkeys(_codes(items))))


def is_promotion(item: OrderItem) -> bool:
    """Whether a line is a promotion that takes something off the whole cart."""
    return item.type == PROMOTION or item.unit_price.amount < 0


def add_up(items: Sequence[OrderItem], price: DisplayPrice) -> bool:
    """Whether the lines, promotions among them, come to the total as the shop's prices are, with or without tax.

    Nobody documents whether a line's `value` is before or after its own discounts: either will do.
    """
    priced = [item for item in items if not is_promotion(item)]
    if not priced:
        return True
    expected = price.with_tax if priced[0].unit_price.includes_tax else price.without_tax
    if expected is None:
        return True
    beside = sum(one.amount for one in (price.shipping, price.shipping_discount) if one is not None)
    values = sum(item.value.amount if item.value is not None else item.unit_price.amount * item.quantity for item in items)
    discounts = [one for item in items for one in item.discounts or () if one.amount is not None]
    own = sum(one.amount.amount for one in discounts if one.amount is not None and not one.is_cart_discount)
    shares = sum(one.amount.amount for one in discounts if one.amount is not None and one.is_cart_discount)
    return expected.amount - beside in {values, values + own, values + own + shares}


def _line(item: OrderItem, position: int, currency: str, currencies: Currencies, *, is_fee: bool) -> LineItem:
    price = _list_price(item)
    total = _total(item)
    discount = price * item.quantity - total
    return LineItem(
        id=item.id,
        product_id=item.product_id or None,
        name=item.name or None,
        price=currencies.money(price, currency),
        quantity=item.quantity,
        total=currencies.money(total, currency),
        position=position,
        kind="fee" if is_fee else "product",
        sku=item.sku or None,
        discount=currencies.money(discount, currency) if discount > 0 else None,
        coupon=next(iter(_codes([item])), None),
    )


def _list_price(item: OrderItem) -> int:
    """What one unit costs before discounts."""
    display = item.meta.display_price if item.meta is not None else None
    found = _unit(display.without_discount) if display is not None else None
    return found.amount if found is not None else item.unit_price.amount


def _total(item: OrderItem) -> int:
    """What the line comes to after its own discounts, with tax where its price is."""
    display = item.meta.display_price if item.meta is not None else None
    if display is not None:
        found = _value(display.with_tax if item.unit_price.includes_tax else display.without_tax)
        if found is not None:
            return found.amount
    whole = item.value.amount if item.value is not None else item.unit_price.amount * item.quantity
    return whole + sum(one.amount.amount for one in item.discounts or () if one.amount is not None)


def _net(item: OrderItem) -> int:
    """What the line comes to without tax."""
    display = item.meta.display_price if item.meta is not None else None
    if display is not None:
        found = _value(display.without_tax)
        if found is not None:
            return found.amount
        gross, tax = _value(display.with_tax), _value(display.tax)
        if gross is not None and tax is not None:
            return gross.amount - tax.amount
    return _total(item)


def _unit(price: ItemPrice | None) -> Amount | None:
    return price.unit if price is not None else None


def _value(price: ItemPrice | None) -> Amount | None:
    return price.value if price is not None else None


def _codes(items: Iterable[OrderItem]) -> Iterable[str]:
    """The codes of promotions: those of discounts on lines, and the SKU of a promotion that is a line itself."""
    for item in items:
        if is_promotion(item):
            if item.sku:
                yield item.sku
            continue
        for discount in item.discounts or ():
            if discount.code:
                yield discount.code
