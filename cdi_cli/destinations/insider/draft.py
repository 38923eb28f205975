"""What Insider would be sent for one event, for `cdi preview`: an upsert of one user, or a product's records by locale."""

from __future__ import annotations

from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import DestinationContext, Draft, Drafter, Filtered, Rejected
from cdi_cli.destinations.insider.destination import catalog_parts
from cdi_cli.destinations.insider.encode import CATALOG, Encoder, joined
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.events import Event


def drafter(settings: InsiderSettings, context: DestinationContext, clock: Clock = SYSTEM_CLOCK) -> Drafter:
    """The drafts of an account; partner and tokens stand in headers and in no draft."""
    encoder = Encoder(settings, clock)
    head = encoder.head(is_backfill=context.is_backfill)

    def draft(event: Event) -> list[Draft] | Rejected | Filtered:
        encoded = encoder.event(event)
        if isinstance(encoded, Rejected | Filtered):
            return encoded
        if not encoded.startswith(CATALOG):
            return [Draft("POST", f"{settings.endpoint}/api/user/v1/upsert", joined(head, [encoded]))]
        return [
            Draft(
                "POST", f"{settings.catalog_endpoint}/v2/{mode}", b"[" + b",".join(record for _, _, record in records) + b"]"
            )
            for (mode, _), records in catalog_parts([encoded]).items()
        ]

    return draft
