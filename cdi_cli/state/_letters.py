"""Dead letters and departures: what waits in the checkpoint file for a person. Part of the contract of `_base`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cdi_cli.clock import Instant

Stage = Literal["read", "map", "plan", "route", "encode", "send"]
"""Where a record or event failed: reading it, a script of the plan that makes it, the plan's check, a routing rule that
holds it back, encoding for the destination, the destination's answer."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record or event that could not be delivered, with all that is needed to explain and replay it.

    `record` is the scrubbed source record, `event` the Segment-spec message as JSON (None when no event was made).
    `violations` are (path, rule, sentence). `detail` holds no personal data; `record` and `event` may.

    `place` (16 bytes) is the one place that the queue has for this: the event's ledger key, or a key made of stream and
    record. A later letter of the same source and destination in that place takes over its number, and a delivery with that
    ledger key takes it out of the queue. `digest` (8 bytes) stands for reason and content: an equal one is no news.
    """

    stream: str
    reason: str
    detail: str
    entity_id: str | None = None
    event_name: str | None = None
    event_id: str | None = None
    violations: tuple[tuple[str, str, str], ...] = ()
    record: bytes | None = None
    event: bytes | None = None
    stage: Stage = "plan"
    place: bytes = b""
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter as the store gives it back: with its number, and which job, run and plan version it came of.

    `at` and `run_id` are those of the last time it was written, `first_at` of the first, `times` how often.
    """

    id: int
    letter: DeadLetter
    pipeline: str
    source: str
    destination: str
    plan_version: str
    run_id: int
    at: Instant
    first_at: Instant
    times: int = 1


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant; every field that is not None must hold. `since` .. `until` is of `at`, half-open."""

    pipeline: str | None = None
    destination: str | None = None
    stream: str | None = None
    reason: str | None = None
    event_name: str | None = None
    entity_id: str | None = None
    run_id: int | None = None
    since: Instant | None = None
    until: Instant | None = None
    numbers: tuple[int, ...] | None = None


EVERY_LETTER = LetterFilter()


@dataclass(frozen=True, slots=True)
class KnownLetter:
    """What is known of a place in the queue: the letter's number, its digest, and the stage at which it failed."""

    id: int
    digest: bytes
    stage: Stage


@dataclass(frozen=True, slots=True)
class Departure:
    """A customer whom the source says it deleted: its id there, when, and the hashed names (16 bytes each) of the person."""

    entity_id: str
    at: Instant
    subjects: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StoredDeparture:
    """A departure that waits for the destinations' own deletion requests."""

    id: int
    source: str
    departure: Departure
    noted_at: Instant
