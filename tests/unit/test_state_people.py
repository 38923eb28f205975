"""People who were erased, and customers who left their source: remembered as hashes, and no longer than needed as ids."""

from __future__ import annotations

from pathlib import Path

import pytest
from state_builders import partitions, spec, write_connection

from cdi_cli.clock import Instant
from cdi_cli.errors import StateError
from cdi_cli.state import open_store
from cdi_cli.state._base import Departure, Settlement
from cdi_cli.state.store import SqliteStore

AT = Instant("2026-03-01T00:00:00.000Z")


def name(number: int) -> bytes:
    """A person's hashed name."""
    return number.to_bytes(16, "big")


@pytest.fixture
def store(tmp_path: Path):
    """A store with one job and one run, numbered 1."""
    with open_store(tmp_path / "state" / "state.db") as opened:
        opened.start_run(opened.create_job(spec(), partitions()).id)
        yield opened


def depart(store: SqliteStore, *departed: Departure) -> None:
    """Settle deletions that the source told."""
    store.settle(1, [Settlement(0, departed=departed)])


def test_the_erased_stay_erased(store: SqliteStore) -> None:
    """Names belong to a source, may be erased again, and are there after an orderly end."""
    store.erase("shop", [name(1), name(2)])
    store.erase("shop", [name(2), name(3)])
    store.erase("outlet", [name(4)])
    path = store.path
    store.close()

    with open_store(path, read_only=True) as again:
        assert again.erased("shop") == {name(1), name(2), name(3)}
        assert again.erased("outlet") == {name(4)}
        assert again.erased("nowhere") == frozenset()


def test_a_name_of_the_wrong_size_is_a_mistake(store: SqliteStore) -> None:
    """What could never match a person is refused whole."""
    with pytest.raises(ValueError, match="16 bytes"):
        store.erase("shop", [name(1), b"short"])
    assert store.erased("shop") == frozenset()


@pytest.mark.parametrize("change", ["subject = zeroblob(16)", "at = 'x'", "crc = crc + 1", "source = 'other'"])
def test_a_damaged_name_is_refused(store: SqliteStore, change: str) -> None:
    """A wrong byte would let data about somebody go out again."""
    store.erase("shop", [name(1)])
    write_connection(store).execute(f"UPDATE erased SET {change}")

    with pytest.raises(StateError, match="erased does not match its checksum"):
        (store.erased("shop"), store.erased("other"))


def test_a_departure_waits_and_its_person_is_erased(store: SqliteStore) -> None:
    """What the source deleted is known at once, with all names, and waits for the destinations' requests."""
    both = Departure("c-1", AT, (name(1), name(2)))
    depart(store, both, Departure("c-2", AT, ()))

    assert [one.departure for one in store.departures()] == [both, Departure("c-2", AT, ())]
    assert {one.source for one in store.departures()} == {"commercetools"}
    assert store.erased("commercetools") == {name(1), name(2)}


def test_a_closed_departure_is_no_news(store: SqliteStore, tmp_path: Path) -> None:
    """The overlap of two syncs tells it again: nothing waits anew, and nothing but hashes is left in the file."""
    one = Departure("a-rare-customer-id", AT, (name(1),))
    depart(store, one)
    depart(store, one)
    (waiting,) = store.departures()
    store.close_departures([waiting.id, waiting.id, 99])
    depart(store, one, Departure("c-2", AT, (name(2),)))

    assert [each.departure.entity_id for each in store.departures()] == ["c-2"]
    assert store.erased("commercetools") == {name(1), name(2)}
    store.close()
    content = (tmp_path / "state" / "state.db").read_bytes()
    assert b"c-2" in content
    assert b"a-rare-customer-id" not in content


@pytest.mark.parametrize("change", ["entity_id = 'c-9'", "at = 'x'", "subjects = zeroblob(16)", "name = zeroblob(16)"])
def test_a_damaged_departure_is_refused(store: SqliteStore, change: str) -> None:
    """With a wrong byte somebody else's data would be deleted."""
    depart(store, Departure("c-1", AT, (name(1),)))
    write_connection(store).execute(f"UPDATE departures SET {change}")

    with pytest.raises(StateError, match="departure 1 does not match its checksum"):
        store.departures()
    with pytest.raises(StateError, match="departure 1 does not match its checksum"):
        store.close_departures([1])
