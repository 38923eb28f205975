"""What a checkpoint store must say, kept in dicts: the model of the state machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from state_builders import entry

from cdi_cli.clock import Instant, Window
from cdi_cli.state._base import Counts, DeadLetter, Job, Partition, Settlement, StoredDeadLetter
from cdi_cli.state.store import SqliteStore

SOURCE, DESTINATION = "commercetools", "segment"
DAYS = [Instant(f"2026-01-{day:02d}T00:00:00.000Z") for day in range(1, 30)]
PLACES_MAX = 8
EVERY = [entry(number) for number in range(31)]


def place(number: int) -> bytes:
    """A place of the dead-letter queue: every second one is that of an event that may be delivered."""
    return entry(number).key if number % 2 else number.to_bytes(16, "big")


@dataclass
class Lying:
    """A letter in the queue."""

    number: int
    letter: DeadLetter
    run: int
    times: int = 1


@dataclass
class StateModel:
    """Jobs by (pipeline, kind), and everything else by the numbers that the store gave."""

    jobs: dict[tuple[str, str], Job] = field(default_factory=dict)
    slices: dict[int, list[Partition]] = field(default_factory=dict)
    run: tuple[int, Job] | None = None
    statuses: dict[int, str] = field(default_factory=dict)
    plans: dict[int, str] = field(default_factory=dict)
    known: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    queue: list[Lying] = field(default_factory=list)
    counts: dict[int, Counts] = field(default_factory=dict)
    pulled: dict[int, dict[str, int]] = field(default_factory=dict)
    entries: Counter[int] = field(default_factory=Counter)
    written: Counter[int] = field(default_factory=Counter)
    erased: set[bytes] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)
    departed: set[str] = field(default_factory=set)
    forgotten: Instant | None = None

    def create(self, job: Job, planned: list[Partition]) -> None:
        """A job, the newest of its kind."""
        self.jobs[job.spec.pipeline, job.spec.kind] = job
        self.slices[job.id] = list(planned)

    def syncs(self) -> list[Job]:
        """The newest sync jobs."""
        return [job for (_, kind), job in sorted(self.jobs.items()) if kind == "sync"]

    def _of_stream(self, job_id: int, stream: str) -> Partition | None:
        return next((one for one in self.slices[job_id] if one.stream == stream), None)

    def why_no_window(self, job_id: int, stream: str, window: Window) -> str | None:
        """Why this window cannot be the next, None when it can."""
        before = self._of_stream(job_id, stream)
        if before is None:
            return None
        if not before.is_done:
            return "is not done"
        return "where the last one ended" if window.since > before.window.until else None

    def open_window(self, job_id: int, opened: Partition, window: Window, origin: Instant | None) -> None:
        """A window follows, or is the first of its stream."""
        before = self._of_stream(job_id, opened.stream)
        slices = self.slices[job_id]
        if before is None:
            slices.append(Partition(len(slices), opened.stream, window, origin=origin))
        else:
            slices[before.number] = replace(before, window=window, cursor=None, is_done=False)
        assert opened == self._of_stream(job_id, opened.stream)

    def start_run(self, number: int, job: Job, plan: str | None) -> None:
        """A run begins."""
        self.run = (number, job)
        self.statuses[number] = "running"
        self.plans[number] = plan or job.spec.plan_version

    def settle(self, one: Settlement, queue: list[StoredDeadLetter]) -> None:
        """A settlement of the present run; `queue` tells the numbers that the store gave to new letters."""
        assert self.run is not None
        number, job = self.run
        slices = self.slices[job.id]
        before = slices[one.partition]
        cursor = before.cursor if one.cursor is None else one.cursor
        slices[one.partition] = replace(before, cursor=cursor, is_done=before.is_done or one.is_done)
        for delivered in one.delivered:
            self.known[delivered.key] = (delivered.content, number)
        self.entries[number] += len(one.delivered)
        gone = {delivered.key for delivered in one.delivered}
        self.queue = [each for each in self.queue if each.letter.place not in gone and each.number not in one.resolved]
        for letter in one.dead:
            self._write_letter(letter, number, queue)
        self.written[number] += len(one.dead)
        for departure in one.departed:
            self.erased.update(departure.subjects)
            if departure.entity_id not in self.departed:
                self.departed.add(departure.entity_id)
                self.waiting.append(departure.entity_id)
        counts = self.counts.setdefault(number, {})
        for key, amount in one.counts.items():
            counts[key] = counts.get(key, 0) + amount
        if one.pulled:
            pulled = self.pulled.setdefault(number, {})
            pulled[before.stream] = pulled.get(before.stream, 0) + one.pulled

    def _write_letter(self, letter: DeadLetter, run: int, queue: list[StoredDeadLetter]) -> None:
        there = next((each for each in self.queue if each.letter.place == letter.place), None)
        if there is None:
            given = [each.id for each in queue if each.letter.place == letter.place]
            # A letter that a later settlement of the same call takes out has a number that is not known any more.
            there = Lying(given[0] if given else -1, letter, run, times=0)
        else:
            self.queue.remove(there)
        self.queue.append(Lying(there.number, letter, run, there.times + 1))

    def end_run(self) -> None:
        """The present run ends, and its job when nothing of it is left."""
        assert self.run is not None
        number, job = self.run
        self.statuses[number] = "ended"
        self.run = None
        newest = self.jobs[job.spec.pipeline, job.spec.kind]
        if newest.id == job.id and job.spec.kind != "sync" and all(one.is_done for one in self.slices[job.id]):
            self.jobs[job.spec.pipeline, job.spec.kind] = replace(newest, status="done")

    def forget(self, before: Instant) -> int:
        """How many keys of earlier days go; each may have been delivered more than once."""
        self.forgotten = max(before, self.forgotten or before)
        old = [one.key for one in EVERY if one.created_at[:10] < before[:10]]
        return sum(self.known.pop(key, None) is not None for key in old)

    def strike(self, numbers: Iterable[int]) -> bool:
        """Whether any of these keys was there."""
        before = len(self.known)
        for number in numbers:
            self.known.pop(entry(number).key, None)
        return len(self.known) < before

    def drop(self, numbers: Iterable[int]) -> int:
        """How many letters of these numbers there were."""
        before = len(self.queue)
        self.queue = [one for one in self.queue if one.number not in numbers]
        return before - len(self.queue)

    def restart(self) -> None:
        """Another process opened the file: what ran was killed."""
        self.statuses = {number: "killed" if status == "running" else status for number, status in self.statuses.items()}
        self.run = None

    def agrees(self, store: SqliteStore) -> None:
        """Assert that the store says the same."""
        for (pipeline, kind), job in self.jobs.items():
            found = store.find_job(pipeline, DESTINATION, kind)  # type: ignore[arg-type]
            assert found is not None
            assert (found.id, found.status, found.spec) == (job.id, job.status, job.spec)
            assert store.partitions(job.id) == self.slices[job.id]
        wanted = {one.key: one.created_at for one in EVERY}
        contents = {key: content for key, (content, _) in self.known.items()}
        assert store.delivered(SOURCE, DESTINATION, "order", wanted) == contents
        last = {trace.key: (trace.content, trace.run_id) for trace in store.trace(wanted)}
        assert last == self.known
        assert store.ledger_size().entries >= len(self.known)
        assert store.forgotten_before(SOURCE, DESTINATION, "order") == self.forgotten
        lying = [(one.number, one.letter, one.run, one.times, self.plans[one.run]) for one in reversed(self.queue)]
        shown = store.dead_letters(limit=10_000)
        assert [(one.id, one.letter, one.run_id, one.times, one.plan_version) for one in shown] == lying
        places = [place(number) for number in range(PLACES_MAX)]
        taken = {key: (one.id, one.digest) for key, one in store.letters(SOURCE, DESTINATION, places).items()}
        assert taken == {one.letter.place: (one.number, one.letter.digest) for one in self.queue}
        assert store.erased(SOURCE) == self.erased
        assert [one.departure.entity_id for one in store.departures()] == self.waiting
        assert {run.id: run.status for run, _ in store.runs(10_000)} == self.statuses
        for number in self.statuses:
            assert store.counts(run_id=number) == self.counts.get(number, {})
            assert store.pulled(run_id=number) == self.pulled.get(number, {})
            assert store.tally(number) == (self.entries[number], self.written[number])
