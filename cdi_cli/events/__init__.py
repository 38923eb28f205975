"""Events: what happened to an entity (lifecycle), who it happened to (identity), and the id that a repeat shares."""

from cdi_cli.events.build import PRODUCT_FAMILY, EventBuilder, changed, missing_consent
from cdi_cli.events.consent import ConsentPolicy, country_of
from cdi_cli.events.contacts import ContactSettings, contact_as
from cdi_cli.events.event import Event
from cdi_cli.events.identity import IdentitySettings
from cdi_cli.events.ids import IdFormat, content_of, event_id, key_of
from cdi_cli.events.lifecycle import KINDS, Kind, LifecycleSettings, Occurrence, occurrences, origins_of, updated
from cdi_cli.events.people import customer_subject, email_subject, subjects_of

__all__ = [
    "KINDS",
    "PRODUCT_FAMILY",
    "ConsentPolicy",
    "ContactSettings",
    "Event",
    "EventBuilder",
    "IdFormat",
    "IdentitySettings",
    "Kind",
    "LifecycleSettings",
    "Occurrence",
    "changed",
    "contact_as",
    "content_of",
    "country_of",
    "customer_subject",
    "email_subject",
    "event_id",
    "key_of",
    "missing_consent",
    "occurrences",
    "origins_of",
    "subjects_of",
    "updated",
]
