"""Consent from configured record fields, decoding nothing of a record but the configured paths.

Shared by the sources: where a platform keeps consent is configured, not known. A category without a value, or with one that
is neither in `granted` nor in `denied`, is "unknown", never "granted".

What an order's or cart's own record holds is consent as of the event. A category that it does not hold is taken from the
customer's record, as of now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from cdi_cli.commerce import Consent
from cdi_cli.commerce.entities import ConsentState
from cdi_cli.sources._base import ConsentField

_Tree = dict[str, Any]


class ConsentReader:
    """Reads the consent of a record; made once per run for all configured categories."""

    def __init__(self, fields: Mapping[str, ConsentField]) -> None:
        self._paths = [(category, tuple(field.path.split(".")), field) for category, field in fields.items()]
        tree: _Tree = {}
        for _, path, _ in self._paths:
            node = tree
            for name in path:
                node = node.setdefault(name, {})
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_type_of(tree))
        self._nothing = Consent(dict.fromkeys(fields, "unknown"))

    def read(self, record: bytes) -> Consent:
        """The consent that a record holds; a record that is not JSON has given none."""
        if not self._paths:
            return self._nothing
        try:
            found = msgspec.to_builtins(self._decoder.decode(record))
        except (ValueError, RecursionError):
            return self._loosely(record)
        return Consent({category: _state(_at(found, path), field) for category, path, field in self._paths})

    def _loosely(self, record: bytes) -> Consent:
        """The same for a record in which a step of a path is no object: the other paths still count."""
        try:
            found = msgspec.json.decode(record)
        except (ValueError, RecursionError):
            return self._nothing
        return Consent({category: _state(_at(found, path), field) for category, path, field in self._paths})


def of_customers(fields: Mapping[str, ConsentField]) -> ConsentReader:
    """The reader of customers' records."""
    return ConsentReader({name: replace(field, path=field.customer_path or field.path) for name, field in fields.items()})


def is_open(consent: Consent) -> bool:
    """Whether the customer's record may say more."""
    return "unknown" in consent.categories.values()


def completed(own: Consent, customers: Consent) -> Consent:
    """An order's own consent, its unknown categories as the customer's record has them."""
    unknown = tuple(category for category, state in own.categories.items() if state == "unknown")
    if not unknown:
        return own
    told = {category: customers.categories.get(category, "unknown") for category in unknown}
    return Consent({**own.categories, **told}, unknown)


def _type_of(tree: _Tree) -> Any:
    """A struct type that has the tree's names as fields, so that everything else is skipped undecoded."""
    fields = [
        (f"field_{number}", _type_of(below) | None if below else Any, msgspec.field(default=None, name=name))
        for number, (name, below) in enumerate(tree.items())
    ]
    return msgspec.defstruct("Consents", fields)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _state(value: Any, field: ConsentField) -> ConsentState:
    values = value if isinstance(value, list) else [value]
    if any(_is_in(item, field.denied) for item in values):
        return "denied"
    return "granted" if any(_is_in(item, field.granted) for item in values) else "unknown"


def _is_in(value: Any, allowed: tuple[str | bool | int, ...]) -> bool:
    """Membership without Python's `True == 1`."""
    return any(type(value) is type(item) and value == item for item in allowed)
