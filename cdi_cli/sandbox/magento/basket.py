"""What is in a basket: lines of an order or cart with prices, discount and tax in both currencies.

A configurable product makes a parent with the money and a child with the same SKU and none; a dynamic bundle a parent whose
price is the sum of its parts and children that bear discount and tax; a grouped product independent lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi_cli.sandbox.magento.catalogue import Catalogue
from cdi_cli.sandbox.magento.money import ZERO, Both, half_up, total
from cdi_cli.sandbox.magento.products import Product, bundled_quantity
from cdi_cli.sandbox.magento.sale import Line
from cdi_cli.sandbox.magento.stores import StoreView
from cdi_cli.sandbox.seed.dice import Dice

ITEMS_PER_ORDER = 100
"""The lines of order n have ids from 100 n on."""
SHIPPING_CENTS = 500
"""Flat rate, for each piece that is shipped, in the base currency."""
_COUNTS = ((1, 0.60), (2, 0.24), (3, 0.10), (5, 0.05), (8, 0.01))
_QUANTITIES = ((1, 0.76), (2, 0.16), (3, 0.06), (12, 0.02))


@dataclass(slots=True)
class BasketMaker:
    """Fills baskets from a catalogue."""

    catalogue: Catalogue
    for_sale: list[Product]
    virtual: list[Product]

    @classmethod
    def of(cls, catalogue: Catalogue) -> BasketMaker:
        """A maker; what can be bought is looked up once."""
        return cls(catalogue, catalogue.for_sale, catalogue.virtual)

    def lines(self, dice: Dice, view: StoreView, when: str, first_id: int, *, percent: int, is_virtual: bool) -> list[Line]:
        """The lines of a basket that was filled at a time, with a discount of some per cent."""
        filler = _Filler(view, when, first_id, percent)
        choices = self.virtual if is_virtual else self.for_sale
        for _number in range(1 if is_virtual else dice.weighted(_COUNTS)):
            filler.add(dice, dice.pick(choices), dice.weighted(_QUANTITIES))
        if not is_virtual and dice.chance(0.04):
            filler.add(dice, dice.pick(self.virtual), 1)
        return filler.lines


def shipping_of(lines: list[Line], view: StoreView) -> Both:
    """The flat rate of what is shipped."""
    pieces = sum(line.quantity for line in lines if line.parent is None and line.kind != "virtual")
    return _converted(SHIPPING_CENTS * pieces, view)


@dataclass(slots=True)
class _Filler:
    view: StoreView
    when: str
    next_id: int
    percent: int
    lines: list[Line]

    def __init__(self, view: StoreView, when: str, first_id: int, percent: int) -> None:
        self.view, self.when, self.next_id, self.percent, self.lines = view, when, first_id, percent, []

    def add(self, dice: Dice, product: Product, quantity: int) -> None:
        if product.type == "grouped":
            for member in product.children:
                self._line(member, "simple", member.sku, quantity, self._price(member))
        elif product.type == "configurable":
            variant = dice.pick(product.children)
            parent = self._line(product, "configurable", variant.sku, quantity, self._price(variant))
            self._line(variant, "simple", variant.sku, quantity, None, parent)
        elif product.type == "bundle":
            parent = self._line(product, "bundle", f"{product.sku}-bundle", quantity, None)
            for place, child in enumerate(product.children):
                pieces = quantity * bundled_quantity(place)
                self._line(child, "simple", child.sku, pieces, self._price(child), parent)
            children = [line for line in self.lines if line.parent is parent]
            parent.price = total([child.price.times(child.quantity // quantity) for child in children])
            parent.original, parent.tax = parent.price, total([child.tax for child in children])
        else:
            self._line(product, product.type, product.sku, quantity, self._price(product))

    def _price(self, product: Product) -> tuple[Both, Both]:
        """Price and regular price."""
        return _converted(product.price_at(self.when), self.view), _converted(product.price, self.view)

    def _line(
        self,
        product: Product,
        kind: str,
        sku: str,
        quantity: int,
        prices: tuple[Both, Both] | None,
        parent: Line | None = None,
    ) -> Line:
        price, original = prices or (ZERO, ZERO)
        name = product.name_in(self.view.id)
        line = Line(self.next_id, product, kind, sku, name, quantity, price, original, parent=parent)
        line.discount = line.row.part(self.percent, 100)
        line.tax = line.row.minus(line.discount).part(self.view.tax_rate, 10_000)
        self.next_id += 1
        self.lines.append(line)
        return line


def _converted(base_cents: int, view: StoreView) -> Both:
    return Both(half_up(base_cents * view.rate, 100), base_cents)
