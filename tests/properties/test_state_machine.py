"""The checkpoint store against a model made of dicts: whatever happens in whatever order, both say the same."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from state_builders import entry, files_of, letter, partitions, spec, write_files
from state_model import DAYS, DESTINATION, PLACES_MAX, SOURCE, StateModel, place

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import LockedError, StateError
from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import Departure, JobKind, Settlement
from cdi_cli.state.store import SqliteStore

NUMBERS = st.integers(0, 30)
COUNTED = st.tuples(
    st.sampled_from(["orders", "customers"]),
    st.sampled_from(["", "Order Completed"]),
    st.sampled_from(["delivered", "filtered", "rejected", "duplicate"]),
    st.sampled_from(["", "consent:ads"]),
)
ENTRIES = st.builds(lambda number, content: entry(number, content=content), NUMBERS, NUMBERS)
LETTERS = st.builds(
    lambda number, where: letter(number, place=place(where), digest=number.to_bytes(8, "big")),
    NUMBERS,
    st.integers(0, PLACES_MAX - 1),
)
DEPARTURES = st.builds(
    lambda number: Departure(f"c-{number}", Instant("2026-01-01T00:00:00.000Z"), (number.to_bytes(16, "big"),)),
    st.integers(0, 5),
)
SETTLEMENTS = st.lists(
    st.builds(
        Settlement,
        partition=st.integers(0, 2),
        cursor=st.none() | st.text(max_size=5, alphabet=st.characters(codec="utf-8")).map(Cursor),
        is_done=st.booleans(),
        pulled=st.integers(0, 9),
        delivered=st.lists(ENTRIES, max_size=6).map(tuple),
        dead=st.lists(LETTERS, max_size=2).map(tuple),
        counts=st.dictionaries(COUNTED, st.integers(1, 5), max_size=3),
        resolved=st.lists(st.integers(1, 12), max_size=2).map(tuple),
        departed=st.lists(DEPARTURES, max_size=1).map(tuple),
    ),
    max_size=4,
)


class StoreMachine(RuleBasedStateMachine):
    """Two pipelines, jobs of all kinds, many runs, compaction, erasure, crashes, reopenings and lost locks."""

    @initialize()
    def start(self) -> None:
        """An empty store and an empty model."""
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.store: SqliteStore = open_store(self.folder / "0" / "state.db")
        self.model = StateModel()

    @rule(pipeline=st.sampled_from(["shop", "outlet"]), kind=st.sampled_from(["backfill", "sync", "replay"]))
    def create_job(self, pipeline: str, kind: JobKind) -> None:
        """A new job takes the place of the pipeline's last of its kind."""
        planned = [] if kind == "sync" else partitions(3)
        self.model.create(self.store.create_job(spec(pipeline, kind=kind), planned), planned)

    @precondition(lambda self: self.model.syncs())
    @rule(data=st.data(), stream=st.sampled_from(["orders", "customers", "carts"]), until=st.integers(2, 28))
    def open_window(self, data: st.DataObject, stream: str, until: int) -> None:
        """The next window of a stream of a sync; refused while the one before is not done, or after a gap."""
        job = data.draw(st.sampled_from(self.model.syncs()))
        window = Window(DAYS[until - 2], DAYS[until])
        if (reason := self.model.why_no_window(job.id, stream, window)) is not None:
            with pytest.raises(StateError, match=reason):
                self.store.open_window(job.id, stream, window)
            return
        origin = data.draw(st.none() | st.sampled_from(DAYS))
        opened = self.store.open_window(job.id, stream, window, origin=origin)
        self.model.open_window(job.id, opened, window, origin)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), plan=st.sampled_from([None, "4"]))
    def start_run(self, data: st.DataObject, plan: str | None) -> None:
        """A run of one of the newest jobs, under the job's plan or another."""
        job = self.model.jobs[data.draw(st.sampled_from(sorted(self.model.jobs)))]
        self.model.start_run(self.store.start_run(job.id, plan_version=plan), job, plan)

    @precondition(lambda self: self.model.run)
    @rule(settlements=SETTLEMENTS)
    def settle(self, settlements: list[Settlement]) -> None:
        """Some settlements in one transaction; the same one may come again."""
        assert self.model.run is not None
        number, job = self.model.run
        lying = {one.number for one in self.model.queue}
        possible = [
            replace(one, resolved=tuple(lying.intersection(one.resolved)))
            for one in settlements
            if one.partition < len(self.model.slices[job.id])
        ]
        self.store.settle(number, possible)
        for one in possible:
            self.model.settle(one, self.store.dead_letters(limit=1000))

    @precondition(lambda self: self.model.run)
    @rule(exit_code=st.sampled_from([0, 1, 3]))
    def end_run(self, exit_code: int) -> None:
        """A run ends; its job with it when no partition is left, unless it is a sync."""
        assert self.model.run is not None
        self.store.end_run(self.model.run[0], status="ended", exit_code=exit_code)
        self.model.end_run()

    @rule()
    def compact(self) -> None:
        """Rows are put together, whether a run is open or not."""
        self.store.compact(seconds_max=60)

    @rule(before=st.integers(1, 10))
    def forget(self, before: int) -> None:
        """Days before that of an instant leave the ledger."""
        instant = Instant(DAYS[before].replace("T00:00", "T17:30"))
        gone, keys = self.store.forget(SOURCE, DESTINATION, "order", instant), self.model.forget(instant)
        assert gone >= keys
        assert (gone > 0) == (keys > 0)

    @rule(numbers=st.sets(NUMBERS, max_size=3))
    def strike(self, numbers: set[int]) -> None:
        """Keys leave the ledger."""
        gone = self.store.strike(entry(number).key for number in numbers)
        assert (gone > 0) == self.model.strike(numbers)

    @rule(numbers=st.sets(st.integers(1, 12), max_size=3))
    def drop_letters(self, numbers: set[int]) -> None:
        """Letters leave the queue by their numbers."""
        assert self.store.drop_letters(numbers) == self.model.drop(numbers)

    @rule(numbers=st.sets(st.integers(0, 9), min_size=1, max_size=3))
    def erase(self, numbers: set[int]) -> None:
        """People are erased."""
        names = [number.to_bytes(16, "big") for number in numbers]
        self.store.erase(SOURCE, names)
        self.model.erased.update(names)

    @rule()
    def close_departures(self) -> None:
        """The oldest departure that waits is done with."""
        for waiting in self.store.departures()[:1]:
            self.store.close_departures([waiting.id])
            self.model.waiting.remove(waiting.departure.entity_id)

    @rule()
    def reopen(self) -> None:
        """An orderly end and a new start."""
        self.store.close()
        self.store = open_store(self.store.path)
        self.model.restart()

    @rule()
    def crash(self) -> None:
        """What a kill leaves is the main file and its log as they are now."""
        self.lives += 1
        left = write_files(self.folder / str(self.lives) / "state.db", files_of(self.store.path))
        self.store.close()
        self.store = open_store(left)
        self.model.restart()

    @precondition(lambda self: self.model.run)
    @rule(order=st.permutations(range(9)))
    def lose_the_lock(self, order: list[int]) -> None:
        """A second store takes over: whatever the first one tries to write is refused, and changes nothing."""
        assert self.model.run is not None
        number, job = self.model.run
        zombie = self.store
        zombie.path.with_name("state.db.lock").unlink()
        self.store = open_store(zombie.path)
        self.model.restart()
        attempts = [
            lambda: zombie.settle(number, [Settlement(0, delivered=(entry(1),), dead=(letter(1),))]),
            lambda: zombie.drop_letters(range(12)),
            lambda: zombie.erase(SOURCE, [bytes(16)]),
            lambda: zombie.strike([entry(number).key for number in range(31)]),
            lambda: zombie.forget(SOURCE, DESTINATION, "order", DAYS[27]),
            lambda: zombie.close_departures(range(12)),
            lambda: zombie.open_window(job.id, "orders", Window(DAYS[0], DAYS[1])),
            lambda: zombie._pack([(1, 1)]),
            lambda: zombie.end_run(number, status="ended", exit_code=0),
        ]
        for which in order:
            with pytest.raises(LockedError):
                attempts[which]()
        zombie.close()

    @invariant()
    def agrees(self) -> None:
        """Everything that can be read is what the model says."""
        self.model.agrees(self.store)

    def teardown(self) -> None:
        """Close and clean up."""
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(stateful_step_count=40)
TestStoreMachine.__doc__ = "The store and a model made of dicts agree after every step, crashes and lost locks included."
