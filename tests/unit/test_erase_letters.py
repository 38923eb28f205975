"""Whose a dead letter is, and looking through the whole queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import state_builders
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.events import customer_subject, email_subject
from cdi_cli.pipeline import erase_letters
from cdi_cli.pipeline.erase_letters import Marks, all_letters, letters_of, mentions
from cdi_cli.state import open_store
from cdi_cli.state._base import DeadLetter, Settlement
from cdi_cli.state.store import SqliteStore

MARKS = Marks("shop", frozenset({"c-1", "order-7"}), frozenset({"jane@example.com"}))
NAMES = frozenset({customer_subject("c-1"), email_subject("jane@example.com") or b""})


def letter(record: Any = None, event: Any = None, **changes: Any) -> DeadLetter:
    """A dead letter that keeps these."""
    kept = {
        name: value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
        for name, value in (("record", record), ("event", event))
    }
    return DeadLetter(stream="orders", reason="plan_violation", detail="d", **kept, **changes)


@pytest.mark.parametrize(
    "mine",
    [
        letter(entity_id="order-7"),
        letter({"customerId": "c-1"}),
        letter({"deep": [{"list": ["x", {"email": " JANE@Example.com "}]}]}),
        letter(None, {"userId": "c-1"}),
        letter(None, {"context": {"traits": {"email": "jane@example.com"}}}),
        letter({"email": "jane@e\u200bxample.com"}),
        letter(b'{"broken": "Jane@example.com'),
    ],
)
def test_a_letter_that_names_the_person_is_theirs(mine: DeadLetter) -> None:
    """By the entity, or by any text in record or event, however deep and in whatever capitals."""
    assert MARKS.holds(mine)


@pytest.mark.parametrize(
    "other",
    [
        letter(),
        letter(entity_id="order-77"),
        letter({"customerId": "c-11", "email": "not-jane@example.com"}),
        letter({"c-1": "a name of a field is nobody"}),
        letter({"n": 1, "b": True, "none": None}, {"userId": "C-1"}),
        letter(b"\xff\xfe"),
    ],
)
def test_a_letter_of_somebody_else_is_not(other: DeadLetter) -> None:
    """Ids are compared whole and as they are."""
    assert not MARKS.holds(other)


@given(st.recursive(st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)))
def test_both_ways_to_recognise_somebody_agree(value: Any) -> None:
    """What names the person by hash names them by text, wherever that stands in a record."""
    for planted in (value, [value, "c-1"], {"x": {"y": [value, "Jane@Example.com"]}}):
        record = json.dumps(planted).encode()
        assert mentions(record, NAMES) == Marks("shop", frozenset({"c-1"}), frozenset({"jane@example.com"})).holds(
            letter(record)
        )


@pytest.mark.parametrize("record", [b"", b"<html>", b"[" * 100_000])
def test_what_is_no_record_names_nobody(record: bytes) -> None:
    """It is not kept either: nothing of it could be scrubbed."""
    assert not mentions(record, NAMES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with ten letters, of which every third is the person's, after gaps in the numbers."""
    with open_store(tmp_path / "state.db") as store:
        job = store.create_job(state_builders.spec(source="shop"), state_builders.partitions())
        run = store.start_run(job.id)
        written = [
            state_builders.letter(number, record=json.dumps({"customerId": f"c-{number % 3}"}).encode(), event=None)
            for number in range(20)
        ]
        store.settle(run, [Settlement(0, dead=tuple(written))])
        store.drop_letters(range(3, 13))
        yield store


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 500])
def test_the_whole_queue_is_looked_through(store: SqliteStore, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Every letter comes once, whatever the portions and the gaps between the numbers."""
    monkeypatch.setattr(erase_letters, "NUMBERS_AT_ONCE", at_once)

    found = sorted(stored.id for stored in all_letters(store))

    assert found == [1, 2, *range(13, 21)]
    assert sorted(letters_of(store, MARKS)) == [number for number in found if (number - 1) % 3 == 1]
    assert list(letters_of(store, Marks("elsewhere", MARKS.ids, MARKS.emails))) == []


def test_a_queue_that_shrinks_meanwhile_ends_the_search(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters that another process took out are not looked for without end."""
    monkeypatch.setattr(erase_letters, "NUMBERS_AT_ONCE", 1)
    monkeypatch.setattr(erase_letters, "EMPTY_MAX", 50)
    letters = all_letters(store)
    first = next(letters)
    store.drop_letters(range(2, 21))

    assert [first.id, *(stored.id for stored in letters)] == [1]
