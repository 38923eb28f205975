"""Twilio Segment: batches to the HTTP Tracking API (`POST /v1/batch`), 200 means "received" and nothing more.

Segment answers 200 to a wrong write key, an unknown source, an event without an id, an event with a name that is not text,
more than 2,500 events, and drops them silently. So everything it would drop is refused here, before sending
(`rules.py`, `encode.py`), and what cannot be known from here is said by `cdi check`.

**A backfill goes to no cloud destination unless you name it**: its batches carry `integrations: {"All": false}` plus the
names in `backfill_integrations`, because old orders sent on would trigger campaigns and count as today's conversions.
"""

from __future__ import annotations

from collections.abc import Callable

from cdi_cli.destinations._base import Destination, DestinationContext, DestinationSpec, ErasureRequest, Person, Rejected
from cdi_cli.destinations.segment.settings import SegmentSettings
from cdi_cli.events import Event

__all__ = ["DESTINATION", "SegmentSettings"]


def _open(settings: SegmentSettings, context: DestinationContext) -> Destination:
    from cdi_cli.destinations.segment.destination import SegmentDestination

    return SegmentDestination(settings, context)


def _judge(settings: SegmentSettings | None) -> Callable[[Event], Rejected | None]:
    from cdi_cli.destinations.segment.encode import Encoder
    from cdi_cli.secrets import Secret

    # The write key stands in the envelope and takes no part in what is refused.
    encoder = Encoder(Secret(""), settings.integrations_for(is_backfill=True) if settings is not None else None)

    def refused(event: Event) -> Rejected | None:
        encoded = encoder.event(event)
        return encoded if isinstance(encoded, Rejected) else None

    return refused


def _erasure(settings: SegmentSettings, person: Person) -> list[ErasureRequest]:
    from cdi_cli.destinations.segment.erasure import erasure_of

    return erasure_of(settings, person)


DESTINATION = DestinationSpec(
    name="segment",
    title="Twilio Segment",
    settings=SegmentSettings,
    open=_open,
    is_idempotent=True,
    judge=_judge,
    erasure=_erasure,
)
"""Segment drops a repeat of a `messageId` for at least 24 hours, across all sources (sheet "Segment", section 2)."""
