"""The project's data: collections by resource kind, and writes that behave as the platform's do.

A write stamps `lastModifiedAt` and bumps `version` at once, but may become visible later (`lag_seconds`, or held until
`release`): a late commit, the case in which reading "up to now" loses records. A write that becomes visible late never
covers a newer one. Payments never touch their orders; unpublished products leave the projections; a deleted record vanishes
without a trace. Every write is kept in `journal`, in the order in which it was stamped: what a judge compares with.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cdi_cli.clock import Instant
from cdi_cli.sandbox.clock import SandboxClock
from cdi_cli.sandbox.commercetools.collection import Collection, Query, Rows
from cdi_cli.sandbox.commercetools.fields import FIELDS
from cdi_cli.sandbox.commercetools.predicate_syntax import Expression
from cdi_cli.sandbox.commercetools.records import Document, Record

KINDS = tuple(FIELDS)
"""The resource kinds, as they are spelt in URLs."""

TYPE_IDS: dict[str, str] = {
    "cart": "carts",
    "category": "categories",
    "customer": "customers",
    "customer-group": "customer-groups",
    "discount-code": "discount-codes",
    "order": "orders",
    "payment": "payments",
    "product": "products",
}
"""Which kind a reference's `typeId` points into."""


DOCUMENT_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """One write: what was stored and when it was stamped; `record` None: the record was deleted."""

    kind: str
    record_id: str
    at: Instant
    record: Record | None


class Shop:
    """Direct access to what the simulator serves; every method may be called from any thread."""

    def __init__(self, *, clock: SandboxClock, project: Document, seed: int = 0, lag_seconds: float = 0.0) -> None:
        self.clock = clock
        self.project = project
        self.lag_seconds = lag_seconds
        self._collections = {kind: Collection(seed) for kind in KINDS}
        self._staged = Collection(seed)
        self._pending: list[tuple[float | None, str, Record]] = []
        self.journal: list[Written] = []
        self._lock = threading.RLock()
        self._before_query: list[Callable[[Shop, str], None]] = []

    def seed(self, kind: str, documents: Iterable[Document]) -> int:
        """Add records as they are, with the versions and times they carry; returns how many."""
        records = [Record(document) for document in documents]
        with self._lock:
            self._collections[kind].extend(records)
            if kind == "products":
                self._project(records)
        return len(records)

    def query(self, kind: str, query: Query, *, staged: bool = False) -> Rows:
        """A page of a kind; `staged` reads the staged projections of products."""
        with self._lock:
            self._commit()
            for hook in self._before_query:
                hook(self, kind)
            return self._collection(kind, staged).query(query)

    def any(self, kind: str, where: Expression | None, *, staged: bool = False) -> bool:
        """Whether anything of a kind matches."""
        with self._lock:
            self._commit()
            return self._collection(kind, staged).any(where)

    def get(self, kind: str, record_id: str, *, staged: bool = False) -> Record | None:
        """One visible record."""
        with self._lock:
            self._commit()
            return self._collection(kind, staged).get(record_id)

    def document(self, kind: str, record_id: str) -> Document:
        """One visible record as objects; raises KeyError if there is none."""
        record = self.get(kind, record_id)
        if record is None:
            raise KeyError(record_id)
        return record.document()

    def latest(self, kind: str, record_id: str) -> Document:
        """The newest version of a record as objects, be it visible yet or not; raises KeyError if there is none."""
        states = [record for _due, held, record in self._pending if held == kind and record.id == record_id]
        visible = self._collections[kind].get(record_id)
        if visible is not None:
            states.append(visible)
        if not states:
            raise KeyError(record_id)
        return max(states, key=lambda record: record.version).document()

    def documents(self, kind: str) -> list[Document]:
        """All visible records of a kind as objects, in the order in which they came."""
        with self._lock:
            self._commit()
            return [record.document() for record in self._collections[kind]]

    def count(self, kind: str) -> int:
        """How many records of a kind are visible."""
        with self._lock:
            self._commit()
            return len(self._collections[kind])

    def add(self, kind: str, document: Document, *, hold: bool = False) -> Document:
        """Create a record: id, version and times are filled in where they are missing. Returns what was stored."""
        now = self.clock.instant()
        stored = {"id": str(uuid.uuid4()), "version": 1, "createdAt": now, "lastModifiedAt": now, **document}
        self._write(kind, stored, hold)
        return stored

    def update(self, kind: str, record_id: str, changes: Document, *, hold: bool = False) -> Document:
        """Merge `changes` into a record (None removes a field); stamps it now and bumps its version."""
        with self._lock:
            document = self.latest(kind, record_id)
            document.update(changes)
            document = {name: value for name, value in document.items() if value is not None}
            document["version"] += 1
            document["lastModifiedAt"] = self.clock.instant()
            self._write(kind, document, hold)
        return document

    def delete(self, kind: str, record_id: str) -> None:
        """Delete a record; raises KeyError if there is none."""
        with self._lock:
            if self._collections[kind].remove(record_id) is None:
                raise KeyError(record_id)
            self.journal.append(Written(kind, record_id, self.clock.instant(), None))
            self._pending = [entry for entry in self._pending if entry[2].id != record_id]
            if kind == "products":
                self._collections["product-projections"].remove(record_id)
                self._staged.remove(record_id)

    def release(self) -> int:
        """Make every held or lagging write visible now; returns how many there were."""
        with self._lock:
            released, self._pending = self._pending, []
            for _due, kind, record in released:
                self._show(kind, record)
        return len(released)

    def before_query(self, hook: Callable[[Shop, str], None]) -> None:
        """Call `hook(shop, kind)` before each page is read: the way to change records in the middle of a walk."""
        self._before_query.append(hook)

    def _collection(self, kind: str, staged: bool) -> Collection:
        return self._staged if staged and kind == "product-projections" else self._collections[kind]

    def _write(self, kind: str, document: Document, hold: bool) -> None:
        record = Record(document)
        if len(record.body) > DOCUMENT_BYTES_MAX:
            msg = f"a document of {len(record.body)} bytes is larger than the {DOCUMENT_BYTES_MAX} that can be stored"
            raise ValueError(msg)
        with self._lock:
            self._commit()
            self.journal.append(Written(kind, record.id, self.clock.instant(), record))
            if hold or self.lag_seconds:
                due = None if hold else self.clock.seconds() + self.lag_seconds
                self._pending.append((due, kind, record))
            else:
                self._show(kind, record)

    def _commit(self) -> None:
        """Make visible what is due."""
        if not self._pending:
            return
        now = self.clock.seconds()
        waiting: list[tuple[float | None, str, Record]] = []
        for due, kind, record in self._pending:
            if due is not None and due <= now:
                self._show(kind, record)
            else:
                waiting.append((due, kind, record))
        self._pending = waiting

    def _show(self, kind: str, record: Record) -> None:
        visible = self._collections[kind].get(record.id)
        if visible is not None and visible.version > record.version:
            return
        self._collections[kind].put(record)
        if kind == "products":
            self._collections["product-projections"].remove(record.id)
            self._project([record])

    def _project(self, products: list[Record]) -> None:
        """Derive the projections of products: the published one if there is one, the staged one always."""
        for product in products:
            document = product.document()
            published, staged = projection(document, staged=False), projection(document, staged=True)
            if published is not None:
                self._collections["product-projections"].put(Record(published))
            if staged is not None:
                self._staged.put(Record(staged))


def projection(product: Document, *, staged: bool) -> dict[str, Any] | None:
    """The flat form of a product's current or staged data; None if it is not published."""
    master = product["masterData"]
    if not staged and not master["published"]:
        return None
    kept = ("id", "version", "createdAt", "lastModifiedAt", "key", "productType", "taxCategory")
    return {
        **{name: product[name] for name in kept if name in product},
        **master["staged" if staged else "current"],
        "published": master["published"],
        "hasStagedChanges": master["hasStagedChanges"],
    }
