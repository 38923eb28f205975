"""Products of a stubbed Magento shop, and what the source makes of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from magento_stub import StubShop, opened, sample

from cdi_cli.clock import Clock

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def product(**changes: Any) -> dict[str, Any]:
    """The recorded duffle bag, changed; attributes by name, None takes one out."""
    record: dict[str, Any] = sample("products")["items"][0]
    attributes = {one["attribute_code"]: one["value"] for one in record["custom_attributes"]} | changes.pop("attributes", {})
    record["custom_attributes"] = [{"attribute_code": name, "value": value} for name, value in attributes.items() if value]
    return record | changes


def shop_of(*records: dict[str, Any], **more: Any) -> StubShop:
    """A shop with these products and the recorded stock."""
    stock = [row | {"entity_id": number} for number, row in enumerate(sample("source_items")["items"])]
    lists = {"/products": list(records), "/inventory/source-items": [row | {"source_code": "default"} for row in stock]}
    return StubShop(lists | more.pop("lists", {}), **more)


async def read(shop: StubShop, *records: dict[str, Any], at: datetime = AT, **settings: Any) -> list[Any]:
    """The readings of products at a time."""
    async with opened(shop, clock=Clock(now=lambda: at), **settings) as source:
        return await source.read("products", [json.dumps(record).encode() for record in records])


def in_markets() -> dict[str, Any]:
    """The recorded store configurations, each view with a language of its own, those of Europe with euros."""
    markets = {"default": ("en_US", "USD"), "eu_de": ("de_DE", "EUR"), "eu_fr": ("fr_FR", "EUR")}
    configs = [
        config | dict(zip(("locale", "base_currency_code"), markets[config["code"]], strict=True))
        for config in sample("store_configs")
    ]
    return {"/store/storeConfigs": configs}
