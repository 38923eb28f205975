"""An order or a cart as Insider's events, one for each line (sheet "Insider", sections 3.1, 3.2 and 5).

The lines share `event_group_id`, the order's number. Insider adds up what stands on lines, so a number of the order
(shipping, tax, its total) stands on the first line only, and texts on every line. `unit_price` is what the shop shows,
`unit_sale_price` what is paid: less the line's own discount and its share of what was taken off the order as a whole.

Where the plan sends no lines, the order is one event without a product, with its revenue as the price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from cdi_cli.destinations.insider.names import PARAMETERS, TEXTS, snake
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.destinations.insider.values import Refusal, amount, amount_text, as_type, leaves
from cdi_cli.events import Event

LINE_PARAMETERS = {"category": "taxonomy", "image_url": "product_image_url", "coupon": "promotion_name"}
"""The default parameter for a property of a line that has another name."""
LEVELS = " > "
"""What stands between the names of a category and of those it lies in."""
ORDER_CONSUMED = frozenset({"products", "order_id", "currency", "coupon", "shipping"})
LINE_CONSUMED = frozenset({"price", "quantity", "discount", "product_id"})
"""Properties that become default parameters by rules of their own."""
_INCOMPLETE = "insider_purchase_incomplete"
_FINEST = Decimal("0.000001")
_NOTHING = Decimal(0)


def line_params(event: Event, settings: InsiderSettings) -> list[dict[str, Any]]:
    """The parameters of one event per line, in the order of the lines; raises Refusal for what Insider would refuse."""
    order = event.properties
    lines = _lines(order)
    currency = order.get("currency")
    if not isinstance(currency, str) or not currency:
        raise Refusal(_INCOMPLETE, "the event has no `currency`, which Insider requires on every line")
    shared: dict[str, Any] = {"event_group_id": _group_id(event), "currency": currency}
    if isinstance(coupon := order.get("coupon"), str) and coupon:
        shared["promotion_name"] = coupon
    texts, numbers = _customs_of_order(order)
    found = []
    for position, (line, share) in enumerate(zip(lines, _shares(order, lines), strict=True), 1):
        default, custom = _of_line(line, position, share, settings)
        if position == 1:
            custom = numbers | custom
            if (shipping := amount(order.get("shipping"))) is not None:
                default["shipping_cost"] = amount_text(shipping)
        found.append(shared | default | {"custom": texts | custom})
    return found


def _lines(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    products = order.get("products")
    if not isinstance(products, list) or not products:
        whole = next((order[name] for name in ("revenue", "total", "value") if amount(order.get(name)) is not None), None)
        if whole is None:
            raise Refusal(_INCOMPLETE, "the event has neither `products` nor an amount (`revenue`, `total`, `value`)")
        return [{"price": whole, "quantity": 1}]
    if not all(isinstance(line, Mapping) for line in products):
        raise Refusal(_INCOMPLETE, "an entry of `products` is not an object")
    return products


def _group_id(event: Event) -> str:
    for name in ("order_id", "checkout_id"):
        value = event.properties.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return event.entity_id


def _customs_of_order(order: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Custom parameters for every line, and those for the first line only."""
    texts: dict[str, Any] = {}
    numbers: dict[str, Any] = {}
    for path, value in leaves({name: value for name, value in order.items() if name not in ORDER_CONSUMED}):
        if name := snake(path):
            (texts if amount(value) is None else numbers).setdefault(name, value)
    return texts, numbers


def _shares(order: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> list[Decimal]:
    """What was taken off the order and off no line, divided among the lines by what they cost; the parts add up to it."""
    off_lines = sum((amount(line.get("discount")) or _NOTHING for line in lines), _NOTHING)
    rest = (amount(order.get("discount")) or _NOTHING) - off_lines
    weights = [_paid(line) for line in lines]
    total = sum(weights, _NOTHING)
    if rest <= 0 or total <= 0 or lines is not order.get("products"):  # a revenue is what is left after discounts
        return [_NOTHING] * len(lines)
    rest = min(rest, total)
    shares = [(rest * weight / total).quantize(_FINEST, ROUND_HALF_EVEN) for weight in weights]
    heaviest = weights.index(max(weights))
    shares[heaviest] += rest - sum(shares, _NOTHING)
    return shares


def _paid(line: Mapping[str, Any]) -> Decimal:
    """What a line costs after its own discount; a credit counts nothing, it takes no part in discounts."""
    price, count = amount(line.get("price")) or _NOTHING, amount(line.get("quantity")) or _NOTHING
    return max(price * count - (amount(line.get("discount")) or _NOTHING), _NOTHING)


def _of_line(
    line: Mapping[str, Any], position: int, share: Decimal, settings: InsiderSettings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Default and custom parameters of one line."""
    price, quantity = amount(line.get("price")), as_type(line.get("quantity"), "whole")
    if price is None or quantity is None:
        raise Refusal(_INCOMPLETE, f"line {position} has no `price`, or no `quantity` that is a whole number")
    default: dict[str, Any] = {}
    custom: dict[str, Any] = {"position": position}
    if (product := item_id_of(line, settings)) is not None:
        default["product_id"] = product
    for path, value in leaves({name: value for name, value in line.items() if name not in LINE_CONSUMED}):
        name = LINE_PARAMETERS.get(path, path)
        kind = PARAMETERS.get(name)
        if kind == TEXTS and isinstance(value, str):
            value = value.split(LEVELS)
        if kind is not None and (fitting := as_type(value, kind)) is not None:
            default[name] = fitting
        elif own := snake(path):
            custom[own] = value
    off = (amount(line.get("discount")) or _NOTHING) + share
    default |= {"quantity": quantity, "unit_price": float(price), "unit_sale_price": float(price)}
    if off > 0:
        default["promotion_discount"] = float(off)
        if quantity > 0:
            default["unit_sale_price"] = float((price - off / quantity).quantize(_FINEST, ROUND_HALF_EVEN))
    return default, custom


def item_id_of(product: Mapping[str, Any], settings: InsiderSettings) -> str | None:
    """What identifies a product in events and in the catalogue alike."""
    names = ("sku", "product_id") if settings.item_id == "sku" else ("product_id", "sku")
    return next((value for name in names if isinstance(value := product.get(name), str) and value), None)
