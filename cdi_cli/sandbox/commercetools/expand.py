"""Reference expansion: `expand=paymentInfo.payments[*]` and the like, written into records as they are served.

An expanded reference gains `obj`; a reference whose target is gone stays as it is. The two expansions that pages of
orders are read with are spliced into the stored JSON without parsing it; all others take the record apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from cdi_cli.sandbox.commercetools.records import Record
from cdi_cli.sandbox.commercetools.replies import invalid_input
from cdi_cli.sandbox.commercetools.shop import TYPE_IDS, Shop

Lookup = Callable[[str, str], Record | None]
"""Finds the record that a `typeId` and an `id` point to."""

_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(\[(?:\*|\d+)\])?")
_SPLICED = {
    "paymentInfo.payments[*]": (b'"paymentInfo":', b'{"typeId":"payment","id":"'),
    "discountCodes[*].discountCode": (b'"discountCodes":[{', b'{"typeId":"discount-code","id":"'),
}
_ID_BYTES = 36


def lookup_in(shop: Shop) -> Lookup:
    """References resolved against a shop's visible records."""

    def find(type_id: str, record_id: str) -> Record | None:
        kind = TYPE_IDS.get(type_id)
        return shop.get(kind, record_id) if kind else None

    return find


def check_path(path: str) -> None:
    """Refuse an expansion path that cannot be read."""
    if not path or any(_STEP.fullmatch(step) is None for step in path.split(".")):
        raise invalid_input("expand", f"Invalid expansion path '{path}'.")


def expanded(record: Record, paths: list[str], find: Lookup) -> bytes:
    """The JSON of a record with the references at `paths` expanded."""
    body = record.body
    remaining: list[str] = []
    for path in paths:
        spliced = _splice(body, path, find)
        if spliced is None:
            remaining.append(path)
        else:
            body = spliced
    if not remaining:
        return body
    document = msgspec.json.decode(body)
    for path in remaining:
        _expand(document, path.split("."), find)
    return msgspec.json.encode(document)


def _splice(body: bytes, path: str, find: Lookup) -> bytes | None:
    """The body with `obj` inserted behind each reference of a well-known path; None if it must be taken apart."""
    known = _SPLICED.get(path)
    if known is None:
        return None
    field, opening = known
    start = body.find(field)
    if start < 0:
        return body
    parts: list[bytes] = []
    copied = 0
    at = body.find(opening, start)
    if at < 0:
        return None
    while at >= 0:
        id_end = at + len(opening) + _ID_BYTES
        target = find(opening[11 : opening.index(b'"', 11)].decode(), body[at + len(opening) : id_end].decode())
        if target is not None and body[id_end : id_end + 2] == b'"}':
            parts += (body[copied : id_end + 1], b',"obj":', target.body)
            copied = id_end + 1
        at = body.find(opening, id_end)
    return b"".join((*parts, body[copied:]))


def _expand(item: Any, steps: list[str], find: Lookup) -> None:
    if not isinstance(item, dict):
        return
    match = _STEP.fullmatch(steps[0])
    if match is None:
        return
    value = item.get(match[1])
    targets = _elements(value, match[2])
    for target in targets:
        if len(steps) > 1:
            inner = target.get("obj", target) if isinstance(target, dict) and "typeId" in target else target
            _expand(inner, steps[1:], find)
        elif isinstance(target, dict) and "typeId" in target and "id" in target and "obj" not in target:
            record = find(target["typeId"], target["id"])
            if record is not None:
                target["obj"] = msgspec.Raw(record.body)


def _elements(value: Any, index: str | None) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    if index is None or index == "[*]":
        return value
    position = int(index[1:-1])
    return value[position : position + 1]
