"""Messages of the last days, for projects that record them; retention is 15 days unless set otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cdi_cli.sandbox.commercetools.records import Document
from cdi_cli.sandbox.seed.dice import DAY_MS, Dice, instant

RETENTION_DAYS = 15


def messages_of(kind: str, documents: Iterable[Document], dice: Dice, now_ms: int) -> Iterator[Document]:
    """What `customers`, `orders` and `payments` would have said about themselves within the retention."""
    oldest = instant(now_ms - RETENTION_DAYS * DAY_MS)
    for document in documents:
        at, message_type, payload = _first(kind, document)
        if at >= oldest:
            yield _message(dice, kind.removesuffix("s"), document, (1, at, message_type), payload)
        if kind == "orders" and document["orderState"] == "Cancelled" and document["lastModifiedAt"] >= oldest:
            changed = (2, document["lastModifiedAt"], "OrderStateChanged")
            payload = {"orderState": "Cancelled", "oldOrderState": "Open"}
            yield _message(dice, "order", document, changed, payload)
        for number, transaction in enumerate(document.get("transactions", ()), start=2):
            if transaction["timestamp"] >= oldest:
                added = (number, transaction["timestamp"], "PaymentTransactionAdded")
                yield _message(dice, "payment", document, added, {"transaction": transaction})


def _first(kind: str, document: Document) -> tuple[str, str, Document]:
    """When and how a record announced itself."""
    created: str = document["createdAt"]
    if kind == "orders":
        if "completedAt" in document:
            return created, "OrderImported", {"order": document}
        if document["origin"] == "RecurringOrder":
            return created, "OrderCreatedFromRecurringOrder", {"order": document}
        return created, "OrderCreated", {"order": document}
    name = "customer" if kind == "customers" else "payment"
    return created, f"{name.capitalize()}Created", {name: document}


def _message(dice: Dice, type_id: str, document: Document, what: tuple[int, str, str], payload: Document) -> Document:
    number, at, message_type = what
    return {
        "id": dice.uuid(),
        "version": 1,
        "createdAt": at,
        "lastModifiedAt": at,
        "sequenceNumber": number,
        "resource": {"typeId": type_id, "id": document["id"]},
        "resourceVersion": number,
        "type": message_type,
        **payload,
    }
