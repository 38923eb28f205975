"""Lines of orders, each counted once, and parts of them (sheet "magento", section 3).

- A configurable product is two lines: the parent has the money, the child the id of the variant. One line comes of both.
- A bundle's price is on the parent and again on its children, its discounts on the children alone: one line with all the
  discounts, or the children in its place (`bundles: children`) where they hold the price.
- A child is dropped whatever its price: older versions repeat the parent's there.
- `row_total` is not what its name says over REST; the total is price * quantity - discount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from cdi_cli.commerce import LineItem, scale
from cdi_cli.sources.magento.money import money
from cdi_cli.sources.magento.records import OrderItem

Bundles = Literal["parent", "children"]


def lines_of(items: Sequence[OrderItem], currency: str, bundles: Bundles = "parent") -> tuple[LineItem, ...]:
    """The lines of an order, numbered from 1."""
    chosen = list(_chosen(items, bundles))
    return tuple(_line(item, parts, position, currency) for position, (item, parts) in enumerate(chosen, 1))


def children_of(items: Sequence[OrderItem]) -> dict[int, list[OrderItem]]:
    """The children of each line that has any; one whose parent is missing is a line of its own."""
    ids = {item.item_id for item in items}
    found: dict[int, list[OrderItem]] = {}
    for item in items:
        parent = parent_of(item, ids)
        if parent is not None:
            found.setdefault(parent, []).append(item)
    return found


def parent_of(item: OrderItem, ids: set[int]) -> int | None:
    """The id of the line that this one is a part of, as far as it is there."""
    parent = int(item.parent_item_id) if item.parent_item_id else None
    return parent if parent in ids and parent != item.item_id else None


def _chosen(items: Sequence[OrderItem], bundles: Bundles) -> list[tuple[OrderItem, list[OrderItem]]]:
    """The items that become lines, each with the items that it stands for."""
    children = children_of(items)
    parts = {part.item_id for below in children.values() for part in below}
    chosen: list[tuple[OrderItem, list[OrderItem]]] = []
    for item in items:
        if item.item_id in parts:
            continue
        below = children.get(item.item_id, [])
        if bundles == "children" and item.product_type == "bundle" and any(part.price for part in below):
            chosen += [(part, []) for part in below]
        else:
            chosen.append((item, below))
    return chosen


def _line(item: OrderItem, parts: Sequence[OrderItem], position: int, currency: str) -> LineItem:
    # A bundle's discount is on its children, a configurable's on the parent: the other side holds 0 in both cases.
    own = [item, *parts] if item.product_type == "bundle" else [item]
    discount = sum((one.discount_amount or Decimal() for one in own), Decimal())
    hidden_tax = sum((one.discount_tax_compensation_amount or Decimal() for one in own), Decimal())
    quantity, price = whole(item.qty_ordered, item.price)
    total = price * quantity - discount + hidden_tax
    variant = parts[0].product_id if parts and item.product_type == "configurable" else None
    return LineItem(
        id=str(item.item_id),
        product_id=str(item.product_id) if item.product_id is not None else None,
        name=item.name,
        price=money(price, currency),
        quantity=quantity,
        total=money(total, currency),
        position=position,
        sku=item.sku,
        variant=str(variant) if variant is not None else None,
        discount=money(discount, currency) if discount else None,
    )


def whole(quantity: Decimal, price: Decimal) -> tuple[int, Decimal]:
    """Quantity and unit price; what is sold by weight or length counts as one unit that costs all of it."""
    if quantity == quantity.to_integral_value():
        return int(quantity), price
    return 1, price * quantity


def parts_of(lines: Sequence[LineItem], quantities: Mapping[str, Decimal]) -> tuple[LineItem, ...]:
    """The lines that some quantities (by line id) are of, each as if it had only so many units."""
    return tuple(part_of(line, quantities[line.id]) for line in lines if quantities.get(line.id))


def part_of(line: LineItem, quantity: Decimal) -> LineItem:
    """The line as if it had only `quantity` units, its total in proportion; a part of a unit counts as the unit."""
    units = int(quantity) if quantity == quantity.to_integral_value() else line.quantity
    if units == line.quantity or not line.quantity:
        return line
    share = Decimal(units) / line.quantity
    return msgspec.structs.replace(
        line,
        quantity=units,
        total=scale(line.total, share),
        discount=None if line.discount is None else scale(line.discount, share),
    )
