"""The contract of a destination: a customer data platform that events are delivered to.

A destination is a folder under `destinations/` (or a package with an entry point in the group `cdi.destinations`) whose
`__init__` exposes `DESTINATION`, a `DestinationSpec`. Every event is encoded once, alone, to bytes; the pipeline cuts
batches from these bytes, so that sizes are known before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from cdi_cli.checks import Check
from cdi_cli.events import Event

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold and how fast requests may follow.

    `batch_bytes` counts the encoded body before compression, `overhead_bytes` what the envelope adds to the events,
    `event_bytes` one encoded event. `events_per_second` is the default pace, `in_flight` the default concurrency.
    """

    batch_events: int
    batch_bytes: int
    event_bytes: int
    overhead_bytes: int
    events_per_second: float
    in_flight: int = 4


@dataclass(frozen=True, slots=True)
class Accepted:
    """The destination took the event."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination will never take the event: `reason` is a stable code, `detail` a sentence without personal data."""

    reason: str
    detail: str


Outcome = Accepted | Rejected
ACCEPTED = Accepted()


@dataclass(frozen=True, slots=True)
class DestinationContext:
    """What the pipeline gives a destination when it opens it.

    `on_wait(seconds)` is called when the other side asks for a pause: the pipeline stops sending for that long.
    `on_retry(seconds)` is called before each wait between attempts, for the progress display. `is_backfill`: the events
    are history.
    """

    is_backfill: bool = False
    on_wait: Callable[[float], None] = field(default=lambda _seconds: None)
    on_retry: Callable[[float], None] = field(default=lambda _seconds: None)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone to be forgotten, as the destination knows them: the ids that events about them carried."""

    user_ids: tuple[str, ...] = ()
    anonymous_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ErasureRequest:
    """A call to the destination's own deletion API, for a person to make: `title` says what it does, `needs` what it takes.

    `body` is the JSON to send. `needs` names a credential or setting that cdi does not hold, and where to find it.
    """

    title: str
    method: str
    url: str
    body: dict[str, Any] | None = None
    needs: str = ""


class Destination(Protocol):
    """An open destination. Made by `DestinationSpec.open`; used by one event loop; `close()` is always awaited."""

    limits: Limits

    async def check(self) -> list[Check]:
        """Test credentials and reachability; never raises, a failure is a `Check` that is not ok."""
        ...

    def encode(self, event: Event) -> bytes | Rejected:
        """One event as the bytes of its place in a batch, or why the destination would drop it. Pure, never raises."""
        ...

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Deliver one batch within the limits, retrying what is transient; one outcome per event, in order.

        Raises RefusedError when the batch as a whole was refused (the pipeline then halves it down to the bad event),
        AuthError, or TransientError when nothing is known about the batch after all retries.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


@dataclass(frozen=True, slots=True)
class DestinationSpec:
    """What a destination's folder says about itself.

    `is_idempotent`: a repeat with the same event id does no harm. `settings` is its pydantic model (a subclass of
    `config.types.ConnectorSettings`), `open` makes a `Destination` of settings and context. `judge` makes of settings (None:
    defaults) a function that says why an event would be refused, without a secret: what `encode` would say; None where the
    destination cannot tell. `erasure` makes of settings and a person the requests that make the product forget them; None
    where it has no such API.
    """

    name: str
    title: str
    settings: type[BaseModel]
    open: Callable[[Any, DestinationContext], Destination]
    is_idempotent: bool
    judge: Callable[[Any], Callable[[Event], Rejected | None]] | None = None
    erasure: Callable[[Any, Person], list[ErasureRequest]] | None = None
