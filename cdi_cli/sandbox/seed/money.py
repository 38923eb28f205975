"""Money of the seed data: whole minor units, taxes rounded half to even, amounts as the API writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Market:
    """Where and how an order is priced; rates per mille, `unit` = minor units per euro cent times 1000."""

    country: str
    language: str
    locale: str
    currency: str
    digits: int
    unit: int
    standard_rate: int
    reduced_rate: int
    is_tax_included: bool
    store: str


MARKETS: tuple[tuple[Market, float], ...] = (
    (Market("DE", "de", "de-DE", "EUR", 2, 1000, 190, 70, True, "eu-web"), 0.30),
    (Market("FR", "fr", "fr-FR", "EUR", 2, 1000, 200, 55, True, "eu-web"), 0.12),
    (Market("ES", "es", "es-ES", "EUR", 2, 1000, 210, 100, True, "eu-web"), 0.07),
    (Market("NL", "nl", "nl-NL", "EUR", 2, 1000, 210, 90, True, "eu-web"), 0.05),
    (Market("US", "en", "en-US", "USD", 2, 1080, 82, 0, False, "us-web"), 0.23),
    (Market("GB", "en", "en-GB", "GBP", 2, 850, 200, 0, True, "uk-web"), 0.12),
    (Market("JP", "ja", "ja-JP", "JPY", 0, 1620, 100, 80, True, "asia-web"), 0.07),
    (Market("KW", "ar", "ar-KW", "KWD", 3, 3300, 0, 0, True, "asia-web"), 0.04),
)
"""Markets and their share of orders."""


def half_even(numerator: int, denominator: int) -> int:
    """The quotient rounded to the nearest whole number, ties to the even one; the denominator is positive."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return quotient + (twice > denominator or (twice == denominator and quotient % 2 == 1))


def local_price(euro_cents: int, market: Market) -> int:
    """A price in the market's minor units."""
    return half_even(euro_cents * market.unit, 1000)


def money(amount: int, market: Market) -> dict[str, Any]:
    """An amount of minor units as the API writes it."""
    return {
        "type": "centPrecision",
        "currencyCode": market.currency,
        "centAmount": amount,
        "fractionDigits": market.digits,
    }


@dataclass(frozen=True, slots=True)
class Taxed:
    """An amount and what it is without and with tax; sums of these are what an order's totals are made of."""

    amount: int
    net: int
    gross: int
    rate: int


def taxed(amount: int, rate: int, market: Market) -> Taxed:
    """Net and gross of an amount at `rate` per mille."""
    if market.is_tax_included:
        return Taxed(amount, half_even(amount * 1000, 1000 + rate), amount, rate)
    return Taxed(amount, amount, amount + half_even(amount * rate, 1000), rate)


def taxed_price(parts: list[Taxed], market: Market) -> dict[str, Any]:
    """The `taxedPrice` of one part or of a whole order: sums, and the tax per rate."""
    net = sum(part.net for part in parts)
    gross = sum(part.gross for part in parts)
    per_rate: dict[int, int] = {}
    for part in parts:
        per_rate[part.rate] = per_rate.get(part.rate, 0) + part.gross - part.net
    return {
        "totalNet": money(net, market),
        "totalGross": money(gross, market),
        "taxPortions": [
            {"rate": rate / 1000, "name": _rate_name(rate, market), "amount": money(amount, market)}
            for rate, amount in per_rate.items()
        ],
        "totalTax": money(gross - net, market),
    }


def tax_rate(rate: int, market: Market) -> dict[str, Any]:
    """The `taxRate` that belongs to a part."""
    return {
        "name": _rate_name(rate, market),
        "amount": rate / 1000,
        "includedInPrice": market.is_tax_included,
        "country": market.country,
        "subRates": [],
    }


def _rate_name(rate: int, market: Market) -> str:
    return f"{market.country} {rate / 10:g}%"
