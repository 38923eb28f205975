"""What a script reads: one JSON object, of which only the parts that it reads are made.

| part | |
|---|---|
| `record` | the source's record as the API sent it, without the fields that the source protects |
| `entity` | what the record was normalised to: an order, cart, customer or product |
| `order`, `customer`, `cart`, `refund`, ... | the subjects of the trigger, as `from:` names them |
| `event` | `name`, `type`, `kind`, `time`, `entity_id`, `discriminator` (of a refund or delivery: its id) |
| `settings` | `pipeline`, `source`, `locale`, `lifecycle` of the pipeline; nothing secret |

An entity has the fields of `cdi_cli.commerce` under their names. What is missing or empty is left out, so that `a ?? b`
takes the first that has a value. A time is text. An amount is an object, `{"amount": 42.1, "minor": 4210, "digits": 2,
"currency": "EUR"}`: where it comes to stand as the value of a property, the exact number is sent; `amount` is for computing.
A number that JSONata cannot hold exactly is text: an amount of 16 digits or more, a whole number of the record beyond 2**53.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from cdi_cli.commerce import Money
from cdi_cli.commerce.money import SIGNIFICANT_MAX
from cdi_cli.events.lifecycle import KINDS, Occurrence
from cdi_cli.plan.jsonata_check import Fields
from cdi_cli.plan.shapes import RAW, Shape, entity_shape

PARTS = ("record", "entity", "event", "settings")
AMOUNT_KEYS = frozenset({"amount", "minor", "digits", "currency"})
EXACT_MAX = 2**53
_LONG_NUMBER = re.compile(rb"[0-9]{16}")
_EMPTY: tuple[Any, ...] = ("", [], {})
_encode = msgspec.json.Encoder().encode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def inputs_of(trigger: str) -> dict[str, Shape]:
    """The parts of the input of a trigger's events, with the shapes of what they hold."""
    kind = KINDS[trigger]
    subjects = {name: entity_shape(entity) for name, entity in kind.subjects.items()}
    # What records of several kinds tell of (a membership) has no entity of its own.
    entity = subjects[kind.family] if not kind.told_by else RAW
    return {**dict.fromkeys(PARTS, RAW), "entity": entity, **subjects}


def union(reads: Iterable[Fields | None]) -> Fields | None:
    """What several scripts read together."""
    whole: Fields = {}
    for fields in reads:
        if fields is None:
            return None
        for name, found in fields.items():
            before = whole.get(name, frozenset())
            whole[name] = before | found if before is not None and found is not None else None
    return whole


class Documents:
    """Makes the input of one event's scripts; `reads`: what they read of it, None: anything."""

    def __init__(
        self, reads: Fields | None, *, name: str, event_type: str, settings: Mapping[str, Any], denied: frozenset[str]
    ) -> None:
        self._reads = reads
        self._head = {"name": name, "type": event_type}
        self._settings = _encode(settings)
        self._record = _record_reader(reads.get("record") if reads is not None else None, denied)

    def make(self, occurrence: Occurrence, raw: bytes, *, has_record: bool = True) -> bytes:
        """The input as JSON; without the record where `has_record` is false."""
        reads, made = self._reads, []
        if reads is None or "settings" in reads:
            made.append(b'"settings":' + self._settings)
        if reads is None or "event" in reads:
            made.append(b'"event":' + _encode(self._event(occurrence)))
        for name, subject in occurrence.subjects.items():
            if reads is None or name in reads:
                made.append(b'"%b":%b' % (name.encode(), _encode(self._plain(name, subject))))
        if reads is None or "entity" in reads:
            made.append(b'"entity":' + _encode(self._plain("entity", occurrence.entity)))
        if has_record and raw and (reads is None or "record" in reads):
            made.append(b'"record":' + self._record(raw))
        return b"{%b}" % b",".join(made)

    def _plain(self, name: str, entity: msgspec.Struct) -> dict[str, Any]:
        """As much of a subject as is read."""
        fields = self._reads.get(name) if self._reads is not None else None
        if fields is None:
            found: dict[str, Any] = plain(entity)
            return found
        return _object((field, getattr(entity, field)) for field in entity.__struct_fields__ if field in fields)

    def _event(self, occurrence: Occurrence) -> dict[str, Any]:
        happened = {"kind": occurrence.kind, "time": occurrence.at, "entity_id": occurrence.entity.id}
        own = {"discriminator": occurrence.discriminator} if occurrence.discriminator else {}
        return {**self._head, **happened, **own}


def plain(value: Any) -> Any:
    """A value of an entity as JSON has it: nothing empty in an object, amounts as objects, times as text."""
    kind = value.__class__
    if kind is str or kind is bool:
        return value
    if kind is Money:
        return _amount(value)
    if kind is tuple or kind is list:
        return [plain(inner) for inner in value]
    if isinstance(value, msgspec.Struct):
        names, read = _fields(kind)
        return _object(zip(names, read(value), strict=True))
    return _object(value.items()) if kind is dict else _exact(value)


def _object(fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, inner in fields:
        # Most fields are texts, or empty: these need no call.
        if inner.__class__ is str:
            if inner:
                made[name] = inner
        elif inner is not None and (found := plain(inner)) not in _EMPTY:
            made[name] = found
        elif isinstance(inner, msgspec.Struct):
            made[name] = {}  # an address of which nothing is known is one: what stands inside it may come from elsewhere
    return made


@cache
def _fields(entity: type[msgspec.Struct]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of an entity's fields, and what reads all of them at once."""
    names = entity.__struct_fields__
    read = attrgetter(*names)
    return names, read if len(names) > 1 else lambda value: (read(value),)


def _amount(money: Money) -> dict[str, Any]:
    minor, digits = money.minor, money.digits
    if -SIGNIFICANT_MAX < minor < SIGNIFICANT_MAX:
        amount = minor / 10**digits if digits else minor
        return {"amount": amount, "minor": minor, "digits": digits, "currency": money.currency}
    return {"amount": f"{money.decimal():f}", "minor": str(minor), "digits": digits, "currency": money.currency}


def _exact(value: Any) -> Any:
    is_long = value.__class__ is int and not -EXACT_MAX <= value <= EXACT_MAX
    return str(value) if is_long else value


def _record_reader(fields: frozenset[str] | None, denied: frozenset[str]) -> Callable[[bytes], bytes]:
    """A function that gives what is read of a record: no protected fields, and no number that would lose digits."""
    names = tuple(f'"{name}"'.encode() for name in denied)
    pick = _picker(fields - denied) if fields is not None else None

    def read(raw: bytes) -> bytes:
        try:
            part = pick(raw) if pick is not None else raw
            # A name may be written with escapes; what holds none and no such name needs no look inside.
            if not _LONG_NUMBER.search(part) and b"\\u" not in part and not any(name in part for name in names):
                return part
            return _encode(_without(msgspec.json.decode(part), denied))
        except _UNREADABLE:
            return b"null"

    return read


def _picker(names: frozenset[str]) -> Callable[[bytes], bytes]:
    """A function that gives an object with only these fields, as they are written; raises what msgspec raises."""
    ordered = sorted(names)
    fields = [(f"f{number}", msgspec.Raw, msgspec.Raw(b"")) for number in range(len(ordered))]
    rename = {f"f{number}": name for number, name in enumerate(ordered)}
    decode = msgspec.json.Decoder(msgspec.defstruct("Picked", fields, rename=rename, frozen=True)).decode
    keys = [_encode(name) for name in ordered]

    def pick(raw: bytes) -> bytes:
        found = decode(raw)
        held = ((key, bytes(getattr(found, f"f{number}"))) for number, key in enumerate(keys))
        return b"{%b}" % b",".join(b"%b:%b" % (key, value) for key, value in held if value)

    return pick


def _without(value: Any, denied: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(inner, denied) for name, inner in value.items() if name not in denied}
    if isinstance(value, list):
        return [_without(inner, denied) for inner in value]
    return _exact(value)
