"""Events and open Segment destinations for tests of that destination."""

from __future__ import annotations

from typing import Any

import msgspec
import stamina

from cdi_cli.clock import SYSTEM_CLOCK, Clock, Instant
from cdi_cli.config.types import SecretReference
from cdi_cli.destinations import DestinationContext
from cdi_cli.destinations.segment import SegmentSettings
from cdi_cli.destinations.segment.destination import RETRY, SegmentDestination
from cdi_cli.events import Event, key_of
from cdi_cli.events.ids import content_of
from cdi_cli.http import RetryPolicy

WRITE_KEY = "canary-write-key-0123"
AT = Instant("2025-01-01T12:00:00.000Z")


def event(number: int = 1, **changes: Any) -> Event:
    """An Order Completed; `changes` replace fields as they are, also by values that a wrong plan could make."""
    properties = changes.get("properties", {"order_id": f"ORD-{number}", "revenue": 39.98, "currency": "EUR"})
    body = changes.pop("body", None) or msgspec.json.encode(properties)
    fields: dict[str, Any] = {
        "id": f"cdi:acme:shop:order:{number}:order-completed",
        "kind": "order.completed",
        "type": "track",
        "name": "Order Completed",
        "at": AT,
        "user_id": f"cust-{number}",
        "anonymous_id": None,
        "properties": properties,
        "context": {},
        "body": body,
        "family": "order",
        "entity_id": str(number),
        "created_at": AT,
        "key": key_of(str(number)),
        "content": content_of(body),
    }
    return Event(**(fields | changes))


def settings(**values: Any) -> SegmentSettings:
    """Settings for the US region, unless `values` say otherwise; the write key stands in `$SEGMENT_WRITE_KEY`."""
    where = {} if "endpoint" in values else {"region": "us"}
    return SegmentSettings(**({"write_key": SecretReference("${SEGMENT_WRITE_KEY}")} | where | values))


def destination(
    context: DestinationContext = DestinationContext(),  # noqa: B008 - immutable
    clock: Clock = SYSTEM_CLOCK,
    retry: RetryPolicy = RETRY,
    **values: Any,
) -> SegmentDestination:
    """An open destination."""
    return SegmentDestination(settings(**values), context, clock=clock, retry=retry)


def without_waits() -> Any:
    """Attempts as usual, but no sleep between them."""
    return stamina.set_testing(True, attempts=100, cap=True)
