"""What products cost: prices in the product for most, apart from it for some, with discounts and prices that do not count.

Nothing here is drawn: ids come of names, so that a shop of the same seed stays the same whatever is added.

    every 6th product   a product discount of a fifth in all currencies
    every 8th product   `priceMode` Standalone: a price for each currency; besides these one that is over, one to come, one
                        that is not active, one for a customer group, one for a channel, and one for Germany alone
    every 12th product  a price that was valid last year only
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from cdi_cli.sandbox.commercetools.records import Document, reference
from cdi_cli.sandbox.seed.dice import DAY_MS, instant
from cdi_cli.sandbox.seed.money import MARKETS, Market, local_price, money

_IDS = uuid.UUID("5c1f7f0e-9a53-5d0b-8b0a-2f5f6f0c7b11")
_MARKETS: dict[str, Market] = {market.currency: market for market, _share in MARKETS}


def is_standalone(number: int) -> bool:
    """Whether the product with this number has its prices apart from it."""
    return number % 8 == 0


def shown_prices(number: int, prices: list[Document], start_ms: int) -> list[Document]:
    """The prices that a variant holds in its product; `start_ms`: when the shop began."""
    if is_standalone(number):
        return []
    shown = [_discounted(price) for price in prices] if number % 6 == 0 else list(prices)
    if number % 12 == 0:
        euro = next(price for price in prices if price["value"]["currencyCode"] == "EUR")
        period = {"validFrom": instant(start_ms), "validUntil": instant(start_ms + 30 * DAY_MS)}
        shown.append({**euro, **period, "id": _id(euro["id"], "over"), "value": {**euro["value"], "centAmount": 1}})
    return shown


def standalone_prices(skus: Iterable[tuple[str, int]], start_ms: int) -> list[Document]:
    """The standalone prices of SKUs, which are given with their price in euro cents."""
    return [price for sku, euro_cents in skus for price in _of_sku(sku, euro_cents, start_ms)]


def _of_sku(sku: str, euro_cents: int, start_ms: int) -> list[Document]:
    at = instant(start_ms)
    year = 365 * DAY_MS

    def priced(name: str, market: Market, cents: int, **more: Any) -> Document:
        base = {"id": _id(sku, name), "version": 1, "createdAt": at, "lastModifiedAt": at, "sku": sku, "active": True}
        return {**base, "value": money(local_price(cents, market), market), **more}

    euro = _MARKETS["EUR"]
    return [
        *(priced(market.currency, market, euro_cents) for market in _MARKETS.values()),
        priced("over", euro, 100, validUntil=instant(start_ms + DAY_MS)),
        priced("to-come", euro, 200, validFrom=instant(start_ms + 20 * year)),
        priced("off", euro, 300, active=False),
        priced("group", euro, 400, customerGroup=reference("customer-group", _id("", "group"))),
        priced("channel", euro, 500, channel=reference("channel", _id("", "channel"))),
        priced("germany", euro, euro_cents - 100, country="DE"),
    ]


def _discounted(price: Document) -> Document:
    value = price["value"]
    lower = {**value, "centAmount": value["centAmount"] * 4 // 5}
    discount = reference("product-discount", _id("", "a fifth off"))
    return {**price, "discounted": {"value": lower, "discount": discount}}


def _id(*names: str) -> str:
    return str(uuid.uuid5(_IDS, ":".join(names)))
