"""mParticle: batches to the HTTP Events API (`POST /v2/bulkevents`), 202 means "accepted" and nothing more.

mParticle answers 202 also when it then drops some of the batches, and tells nobody. So everything it would refuse, truncate
or drop is refused here, before sending, and what cannot be known from here is said by `cdi check`. One batch holds one user
and one event (or one profile), so its `source_request_id` is the event's id, and a repeat is recognised however events are
grouped.

**Old events are not forwarded**: what is older than 30 days goes to the historical endpoint, as mParticle asks for, and from
there to profiles and audiences, not to event outputs.
"""

from __future__ import annotations

from collections.abc import Callable

from cdi_cli.destinations._base import (
    Destination,
    DestinationContext,
    DestinationSpec,
    Drafter,
    ErasureRequest,
    Person,
    Rejected,
)
from cdi_cli.destinations.mparticle.settings import MparticleSettings
from cdi_cli.events import Event

__all__ = ["DESTINATION", "MparticleSettings"]


def _open(settings: MparticleSettings, context: DestinationContext) -> Destination:
    from cdi_cli.destinations.mparticle.destination import MparticleDestination

    return MparticleDestination(settings, context)


def _judge(settings: MparticleSettings | None) -> Callable[[Event], Rejected | None]:
    from cdi_cli.destinations.mparticle.encode import Encoder

    # Credentials and pod take no part in what is refused.
    usual = {"pod": "us1", "key": "none", "secret": "${NONE}", "environment": "production"}
    encoder = Encoder(settings if settings is not None else MparticleSettings.model_validate(usual))

    def refused(event: Event) -> Rejected | None:
        encoded = encoder.event(event)
        return encoded if isinstance(encoded, Rejected) else None

    return refused


def _erasure(settings: MparticleSettings, person: Person) -> list[ErasureRequest]:
    from cdi_cli.destinations.mparticle.erasure import erasure_of

    return erasure_of(settings, person)


def _draft(settings: MparticleSettings, context: DestinationContext) -> Drafter:
    from cdi_cli.destinations.mparticle.draft import drafter

    return drafter(settings, context)


DESTINATION = DestinationSpec(
    name="mparticle",
    title="mParticle",
    settings=MparticleSettings,
    open=_open,
    is_idempotent=True,
    judge=_judge,
    erasure=_erasure,
    draft=_draft,
)
"""mParticle drops a repeat of a `source_request_id` for 30 to 60 days, per API key (sheet "mParticle", section 2)."""
