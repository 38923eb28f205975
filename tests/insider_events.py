"""Events and open Insider destinations for tests of that destination."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import stamina
from contract_events import event as contract_event
from contract_events import identify

from cdi_cli.clock import Clock, Instant
from cdi_cli.destinations import DestinationContext
from cdi_cli.destinations.insider import InsiderSettings
from cdi_cli.destinations.insider.destination import InsiderDestination
from cdi_cli.events import Event, key_of
from cdi_cli.http import RetryPolicy

__all__ = ["NOW", "ORDER", "destination", "event", "identify", "product", "settings", "without_waits"]

TOKEN = "canary-insider-token-0123"
CATALOG_TOKEN = "canary-catalog-token-4567"
ENVIRONMENT = {"INSIDER_TOKEN": TOKEN, "INSIDER_CATALOG_TOKEN": CATALOG_TOKEN}
AT = Instant("2026-08-01T12:00:00.123Z")
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
CLOCK = Clock(now=lambda: NOW)
QUICK = RetryPolicy(attempts=3)

LINES = [
    {"product_id": "p-1", "sku": "SKU-1", "name": "Tee", "category": "Apparel > Shirts", "brand": "Acme", "price": 24.99,
     "quantity": 2, "discount": 10.0, "coupon": "MAY", "position": 1, "kind": "product",
     "url": "https://shop.example/p/tee", "image_url": "https://shop.example/i/tee.jpg"},
    {"product_id": "p-2", "name": "Cap", "price": 9.99, "quantity": 1, "position": 2, "kind": "product"},
]  # fmt: skip
ORDER = {
    "order_id": "ORD-1001", "checkout_id": "cart-7", "total": 59.97, "revenue": 49.97, "shipping": 2.5, "tax": 7.5,
    "discount": 10.0, "coupon": "MAY", "currency": "EUR", "payment_method": "card", "products": LINES,
}  # fmt: skip


def event(number: int = 1, **changes: Any) -> Event:
    """An Order Completed of a month ago; `changes` replace fields as they are."""
    return contract_event(number, **({"properties": ORDER, "at": AT, "context": {}} | changes))


def product(number: int = 1, **changes: Any) -> Event:
    """A product as the plan maps it; `changes` are other properties, None takes one away."""
    properties = {
        "product_id": f"product-{number}", "name": "Tee", "sku": f"SKU-{number}",
        "price": 19.99, "original_price": 24.99, "currency": "EUR",
        "url": "https://shop.example/p/tee", "image_url": "https://shop.example/i/tee.jpg", "brand": "Acme",
        "categories": ["Apparel > Shirts", "Sale"], "in_stock": True, "stock_count": 12, "is_published": True,
    } | changes  # fmt: skip
    properties = {name: value for name, value in properties.items() if value is not None}
    identifier = f"cdi:acme:shop:product:{number}:product-updated:{number:016x}"
    return contract_event(
        number,
        id=identifier,
        kind="product.snapshot",
        name="Product Updated",
        at=AT,
        user_id=None,
        context={},
        properties=properties,
        family="product",
        entity_id=f"product-{number}",
        key=key_of(identifier),
    )


def settings(**values: Any) -> InsiderSettings:
    """Settings with a catalogue in two locales, unless `values` say otherwise; tokens stand in the environment."""
    usual = {
        "partner_name": "acme",
        "request_token": "${INSIDER_TOKEN}",
        "catalog_token": "${INSIDER_CATALOG_TOKEN}",
        "locales": ["en_US", "de_DE"],
        "item_id": "product_id",
    }
    return InsiderSettings.model_validate(usual | values)


def destination(
    context: DestinationContext = DestinationContext(),  # noqa: B008 - immutable
    clock: Clock = CLOCK,
    retry: RetryPolicy | None = QUICK,
    **values: Any,
) -> InsiderDestination:
    """An open destination whose clock stands still."""
    return InsiderDestination(settings(**values), context, clock=clock, retry=retry)


def users(insider: InsiderDestination, *events: Event) -> list[dict[str, Any]]:
    """What events become in `users`; fails for one that does not."""
    found = [insider.encode(each) for each in events]
    assert all(isinstance(each, bytes) for each in found), found
    return [msgspec.json.decode(each) for each in found if isinstance(each, bytes)]


def without_waits() -> Any:
    """Attempts as usual, but no sleep between them."""
    return stamina.set_testing(True, attempts=100, cap=True)
