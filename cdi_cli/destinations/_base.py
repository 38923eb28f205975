"""The contract of a destination: a customer data platform that events are delivered to.

A destination is a folder under `destinations/` (or a package with an entry point in the group `cdi.destinations`) whose
`__init__` exposes `DESTINATION`, a `DestinationSpec`. Every event is encoded once, alone, to bytes; the pipeline cuts
batches from these bytes, so that sizes are known before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cdi_cli.checks import Check
from cdi_cli.errors import StoppedError
from cdi_cli.events import Event

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold and how fast requests may follow.

    `batch_bytes` counts the encoded body before compression, `overhead_bytes` what the envelope adds to the events,
    `event_bytes` one encoded event. `events_per_second` is the default pace, `in_flight` the default concurrency.
    `ramp_up_seconds`: how long a run takes to reach its pace, for products that limit how fast a sender speeds up.
    """

    batch_events: int
    batch_bytes: int
    event_bytes: int
    overhead_bytes: int
    events_per_second: float
    in_flight: int = 4
    ramp_up_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The destination took the event."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The destination will never take the event: `reason` is a stable code, `detail` a sentence without personal data."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Filtered:
    """The event does not belong in the destination, and nothing is wrong with it: counted under `reason`, not kept.

    For what the product would throw away by its own rules (older than it keeps events, a guest nobody can name).
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell whether the destination took the event: the answer was lost on its way.

    Only a destination that is not idempotent says so; any other is simply sent the event again. `detail` as in `Rejected`.
    """

    detail: str


Outcome = Accepted | Rejected | Unknown
ACCEPTED = Accepted()


class PartialDeliveryError(StoppedError):
    """A batch went out in parts and one of them failed.

    `cause` is what that part failed with. `outcomes` has one entry per event of the batch, in order; None where nothing is
    known. Whoever sends batches keeps the outcomes, and then does with the other events what `cause` calls for.
    """

    def __init__(self, cause: StoppedError, outcomes: Sequence[Outcome | None]) -> None:
        super().__init__(cause.message, where=cause.where, hint=cause.hint)
        self.cause = cause
        self.outcomes = outcomes


@dataclass(frozen=True, slots=True)
class DestinationContext:
    """What the pipeline gives a destination when it opens it.

    `on_wait(seconds)` is called when the other side asks for a pause: the pipeline stops sending for that long.
    `on_retry(seconds)` is called before each wait between attempts, for the progress display. `on_pace(factor)`: the other
    side says how near its limit we are; below 1 the pace is lowered by that factor, 1 keeps it and lets it grow half as
    fast. `is_backfill`: the events are history.
    """

    is_backfill: bool = False
    on_wait: Callable[[float], None] = field(default=lambda _seconds: None)
    on_retry: Callable[[float], None] = field(default=lambda _seconds: None)
    on_pace: Callable[[float], None] = field(default=lambda _factor: None)


@dataclass(frozen=True, slots=True)
class Draft:
    """A request as one event alone would make it, for people to look at: secrets in `body` (JSON) are masked."""

    method: str
    url: str
    body: bytes


Drafter = Callable[[Event], "list[Draft] | Rejected | Filtered"]
"""What an event would be sent as, or why it would not be: what `encode` says. Pure; the same event gives the same draft."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An event that a plan may send there, under the names that it has there.

    `properties` are their paths, as the plan walks them (`products[].sku`); of a profile they are its traits.
    """

    kind: str
    type: str
    name: str
    properties: tuple[str, ...]


@runtime_checkable
class Preflight(Protocol):
    """What a destination can do besides, whose product drops names that nobody has defined there.

    It is asked by `cdi check`, and before a run sends: a check that is not ok then stops the run, unless the destination's
    settings have `preflight: warn`.
    """

    async def preflight(self, planned: Sequence[Planned]) -> list[Check]:
        """What of a plan the product would drop without a word, one check each; sends nothing.

        Raises what `send` raises where the product cannot be asked, which stops nothing.
        """
        ...


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

    def encode(self, event: Event) -> bytes | Rejected | Filtered:
        """One event as the bytes of its place in a batch, or why the destination would drop it. Pure, never raises.

        What depends on the event's age is judged by the clock.
        """
        ...

    async def send(self, events: Sequence[bytes]) -> list[Outcome]:
        """Deliver one batch within the limits, retrying what is transient; one outcome per event, in order.

        Raises RefusedError when the batch as a whole was refused (the pipeline then halves it down to the bad event),
        AuthError, or TransientError when nothing is known about the batch after all retries; PartialDeliveryError around one
        of these when some of its events have an outcome nevertheless.
        """
        ...

    async def confirm(self, events: Sequence[Event]) -> list[bool | None]:
        """Whether each event is there, by reading it back: True, False, or None where that cannot be told.

        Asked of a destination that is not idempotent, about events of which it is unknown whether they arrived, each as
        `encode` would be given it now: what is there may be an earlier form of it, of which None is said, for what is False
        is sent again. An idempotent one answers None. Raises what `send` raises.
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
    where it has no such API. `confirm_after_seconds`: how long after a send `confirm` may still not find what arrived.
    `draft` makes of settings and context a function that shows what an event would be sent as, without a secret; None where
    the destination has to be opened to tell.
    """

    name: str
    title: str
    settings: type[BaseModel]
    open: Callable[[Any, DestinationContext], Destination]
    is_idempotent: bool
    judge: Callable[[Any], Callable[[Event], Rejected | None]] | None = None
    erasure: Callable[[Any, Person], list[ErasureRequest]] | None = None
    confirm_after_seconds: float = 0.0
    draft: Callable[[Any, DestinationContext], Drafter] | None = None
