"""What a product costs: one price for each currency, chosen among those that everybody can have, at one instant.

Passed over are prices of a customer group, of a channel or of a subscription, those that are not valid yet or any more, and
standalone prices that are not active. Of what is left the price of the wanted country goes before one for all countries, and
one with dates before one without (commercetools, "Product price selection"). The original price is without the discount.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cdi_cli.clock import Instant
from cdi_cli.commerce import Money
from cdi_cli.sources.commercetools.money import money
from cdi_cli.sources.commercetools.records_products import CatalogPrice, StandalonePrice
from cdi_cli.sources.commercetools.shop import instant


@dataclass(frozen=True, slots=True)
class Market:
    """For whom prices are told: `currencies` (none: all that there are), and the country by currency ("": by any other)."""

    currencies: tuple[str, ...] = ()
    countries: Mapping[str, str] = field(default_factory=dict)

    def country(self, currency: str) -> str | None:
        """The country whose prices count in a currency; None: only those for all countries do."""
        return self.countries.get(currency) or self.countries.get("")


def prices_of(prices: Iterable[CatalogPrice], market: Market, now: Instant) -> tuple[dict[str, Money], dict[str, Money]]:
    """Present and original prices by currency, in the order of the currencies' names; raises ValueError, without values."""
    chosen: dict[str, tuple[tuple[bool, bool], CatalogPrice]] = {}
    for price in prices:
        currency = price.value.currency_code
        if (market.currencies and currency not in market.currencies) or not _is_open(price, market, now):
            continue
        rank = (price.country is not None, price.valid_from is not None or price.valid_until is not None)
        if currency not in chosen or rank > chosen[currency][0]:
            chosen[currency] = (rank, price)
    found = {currency: chosen[currency][1] for currency in sorted(chosen)}
    present = {
        currency: money(price.value if price.discounted is None else price.discounted.value)
        for currency, price in found.items()
    }
    return present, {currency: money(price.value) for currency, price in found.items()}


def _is_open(price: CatalogPrice, market: Market, now: Instant) -> bool:
    """Whether anybody in the wanted country can have the price now."""
    if price.customer_group is not None or price.channel is not None or price.recurrence_policy is not None:
        return False
    if isinstance(price, StandalonePrice) and not price.active:
        return False
    if price.country is not None and price.country != market.country(price.value.currency_code):
        return False
    if price.valid_from is not None and instant(price.valid_from, "validFrom") > now:
        return False
    return price.valid_until is None or now < instant(price.valid_until, "validUntil")
