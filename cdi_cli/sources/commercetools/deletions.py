"""The deletions stream: messages of type `CustomerDeleted`, read as customers who are gone.

    {"id", "createdAt", "type": "CustomerDeleted", "resource": {"typeId": "customer", "id": "..."}, "email"?}

A project keeps messages only where that is switched on, for 1 to 90 days (15 unless set). A customer deleted with
`dataErasure=true` takes their messages along, this one included: such a person is erased by hand, with `cdi erase` (sheet
"commercetools", section 5, no. 11). Messages are those of the whole project, also where one store is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cdi_cli.sources._base import Departed, Nothing, Reading
from cdi_cli.sources._records import unreadable
from cdi_cli.sources.commercetools.reading import attempt
from cdi_cli.sources.commercetools.records import Record
from cdi_cli.sources.commercetools.shop import instant

MESSAGE_TYPE = "CustomerDeleted"


class _Resource(Record):
    id: str


class _Message(Record):
    id: str
    created_at: str
    type: str
    resource: _Resource
    email: str | None = None


_decode = msgspec.json.Decoder(_Message).decode


def read_deletions(records: Sequence[bytes]) -> list[Reading]:
    """One reading per message, in the same order."""
    return [_read(record) for record in records]


def _read(record: bytes) -> Reading:
    message = attempt(_decode, record)
    if not isinstance(message, _Message):
        reading: Reading = message
        return reading
    if message.type != MESSAGE_TYPE:
        return Nothing("other_message")
    if not message.resource.id:
        return unreadable(ValueError("Expected an id - at `$.resource.id`"), message.id)
    try:
        return Departed(message.resource.id, instant(message.created_at, "createdAt"), message.email or None)
    except ValueError as error:
        return unreadable(error, message.id)
