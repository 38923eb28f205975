"""Events and open mParticle destinations for tests of that destination, on a clock that stands still."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from mparticle_judge import violations

from cdi_cli.clock import Clock, Instant, instant_from_datetime
from cdi_cli.destinations import DestinationContext
from cdi_cli.destinations.mparticle import MparticleSettings
from cdi_cli.destinations.mparticle.answers import RETRY
from cdi_cli.destinations.mparticle.destination import MparticleDestination
from cdi_cli.destinations.mparticle.encode import Encoder
from cdi_cli.events import Event, key_of
from cdi_cli.events.ids import content_of
from cdi_cli.http import RetryPolicy

KEY = "us1-feed-key"
SECRET = "canary-feed-secret-0123"
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
CLOCK = Clock(now=lambda: NOW)
PRODUCT = {"product_id": "SKU-1", "name": "Tee", "price": 19.99, "quantity": 2, "position": 1, "sku": "S", "is_gift": False}
ORDER = {
    "order_id": "ORD-1", "affiliation": "web-de", "total": 45.48, "tax": 3.0, "shipping": 2.5, "coupon": "MAY",
    "currency": "EUR", "revenue": 39.98, "products": [PRODUCT],
}  # fmt: skip


def ago(**units: float) -> Instant:
    """The instant so long before `NOW`."""
    return instant_from_datetime(NOW - timedelta(**units))


def event(number: int = 1, **changes: Any) -> Event:
    """An Order Completed an hour ago; `changes` replace fields as they are, also by values that a wrong plan could make."""
    properties = changes.get("properties", ORDER)
    body = changes.pop("body", None) or msgspec.json.encode(ORDER)
    identifier = f"cdi:acme:shop:order:{number}:order-completed"
    fields: dict[str, Any] = {
        "id": identifier,
        "kind": "order.completed",
        "type": "track",
        "name": "Order Completed",
        "at": ago(hours=1),
        "user_id": f"cust-{number}",
        "anonymous_id": None,
        "properties": properties,
        "context": {},
        "body": body,
        "family": "order",
        "entity_id": str(number),
        "created_at": ago(hours=1),
        "key": key_of(identifier),
        "content": content_of(body),
    }
    return Event(**(fields | changes))


def profile(number: int = 1, **changes: Any) -> Event:
    """A customer's profile."""
    traits = {"email": "Jo@Example.com ", "firstName": "Jo", "phone": "+1 555 123-4567", "createdAt": ago(days=400)}
    identifier = f"cdi:acme:shop:customer:{number}:identify:1-c0ffee"
    usual = {"id": identifier, "kind": "customer.profile", "type": "identify", "name": "identify", "properties": traits}
    return event(number, **(usual | {"family": "customer"} | changes))


def settings(**values: Any) -> MparticleSettings:
    """Settings for US1 and production, unless `values` say otherwise; the secret stands in `$MPARTICLE_SECRET`."""
    where = {} if "endpoint" in values else {"pod": "us1"}
    usual = {"key": KEY, "secret": "${MPARTICLE_SECRET}", "environment": "production"}
    return MparticleSettings.model_validate(usual | where | values)


def encoder(**values: Any) -> Encoder:
    """An encoder for these settings."""
    return Encoder(settings(**values))


def decoded(one: Event, **values: Any) -> dict[str, Any]:
    """The batch of an event; it keeps the vendor's schema."""
    encoded = encoder(**values).event(one)
    assert isinstance(encoded, bytes), encoded
    batch = json.loads(encoded)
    assert isinstance(batch, dict)
    assert violations(batch) == []
    return batch


def data(one: Event, **values: Any) -> dict[str, Any]:
    """The `data` of the one event of a batch."""
    (found,) = decoded(one, **values)["events"]
    inner: dict[str, Any] = found["data"]
    return inner


def destination(
    context: DestinationContext = DestinationContext(),  # noqa: B008 - immutable
    clock: Clock = CLOCK,
    retry: RetryPolicy = RETRY,
    **values: Any,
) -> MparticleDestination:
    """An open destination."""
    return MparticleDestination(settings(**values), context, clock=clock, retry=retry)
