"""Values as Insider takes them: texts, numbers, booleans, lists of texts or of numbers, and nothing within each other.

An object within is flattened to one name for each of its values, `address.city`. A list of objects, for which Insider has no
type, is its JSON as a text. What is null or empty is left out: Insider does not say what it makes of it (sheet "Insider",
section 3.1, "null semantics").
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from cdi_cli.destinations.insider.names import NUMBER, TEXT, TEXTS, WHOLE

_json = msgspec.json.Encoder()


class Refusal(Exception):
    """The event cannot be what Insider takes: a stable code and a sentence without personal data."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def leaves(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is not empty, by its dotted path."""
    for name, value in values.items():
        place = f"{path}.{name}" if path else name
        if isinstance(value, Mapping):
            yield from leaves(value, place)
        elif (plain := _plain(value)) is not None:
            yield place, plain


def _plain(value: Any) -> Any:
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise Refusal("insider_not_json", "the event holds a number that JSON cannot express")
        return value
    if isinstance(value, list | tuple):
        return _listed(list(value))
    raise Refusal("insider_not_json", "the event holds a value that JSON cannot express")


def _listed(items: list[Any]) -> Any:
    """A list of texts or of numbers as it is, without nulls; any other as text."""
    known = [item for item in items if item is not None]
    if not known:
        return None
    if all(isinstance(item, str) for item in known) or all(_is_number(item) for item in known):
        return known
    return _json.encode(items).decode()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_type(value: Any, kind: str) -> Any:
    """The value as a default parameter takes it, None where it cannot be."""
    if kind == TEXT:
        return value if isinstance(value, str) else None
    if kind == TEXTS:
        return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None
    if not _is_number(value):
        return None
    if kind == WHOLE:
        return int(value) if value == int(value) else None
    return float(value) if kind == NUMBER else None


def amount(value: object) -> Decimal | None:
    """A number as an exact amount, by the digits that it is written with; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return Decimal(str(value))


def amount_text(value: Decimal) -> str:
    """An amount as text, with two decimals at least where it has any: `2.50`, `2`, `1.005`."""
    whole, _, decimals = f"{value:f}".partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}" if decimals else whole
