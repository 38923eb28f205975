"""Money as the platform writes it: whole minor units, the currency, and a text for people. Decimals differ by currency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi_cli.sandbox.seed.money import MARKETS, Market, half_even

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of the store; `pattern` is how prices are shown."""

    code: str
    digits: int
    pattern: str
    is_default: bool = False


CURRENCIES = {
    each.code: each
    for each in (
        Currency("EUR", 2, "€{price}", is_default=True),
        Currency("USD", 2, "${price}"),
        Currency("GBP", 2, "£{price}"),
        Currency("JPY", 0, "¥{price}"),
        Currency("KWD", 3, "KD {price}"),
    )
}
MARKET_OF = {market.country: market for market, _share in MARKETS}
"""Country -> market."""


def formatted(amount: int, code: str) -> str:
    """`-$10.00`."""
    currency = CURRENCIES[code]
    whole, rest = divmod(abs(amount), 10**currency.digits)
    number = f"{whole:,}.{rest:0{currency.digits}d}" if currency.digits else f"{whole:,}"
    return ("-" if amount < 0 else "") + currency.pattern.replace("{price}", number)


def shown(amount: int, code: str) -> Document:
    """A price of `display_price`."""
    return {"amount": amount, "currency": code, "formatted": formatted(amount, code)}


def raw(amount: int, code: str, *, includes_tax: bool) -> Document:
    """`unit_price`, `value`, the amount of a discount."""
    return {"amount": amount, "currency": code, "includes_tax": includes_tax}


@dataclass(frozen=True, slots=True)
class Price:
    """An amount without and with tax."""

    without: int
    with_tax: int

    @property
    def tax(self) -> int:
        """The difference."""
        return self.with_tax - self.without


def priced(amount: int, rate: int, *, includes_tax: bool) -> Price:
    """Both sides of an amount at `rate` per mille; negative amounts are taxed as positive ones are."""
    sign, size = (-1, -amount) if amount < 0 else (1, amount)
    if includes_tax:
        return Price(sign * half_even(size * 1000, 1000 + rate), amount)
    return Price(amount, amount + sign * half_even(size * rate, 1000))


def shares(whole: int, weights: list[int]) -> list[int]:
    """An amount divided by weights, so that the parts add up to it."""
    total, done, given = sum(weights), 0, 0
    parts: list[int] = []
    for weight in weights:
        done += weight
        upto = whole * done // total if total else 0
        parts.append(upto - given)
        given = upto
    return parts


def currency_documents() -> list[Document]:
    """`/v2/currencies`."""
    stamps = {"created_at": "2019-07-02T10:10:10.000Z", "updated_at": "2019-07-02T10:10:10.000Z"}
    return [
        {
            "id": f"0c45e4ec-26e0-4043-86e4-c15b9cf985{number:02d}",
            "type": "currency",
            "code": each.code,
            "exchange_rate": 1,
            "format": each.pattern,
            "decimal_point": ".",
            "thousand_separator": ",",
            "decimal_places": each.digits,
            "default": each.is_default,
            "enabled": True,
            "links": {"self": f"/v2/currencies/0c45e4ec-26e0-4043-86e4-c15b9cf985{number:02d}"},
            "meta": {"timestamps": stamps, "owner": "store"},
        }
        for number, each in enumerate(CURRENCIES.values(), 10)
    ]


__all__ = [
    "CURRENCIES", "MARKETS", "MARKET_OF", "Currency", "Document", "Market", "Price", "currency_documents", "formatted",
    "half_even", "priced", "raw", "shares", "shown",
]  # fmt: skip
