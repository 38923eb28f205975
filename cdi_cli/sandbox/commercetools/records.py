"""One stored record: its JSON as served, plus the few keys that paging needs without parsing it.

`id` order is not text order: the platform sorts ids by a binary encoding in which each half of the UUID is reversed
(`00010203-0405-4007-8009-0a0b0c0d0e0f` is stored as `07 40 05 04 03 02 01 00 0f 0e 0d 0c 0b 0a 09 80`).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

Document = dict[str, Any]


def id_key(record_id: str) -> bytes:
    """The bytes that ids are ordered by; raises ValueError for text that is not a UUID."""
    if not _UUID.fullmatch(record_id):
        raise ValueError(record_id)
    raw = bytes.fromhex(record_id.replace("-", ""))
    return raw[7::-1] + raw[:7:-1]


class Record:
    """A record at one version; immutable, a change makes a new one."""

    __slots__ = ("_parsed", "body", "created", "id", "key", "modified", "version")

    def __init__(self, document: Document) -> None:
        self.id: str = document["id"]
        self.key = id_key(self.id)
        self.created: str = document["createdAt"]
        self.modified: str = document["lastModifiedAt"]
        self.version: int = document["version"]
        self.body: bytes = _encode(document)
        self._parsed: Document | None = None

    def parsed(self) -> Document:
        """The record as objects, kept until `forget`, so that one predicate parses it at most once."""
        if self._parsed is None:
            self._parsed = _decode(self.body)
        document: Document = self._parsed
        return document

    def forget(self) -> None:
        """Drop the objects again: a shop's worth of them would fill the memory."""
        self._parsed = None

    def document(self) -> Document:
        """A fresh copy of the record as objects, for changing."""
        document: Document = _decode(self.body)
        return document


def reference(type_id: str, record_id: str) -> dict[str, str]:
    """A reference to another record; the order of the two keys is relied on when references are expanded."""
    return {"typeId": type_id, "id": record_id}
