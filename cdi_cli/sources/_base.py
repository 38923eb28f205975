"""The contract of a source: a platform that commerce data is pulled from.

A source is a folder under `sources/` (or a package with an entry point in the group `cdi.sources`) whose `__init__`
exposes `SOURCE`, a `SourceSpec`. The pipeline opens a source once per run, asks it for pages, and hands each page's
records back in small groups to be turned into entities.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NewType, Protocol

from cdi_cli.checks import Check
from cdi_cli.clock import Instant, Window
from cdi_cli.commerce import Entity
from cdi_cli.config.switches import Switches

if TYPE_CHECKING:
    from pydantic import BaseModel

Cursor = NewType("Cursor", str)
"""Where reading goes on inside a window: text that only the source which made it can read."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A kind of record a source offers.

    `family` is the entity that its events belong to (`customer`, `order`, `cart`, `product`). `by_creation`,
    `by_change`: whether it can be windowed so. `by_reconcile`: whether records change without their modification time
    telling it, so that they are worth reading again now and then. `is_default`: read when a pipeline names no streams;
    `is_sync_default`: then read by a delta sync alone, as its changes do not show in the stream that a backfill finds them
    in. `scope`: the permission that reading needs, as the platform writes it.
    """

    name: str
    family: str
    by_creation: bool = True
    by_change: bool = True
    by_reconcile: bool = False
    is_default: bool = True
    is_sync_default: bool = False
    scope: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Records as raw JSON, in reading order, and the cursor that may be saved once all their events are settled.

    `is_last`: the window holds nothing after this page. An empty page with `is_last` ends an empty window.
    """

    records: Sequence[bytes]
    cursor: Cursor
    is_last: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be turned into an entity; it goes to the dead letters alone.

    `reason` is a stable code (`unreadable_record`, `refund_without_order`, ...), `detail` a sentence without personal
    data, `record_id` the platform's id where it could be found.
    """

    reason: str
    detail: str
    record_id: str | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """A record that is fine but says nothing that an event could be made of, with the reason to count it under."""

    reason: str


@dataclass(frozen=True, slots=True)
class Departed:
    """A record that says that a customer was deleted: nothing is sent about that person from here on.

    `email` is only used to recognise the person and is kept nowhere but hashed.
    """

    customer_id: str
    at: Instant
    email: str | None = None


Reading = Entity | Unreadable | Nothing | Departed
"""What became of one record. Several entities may come of one record: `read` returns a list for each."""


class Joined(list[Reading]):
    """The readings of a record that only leads to others: each comes of a record of its own, in `records` by number.

    A plan's `record.` paths then read that record, as they do when it is read itself, and dead letters keep it.
    """

    __slots__ = ("records",)

    def __init__(self, readings: Iterable[Reading], records: Sequence[bytes]) -> None:
        super().__init__(readings)
        self.records = records


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the pipeline gives a source when it opens it.

    `consent`: category -> (path in the raw record, values that mean yes). `run_id` goes into correlation ids.
    `on_retry(seconds)` is called before each wait between attempts, for the progress display. `attempts_max`: how often a
    request is tried at most (None: as often as the source sees fit); a check wants an answer soon. `with_paid_at`: it is
    needed when orders were paid, so that a source which has to ask for that does.
    """

    run_id: str = "check"
    consent: dict[str, ConsentField] = field(default_factory=dict)
    locale: str = "en"
    on_retry: Callable[[float], None] = field(default=lambda _seconds: None)
    attempts_max: int | None = None
    with_paid_at: bool = False


@dataclass(frozen=True, slots=True)
class ConsentField:
    """Where a record keeps one consent: dotted path from the record's root, and the values that mean it was given.

    `customer_path`: the same in a customer's record ("": `path`). Where an order or cart does not hold a category, the
    source asks the customer's present record for it, if it can, and names the category in `Consent.as_of_now`.
    """

    path: str
    granted: tuple[str | bool | int, ...] = (True,)
    denied: tuple[str | bool | int, ...] = (False,)
    customer_path: str = ""


FindBy = Literal["id", "number", "customer_id", "email"]
"""What records are looked up by: the platform's id, the number that people know, or whom they belong to."""
FOUND_MAX = 500
"""Records that one look-up gives at most."""


class Source(Protocol):
    """An open source. Made by `SourceSpec.open`; used by one event loop; `close()` is always awaited at the end."""

    async def check(self) -> list[Check]:
        """Test credentials, scopes, reachability and clock; never raises, a failure is a `Check` that is not ok."""
        ...

    async def server_now(self) -> Instant:
        """The platform's own clock; raises StoppedError when it cannot be asked."""
        ...

    async def count(self, stream: str, window: Window) -> int | None:
        """How many records a creation window holds, capped where the platform caps; None if it cannot be told cheaply."""
        ...

    def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """Read a window from `cursor` (None: its start) to its end, page by page, `by` "created" or "modified".

        "reconcile", where the stream offers it, goes by creation too but reads whole records in their present state; what
        did not change is found out by the ledger.

        Raises AuthError, TransientError (retries are over), RefusedError, ProtocolError; a record that cannot be read is
        never a reason to raise. Every window ends with a page whose `is_last` is true.
        """
        ...

    async def read(self, stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """Turn raw records into entities, one list per record in the same order; looks up references in bounded batches.

        The list is a `Joined` where the entities are made of other records than the one that was read.

        Called with at most a hundred records at a time. Raises only what `pages` raises, for a failed look-up.
        """
        ...

    async def find(self, stream: str, by: FindBy, value: str) -> list[bytes]:
        """The records of a stream with this id, number, customer or e-mail, at most `FOUND_MAX`; none where the stream has
        no such field. The number of a product is a SKU of it. Raises what `pages` raises.
        """
        ...

    def scrub(self, stream: str, record: bytes) -> bytes | None:
        """The record without what must never be kept (password hashes, payment tokens); None if it cannot be scrubbed."""
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """What a source's folder says about itself.

    `settings` is its pydantic model (a subclass of `config.types.ConnectorSettings`), `open` makes a `Source` of
    settings and context, `streams` lists what it offers in the order in which a pipeline reads it. `denied_fields` are
    names of record fields that no plan may map. `open_offline` makes a `Source` that reads records without secrets and
    connections (settings None: defaults); its look-ups are answered by recorded answers, by the address's path, and find
    nothing else. It is what fixtures are mapped with; None where the source cannot do it. `settle_seconds`: how long after
    its stamp a change may become visible; `overlap_seconds`: how far a delta sync reads back beyond that. Both are the
    defaults of a pipeline's `sync:`. `switches`: which of those of a
    pipeline's `lifecycle` it can serve.
    """

    name: str
    title: str
    settings: type[BaseModel]
    open: Callable[[Any, SourceContext], Source]
    streams: tuple[Stream, ...]
    denied_fields: frozenset[str] = frozenset()
    open_offline: Callable[[Any, SourceContext, Mapping[str, Any]], Source] | None = None
    settle_seconds: int = 60
    overlap_seconds: int = 300
    switches: Switches = field(default_factory=Switches)

    def stream(self, name: str) -> Stream:
        """The stream of that name; raises KeyError if there is none."""
        return next(stream for stream in self.streams if stream.name == name) if name in self.names else _missing(name)

    @property
    def has_silent_changes(self) -> bool:
        """Whether records change without their modification time (and so their version) telling it."""
        return any(stream.by_reconcile for stream in self.streams)

    @property
    def names(self) -> list[str]:
        """The names of all streams, in reading order."""
        return [stream.name for stream in self.streams]


def _missing(name: str) -> Stream:
    raise KeyError(name)
