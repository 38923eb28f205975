"""Times of records: mixed zones in one record, in two places, and a version made of the last change."""

from __future__ import annotations

from cdi_cli.clock import Instant, parse_instant, to_datetime
from cdi_cli.sources.elasticpath.records import Times


def instant_of(text: str, name: str) -> Instant:
    """The instant of a record's field; raises ValueError, without the value, for a text that is no time with a zone."""
    try:
        return parse_instant(text)
    except ValueError:
        raise ValueError(f"Expected a time with its zone - at `$.meta.timestamps.{name}`") from None


def times_of(times: Times | None, other: Times | None = None) -> tuple[Instant, Instant]:
    """When a record was created and changed last; raises ValueError for one that does not say when it was created."""
    created = (times.created_at if times is not None else None) or (other.created_at if other is not None else None)
    if not created:
        raise ValueError("Expected a time - at `$.meta.timestamps.created_at`")
    updated = (times.updated_at if times is not None else None) or (other.updated_at if other is not None else None)
    return instant_of(created, "created_at"), instant_of(updated or created, "updated_at")


def version_of(at: Instant) -> int:
    """A version for a record of which Elastic Path keeps none: its last change in milliseconds since 1970."""
    moment = to_datetime(at)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
