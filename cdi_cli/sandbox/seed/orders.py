"""Orders: members and guests, states by age, deliveries, cancellations, imports, and what no client was told about.

Shares follow real shops: about a quarter are guests, 4 % cancelled, 8 % refunded (in their payments), 3 % ship by
several methods. Some carry fields and enum values that no published type names.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi_cli.sandbox.commercetools.records import Document, reference
from cdi_cli.sandbox.seed.basket import Basket, BasketMaker
from cdi_cli.sandbox.seed.customers import Person, address_of, custom_of, email_of
from cdi_cli.sandbox.seed.dice import DAY_MS, Dice, instant
from cdi_cli.sandbox.seed.money import MARKETS, Market
from cdi_cli.sandbox.seed.payments import Payments
from cdi_cli.sandbox.seed.words import CARRIERS, NAMES

GUEST_SHARE = 0.25
CANCELLED_SHARE = 0.04
_ORIGINS = (("Customer", 0.95), ("Merchant", 0.03), ("RecurringOrder", 0.012), ("Quote", 0.005), ("Marketplace", 0.003))


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who an order belongs to, in the order's own fields."""

    market: Market
    address: msgspec.Raw
    fields: dict[str, Any]
    custom: dict[str, Any]


@dataclass(slots=True)
class OrderMaker:
    """Builds orders and, through `payments`, what was paid and refunded for them."""

    dice: Dice
    baskets: BasketMaker
    people: list[Person]
    payments: Payments
    now_ms: int
    built: int = 0

    def build(self, created_ms: int, *, imported: bool = False) -> Document:
        """The next order, created at `created_ms`; orders must be built in the order of their creation."""
        dice = self.dice
        self.built += 1
        buyer = self._member(created_ms) if not dice.chance(GUEST_SHARE) else None
        buyer = buyer or self._guest()
        basket = self.baskets.build(buyer.market, buyer.address)
        states, changed_ms = self._states(created_ms, basket)
        order: Document = {
            "type": "Order",
            "id": dice.uuid(),
            "version": dice.between(1, 3) if changed_ms == created_ms else dice.between(4, 30),
            "createdAt": instant(created_ms),
            "lastModifiedAt": instant(changed_ms),
            "orderNumber": f"{instant(created_ms)[:4]}-{self.built:07d}",
            **buyer.fields,
            **basket.fields,
            "shippingAddress": buyer.address,
            "country": buyer.market.country,
            "locale": buyer.market.locale,
            "store": {"typeId": "store", "key": buyer.market.store},
            "origin": dice.weighted(_ORIGINS),
            "cart": reference("cart", dice.uuid()),
            "syncInfo": [],
            "returnInfo": [],
            "createdBy": {"clientId": "storefront", "isPlatformClient": False},
            **states,
        }
        if dice.chance(0.3):
            order["billingAddress"] = buyer.address
        if buyer.custom:
            order["custom"] = buyer.custom
        self._rarities(order, created_ms)
        if imported:
            self._import(order, created_ms)
        self.payments.pay(order, basket, created_ms)
        return order

    def _member(self, created_ms: int) -> Buyer | None:
        """A customer who had registered by then, newer ones more often; None when there is none yet."""
        known = bisect_right(self.people, created_ms, key=lambda person: person.created_ms)
        if known == 0:
            return None
        person = self.people[int(known * self.dice.random() ** 0.7)]
        fields: dict[str, Any] = {"customerId": person.id, "customerEmail": person.email}
        if person.group_id:
            fields["customerGroup"] = reference("customer-group", person.group_id)
        return Buyer(person.market, person.address, fields, person.custom)

    def _guest(self) -> Buyer:
        dice = self.dice
        market = dice.weighted(MARKETS)
        first_names, last_names = NAMES[market.language]
        first, last = dice.pick(first_names), dice.pick(last_names)
        email = email_of(dice, first, last, self.built)
        address = msgspec.Raw(msgspec.json.encode(address_of(dice, market, first, last, email)))
        return Buyer(market, address, {"anonymousId": dice.uuid(), "customerEmail": email}, custom_of(dice))

    def _states(self, created_ms: int, basket: Basket) -> tuple[dict[str, Any], int]:
        """The state fields of an order of this age, and when it last changed; ships the basket on the way."""
        dice = self.dice
        age_days = (self.now_ms - created_ms) / DAY_MS
        if dice.chance(CANCELLED_SHARE):
            states = {"orderState": "Cancelled", "shipmentState": "Canceled", "paymentState": "Failed"}
            return states, min(self.now_ms, created_ms + dice.below(3 * DAY_MS))
        if age_days < dice.random() * 3:
            return {"orderState": "Open", "paymentState": dice.pick(("Pending", "BalanceDue"))}, created_ms
        if age_days < 4 or dice.chance(0.02):
            shipment = dice.pick(("Ready", "Pending", "Delayed", "Backorder", "ReadyForPickup"))
            changed_ms = min(self.now_ms, created_ms + dice.below(DAY_MS))
            return {"orderState": "Confirmed", "shipmentState": shipment, "paymentState": "Paid"}, changed_ms
        shipped_ms = min(self.now_ms, created_ms + DAY_MS + dice.below(3 * DAY_MS))
        shipment = dice.weighted((("Delivered", 0.7), ("Shipped", 0.26), ("Partial", 0.04)))
        changed_ms = min(self.now_ms, shipped_ms + dice.below(10 * DAY_MS))
        if shipment == "Partial" or dice.chance(0.7):
            self._deliver(basket, shipped_ms, is_partial=shipment == "Partial")
        state = "Complete" if shipment == "Delivered" else "Confirmed"
        return {"orderState": state, "shipmentState": shipment, "paymentState": "Paid"}, changed_ms

    def _deliver(self, basket: Basket, shipped_ms: int, *, is_partial: bool) -> None:
        """Record deliveries with parcels: one per shipping method, of one line only when partial."""
        dice = self.dice
        lines = basket.lines[:1] if is_partial else basket.lines
        share = -(-len(lines) // len(basket.shipping_infos))
        for number, info in enumerate(basket.shipping_infos):
            sent = lines[number * share : (number + 1) * share]
            if not sent:
                continue
            tracking = {"trackingId": f"TRK{dice.between(10**9, 10**10)}", "carrier": dice.pick(CARRIERS), "isReturn": False}
            parcel = {"id": dice.uuid(), "createdAt": instant(shipped_ms), "trackingData": tracking, "items": []}
            info["deliveries"] = [
                {
                    "id": dice.uuid(),
                    "createdAt": instant(shipped_ms),
                    "items": [{"id": line["id"], "quantity": line["quantity"]} for line in sent],
                    "parcels": [parcel] if dice.chance(0.9) else [],
                }
            ]

    def _rarities(self, order: Document, created_ms: int) -> None:
        """Business units, purchase numbers, recurring orders, and a field that no published type names."""
        dice = self.dice
        if dice.chance(0.03):
            order["businessUnit"] = {"typeId": "business-unit", "key": f"unit-{dice.between(1, 40)}"}
            order["purchaseOrderNumber"] = f"PO/{dice.between(1000, 9999)}"
        if dice.chance(0.05):
            order["fulfilmentPromise"] = {"latest": instant(created_ms + 5 * DAY_MS), "tier": "next-day"}
        if dice.chance(0.05):
            order["versionModifiedAt"] = order["lastModifiedAt"]
        if order["origin"] == "RecurringOrder":
            order["recurringOrder"] = reference("recurring-order", dice.uuid())

    def _import(self, order: Document, created_ms: int) -> None:
        """Make the order one that was imported: its business time lies before its creation, it had no cart here."""
        order["completedAt"] = instant(created_ms - self.dice.between(30, 700) * DAY_MS)
        order["origin"] = "Merchant"
        order["orderNumber"] = f"LEGACY-{self.built}"
        del order["cart"]
