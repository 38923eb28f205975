"""Baskets: what carts and orders have in common - lines, fees, shipping, discounts - with sums that add up.

totalPrice             = lines + custom lines + shipping - discountOnTotalPrice.discountedAmount
taxedPrice.totalNet    = sum of nets  - discountedNetAmount
taxedPrice.totalGross  = sum of gross - discountedGrossAmount = totalNet + totalTax
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.sandbox.commercetools.records import reference
from cdi_cli.sandbox.seed.catalogue import Catalogue, Product, Variant, shown_variant
from cdi_cli.sandbox.seed.dice import Dice
from cdi_cli.sandbox.seed.money import Market, Taxed, half_even, local_price, money, tax_rate, taxed, taxed_price

_LINE_COUNTS = ((1, 0.58), (2, 0.24), (3, 0.10), (4, 0.05), (6, 0.02), (9, 0.01))
_QUANTITIES = ((1, 0.78), (2, 0.15), (3, 0.05), (12, 0.02))
FREE_SHIPPING_EURO_CENTS = 15_000
SHIPPING_EURO_CENTS = 495


@dataclass(slots=True)
class Basket:
    """The money part of a cart or order: its JSON fields, and the parts the fields were summed from."""

    market: Market
    fields: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    parts: list[Taxed] = field(default_factory=list)
    shipping_infos: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    gross: int = 0


@dataclass(frozen=True, slots=True)
class BasketMaker:
    """Builds baskets from a catalogue."""

    dice: Dice
    catalogue: Catalogue
    order_bytes: int | None = None

    @property
    def is_compact(self) -> bool:
        """Whether optional repetitions (taxes per line, taxes inside `shippingInfo`) are left out."""
        return self.order_bytes is None

    def build(self, market: Market, address: msgspec.Raw | None) -> Basket:
        """A basket of one market; without an address nothing is shipped or taxed yet."""
        dice, basket = self.dice, Basket(market)
        line_discount = dice.pick((50, 100, 200)) if dice.chance(0.12) else 0
        total_discount = dice.pick((20, 50)) if not line_discount and dice.chance(0.08) else 0
        count = dice.weighted(_LINE_COUNTS)
        for _number in range(count):
            self._line(basket, count, line_discount, is_standard_rate=total_discount > 0)
        if dice.chance(0.03):
            self._gift(basket, count)
        customs = [self._fee(basket)] if dice.chance(0.05) else []
        shipping = self._ship(basket, address) if address is not None else {}
        discount = self._on_total(basket, total_discount) if total_discount else {}
        codes = [{"discountCode": reference("discount-code", dice.pick(self.catalogue.codes)), "state": "MatchesCart"}]
        basket.total = sum(part.amount for part in basket.parts)
        taxes = {"taxedPrice": taxed_price(basket.parts, market)} if address is not None and dice.chance(0.95) else {}
        basket.gross = sum(part.gross for part in basket.parts) if taxes else basket.total
        if not taxes or (self.is_compact and dice.chance(0.5)):
            shipping.pop("taxedShippingPrice", None)
        basket.fields = {
            "lineItems": basket.lines,
            "customLineItems": customs,
            "totalPrice": money(basket.total, market),
            **taxes,
            **shipping,
            **discount,
            "discountCodes": codes if (line_discount or total_discount) and dice.chance(0.7) else [],
            "directDiscounts": [],
            "refusedGifts": [],
            "taxMode": "Platform" if taxes else "External",
            "taxRoundingMode": "HalfEven",
            "taxCalculationMode": "LineItemLevel",
            "priceRoundingMode": "HalfEven",
            "inventoryMode": "None",
        }
        return basket

    def _line(self, basket: Basket, lines: int, discount: int, *, is_standard_rate: bool) -> None:
        dice, market = self.dice, basket.market
        product = dice.pick(self.catalogue.products)
        variant = dice.pick(product.variants)
        rate = market.reduced_rate if product.is_reduced_tax and not is_standard_rate else market.standard_rate
        unit = full = local_price(product.euro_cents, market)
        price: dict[str, Any] = {"id": dice.uuid(), "value": money(full, market)}
        if dice.chance(0.08):
            unit = half_even(full * 90, 100)
            price["discounted"] = {
                "value": money(unit, market),
                "discount": reference("product-discount", self.catalogue.channel_id),
            }
        quantity = dice.weighted(_QUANTITIES)
        off = half_even(unit * discount, 1000)
        part = taxed((unit - off) * quantity, rate, market)
        line = self._line_fields(product, variant, lines, (price, quantity, rate, part), market)
        if off:
            line["discountedPricePerQuantity"] = [_discounted(quantity, unit, off, self.catalogue.channel_id, market)]
        basket.lines.append(line)
        basket.parts.append(part)

    def _gift(self, basket: Basket, lines: int) -> None:
        """A line given away: full price, fully discounted."""
        product, market = self.dice.pick(self.catalogue.products), basket.market
        full = local_price(product.euro_cents, market)
        part = taxed(0, market.standard_rate, market)
        price = {"id": self.dice.uuid(), "value": money(full, market)}
        line = self._line_fields(product, product.variants[0], lines, (price, 1, market.standard_rate, part), market)
        line["lineItemMode"] = "GiftLineItem"
        line["discountedPricePerQuantity"] = [_discounted(1, full, full, self.catalogue.channel_id, market)]
        basket.lines.append(line)
        basket.parts.append(part)

    def _line_fields(
        self,
        product: Product,
        variant: Variant,
        lines: int,
        figures: tuple[dict[str, Any], int, int, Taxed],
        market: Market,
    ) -> dict[str, Any]:
        price, quantity, rate, part = figures
        line = {
            "id": self.dice.uuid(),
            "productId": product.id,
            "name": product.name,
            "productSlug": product.slug,
            "variant": shown_variant(variant, lines, self.order_bytes, self.dice),
            "price": price,
            "quantity": quantity,
            "discountedPricePerQuantity": [],
            "taxRate": tax_rate(rate, market),
            "priceMode": "Platform",
            "lineItemMode": "Standard",
            "totalPrice": money(part.amount, market),
        }
        if not self.is_compact:
            line |= {
                "productKey": product.key,
                "productType": reference("product-type", self.catalogue.channel_id),
                "state": [{"quantity": quantity, "state": reference("state", self.catalogue.channel_id)}],
                "taxedPrice": taxed_price([part], market),
                "perMethodTaxRate": [],
                "taxedPricePortions": [],
            }
        return line

    def _fee(self, basket: Basket) -> dict[str, Any]:
        """A custom line: a service that costs something, or a credit that takes something off."""
        market = basket.market
        name, slug, euro_cents = self.dice.pick((
            ("Gift wrapping", "gift-wrapping", 350),
            ("Express handling", "express", 790),
            ("Store credit", "store-credit", -500),
        ))  # fmt: skip
        part = taxed(local_price(euro_cents, market), market.standard_rate, market)
        basket.parts.append(part)
        return {
            "id": self.dice.uuid(),
            "name": {"en": name},
            "slug": slug,
            "money": money(part.amount, market),
            "quantity": 1,
            "totalPrice": money(part.amount, market),
            "taxedPrice": taxed_price([part], market),
            "taxRate": tax_rate(market.standard_rate, market),
            "discountedPricePerQuantity": [],
            "state": [],
            "priceMode": "Standard",
        }

    def _ship(self, basket: Basket, address: msgspec.Raw) -> dict[str, Any]:
        """One shipping method, or in a few baskets two (`shippingMode` Multiple); returns the fields."""
        market = basket.market
        if not self.dice.chance(0.03):
            info, part = self._shipping_info(basket, "Standard")
            basket.parts.append(part)
            taxes = taxed_price([part], market)
            return {"shippingMode": "Single", "shippingInfo": info, "shipping": [], "taxedShippingPrice": taxes}
        entries: list[dict[str, Any]] = []
        parts: list[Taxed] = []
        for key in ("Standard", "Express"):
            info, part = self._shipping_info(basket, key)
            entries.append({"shippingKey": key.lower(), "shippingInfo": info, "shippingAddress": address})
            parts.append(part)
        basket.parts += parts
        taxes = taxed_price(parts, market)
        return {
            "shippingMode": "Multiple",
            "shipping": entries,
            "taxedShippingPrice": taxes,
            "itemShippingAddresses": [address],
        }

    def _shipping_info(self, basket: Basket, name: str) -> tuple[dict[str, Any], Taxed]:
        dice, market = self.dice, basket.market
        merchandise = sum(part.amount for part in basket.parts)
        is_free = merchandise >= local_price(FREE_SHIPPING_EURO_CENTS, market)
        price = 0 if is_free else local_price(SHIPPING_EURO_CENTS * (1 if name == "Standard" else 2), market)
        off = half_even(price, 2) if price and dice.chance(0.04) else 0
        part = taxed(price - off, market.standard_rate, market)
        info: dict[str, Any] = {
            "shippingMethodName": name,
            "price": money(price, market),
            "shippingRate": {"price": money(price, market), "tiers": []},
            "taxRate": tax_rate(market.standard_rate, market),
            "deliveries": [],
            "shippingMethodState": "MatchesCart",
        }
        if not self.is_compact:
            info["taxedPrice"] = taxed_price([part], market)
        if off:
            included = {
                "discount": reference("cart-discount", self.catalogue.channel_id),
                "discountedAmount": money(off, market),
            }
            info["discountedPrice"] = {"value": money(price - off, market), "includedDiscounts": [included]}
        basket.shipping_infos.append(info)
        return info, part

    def _on_total(self, basket: Basket, discount: int) -> dict[str, Any]:
        """A discount on the whole basket; all lines then bear the standard rate, so that its tax share is exact."""
        market = basket.market
        base = sum(part.amount for part in basket.parts)
        off = taxed(half_even(base * discount, 1000), market.standard_rate, market)
        basket.parts.append(Taxed(-off.amount, -off.net, -off.gross, off.rate))
        included = {
            "discount": reference("cart-discount", self.catalogue.channel_id),
            "discountedAmount": money(off.amount, market),
        }
        return {
            "discountOnTotalPrice": {
                "discountedAmount": money(off.amount, market),
                "includedDiscounts": [included],
                "discountedNetAmount": money(off.net, market),
                "discountedGrossAmount": money(off.gross, market),
            }
        }


def _discounted(quantity: int, unit: int, off: int, discount_id: str, market: Market) -> dict[str, Any]:
    included = {"discount": reference("cart-discount", discount_id), "discountedAmount": money(off, market)}
    price = {"value": money(unit - off, market), "includedDiscounts": [included]}
    return {"quantity": quantity, "discountedPrice": price}
