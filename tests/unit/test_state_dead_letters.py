"""Dead letters: kept whole, found by what they are about, bounded where they may be long."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from state_builders import entry, letter, partitions, spec, write_connection

from cdi_cli.clock import Clock
from cdi_cli.errors import StateError
from cdi_cli.state import open_store
from cdi_cli.state._base import DeadLetter, KnownLetter, LetterFilter, Settlement
from cdi_cli.state.store import SqliteStore


@pytest.fixture
def store(tmp_path: Path):
    """A store with one job and one run, numbered 1."""
    with open_store(tmp_path / "state" / "state.db") as opened:
        opened.start_run(opened.create_job(spec(), partitions()).id)
        yield opened


def bury(store: SqliteStore, *letters: DeadLetter, run: int = 1) -> None:
    """Settle dead letters."""
    store.settle(run, [Settlement(0, dead=letters)])


def test_a_dead_letter_comes_back_whole(store: SqliteStore) -> None:
    """Record, event and violations are the same bytes and texts, and its origin is known."""
    strange = letter(
        1,
        detail="naïve ‑ 漢字 \x00 [/oops]",
        record=bytes(range(256)) * 50,
        violations=(("a.b", "type", "no"), ("c", "d", "e")),
    )
    bury(store, strange)
    found = store.dead_letter(1)

    assert found is not None
    assert found.letter == strange
    assert (found.pipeline, found.source, found.destination, found.plan_version, found.run_id) == (
        "shop",
        "commercetools",
        "segment",
        "3",
        1,
    )
    assert store.dead_letter(2) is None


def test_a_letter_without_event_keeps_its_gaps(store: SqliteStore) -> None:
    """None stays None, and an empty record stays an empty record."""
    bare = DeadLetter("orders", "unreadable_record", "not JSON")
    empty = DeadLetter("orders", "unreadable_record", "", record=b"", event=b"")
    bury(store, bare, empty)

    assert [one.letter for one in store.dead_letters()] == [empty, bare]


def test_filters_and_limit(store: SqliteStore) -> None:
    """Every field of a filter must hold; the last written comes first, and the numbers are those of the letters."""
    second = store.start_run(store.create_job(spec("outlet", "insider"), partitions()).id)
    bury(store, letter(1), letter(2, reason="too_large"), letter(3, event_name=None, stream="customers"))
    bury(store, letter(4), run=second)

    def ids(limit: int = 100, **wanted: Any) -> list[int]:
        which = LetterFilter(**wanted)
        found = [one.id for one in store.dead_letters(which, limit=limit)]
        assert store.letter_numbers(which, limit=limit) == found
        assert sum(store.dead_letter_reasons(which).values()) == len(store.letter_numbers(which))
        return found

    assert ids() == [4, 3, 2, 1]
    assert ids(limit=2) == [4, 3]
    assert ids(reason="plan_violation") == [4, 3, 1]
    assert ids(event_name="Order Completed", run_id=1) == [2, 1]
    assert (ids(event_name=""), ids(stream="customers"), ids(entity_id="order-2")) == ([3], [3], [2])
    assert (ids(pipeline="outlet"), ids(destination="insider"), ids(pipeline="shop", destination="insider")) == (
        [4],
        [4],
        [],
    )
    assert (ids(numbers=(1, 4, 99)), ids(numbers=()), ids(reason="nothing")) == ([4, 1], [], [])


def test_letters_of_a_time(tmp_path: Path) -> None:
    """A span of time is half-open, and means when a letter was last written."""
    hours = iter(range(24))
    clock = Clock(now=lambda: datetime(2026, 3, 1, next(hours), tzinfo=UTC))
    with open_store(tmp_path / "state" / "state.db", clock=clock) as store:
        store.start_run(store.create_job(spec(), partitions()).id)
        for number in (1, 2, 1):
            bury(store, letter(number))
        second, first = store.dead_letters()
        both = LetterFilter(since=first.at, until=second.at)

        assert [one.letter.entity_id for one in (second, first)] == ["order-1", "order-2"]
        assert [one.id for one in store.dead_letters(both)] == [first.id]
        assert [one.id for one in store.dead_letters(LetterFilter(since=second.at))] == [second.id]
        assert (second.first_at < first.at < second.at, second.times) == (True, 2)


def test_a_place_holds_one_letter(store: SqliteStore) -> None:
    """What comes to a taken place replaces what lies there, under its number; both writes count for their runs."""
    bury(store, letter(1), letter(2))
    second = store.start_run(1, plan_version="4")
    bury(store, letter(1, reason="too_large", record=b"{}", digest=b"nowother", stage="send"), run=second)
    found = store.dead_letter(1)

    assert found is not None
    assert (found.letter.reason, found.letter.record, found.letter.digest, found.letter.stage) == (
        "too_large",
        b"{}",
        b"nowother",
        "send",
    )
    assert (found.run_id, found.plan_version, found.times) == (second, "4", 2)
    assert [one.id for one in store.dead_letters()] == [1, 2]
    assert (store.tally(1), store.tally(second)) == ((0, 2), (0, 1))


def test_a_letter_written_twice_in_a_run_counts_twice(store: SqliteStore) -> None:
    """The books of a run count what it rejected, wherever that lies by the end."""
    bury(store, letter(1), letter(1))
    bury(store, letter(1), letter(2))
    store.drop_letters(store.letter_numbers(LetterFilter(entity_id="order-2")))

    assert store.tally(1) == (0, 4)
    assert [(one.id, one.times) for one in store.dead_letters()] == [(1, 3)]


def test_letters_without_a_place_stand_for_themselves(store: SqliteStore) -> None:
    """Nothing replaces them, and no delivery takes them out."""
    bury(store, letter(1, place=b""), letter(1, place=b""))
    store.settle(1, [Settlement(0, delivered=(entry(1),))])

    assert store.letter_numbers() == [2, 1]


def test_a_delivery_takes_the_letter_out(store: SqliteStore) -> None:
    """A delivered event leaves no letter in its place, in the very transaction; those of other destinations stay."""
    other = store.start_run(store.create_job(spec("shop", "insider"), partitions()).id)
    one = letter(1, place=entry(7).key)
    bury(store, one, letter(2))
    bury(store, one, run=other)
    store.settle(1, [Settlement(0, delivered=tuple(entry(number) for number in range(300)))])

    assert [(each.destination, each.letter.entity_id) for each in store.dead_letters()] == [
        ("insider", "order-1"),
        ("segment", "order-2"),
    ]
    assert store.tally(1) == (300, 2)


def test_what_fails_with_a_delivery_stays(store: SqliteStore) -> None:
    """Of a key that is delivered and rejected in one settlement, the letter is kept: nothing that failed is lost."""
    store.settle(1, [Settlement(0, delivered=(entry(7),), dead=(letter(1, place=entry(7).key),))])

    assert store.letter_numbers() == [1]


def test_resolved_letters_leave_the_queue(store: SqliteStore) -> None:
    """Numbers that a settlement resolves are gone with it; a place that is free again gets a new number."""
    bury(store, letter(1), letter(2))
    store.settle(1, [Settlement(0, resolved=(1, 99), dead=(letter(1),))])

    assert store.letter_numbers() == [3, 2]
    assert store.tally(1) == (0, 3)


def test_dropped_letters_leave_no_trace(store: SqliteStore, tmp_path: Path) -> None:
    """What was dropped is not in the file any more, free pages included: it may be somebody's data."""
    bury(store, letter(1, entity_id="a-rare-entity-id"), letter(2))
    assert store.drop_letters([1, 1, 99]) == 1
    store.close()

    content = (tmp_path / "state" / "state.db").read_bytes()
    assert b"a-rare-entity-id" not in content
    assert b"order-2" in content


def test_known_places(store: SqliteStore) -> None:
    """Which places are taken, and by what; a place of another source or destination is free here."""
    wanted = [letter(number).place for number in range(250)]
    assert store.letters("commercetools", "segment", wanted) == {}
    bury(store, *(letter(number) for number in range(0, 250, 2)))

    known = store.letters("commercetools", "segment", wanted)
    assert set(known) == {letter(number).place for number in range(0, 250, 2)}
    assert known[letter(4).place] == KnownLetter(3, letter(4).digest, "plan")
    assert store.letters("commercetools", "insider", wanted) == store.letters("magento", "segment", wanted) == {}


@pytest.mark.parametrize("wrong", [{"place": b"short"}, {"digest": b"short"}])
def test_a_place_of_the_wrong_size_is_a_mistake(store: SqliteStore, wrong: dict[str, bytes]) -> None:
    """A place that could never be found again is refused, and the store stays usable."""
    with pytest.raises(ValueError, match="16 bytes of place and 8 of digest"):
        bury(store, letter(1, **wrong))
    bury(store, letter(1))

    assert store.letter_numbers() == [1]


def test_reasons_are_counted(store: SqliteStore) -> None:
    """A letter without an event counts under the empty name."""
    bury(store, letter(1), letter(2), letter(3, reason="too_large"), letter(4, event_name=None, reason="unreadable_record"))

    assert store.dead_letter_reasons() == {
        ("orders", "Order Completed", "plan_violation"): 2,
        ("orders", "Order Completed", "too_large"): 1,
        ("orders", "", "unreadable_record"): 1,
    }


def test_a_long_explanation_is_cut(store: SqliteStore) -> None:
    """A sentence of the other side cannot fill the disk."""
    bury(store, letter(1, detail="x" * 10_000, violations=(("p" * 10_000, "r", "s"),) * 1000))
    (found,) = store.dead_letters()

    assert found.letter.detail == "x" * 499 + "…"
    assert len(found.letter.violations) == 50
    assert {len(where) for where, _, _ in found.letter.violations} == {500}


def test_half_a_surrogate_pair_can_be_kept(store: SqliteStore) -> None:
    """What no UTF-8 file can hold is written as an escape instead of stopping the run."""
    bury(store, letter(1, detail="bad \ud83d here", entity_id="\udc00"))
    (found,) = store.dead_letters()

    assert (found.letter.detail, found.letter.entity_id) == ("bad \\ud83d here", "\\udc00")


@pytest.mark.parametrize("column", ["record", "event", "violations"])
def test_a_damaged_letter_is_named(store: SqliteStore, column: str) -> None:
    """A byte that changed on disk is found when the letter is read."""
    bury(store, letter(1))
    write_connection(store).execute(f"UPDATE dead_letters SET {column} = substr({column}, 1, length({column}) - 3)")

    with pytest.raises(StateError, match="dead letter 1 cannot be read") as caught:
        store.dead_letters()
    assert "restore a copy" in str(caught.value.hint)


def test_records_are_compressed(store: SqliteStore) -> None:
    """A repetitive record takes a fraction of its size."""
    bury(store, letter(1, record=b'{"name":"value"},' * 1000))
    (size,) = write_connection(store).execute("SELECT length(record) FROM dead_letters").fetchone()

    assert size < 1000
