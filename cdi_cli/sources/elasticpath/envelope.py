"""Pages as they are served, and the records that are made of them (sheet "elasticpath", sections 2.2 and 3).

Elastic Path serves what belongs to records beside them: `{"data": [order, ...], "included": {"items": [item, ...]}}`. A
record here is the object itself with its own part of that, in the order in which it refers to it:

    {"id": "...", ..., "included": {"items": [...]}}

Custom ("flow") fields lie at the top level of a record, among the vendor's own: of those that are not the vendor's, only the
ones that are named in `flow_fields` are kept.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from cdi_cli.sources.elasticpath.streams import Listing

Raws = dict[str, msgspec.Raw]
Included = Mapping[str, Any] | None

_COMMON = frozenset({"type", "id", "links", "meta", "relationships"})
_PERSON = _COMMON | {"name", "email", "external_ref"}
VENDOR_FIELDS: dict[str, frozenset[str]] = {
    "orders": _COMMON
    | {"order_number", "external_ref", "status", "payment", "shipping", "anonymized", "payment_intent_id", "customer"}
    | {"contact", "shipping_address", "billing_address", "custom_attributes", "timestamps"},
    "customers": _PERSON | {"password", "timestamps"},
    "account_members": _PERSON | {"timestamps"},
}
"""The fields of a record that the vendor documents; products keep their custom fields in templates of their own."""


class _Results(msgspec.Struct, frozen=True):
    total: int | None = None


class _Meta(msgspec.Struct, frozen=True):
    results: _Results = _Results()


class Envelope(msgspec.Struct, frozen=True):
    """A page as served; records stay undecoded. `links` are not read: their meaning differs from list to list."""

    data: list[msgspec.Raw] | None = None
    included: dict[str, msgspec.Raw] | None = None
    meta: _Meta | None = None

    @property
    def total(self) -> int | None:
        """How many records the filter holds for; None where the store does not say."""
        return self.meta.results.total if self.meta is not None else None


class Single(msgspec.Struct, frozen=True):
    """One record as served by its id."""

    data: msgspec.Raw
    included: dict[str, msgspec.Raw] | None = None


class _Reference(msgspec.Struct):
    id: str = ""


class _References(msgspec.Struct):
    data: list[_Reference] | _Reference | None = None


class _Related(msgspec.Struct):
    relationships: dict[str, msgspec.Raw] | None = None


_decode_fields = msgspec.json.Decoder(Raws).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_reference = msgspec.json.Decoder(_Reference).decode
_decode_references = msgspec.json.Decoder(_References).decode
_decode_related = msgspec.json.Decoder(_Related).decode
_encode = msgspec.json.Encoder().encode


def lenient_envelope(body: bytes) -> Envelope | None:
    """A page that msgspec cannot split because a text in it is no Unicode (half a surrogate pair); None if it is no page.

    Its records are written anew one by one, so that the spoilt one fails alone when it is decoded.
    """
    try:
        page = json.loads(body, parse_constant=_no_constant)
        rows = [_raw(row) for row in page["data"] or ()]
        included = {name: _raw(part) for name, part in (page.get("included") or {}).items()}
        total = ((page.get("meta") or {}).get("results") or {}).get("total")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return Envelope(rows, included, _Meta(_Results(total if isinstance(total, int) else None)))


def _no_constant(name: str) -> float:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value, separators=(",", ":")).encode())


class Composer:
    """Makes records of what is served; `kept` are the custom fields that stay."""

    def __init__(self, kept: Collection[str]) -> None:
        self._kept = frozenset(kept)

    def records(self, stream: str, listing: Listing, rows: Sequence[msgspec.Raw], included: Included) -> list[bytes]:
        """A record for each row, with its own part of what was served beside them all."""
        parts = _by_id(included)
        return [self.record(stream, listing, bytes(row), parts) for row in rows]

    def single(self, stream: str, listing: Listing, found: Single) -> bytes:
        """The record that was served by its id."""
        return self.record(stream, listing, bytes(found.data), _by_id(found.included))

    def record(self, stream: str, listing: Listing, row: bytes, parts: Mapping[str, Mapping[str, msgspec.Raw]]) -> bytes:
        """One record; a row that is no object is handed on as it is, to fail alone when it is read."""
        vendors = VENDOR_FIELDS.get(stream)
        try:
            fields = _decode_fields(row)
            related = _decode_related(row).relationships or {} if listing.include else {}
        except (ValueError, RecursionError):
            return row
        if vendors is not None:
            fields = {name: value for name, value in fields.items() if name in vendors or name in self._kept}
        if not listing.include:
            return _encode(fields)
        own = {name: found for name in listing.include if (found := list(_own(related.get(name), parts)))}
        return _encode({**fields, "included": own})


def unwrapped(record: bytes) -> tuple[bytes, Mapping[str, Mapping[str, msgspec.Raw]]] | None:
    """The record and its parts of a message as the API and its webhooks send them; None for one that is a record itself."""
    if not record.lstrip().startswith(b"{"):
        return None
    try:
        fields = _decode_fields(record)
        if "data" not in fields or "id" in fields:
            return None
        included = msgspec.json.decode(fields["included"], type=Raws) if "included" in fields else None
    except (ValueError, RecursionError):
        return None
    return bytes(fields["data"]), _by_id(included)


def _by_id(included: Included) -> dict[str, dict[str, msgspec.Raw]]:
    """What was served beside the records, by the name of its list and its id; lists are named in the singular or plural."""
    found: dict[str, dict[str, msgspec.Raw]] = {}
    for name, part in (included or {}).items():
        try:
            rows = _decode_list(part)
            found[name] = {_decode_reference(row).id: row for row in rows}
        except (ValueError, RecursionError):
            continue
    return found


def _own(relationship: msgspec.Raw | None, parts: Mapping[str, Mapping[str, msgspec.Raw]]) -> Iterator[msgspec.Raw]:
    """What a relationship refers to, in its order: joined by id alone, as its type is not that of what it refers to."""
    if relationship is None:
        return
    try:
        data = _decode_references(relationship).data
    except (ValueError, RecursionError):
        return
    for reference in data if isinstance(data, list) else [data] if data is not None else []:
        for rows in parts.values():
            if reference.id in rows:
                yield rows[reference.id]
                break
