"""The shop's book: every state that each record ever had, oldest first, told from the sandbox's own journal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Document = dict[str, Any]
KINDS = ("customers", "carts", "orders", "payments")


class Writes(Protocol):
    """One entry of the journal; `record` None: deleted."""

    @property
    def kind(self) -> str:
        """The kind of the record."""
        ...

    @property
    def record_id(self) -> str:
        """Its id."""
        ...

    @property
    def at(self) -> str:
        """When it was stamped."""
        ...

    @property
    def record(self) -> Any:
        """What was stored."""
        ...


@dataclass
class Book:
    """Kind -> id -> states; `gone`: id -> when the record was deleted."""

    states: dict[str, dict[str, list[Document]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    gone: dict[str, str] = field(default_factory=dict)
    read: int = 0

    def open(self, kind: str, documents: Iterable[Document]) -> None:
        """Note the records that were there before the first write."""
        for document in documents:
            self.states[kind][document["id"]] = [document]

    def catch_up(self, journal: Sequence[Writes]) -> int:
        """Read what was written since the last time; returns how much that was."""
        fresh = journal[self.read :]
        self.read += len(fresh)
        for entry in fresh:
            if entry.kind not in self.states:
                continue
            if entry.record is None:
                self.gone[entry.record_id] = entry.at
            else:
                self.states[entry.kind].setdefault(entry.record_id, []).append(entry.record.document())
        return len(fresh)

    def now(self, kind: str, record_id: str) -> Document:
        """The newest state of a record; raises KeyError if there never was one."""
        return self.states[kind][record_id][-1]
