"""Events: what happened to an entity (lifecycle), who it happened to (identity), and the id that a repeat shares."""

from cdi_cli.events.build import EventBuilder, changed, missing_consent
from cdi_cli.events.event import Event
from cdi_cli.events.identity import IdentitySettings
from cdi_cli.events.ids import IdFormat, content_of, event_id, key_of
from cdi_cli.events.lifecycle import KINDS, Kind, LifecycleSettings, Occurrence, occurrences, updated
from cdi_cli.events.people import customer_subject, email_subject, subjects_of

__all__ = [
    "KINDS",
    "Event",
    "EventBuilder",
    "IdFormat",
    "IdentitySettings",
    "Kind",
    "LifecycleSettings",
    "Occurrence",
    "changed",
    "content_of",
    "customer_subject",
    "email_subject",
    "event_id",
    "key_of",
    "missing_consent",
    "occurrences",
    "subjects_of",
    "updated",
]
