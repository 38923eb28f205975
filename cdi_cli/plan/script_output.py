"""What a script makes, as an event holds it: nothing empty, amounts as exact numbers.

The engine's numbers are doubles, so `0.1 + 0.2` is 0.30000000000000004. An amount that is passed on as it is (`order.total`)
never becomes one: its digits are taken from the object that stands for it. A computed number that differs from an amount of
the entity's own precision by no more than what doubles lose on the way is that amount; any other stays what it is.

The loss of a sum is bounded by the number of its terms, its largest amount and 2**-53 (Goldberg 1991). 4,096 of them, at
amounts of the size that the entity has, are far less than half a cent below 10**9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.commerce import Money
from cdi_cli.plan.model import Property
from cdi_cli.plan.script_input import AMOUNT_KEYS, EXACT_MAX

NESTING_MAX = 32
"""A value nested deeper than this is treated as absent, as in a raw record."""

_LOSS = 4096 * 2.0**-53
_SHARE_MAX = 0.05
"""The most that a computed number may be off, in units of the last place: beyond it nobody can say which amount is meant."""

_CLEAN_CHARACTERS = 15
"""A double that is written in fewer characters has no trace of an error."""

_LONG = re.compile(r"-?[0-9]{16,400}")


@dataclass(frozen=True, slots=True)
class Mold:
    """What the plan says of one place, as far as it shapes a value."""

    inner: dict[str, Mold] = field(default_factory=dict)
    element: Mold | None = None
    is_object: bool = False
    is_number: bool = False
    constant: Any = None
    constant_seen: Any = None
    """The constant as the engine gives it back: its numbers are doubles."""


def mold_of(planned: Property) -> Mold:
    """The mold of a property and of everything in it."""
    types = set(planned.types)
    return Mold(
        mold_of_all(planned.properties).inner,
        mold_of(planned.items) if planned.items is not None else None,
        is_object="object" in types and "number" not in types,
        is_number=not types.isdisjoint({"integer", "number"}) and "string" not in types,
        constant=planned.constant if planned.is_constant else None,
        constant_seen=_doubled(planned.constant) if planned.is_constant else None,
    )


def mold_of_all(properties: Iterable[Property]) -> Mold:
    """The mold of an object with these properties."""
    return Mold({each.name: mold_of(each) for each in properties})


UNPLANNED = Mold()


class Shaper:
    """Shapes what the scripts of one event made of one record; `entity` says how precise its amounts are."""

    def __init__(self, entity: Any) -> None:
        self._entity = entity
        self._scale: tuple[tuple[int, ...], float] | None = None

    def shape(self, value: Any, mold: Mold, depth: int = 0) -> Any:
        """The value as the plan has it; None where nothing is left of it."""
        if mold.constant is not None and _is_equal(value, mold.constant_seen):
            return mold.constant
        kind = value.__class__
        if kind is str:
            return _digits(value, mold) if value else None
        if kind is dict:
            if not mold.is_object and value.keys() == AMOUNT_KEYS:
                return _number(value)
            return self.object(value, mold, depth) or None
        if kind is list:
            if depth >= NESTING_MAX:
                return None
            element = mold.element or UNPLANNED
            return [made for each in value if (made := self.shape(each, element, depth + 1)) is not None] or None
        if kind is int:
            # The engine writes large doubles without an exponent; none of their digits beyond these is meant.
            return value if -EXACT_MAX <= value <= EXACT_MAX else float(value)
        return self._amount(value) if kind is float else value

    def object(self, value: dict[str, Any], mold: Mold, depth: int = 0) -> dict[str, Any]:
        """An object with what is left of each of its values."""
        if depth >= NESTING_MAX:
            return {}
        inner, shape, depth = mold.inner, self.shape, depth + 1
        found = ((name, shape(each, inner.get(name, UNPLANNED), depth)) for name, each in value.items())
        return {name: made for name, made in found if made is not None}

    def _amount(self, value: float) -> float | int:
        """The amount that a computed number stands for, else the number itself."""
        if len(repr(value)) <= _CLEAN_CHARACTERS:
            return value
        if self._scale is None:
            self._scale = _scale(self._entity)
        places, largest = self._scale
        for digits in places:
            near = round(value, digits)
            if abs(value - near) <= min(_LOSS * max(largest, abs(value)), _SHARE_MAX * 10.0**-digits):
                return int(near) if near.is_integer() else near
        return value


def _scale(entity: Any) -> tuple[tuple[int, ...], float]:
    """How many places the amounts of an entity have, the coarsest first, and how large the largest of them is."""
    found = list(_amounts(entity))
    places = sorted({money.digits for money in found})
    return tuple(places), max((abs(money.minor) / 10.0**money.digits for money in found), default=0.0)


def _amounts(value: Any) -> Iterator[Money]:
    if isinstance(value, Money):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _amounts(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _amounts(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from _amounts(inner)


def _number(amount: dict[str, Any]) -> Any:
    """The exact number of an amount; its text where a number would not be exact, which the check then reports."""
    minor, digits = amount["minor"], amount["digits"]
    is_whole = minor.__class__ is int and digits.__class__ is int and 0 <= digits <= 20
    return Money(minor, "", digits).number() if is_whole and abs(minor) < 10**15 else amount["amount"]


def _digits(text: str, mold: Mold) -> str | int:
    """A whole number that came as text for its length, where the plan wants a number; any other text as it is."""
    return int(text) if mold.is_number and _LONG.fullmatch(text) else text


def _doubled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _doubled(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_doubled(inner) for inner in value]
    return float(value) if value.__class__ is int and not -EXACT_MAX <= value <= EXACT_MAX else value


def _is_equal(value: Any, constant: Any) -> bool:
    return bool(value == constant) and isinstance(value, bool) == isinstance(constant, bool)
