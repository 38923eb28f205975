"""Insider: users with their attributes and events to the Unified Customer Database, products to the catalogue.

Insider takes an event as often as it is sent: it knows no id by which it could tell a repeat. So a request whose answer was
lost is never sent again from here; its events come back as `Unknown`, and `confirm` looks for them in the profile.

It answers 200 and then drops what is older than it keeps events, and every event, parameter and attribute that nobody has
defined in its panel. The first is judged before sending (`retention`), the second named by `preflight`.

**A backfill skips hooks** (`skip_hook: true`): otherwise year-old orders would start journeys, and customers get mail.
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
from cdi_cli.destinations.insider.settings import InsiderSettings
from cdi_cli.events import Event

__all__ = ["DESTINATION", "InsiderSettings"]


def _open(settings: InsiderSettings, context: DestinationContext) -> Destination:
    from cdi_cli.destinations.insider.destination import InsiderDestination

    return InsiderDestination(settings, context)


def _judge(settings: InsiderSettings | None) -> Callable[[Event], Rejected | None]:
    from cdi_cli.clock import SYSTEM_CLOCK
    from cdi_cli.destinations.insider.encode import Encoder

    # Partner and token stand in headers and take no part in what is refused.
    usual = {"partner_name": "none", "request_token": "${NONE}"}
    encoder = Encoder(settings if settings is not None else InsiderSettings.model_validate(usual), SYSTEM_CLOCK)

    def refused(event: Event) -> Rejected | None:
        encoded = encoder.event(event)
        return encoded if isinstance(encoded, Rejected) else None

    return refused


def _erasure(settings: InsiderSettings, person: Person) -> list[ErasureRequest]:
    from cdi_cli.destinations.insider.erasure import erasure_of

    return erasure_of(settings, person)


def _draft(settings: InsiderSettings, context: DestinationContext) -> Drafter:
    from cdi_cli.destinations.insider.draft import drafter

    return drafter(settings, context)


DESTINATION = DestinationSpec(
    name="insider",
    title="Insider",
    settings=InsiderSettings,
    open=_open,
    is_idempotent=False,
    judge=_judge,
    erasure=_erasure,
    draft=_draft,
    confirm_after_seconds=900.0,
)
"""Insider appends a repeat (sheet "Insider", section 2). It unifies profiles in its own time, which it does not tell: 15
minutes is the only span that it names anywhere, that of a supposed look for repeats after a 504."""
