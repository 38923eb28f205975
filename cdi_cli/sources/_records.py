"""What every source does with a raw record: say why it cannot be read, and keep it without what must not be kept."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from cdi_cli.sources._base import Unreadable


def unreadable(error: Exception, record_id: str | None) -> Unreadable:
    """Why a record cannot be read, without any value of it."""
    if isinstance(error, UnicodeDecodeError):
        detail = "text is not UTF-8"
    elif isinstance(error, ValueError):
        detail = str(error)
    else:
        detail = "an amount cannot be computed" if isinstance(error, ArithmeticError) else "nested too deeply"
    return Unreadable("unreadable_record", detail, record_id)


def scrubbed(record: bytes, denied: Collection[str]) -> bytes | None:
    """The record without the denied fields, at any depth; None for what is not JSON."""
    try:
        return msgspec.json.encode(_without(msgspec.json.decode(record), denied))
    except (ValueError, RecursionError):
        return None


def _without(value: Any, denied: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(below, denied) for name, below in value.items() if name not in denied}
    return [_without(below, denied) for below in value] if isinstance(value, list) else value
