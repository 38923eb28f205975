"""The checkpoint store against a model made of dicts: whatever happens in whatever order, both say the same."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from state_builders import entry, files_of, letter, partitions, spec, write_files

from cdi_cli.sources import Cursor
from cdi_cli.state import open_store
from cdi_cli.state._base import Counts, DeadLetter, Job, Partition, Settlement
from cdi_cli.state.store import SqliteStore

NUMBERS = st.integers(0, 30)
PLACES = st.tuples(
    st.sampled_from(["orders", "customers"]),
    st.sampled_from(["", "Order Completed"]),
    st.sampled_from(["delivered", "filtered", "rejected", "duplicate"]),
    st.sampled_from(["", "consent:ads"]),
)
SETTLEMENTS = st.lists(
    st.builds(
        Settlement,
        partition=st.integers(0, 2),
        cursor=st.none() | st.text(max_size=5, alphabet=st.characters(codec="utf-8")).map(Cursor),
        is_done=st.booleans(),
        pulled=st.integers(0, 9),
        delivered=st.lists(
            st.builds(lambda number, content: entry(number, content=content), NUMBERS, NUMBERS), max_size=6
        ).map(tuple),
        dead=st.lists(st.builds(letter, NUMBERS), max_size=2).map(tuple),
        counts=st.dictionaries(PLACES, st.integers(1, 5), max_size=3),
    ),
    max_size=4,
)


class StoreMachine(RuleBasedStateMachine):
    """Two pipelines, several jobs and runs, crashes and reopenings."""

    @initialize()
    def start(self) -> None:
        """An empty store and an empty model."""
        self.folder = Path(tempfile.mkdtemp())
        self.lives = 0
        self.store: SqliteStore = open_store(self.folder / "0" / "state.db")
        self.jobs: dict[str, Job] = {}
        self.slices: dict[int, list[Partition]] = {}
        self.run: tuple[int, Job] | None = None
        self.statuses: dict[int, str] = {}
        self.known: dict[bytes, bytes] = {}
        self.letters: list[DeadLetter] = []
        self.counts: dict[int, Counts] = {}
        self.pulled: dict[int, dict[str, int]] = {}
        self.entries: dict[int, int] = {}

    @rule(pipeline=st.sampled_from(["shop", "outlet"]))
    def create_job(self, pipeline: str) -> None:
        """A new job takes the place of the pipeline's last."""
        made = self.store.create_job(spec(pipeline), partitions(3))
        self.jobs[pipeline] = made
        self.slices[made.id] = partitions(3)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def start_run(self, data: st.DataObject) -> None:
        """A run of one of the newest jobs."""
        job = self.jobs[data.draw(st.sampled_from(sorted(self.jobs)))]
        number = self.store.start_run(job.id)
        self.run = (number, job)
        self.statuses[number] = "running"

    @precondition(lambda self: self.run)
    @rule(settlements=SETTLEMENTS)
    def settle(self, settlements: list[Settlement]) -> None:
        """Some settlements in one transaction; the same one may come again."""
        assert self.run is not None
        number, job = self.run
        self.store.settle(number, settlements)
        slices = self.slices[job.id]
        counts = self.counts.setdefault(number, {})
        pulled = self.pulled.setdefault(number, {})
        for one in settlements:
            before = slices[one.partition]
            slices[one.partition] = replace(
                before,
                cursor=before.cursor if one.cursor is None else one.cursor,
                is_done=before.is_done or one.is_done,
            )
            self.known.update({delivered.key: delivered.content for delivered in one.delivered})
            self.entries[number] = self.entries.get(number, 0) + len(one.delivered)
            self.letters += one.dead
            for place, amount in one.counts.items():
                counts[place] = counts.get(place, 0) + amount
            if one.pulled:
                pulled[before.stream] = pulled.get(before.stream, 0) + one.pulled

    @precondition(lambda self: self.run)
    @rule(exit_code=st.sampled_from([0, 1, 3]))
    def end_run(self, exit_code: int) -> None:
        """A run ends; its job with it when no partition is left."""
        assert self.run is not None
        number, job = self.run
        self.store.end_run(number, status="ended", exit_code=exit_code)
        self.statuses[number] = "ended"
        self.run = None
        if all(one.is_done for one in self.slices[job.id]):
            newest = self.jobs[job.spec.pipeline]
            if newest.id == job.id:
                self.jobs[job.spec.pipeline] = replace(newest, status="done")

    @rule()
    def reopen(self) -> None:
        """An orderly end and a new start."""
        self.store.close()
        self.store = open_store(self.store.path)
        self._forget_run()

    @rule()
    def crash(self) -> None:
        """What a kill leaves is the main file and its log as they are now."""
        self.lives += 1
        left = write_files(self.folder / str(self.lives) / "state.db", files_of(self.store.path))
        self.store.close()
        self.store = open_store(left)
        self._forget_run()

    def _forget_run(self) -> None:
        self.statuses = {number: "killed" if status == "running" else status for number, status in self.statuses.items()}
        self.run = None

    @invariant()
    def agrees(self) -> None:
        """Everything that can be read is what the model says."""
        for pipeline, job in self.jobs.items():
            found = self.store.find_job(pipeline, "segment")
            assert found is not None
            assert (found.id, found.status, found.spec) == (job.id, job.status, job.spec)
            assert self.store.partitions(job.id) == self.slices[job.id]
        wanted = [entry(number) for number in range(31)]
        assert (
            self.store.delivered("commercetools", "segment", "order", {one.key: one.created_at for one in wanted})
            == self.known
        )
        assert [one.letter for one in self.store.dead_letters(limit=10_000)] == self.letters[::-1]
        shown = {run.id: run.status for run, _ in self.store.runs(10_000)}
        assert shown == self.statuses
        for number in self.statuses:
            assert self.store.counts(run_id=number) == self.counts.get(number, {})
            assert self.store.pulled(run_id=number) == self.pulled.get(number, {})
            assert self.store.tally(number)[0] == self.entries.get(number, 0)

    def teardown(self) -> None:
        """Close and clean up."""
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(stateful_step_count=30)
TestStoreMachine.__doc__ = "The store and a model made of dicts agree after every step, crashes included."
