"""What an order is made of: products, bundles, custom lines, promotion lines with a negative price; and sums that add up.

`value` of a line is its price times quantity, less its own discount. A promotion on the whole cart is a line of its own with
a negative price; in orders of today its shares are taken off the lines' display prices besides, so that the promotion line
must be counted once only:

    sum of `value`, the promotion line's included                       = total of the order, as its prices are (with or
    sum of display values, without promotion lines (but of old orders)  = without tax); shipping groups come on top

Old orders (`is_legacy`) know no shares: all their display values, the promotion line's included, add up to the total.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cdi_cli.sandbox.elasticpath.catalogue import Catalogue, Product
from cdi_cli.sandbox.elasticpath.money import Market, Price, half_even, priced, shares
from cdi_cli.sandbox.elasticpath.people import uuid_of
from cdi_cli.sandbox.seed.dice import Dice
from cdi_cli.sandbox.seed.money import local_price

LineKind = Literal["product", "bundle", "custom", "promotion"]
_COUNTS = ((1, 0.6), (2, 0.24), (3, 0.1), (5, 0.06))
_QUANTITIES = ((1, 0.78), (2, 0.15), (3, 0.05), (12, 0.02))
SHIPPING, HANDLING, DONATION = "STANDARD-DELIVERY", "HANDLING-FEE", "DONATION"
_CUSTOM = {SHIPPING: ("Standard delivery", 495), HANDLING: ("Handling fee", 250), DONATION: ("Donation", 100)}
_PROMOTIONS = (
    ("10off", "10 off your order!", 1000, 0),
    ("SPRING5", "Spring: 5 % off", 0, 50),
    ("VIP20", "VIP 20 %", 0, 200),
)
"""Code, name, euro cents off, or per mille off."""
_ITEM_CODE = "10_OFF"


@dataclass(frozen=True, slots=True)
class Line:
    """One line; amounts are in the market's minor units, with or without tax as its prices are, discounts negative or 0."""

    position: int
    kind: LineKind
    product_id: str
    sku: str
    name: str
    unit: int
    quantity: int
    rate: int
    item_discount: int = 0
    cart_discount: int = 0
    code: str = ""
    """Of the item's own discount."""
    options: tuple[str, ...] = ()
    is_counted: bool = True
    """Whether its display value is part of the order's total."""

    @property
    def list_value(self) -> int:
        """Before all discounts; a promotion line has none."""
        return 0 if self.kind == "promotion" else self.unit * self.quantity

    @property
    def value(self) -> int:
        """After the line's own discount."""
        return self.unit * self.quantity + self.item_discount

    @property
    def net(self) -> int:
        """After all discounts: what its display value is made of."""
        return self.value + self.cart_discount


@dataclass(frozen=True, slots=True)
class Basket:
    """The lines and what is charged for shipping groups; `promotion_id` and `code` of the promotion on the whole cart."""

    market: Market
    lines: tuple[Line, ...]
    is_legacy: bool = False
    promotion_id: str = ""
    code: str = ""
    shipping: int = 0
    shipping_group_id: str = ""

    @property
    def includes_tax(self) -> bool:
        """Whether prices are tax-inclusive."""
        return self.market.is_tax_included

    def price(self, line: Line) -> Price:
        """The display value of a line, without and with tax."""
        return priced(line.net, line.rate, includes_tax=self.includes_tax)

    @property
    def total(self) -> Price:
        """What is to be paid, without and with tax; shipping groups bear none."""
        parts = [self.price(line) for line in self.lines if line.is_counted]
        without = sum(part.without for part in parts) + self.shipping
        return Price(without, sum(part.with_tax for part in parts) + self.shipping)

    @property
    def discount(self) -> int:
        """All discounts together; not positive."""
        promotions = sum(line.value for line in self.lines if line.kind == "promotion" and line.is_counted)
        return sum(line.item_discount + line.cart_discount for line in self.lines) + promotions


@dataclass(frozen=True, slots=True)
class BasketMaker:
    """Makes baskets of a catalogue."""

    products: list[Product]
    bundles: list[Product]
    seed: int

    @classmethod
    def of(cls, catalogue: Catalogue, seed: int) -> BasketMaker:
        """A maker for what can be bought."""
        return cls(catalogue.live, catalogue.bundles, seed)

    def build(self, dice: Dice, market: Market, *, is_legacy: bool) -> Basket:
        """A basket of one market."""
        own = dice.chance(0.15)
        lines = [self._line(dice, market, number, has_discount=own) for number in range(dice.weighted(_COUNTS))]
        promotion_id = code = ""
        if dice.chance(0.15):
            code, name, cents, share = dice.pick(_PROMOTIONS)
            promotion_id = uuid_of(self.seed, "promotion", code)
            lines = _promoted(lines, market, (code, name, promotion_id), (cents, share), is_legacy=is_legacy)
        shipping, group = 0, ""
        if not is_legacy and dice.chance(0.04):
            shipping, group = local_price(700, market), dice.uuid()
        elif dice.chance(0.6):
            lines.append(_custom(market, len(lines), SHIPPING, market.standard_rate))
        if dice.chance(0.06):
            lines.append(_custom(market, len(lines), HANDLING, market.standard_rate))
        if dice.chance(0.04):
            lines.append(_custom(market, len(lines), DONATION, 0))
        return Basket(market, tuple(lines), is_legacy, promotion_id, code, shipping, group)

    def _line(self, dice: Dice, market: Market, position: int, *, has_discount: bool) -> Line:
        is_bundle = bool(self.bundles) and dice.chance(0.05)
        product = dice.pick(self.bundles if is_bundle else self.products)
        unit, quantity = local_price(product.euro_cents, market), dice.weighted(_QUANTITIES)
        off = -half_even(unit, 10) * quantity if has_discount else 0
        return Line(
            position=position,
            kind="bundle" if is_bundle else "product",
            product_id=product.id,
            sku=product.sku,
            name=product.name,
            unit=unit,
            quantity=quantity,
            rate=market.reduced_rate if product.is_reduced else market.standard_rate,
            item_discount=off,
            code=_ITEM_CODE if off else "",
            options=product.options,
        )


def _custom(market: Market, position: int, sku: str, rate: int) -> Line:
    name, cents = _CUSTOM[sku]
    return Line(position, "custom", "", sku, name, local_price(cents, market), 1, rate)


def _promoted(
    lines: list[Line], market: Market, promotion: tuple[str, str, str], size: tuple[int, int], *, is_legacy: bool
) -> list[Line]:
    """The lines with their shares of a promotion, and its own line."""
    code, name, promotion_id = promotion
    cents, share = size
    values = [line.value for line in lines]
    off = local_price(cents, market) if cents else half_even(sum(values) * share, 1000)
    off = min(off, sum(values) // 2)
    if not is_legacy:
        parts = shares(off, values)
        lines = [replace(line, cart_discount=-part) for line, part in zip(lines, parts, strict=True)]
    own = Line(len(lines), "promotion", promotion_id, code, name, -off, 1, market.standard_rate, is_counted=is_legacy)
    return [*lines, own]
