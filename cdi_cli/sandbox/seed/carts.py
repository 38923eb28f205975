"""Carts: abandoned with and without an address, merged, and those that became orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.commercetools.records import Document, reference
from cdi_cli.sandbox.seed.basket import BasketMaker
from cdi_cli.sandbox.seed.customers import Person
from cdi_cli.sandbox.seed.dice import DAY_MS, Dice, instant
from cdi_cli.sandbox.seed.money import MARKETS

KEPT_DAYS = 90
"""Carts are deleted this long after their last change."""

_ORDER_FIELDS_OF_CART = (
    "customerId", "customerEmail", "customerGroup", "anonymousId", "lineItems", "customLineItems", "totalPrice",
    "taxedPrice", "taxedShippingPrice", "discountOnTotalPrice", "shippingMode", "shippingInfo", "shipping",
    "itemShippingAddresses", "discountCodes", "directDiscounts", "refusedGifts", "taxMode", "taxRoundingMode",
    "taxCalculationMode", "priceRoundingMode", "inventoryMode", "shippingAddress", "billingAddress", "country", "locale",
    "store", "origin", "custom",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CartMaker:
    """Builds carts that did not become orders."""

    dice: Dice
    baskets: BasketMaker
    people: list[Person]
    now_ms: int

    def build(self) -> Document:
        """A cart of the last weeks: active with or without an address, or merged into another."""
        dice = self.dice
        created_ms = self.now_ms - dice.between(1, KEPT_DAYS * DAY_MS)
        changed_ms = min(self.now_ms, created_ms + dice.below(2 * DAY_MS))
        person = dice.pick(self.people) if self.people and dice.chance(0.6) else None
        market = person.market if person else dice.weighted(MARKETS)
        state = "Merged" if dice.chance(0.12) else "Active"
        address = person.address if person and dice.chance(0.7) else None
        cart: Document = {
            "type": "Cart",
            "id": dice.uuid(),
            "version": dice.between(2, 25),
            "createdAt": instant(created_ms),
            "lastModifiedAt": instant(changed_ms),
            "cartState": state,
            "origin": "Customer",
            "country": market.country,
            "locale": market.locale,
            "store": {"typeId": "store", "key": market.store},
            "deleteDaysAfterLastModification": KEPT_DAYS,
            **self._holder(person),
            **self.baskets.build(market, address).fields,
        }
        if address is not None:
            cart["shippingAddress"] = address
        cart.setdefault("shippingMode", "Single")
        cart.setdefault("shipping", [])
        cart["totalLineItemQuantity"] = sum(line["quantity"] for line in cart["lineItems"])
        return cart

    def _holder(self, person: Person | None) -> dict[str, Any]:
        if person is None:
            return {"anonymousId": self.dice.uuid()}
        holder: dict[str, Any] = {"customerId": person.id}
        if self.dice.chance(0.5):
            holder["customerEmail"] = person.email
        if person.custom:
            holder["custom"] = person.custom
        return holder


def cart_of(order: Document) -> Document:
    """The cart that an order was made of, as it stays behind."""
    cart: Document = {
        "type": "Cart",
        "id": order["cart"]["id"],
        "version": 12,
        "createdAt": order["createdAt"],
        "lastModifiedAt": order["createdAt"],
        "cartState": "Ordered",
        **{name: order[name] for name in _ORDER_FIELDS_OF_CART if name in order},
        "deleteDaysAfterLastModification": KEPT_DAYS,
    }
    if "paymentInfo" in order:
        payments = [reference("payment", payment["id"]) for payment in order["paymentInfo"]["payments"]]
        cart["paymentInfo"] = {"payments": payments}
    return cart
