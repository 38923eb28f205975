"""Attributes: any JSON object as the flat, bounded names and values that mParticle keeps.

    {"a": {"b": 1}, "tags": ["x", "y"], "none": null, "lines": [{...}]}   ->   {"a.b": 1, "tags": '["x","y"]'}

Objects become names with dots, lists of scalars their JSON text (of a user, lists of texts); null and lists of objects are
left out, since an attribute can hold neither. Nothing is cut: mParticle truncates names at 256 and values at 4,096
characters, and keeps 100 attributes (sheet "mParticle", section 2), so what is beyond that is refused, or left out where
settings say so. Characters are counted as UTF-16 units, the stricter reading.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from cdi_cli.destinations._base import Rejected

NAME_CHARACTERS_MAX = 256
VALUE_CHARACTERS_MAX = 4_096
ATTRIBUTES_MAX = 100
LIST_ITEMS_MAX = 1_000
LIST_ITEM_CHARACTERS_MAX = 512
_INTEGER_MAX = 2**63

Scalar = str | int | float | bool
Value = Scalar | list[str]


class RefusalError(Exception):
    """The event cannot be a batch; `rejected` is what `encode` returns."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.rejected = Rejected(f"mparticle_{reason}", detail)


def event_attributes(
    properties: Mapping[str, Any], *, without: Collection[str] = (), only: Collection[str] | None = None, trim: bool = False
) -> dict[str, Scalar]:
    """The attributes of an event: the properties but `without`, of these `only` the named ones; raises RefusalError."""
    chosen = _chosen(properties, without, only)
    found = _bounded(((name, _scalar(value)) for name, value in _flat(chosen)), trim=trim)
    return {name: value for name, value in found.items() if not isinstance(value, list)}


def product_attributes(
    product: Mapping[str, Any], *, without: Collection[str] = (), only: Collection[str] | None = None, trim: bool = False
) -> dict[str, str]:
    """The attributes of a product, whose values are all text; raises RefusalError."""
    return {name: text(value) for name, value in event_attributes(product, without=without, only=only, trim=trim).items()}


def user_attributes(
    traits: Mapping[str, Any], names: Mapping[str, str], *, without: Collection[str] = (), trim: bool = False
) -> dict[str, Value]:
    """The attributes of a user, renamed by `names` where these have a name for it; raises RefusalError."""
    flat = ((names.get(name, name), _user_value(value)) for name, value in _flat(_chosen(traits, without, None)))
    return _bounded(flat, trim=trim)


def text(value: Scalar) -> str:
    """A scalar as text: numbers and truth values as JSON writes them."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def units(value: str) -> int:
    """The length in UTF-16 units."""
    return len(value) if value.isascii() else len(value.encode("utf-16-le", "surrogatepass")) // 2


def _chosen(values: Mapping[str, Any], without: Collection[str], only: Collection[str] | None) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in values.items() if name not in without and (only is None or name in only))


def _flat(values: Iterator[tuple[str, Any]], around: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values:
        if not name:
            raise RefusalError("attribute_name_empty", "a property has no name")
        if isinstance(value, dict):
            yield from _flat(iter(value.items()), f"{around}{name}.")
        else:
            yield f"{around}{name}", value


def _bounded(pairs: Iterator[tuple[str, Value | None]], *, trim: bool) -> dict[str, Value]:
    """The attributes that there are, each within its limits; with `trim`, without those that are not."""
    found: dict[str, Value] = {}
    for name, value in pairs:
        if value is None:
            continue
        if (length := units(name)) > NAME_CHARACTERS_MAX:
            raise RefusalError(
                "attribute_name_too_long", f"an attribute's name has {length:,} characters, of which mParticle keeps 256"
            )
        if name in found:
            raise RefusalError("attribute_twice", "two properties make attributes of the same name")
        if refusal := _too_large(value) or (_too_many() if len(found) >= ATTRIBUTES_MAX else None):
            if trim:
                continue
            raise refusal
        found[name] = value
    return found


def _too_many() -> RefusalError:
    return RefusalError("too_many_attributes", f"there are more attributes than the {ATTRIBUTES_MAX} that mParticle keeps")


def _too_large(value: Value) -> RefusalError | None:
    if isinstance(value, list):
        longest = max(map(units, value), default=0)
        if len(value) > LIST_ITEMS_MAX or longest > LIST_ITEM_CHARACTERS_MAX:
            return RefusalError(
                "list_too_large",
                f"a list of {len(value):,} texts of up to {longest:,} characters; mParticle keeps 1,000 of 512",
            )
        return None
    if isinstance(value, str) and (length := units(value)) > VALUE_CHARACTERS_MAX:
        return RefusalError(
            "attribute_too_long", f"an attribute's value has {length:,} characters, of which mParticle keeps 4,096"
        )
    return None


def _scalar(value: Any) -> Scalar | None:
    """A value as an attribute can hold it; None where it cannot."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if -_INTEGER_MAX <= value < _INTEGER_MAX else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        scalars = _scalars(value)
        return msgspec.json.encode(scalars).decode() if scalars else None
    raise RefusalError("not_json", "a property holds a value that JSON cannot express")


def _user_value(value: Any) -> Value | None:
    if isinstance(value, list):
        scalars = _scalars(value)
        return [text(each) for each in scalars] if scalars else None
    return _scalar(value)


def _scalars(values: list[Any]) -> list[Scalar] | None:
    """The scalars of a list; None when it holds a list or an object."""
    if any(isinstance(each, dict | list) for each in values):
        return None
    return [found for each in values if (found := _scalar(each)) is not None]
