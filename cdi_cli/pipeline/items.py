"""Items: what a page of records comes to before anything is sent.

Every record makes at least one item: an event to send, or a mark that says why there is none. The books count items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cdi_cli.events import Event
from cdi_cli.sources import Joined, Reading
from cdi_cli.state._base import CountKey, Counts, DeadLetter, Departure, LedgerEntry, OutcomeName

IN_DEAD_LETTERS = "in_dead_letters"
"""The reason of duplicates that lie in the dead letters exactly as they are now."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event on its way: encoded for its destination, with the record it was made of.

    `is_change`: it takes the place of what the destination holds of the same thing, so that before it is sent it is noted
    that from then on nobody knows what is held there. `as_sent`: the event with the name, properties and contacts that it
    has there, which `encoded` was made of (None: they are its own).
    """

    event: Event
    encoded: bytes
    record: bytes
    stream: str = ""
    is_change: bool = False
    as_sent: Event | None = None

    @property
    def known_there(self) -> Event:
        """The event as the destination knows it: what it is looked for as."""
        return self.event if self.as_sent is None else self.as_sent

    def entry(self) -> LedgerEntry:
        """The ledger's note that it was delivered."""
        event = self.event
        return LedgerEntry(event.family, event.created_at, event.key, event.content)


@dataclass(frozen=True, slots=True)
class Withheld:
    """An event that may not go to a destination, without personal data: of which entity, which event, and why."""

    stream: str
    family: str
    entity_id: str
    event_name: str
    event_id: str
    reason: str


@dataclass(slots=True)
class Issue:
    """What a group of records came to: events to send, and everything that is decided already.

    `doubtful` are events that an earlier run was sending when it ended: whether they arrived is to be found out first.

    `rejected` are letters, with what to count each as, that may lie in the queue already. `mended`: places of the queue
    whose letters, if there are any, these records have settled; `resolved`: numbers of letters that are mended thereby.
    `stamp`: see `EventBuilder.build`.
    """

    outgoing: list[Outgoing] = field(default_factory=list)
    doubtful: list[Outgoing] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    departed: list[Departure] = field(default_factory=list)
    rejected: list[tuple[DeadLetter, CountKey]] = field(default_factory=list)
    mended: list[bytes] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)
    counts: Counts = field(default_factory=dict)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    withheld: list[Withheld] = field(default_factory=list)
    stamp: str = ""

    def count(self, stream: str, event_name: str, outcome: OutcomeName, reason: str = "") -> None:
        """Count one item that needs no sending."""
        key = (stream, event_name, outcome, reason)
        self.counts[key] = self.counts.get(key, 0) + 1

    def withhold(self, stream: str, event: Event, reason: str) -> None:
        """Count one event that may not be sent, and note which it was."""
        self.count(stream, event.name, "filtered", reason)
        self.withheld.append(Withheld(stream, event.family, event.entity_id, event.name, event.id, reason))

    def reject(self, letter: DeadLetter, key: CountKey) -> None:
        """Note one item that cannot be delivered."""
        self.rejected.append((letter, key))

    def total(self) -> int:
        """How many items there are."""
        return len(self.outgoing) + len(self.doubtful) + len(self.rejected) + sum(self.counts.values())


def add_counts(into: Counts, counts: Counts) -> None:
    """Add `counts` to `into`."""
    for key, number in counts.items():
        into[key] = into.get(key, 0) + number


def origins(record: bytes, found: Sequence[Reading]) -> list[tuple[bytes, Reading]]:
    """Each reading with the record that it was made of."""
    records = found.records if isinstance(found, Joined) else [record] * len(found)
    return list(zip(records, found, strict=True))
