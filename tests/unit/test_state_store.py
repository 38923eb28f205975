"""The checkpoint store: jobs, runs, settling, and what can be read back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from state_builders import WINDOW, entry, letter, partitions, spec, step, steps_settled

from cdi_cli.clock import Clock, Instant
from cdi_cli.errors import StateError
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import Job, Settlement, Store
from cdi_cli.state.store import SqliteStore

NOON = Clock(now=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the checkpoint file will be."""
    return tmp_path / "state" / "state.db"


@pytest.fixture
def store(path: Path):
    """A new store, closed at the end."""
    with open_store(path, clock=NOON) as opened:
        yield opened


def test_a_store_keeps_the_contract(store: SqliteStore) -> None:
    """Every method of the contract exists; mypy checks the signatures through this assignment."""
    contract: Store = store

    assert {name for name in vars(Store) if not name.startswith("_")} <= set(dir(contract))


def test_a_job_comes_back_as_it_was_made(path: Path) -> None:
    """A job and its partitions survive closing and opening."""
    planned = partitions(5)
    with open_store(path, clock=NOON) as store:
        made = store.create_job(spec(), planned)
    with open_store(path) as store:
        found = store.find_job("shop", "segment")

        assert made == Job(1, spec(), "open", Instant("2026-03-01T12:00:00.000Z"))
        assert found == made
        assert store.partitions(made.id) == planned


def test_partitions_come_in_the_order_of_the_plan(store: SqliteStore) -> None:
    """The order in which partitions were planned is kept, whatever their numbers are."""
    planned = list(reversed(partitions(4)))
    job = store.create_job(spec(), planned)

    assert store.partitions(job.id) == planned


def test_a_new_job_abandons_the_open_one_of_the_same_pipeline_and_destination(store: SqliteStore) -> None:
    """Other pipelines and destinations keep their open jobs, and `find_job` gives the newest."""
    first = store.create_job(spec(), partitions())
    other = store.create_job(spec(destination="insider"), partitions())
    run = store.start_run(first.id)
    second = store.create_job(spec(asked="--restart"), partitions())

    assert store.find_job("shop", "segment") == second
    assert store.find_job("shop", "insider") == other
    assert store.find_job("nobody", "segment") is None
    ((_, abandoned),) = [pair for pair in store.runs() if pair[0].id == run]
    assert (abandoned.id, abandoned.status, abandoned.ended_at) == (first.id, "abandoned", "2026-03-01T12:00:00.000Z")


def test_a_job_is_done_when_its_last_partition_is(store: SqliteStore) -> None:
    """Ending a run closes the job only when no partition is left."""
    job = store.create_job(spec(), partitions(2))
    first = store.start_run(job.id)
    store.settle(first, [Settlement(0, is_done=True)])
    store.end_run(first, status="stopped", exit_code=3)
    between = store.find_job("shop", "segment")
    second = store.start_run(job.id)
    store.settle(second, [Settlement(1, cursor=Cursor("end"), is_done=True)])
    store.end_run(second, status="done", exit_code=0)

    after = store.find_job("shop", "segment")
    assert between is not None
    assert after is not None
    assert (between.status, after.status, after.ended_at) == ("open", "done", "2026-03-01T12:00:00.000Z")
    assert [(run.id, run.status, run.exit_code) for run, _ in store.runs()] == [(2, "done", 0), (1, "stopped", 3)]


def test_settling_writes_cursor_ledger_letters_and_counters(store: SqliteStore) -> None:
    """Each of them can be read back right after `settle` returns."""
    job = store.create_job(spec(), partitions())
    run = store.start_run(job.id)
    store.settle(run, [step(0)])
    store.settle(run, [step(1), step(2)])

    assert steps_settled(store) == 3
    assert store.tally(run) == (9, 3)


def test_a_settlement_without_a_cursor_leaves_the_cursor(store: SqliteStore) -> None:
    """Only a cursor that is given moves the partition, and an end once reached stays."""
    job = store.create_job(spec(), partitions())
    run = store.start_run(job.id)
    store.settle(run, [Settlement(0, cursor=Cursor("a"))])
    store.settle(run, [Settlement(0, delivered=(entry(1),))])
    store.settle(run, [Settlement(0, is_done=True)])
    store.settle(run, [Settlement(0, counts={("orders", "", "filtered", "x"): 1})])

    first, second = store.partitions(job.id)
    assert (first.cursor, first.is_done) == ("a", True)
    assert (second.cursor, second.is_done) == (None, False)


def test_counters_add_up_per_run_and_per_job(store: SqliteStore) -> None:
    """A job's counters are the sums of its runs, and leave out those of other jobs."""
    place = ("orders", "Order Completed", "delivered", "")
    job = store.create_job(spec(), partitions())
    other = store.create_job(spec(pipeline="other"), partitions())
    runs = [store.start_run(job.id), store.start_run(job.id), store.start_run(other.id)]
    for run in runs:
        store.settle(run, [Settlement(0, pulled=5, counts={place: 2}), Settlement(1, pulled=1, counts={place: 1})])

    assert store.counts(run_id=runs[0]) == {place: 3}
    assert store.counts(job_id=job.id) == {place: 6}
    assert store.counts(run_id=runs[2], job_id=job.id) == {}
    assert store.pulled(job_id=job.id) == {"orders": 10, "customers": 2}
    assert store.pulled(run_id=runs[2]) == {"orders": 5, "customers": 1}


def test_the_ledger_is_separate_by_source_destination_and_family(store: SqliteStore) -> None:
    """An event delivered to one destination is not known at another."""
    run = store.start_run(store.create_job(spec(), partitions()).id)
    one = entry(1)
    store.settle(run, [Settlement(0, delivered=(one,))])
    keys = {one.key: one.created_at}

    assert store.delivered("commercetools", "segment", "order", keys) == {one.key: one.content}
    assert store.delivered("magento", "segment", "order", keys) == {}
    assert store.delivered("commercetools", "insider", "order", keys) == {}
    assert store.delivered("commercetools", "segment", "cart", keys) == {}
    assert store.delivered("commercetools", "segment", "order", {}) == {}


def test_the_last_delivery_of_an_event_tells_its_content(store: SqliteStore) -> None:
    """A later row wins over an earlier one, and a later entry of the same settlement too."""
    run = store.start_run(store.create_job(spec(), partitions()).id)
    store.settle(run, [Settlement(0, delivered=(entry(1, content=1), entry(2, content=1), entry(2, content=2)))])
    store.settle(run, [Settlement(0, delivered=(entry(1, content=7),))])
    keys = {entry(number).key: entry(number).created_at for number in (1, 2)}

    found = store.delivered("commercetools", "segment", "order", keys)
    assert found == {entry(1).key: entry(1, content=7).content, entry(2).key: entry(2, content=2).content}


def test_an_unknown_run_or_partition_writes_nothing(store: SqliteStore) -> None:
    """The whole transaction is undone, and the store goes on working."""
    run = store.start_run(store.create_job(spec(), partitions()).id)

    with pytest.raises(StateError, match="no run 99"):
        store.settle(99, [step(0)])
    with pytest.raises(StateError, match="no partition 7 of job 1"):
        store.settle(run, [step(0), Settlement(7, cursor=Cursor("x"))])
    with pytest.raises(StateError, match="no run 99"):
        store.end_run(99, status="done", exit_code=0)
    with pytest.raises(StateError, match="no job 99"):
        store.start_run(99)
    assert steps_settled(store) == 0
    store.settle(run, [step(0)])
    assert steps_settled(store) == 1


def test_a_key_of_the_wrong_size_is_refused(store: SqliteStore) -> None:
    """A ledger entry that would shift all others in its row never gets in."""
    run = store.start_run(store.create_job(spec(), partitions()).id)
    good = entry(1)
    wrong = type(good)("order", good.created_at, b"short", good.content)

    with pytest.raises(ValueError, match="16 bytes of key"):
        store.settle(run, [Settlement(0, delivered=(good, wrong))])
    assert store.tally(run) == (0, 0)


def test_a_store_for_reading_sees_a_run_at_work_and_writes_nothing(store: SqliteStore, path: Path) -> None:
    """`cdi status` works beside a running `cdi`, sees what is committed later too, and cannot change anything."""
    run = store.start_run(store.create_job(spec(), partitions()).id)
    store.settle(run, [step(0)])
    with open_store(path, read_only=True) as looking:
        assert steps_settled(looking) == 1
        store.settle(run, [step(1)])
        assert steps_settled(looking) == 2
        assert looking.runs()[0][0].status == "running"
        with pytest.raises(StateError, match="for reading only"):
            looking.settle(run, [step(2)])
        with pytest.raises(StateError, match="for reading only"):
            looking.start_run(1)
    store.settle(run, [step(2)])
    assert steps_settled(store) == 3


def test_settling_in_one_thread_and_looking_up_in_another(store: SqliteStore) -> None:
    """A worker thread settles while this one asks the ledger: no error, and what was settled before is always found."""
    run = store.start_run(store.create_job(spec(), partitions()).id)
    settled = [0]

    def settle() -> None:
        for number in range(150):
            store.settle(run, [step(number)])
            settled[0] = number + 1

    asked = 0
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(settle)
        while not work.done():
            wanted = [entry(number) for number in range(3 * settled[0])]
            found = store.delivered("commercetools", "segment", "order", {one.key: one.created_at for one in wanted})
            assert len(found) == len(wanted)
            asked += 1
        work.result()

    assert asked > 5
    assert steps_settled(store) == 150


def test_closing_twice_and_using_a_closed_store(path: Path) -> None:
    """The second close does nothing; a closed store says so as a StateError."""
    store = open_store(path)
    store.close()
    store.close()

    with pytest.raises(StateError):
        store.partitions(1)
    with pytest.raises(StateError):
        store.create_job(spec(), partitions())


def test_closing_empties_the_log(path: Path) -> None:
    """After an orderly close one file holds everything."""
    with open_store(path) as store:
        store.settle(store.start_run(store.create_job(spec(), partitions()).id), [step(0)])
        assert path.with_name("state.db-wal").stat().st_size > 0

    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db.lock"]
    with open_store(path) as store:
        assert steps_settled(store) == 1


def test_an_error_inside_the_block_closes_the_store_and_passes_on(path: Path) -> None:
    """`with` releases the lock whatever happens, and never hides the error."""
    with pytest.raises(KeyError, match="mine"), open_store(path):
        raise KeyError("mine")

    open_store(path).close()


def test_the_window_of_a_job_is_kept_to_the_millisecond(store: SqliteStore) -> None:
    """Instants are kept as text, in the one form they have."""
    store.create_job(spec(), partitions(1))

    assert store.partitions(1)[0].window == WINDOW


def test_dead_letters_do_not_change_the_ledger(store: SqliteStore) -> None:
    """A settlement of nothing but dead letters delivers nothing."""
    run = store.start_run(store.create_job(spec(), partitions()).id)
    store.settle(run, [Settlement(0, dead=(letter(1), letter(2)))])

    assert store.tally(run) == (0, 2)
    assert store.counts() == {}
