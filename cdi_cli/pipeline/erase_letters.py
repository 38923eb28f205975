"""Finding a person's dead letters: by whom they name, anywhere in the record and the event that they keep.

The queue is looked through a few hundred letters at a time, by their numbers, so that memory does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi_cli.events import customer_subject, email_subject
from cdi_cli.events.identity import normalize_email
from cdi_cli.state._base import DeadLetter, LetterFilter, Store, StoredDeadLetter

NUMBERS_AT_ONCE = 500
EMPTY_MAX = 2_000
"""Portions in a row without a letter after which no more is looked for: a run beside us may have emptied the queue."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What makes a letter somebody's: ids of the customer, of their orders and carts, what events carry, and e-mails.

    `ids` are compared as they are, `emails` normalised; all of one source.
    """

    source: str
    ids: frozenset[str]
    emails: frozenset[str]

    def holds(self, letter: DeadLetter) -> bool:
        """Whether a letter is about the person."""
        if letter.entity_id in self.ids:
            return True
        return any(payload is not None and self._is_in(payload) for payload in (letter.record, letter.event))

    def _is_in(self, payload: bytes) -> bool:
        try:
            return any(self._is_mine(text) for text in _texts(msgspec.json.decode(payload)))
        except (ValueError, RecursionError):
            # What cannot be read as JSON is searched as text.
            text = payload.decode("utf-8", "replace").lower()
            return any(mark.lower() in text for mark in (*self.ids, *self.emails))

    def _is_mine(self, text: str) -> bool:
        return text in self.ids or ("@" in text and normalize_email(text) in self.emails)


def mentions(record: bytes, subjects: AbstractSet[bytes]) -> bool:
    """Whether a record names one of these people (hashed names), anywhere in it; False for what is no JSON."""
    try:
        texts = _texts(msgspec.json.decode(record))
        return any(customer_subject(text) in subjects or ("@" in text and email_subject(text) in subjects) for text in texts)
    except (ValueError, RecursionError):
        return False


def letters_of(store: Store, marks: Marks) -> Iterator[int]:
    """The numbers of a person's dead letters."""
    for stored in all_letters(store):
        if stored.source == marks.source and marks.holds(stored.letter):
            yield stored.id


def all_letters(store: Store) -> Iterator[StoredDeadLetter]:
    """Every dead letter, by number."""
    left = sum(store.dead_letter_reasons().values())
    first, empty = 1, 0
    while left > 0 and empty < EMPTY_MAX:
        numbers = tuple(range(first, first + NUMBERS_AT_ONCE))
        found = store.dead_letters(LetterFilter(numbers=numbers), limit=NUMBERS_AT_ONCE)
        yield from found
        left -= len(found)
        first += NUMBERS_AT_ONCE
        empty = 0 if found else empty + 1


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)
