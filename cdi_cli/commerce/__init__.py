"""Platform-neutral commerce entities: what every source is normalised to, and all that the rest of `cdi` knows.

Entities are immutable `msgspec.Struct`s. Amounts are `Money` (exact integers), times are `Instant`s. An absent value is
None, never an empty string. `Product` lines and fees are both `LineItem`s, told apart by `kind`.
"""

from cdi_cli.commerce.entities import (
    Address,
    Cart,
    Consent,
    Customer,
    Entity,
    Group,
    LineItem,
    Order,
    Product,
    ProductTexts,
    Refund,
    Shipment,
)
from cdi_cli.commerce.money import Money, add, negate, scale, subtract, zero

__all__ = [
    "Address",
    "Cart",
    "Consent",
    "Customer",
    "Entity",
    "Group",
    "LineItem",
    "Money",
    "Order",
    "Product",
    "ProductTexts",
    "Refund",
    "Shipment",
    "add",
    "negate",
    "scale",
    "subtract",
    "zero",
]
