"""What Segment would be sent for one event, for `cdi preview`: the body of a batch of one."""

from __future__ import annotations

from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import DestinationContext, Draft, Drafter, Filtered, Rejected
from cdi_cli.destinations.segment.encode import Encoder
from cdi_cli.destinations.segment.settings import SegmentSettings
from cdi_cli.events import Event
from cdi_cli.secrets import MASK, Secret


def drafter(settings: SegmentSettings, context: DestinationContext, clock: Clock = SYSTEM_CLOCK) -> Drafter:
    """The drafts of an account; `sentAt` is the time of this call, the write key is masked."""
    encoder = Encoder(Secret(MASK), settings.integrations_for(is_backfill=context.is_backfill))
    sent_at = clock.instant()

    def draft(event: Event) -> list[Draft] | Rejected | Filtered:
        encoded = encoder.event(event)
        if not isinstance(encoded, bytes):
            return encoded
        return [Draft("POST", f"{settings.base_url}/v1/batch", encoder.body(encoded, sent_at))]

    return draft
