"""Regions: names that stand for the countries (ISO 3166 alpha-2) which belong to them.

`EU`: the member states of the European Union since 2020; `EEA`: these with Iceland, Liechtenstein and Norway.
"""

from __future__ import annotations

from collections.abc import Iterable

EU = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()  # noqa: SIM905 - one line
)
REGIONS: dict[str, frozenset[str]] = {"EU": EU, "EEA": EU | {"IS", "LI", "NO"}}


def countries_of(names: Iterable[str]) -> frozenset[str]:
    """Every country that these names stand for: a region's are all of its own, any other name is itself."""
    return frozenset(country for name in names for country in REGIONS.get(name, (name,)))
