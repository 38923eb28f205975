"""The decimals of currencies (ISO 4217), for platforms that do not say."""

from __future__ import annotations

DIGITS_DEFAULT = 2
DIGITS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
"""Currencies without the usual two decimals."""


def digits_of(currency: str) -> int:
    """How many decimals amounts in a currency have."""
    return DIGITS.get(currency, DIGITS_DEFAULT)
