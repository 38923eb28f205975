"""Events: what happened to an entity (lifecycle), who it happened to (identity), and the id that a repeat shares."""

from cdi_cli.events.event import Event
from cdi_cli.events.ids import IdFormat, event_id, key_of
from cdi_cli.events.lifecycle import KINDS, Kind, LifecycleSettings, Occurrence, occurrences

__all__ = [
    "KINDS",
    "Event",
    "IdFormat",
    "Kind",
    "LifecycleSettings",
    "Occurrence",
    "event_id",
    "key_of",
    "occurrences",
]
