"""Dead letters: kept whole, found by what they are about, bounded where they may be long."""

from __future__ import annotations

from pathlib import Path

import pytest
from state_builders import letter, partitions, spec, write_connection

from cdi_cli.errors import StateError
from cdi_cli.state import open_store
from cdi_cli.state._base import DeadLetter, Settlement
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
    """Letters are found by reason, event and run, newest first."""
    second = store.start_run(1)
    bury(store, letter(1), letter(2, reason="too_large"), letter(3, event_name="Order Refunded"))
    bury(store, letter(4), run=second)

    def ids(**wanted: object) -> list[str | None]:
        return [one.letter.entity_id for one in store.dead_letters(**wanted)]  # type: ignore[arg-type]

    assert ids() == ["order-4", "order-3", "order-2", "order-1"]
    assert ids(limit=2) == ["order-4", "order-3"]
    assert ids(reason="plan_violation") == ["order-4", "order-3", "order-1"]
    assert ids(event_name="Order Completed", run_id=1) == ["order-2", "order-1"]
    assert ids(reason="nothing") == []


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
