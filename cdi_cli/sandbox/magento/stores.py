"""Websites, stores and store views: a US website in dollars and a European one that shows euros and books dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StoreView:
    """A store view; rates in hundredths of a per cent, `rate` = units of its currency per dollar times 100."""

    id: int
    code: str
    name: str
    website_id: int
    group: str
    currency: str
    rate: int
    tax_rate: int
    tax_code: str
    locale: str
    country: str
    timezone: str


DEFAULT = StoreView(
    1, "default", "Default Store View", 1, "Main Website\nMain Website Store", "USD", 100, 825, "US-CA-8.25", "en_US", "US",
    "America/New_York",
)  # fmt: skip
GERMAN = StoreView(
    2, "eu_de", "EU German", 2, "EU Website\nEU Store", "EUR", 90, 1900, "DE-19", "de_DE", "DE", "Europe/Berlin"
)
FRENCH = StoreView(
    3, "eu_fr", "EU French", 2, "EU Website\nEU Store", "EUR", 90, 2000, "FR-20", "fr_FR", "FR", "Europe/Paris"
)
VIEWS = (DEFAULT, GERMAN, FRENCH)
BY_ID = {view.id: view for view in VIEWS}
SHARES: tuple[tuple[StoreView, float], ...] = ((DEFAULT, 0.65), (GERMAN, 0.23), (FRENCH, 0.12))
"""Store views and their share of orders."""

ALL_STORE_ID = 0
CODES: dict[str, int] = {"all": ALL_STORE_ID, **{view.code: view.id for view in VIEWS}}
"""What may stand in the address, and the store id that it means."""


def store_configs(base_url: str) -> list[dict[str, Any]]:
    """`/V1/store/storeConfigs`."""
    return [
        {
            "id": view.id,
            "code": view.code,
            "website_id": view.website_id,
            "locale": view.locale,
            "base_currency_code": "USD",
            "default_display_currency_code": view.currency,
            "timezone": view.timezone,
            "weight_unit": "lbs",
            **_urls("base", base_url),
            **_urls("secure_base", base_url),
        }
        for view in VIEWS
    ]


def _urls(prefix: str, base_url: str) -> dict[str, str]:
    return {
        f"{prefix}_url": base_url,
        f"{prefix}_link_url": base_url,
        f"{prefix}_static_url": f"{base_url}static/version1795331547/",
        f"{prefix}_media_url": f"{base_url}media/",
    }


def store_views() -> list[dict[str, Any]]:
    """`/V1/store/storeViews`."""
    views = [{"id": 0, "code": "admin", "name": "Admin", "website_id": 0, "store_group_id": 0, "is_active": 1}]
    for view in VIEWS:
        group = {"website_id": view.website_id, "store_group_id": view.website_id, "is_active": 1}
        views.append({"id": view.id, "code": view.code, "name": view.name, **group})
    return views


def websites() -> list[dict[str, Any]]:
    """`/V1/store/websites`."""
    return [
        {"id": 0, "code": "admin", "name": "Admin", "default_group_id": 0},
        {"id": 1, "code": "base", "name": "Main Website", "default_group_id": 1},
        {"id": 2, "code": "eu", "name": "EU Website", "default_group_id": 2},
    ]
