"""What mParticle would be sent for one event, for `cdi preview`: a request with one batch, where it goes by its age now."""

from __future__ import annotations

from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.destinations._base import DestinationContext, Draft, Drafter, Filtered, Rejected
from cdi_cli.destinations.mparticle.destination import HISTORICAL_AGES, route
from cdi_cli.destinations.mparticle.encode import Encoder
from cdi_cli.destinations.mparticle.settings import MparticleSettings
from cdi_cli.events import Event


def drafter(settings: MparticleSettings, context: DestinationContext, clock: Clock = SYSTEM_CLOCK) -> Drafter:
    """The drafts of an account, as of this call; credentials stand in a header and in no draft."""
    del context
    encoder = Encoder(settings)
    now, least_age = clock.now(), HISTORICAL_AGES[settings.historical_after]

    def draft(event: Event) -> list[Draft] | Rejected | Filtered:
        encoded = encoder.event(event)
        if isinstance(encoded, Rejected | Filtered):
            return encoded
        paths = route([encoded], encoder, now, least_age)
        return [Draft("POST", f"{settings.base_url}{path}", b"[" + encoded + b"]") for path in paths]

    return draft
