"""The metrics file: whole, in the format, true to the run and to the checkpoint file, replaced in one step."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jobs
import prometheus_text
import pytest
from doubles import FakeDestination, FakeSource, order
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli import __version__
from cdi_cli.clock import Window, parse_instant
from cdi_cli.errors import AuthError
from cdi_cli.pipeline import metrics
from cdi_cli.pipeline.figures import RunFigures, figures_of, figures_of_failure
from cdi_cli.pipeline.metrics import MetricsError, metrics_text, write_metrics, write_text
from cdi_cli.pipeline.report import Books, Report, StreamBooks
from cdi_cli.state import open_store
from cdi_cli.state._base import Counts, Job, JobSpec, LedgerSize, LetterFilter, Partition, RunRow

NOON = parse_instant("2026-01-03T12:00:00.000Z")
NOON_SECONDS = 1_767_441_600.0
WINDOW = Window(parse_instant("2026-01-03T11:54:00.000Z"), parse_instant("2026-01-03T11:59:00.000Z"))
WAY = ("main", "segment")


def job(number: int, kind: Any = "sync", way: tuple[str, str] = WAY) -> Job:
    """A job of a way."""
    spec = JobSpec(way[0], "shop", way[1], ("orders",), WINDOW, "sync", "", "3", NOON, kind)
    return Job(number, spec, "open", NOON)


@dataclass
class KnownStore:
    """What a checkpoint file would answer, by hand: each method as the contract says."""

    all_jobs: list[Job] = field(default_factory=list)
    parts: dict[int, list[Partition]] = field(default_factory=dict)
    rows: list[tuple[RunRow, Job]] = field(default_factory=list)
    by_job: dict[int, Counts] = field(default_factory=dict)
    by_run: dict[int, Counts] = field(default_factory=dict)
    reasons: dict[tuple[str, str], dict[tuple[str, str, str], int]] = field(default_factory=dict)
    size: LedgerSize = field(default_factory=lambda: LedgerSize(0, 0, 0))

    def jobs(self, pipeline: str, destination: str, kind: str) -> list[Job]:
        return [
            one
            for one in self.all_jobs
            if (one.spec.pipeline, one.spec.destination, one.spec.kind) == (pipeline, destination, kind)
        ]

    def find_job(self, pipeline: str, destination: str, kind: str) -> Job | None:
        return next(reversed(self.jobs(pipeline, destination, kind)), None)

    def partitions(self, job_id: int) -> list[Partition]:
        return self.parts.get(job_id, [])

    def counts(self, *, run_id: int | None = None, job_id: int | None = None) -> Counts:
        return self.by_run.get(run_id, {}) if run_id is not None else self.by_job.get(job_id or 0, {})

    def runs(self, limit: int, *, pipeline: str, destination: str, kind: str) -> list[tuple[RunRow, Job]]:
        mine = {one.id for one in self.jobs(pipeline, destination, kind)}
        return [row for row in self.rows if row[1].id in mine][:limit]

    def dead_letter_reasons(self, wanted: LetterFilter) -> dict[tuple[str, str, str], int]:
        return self.reasons.get((wanted.pipeline or "", wanted.destination or ""), {})

    def ledger_size(self) -> LedgerSize:
        return self.size


def run_row(number: int, at: str, exit_code: int | None) -> RunRow:
    """A run of ten seconds that ended at a time of the day; with exit code None it is still going on."""
    ended = parse_instant(f"2026-01-03T{at}:10.000Z") if exit_code is not None else None
    return RunRow(number, 1, 4711, parse_instant(f"2026-01-03T{at}:00.000Z"), ended, "x", exit_code)


def figures(**changes: Any) -> RunFigures:
    """A good sync that delivered five orders."""
    values: dict[str, Any] = {
        "pipeline": "main",
        "destination": "segment",
        "kind": "sync",
        "ended_at": NOON,
        "exit_code": 0,
        "duration_seconds": 2.5,
        "run_id": 9,
        "outcomes": {("orders", "delivered"): 5, ("orders", "rejected"): 0},
    }
    return RunFigures(**(values | changes))


def read(store: KnownStore, results: list[RunFigures], ways: tuple[tuple[str, str], ...] = (WAY,)) -> dict[Any, float]:
    """The metrics as a strict scraper reads them."""
    return prometheus_text.parse(metrics_text(store, ways, results, NOON))  # type: ignore[arg-type]


def series(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """The key of a value."""
    return name, frozenset(labels.items())


SYNC = {"pipeline": "main", "destination": "segment", "kind": "sync"}


def test_the_figures_of_a_run_are_in_the_file() -> None:
    """When it ended, that this was well, how long it took, and what became of its events."""
    found = read(KnownStore(), [figures()])

    assert found == {
        series("cdi_info", version=__version__): 1,
        series("cdi_last_run_timestamp_seconds", **SYNC): NOON_SECONDS,
        series("cdi_last_success_timestamp_seconds", **SYNC): NOON_SECONDS,
        series("cdi_last_run_duration_seconds", **SYNC): 2.5,
        series("cdi_last_run_exit_code", **SYNC): 0,
        series("cdi_last_run_events", **SYNC, stream="orders", outcome="delivered"): 5,
        series("cdi_last_run_events", **SYNC, stream="orders", outcome="rejected"): 0,
        series("cdi_ledger_entries"): 0,
        series("cdi_ledger_bytes"): 0,
    }


def test_totals_lag_letters_and_ledger_come_of_the_checkpoint_file() -> None:
    """Totals run over all jobs of a way and over events; the lag is each stream's own; reasons are summed over events."""
    done = Partition(0, "orders", WINDOW, is_done=True)
    behind = Partition(1, "customers", WINDOW)
    store = KnownStore(
        all_jobs=[job(1), job(2, "backfill")],
        parts={1: [done, behind]},
        by_job={
            1: {("orders", "Order Completed", "delivered", ""): 3, ("orders", "Order Refunded", "delivered", ""): 1},
            2: {("orders", "Order Completed", "delivered", ""): 100, ("orders", "", "filtered", "erased"): 7},
        },
        reasons={WAY: {("orders", "Order Completed", "plan_violation"): 2, ("orders", "", "plan_violation"): 1}},
        size=LedgerSize(104, 9, 4_000),
    )
    way = {"pipeline": "main", "destination": "segment"}

    found = read(store, [])

    assert found[series("cdi_events_total", **way, stream="orders", outcome="delivered")] == 104
    assert found[series("cdi_events_total", **way, stream="orders", outcome="filtered")] == 7
    assert found[series("cdi_watermark_timestamp_seconds", **way, stream="orders")] == NOON_SECONDS - 60
    assert found[series("cdi_lag_seconds", **way, stream="orders")] == 60
    assert found[series("cdi_lag_seconds", **way, stream="customers")] == 360
    assert found[series("cdi_dead_letters", **way, stream="orders", reason="plan_violation")] == 3
    assert (found[series("cdi_ledger_entries")], found[series("cdi_ledger_bytes")]) == (104, 4_000)


def test_a_way_that_did_not_run_now_is_filled_in() -> None:
    """Its last run that ended counts, not the one that is going on or was killed."""
    store = KnownStore(
        all_jobs=[job(1)],
        rows=[(run_row(9, "11:50", None), job(1)), (run_row(8, "11:45", 3), job(1)), (run_row(7, "11:40", 1), job(1))],
        by_run={8: {("orders", "Order Completed", "delivered", ""): 4, ("orders", "Order Updated", "delivered", ""): 1}},
    )

    found = read(store, [])

    assert found[series("cdi_last_run_exit_code", **SYNC)] == 3
    assert found[series("cdi_last_run_duration_seconds", **SYNC)] == 10
    assert found[series("cdi_last_run_timestamp_seconds", **SYNC)] == NOON_SECONDS - 15 * 60 + 10
    assert found[series("cdi_last_success_timestamp_seconds", **SYNC)] == NOON_SECONDS - 20 * 60 + 10
    assert found[series("cdi_last_run_events", **SYNC, stream="orders", outcome="delivered")] == 5


def test_an_attempt_that_never_became_a_run_is_the_last_run() -> None:
    """Credentials that are refused show as a failure, and leave the last success where it was."""
    store = KnownStore(all_jobs=[job(1)], rows=[(run_row(7, "11:40", 0), job(1))])
    refused = figures_of_failure("main", "segment", "sync", AuthError("refused"), NOON, 0.3)

    found = read(store, [refused])

    assert found[series("cdi_last_run_exit_code", **SYNC)] == 3
    assert found[series("cdi_last_run_timestamp_seconds", **SYNC)] == NOON_SECONDS
    assert found[series("cdi_last_success_timestamp_seconds", **SYNC)] == NOON_SECONDS - 20 * 60 + 10


@pytest.mark.parametrize(("bad_runs", "is_known"), [(1, True), (150, True), (10_000, False)])
def test_the_last_success_is_looked_for_far_back(bad_runs: int, is_known: bool) -> None:
    """Weeks of failures do not hide it; without a good run among ten thousand there is no such value."""
    rows = [(run_row(n, "11:45", 3), job(1)) for n in range(bad_runs)] + [(run_row(0, "11:40", 0), job(1))]

    found = read(KnownStore(all_jobs=[job(1)], rows=rows), [figures(exit_code=3)])

    assert (series("cdi_last_success_timestamp_seconds", **SYNC) in found) is is_known


def test_every_way_and_kind_has_its_own_series() -> None:
    """A backfill does not hide a sync, nor one destination another."""
    results = [figures(), figures(kind="backfill", exit_code=1), figures(destination="mirror", exit_code=3)]

    found = read(KnownStore(), results, (WAY, ("main", "mirror"), ("never", "ran")))

    codes = {labels: value for (name, labels), value in found.items() if name == "cdi_last_run_exit_code"}
    assert sorted(codes.values()) == [0, 1, 3]


def test_a_clock_that_is_behind_gives_no_negative_lag() -> None:
    """The watermark is the source's time; this machine's may be earlier."""
    future = Window(NOON, parse_instant("2026-01-03T12:00:05.000Z"))
    store = KnownStore(all_jobs=[job(1)], parts={1: [Partition(0, "orders", future, is_done=True)]})

    found = read(store, [])

    assert found[series("cdi_lag_seconds", pipeline="main", destination="segment", stream="orders")] == 0


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_as_a_label(reason: str) -> None:
    """Quotes, backslashes and line breaks of a reason are escaped as the format says."""
    store = KnownStore(reasons={WAY: {("orders", "", reason): 1}})

    found = read(store, [])

    assert series("cdi_dead_letters", pipeline="main", destination="segment", stream="orders", reason=reason) in found


def test_figures_of_a_report() -> None:
    """The report's books by stream and outcome, and the error's message without its secrets."""
    books = Books((StreamBooks("orders", 9, 9, 5, 1, 2, 1),), {}, {}, ())
    report = Report(
        "main", "segment", 1, 9, "a", "b", "stopped", books, 2.5, 0, 0.0, 1, 1, 0, True, kind="sync", lag_seconds=3.0
    )

    found = figures_of(report, 3, NOON, AuthError("refused"))

    outcomes = {("orders", "delivered"): 5, ("orders", "filtered"): 1, ("orders", "rejected"): 2, ("orders", "duplicate"): 1}
    assert (found.outcomes, found.rejected, found.message, found.run_id) == (outcomes, 2, "refused", 9)
    assert (found.is_good, found.is_failure) == (False, True)


@pytest.mark.parametrize(("code", "good", "failure"), [(0, 1, 0), (1, 1, 0), (2, 0, 1), (3, 0, 1), (4, 0, 0), (143, 0, 0)])
def test_what_counts_as_a_failure(code: int, good: bool, failure: bool) -> None:
    """New dead letters are a good run; being locked out or stopped by somebody is neither."""
    one = figures(exit_code=code)

    assert (one.is_good, one.is_failure) == (good, failure)


def test_the_file_is_replaced_whole_and_readable(tmp_path: Path) -> None:
    """Mode 0644 whatever the umask, the folder made, nothing left beside it, an older file gone."""
    path = tmp_path / "new" / "cdi.prom"
    write_text(path, "old\n")
    inode = path.stat().st_ino

    write_metrics(path, KnownStore(), [WAY], [figures()], NOON)  # type: ignore[arg-type]

    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.stat().st_ino != inode
    assert list(path.parent.iterdir()) == [path]
    assert series("cdi_last_run_exit_code", **SYNC) in prometheus_text.parse(path.read_text())


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file; the old one is whole, and no scratch file is left."""
    path = tmp_path / "cdi.prom"
    path.write_text("old\n")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(metrics.os, "fsync", full)

    with pytest.raises(MetricsError, match="cannot be written: No space left on device"):
        write_text(path, "new\n")

    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    """A path that is a folder is no file to replace."""
    with pytest.raises(MetricsError, match="cannot be written"):
        write_text(tmp_path, "new\n")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "a 1",
        "a 1\n",
        "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a x\n# TYPE a gauge\na 1\na 2\n",
        '# HELP a x\n# TYPE a gauge\na{b="\\t"} 1\n',
        '# HELP a x\n# TYPE a gauge\na{b="1",b="2"} 1\n',
        '# HELP a x\n# TYPE a gauge\na{b="1",} 1\n',
        "# HELP a x\n# TYPE a gauge\na None\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total -1\n",
    ],
)
def test_the_reader_refuses_what_is_not_the_format(text: str) -> None:
    """The judge of these tests can say no."""
    with pytest.raises(ValueError, match=r"format|last line"):
        prometheus_text.parse(text)


def test_instants_are_seconds_of_the_epoch() -> None:
    """The constant of these tests was not made by the code under test: 2026-01-03 is day 20,456."""
    assert NOON_SECONDS == 20_456 * 86_400 + 12 * 3600


async def test_figures_of_a_real_checkpoint_file(tmp_path: Path) -> None:
    """After a backfill and a sync, what the file says is what the destination got and what the books say."""
    noon, later = parse_instant("2026-01-03T12:00:00.000Z"), parse_instant("2026-01-03T12:10:00.000Z")
    source, destination = FakeSource(jobs.shop(30), now=noon), FakeDestination()
    clock = jobs.Clock(now=lambda: jobs.to_datetime(source.now or noon))
    with open_store(tmp_path / "state.db", clock=clock) as store:
        request = jobs.Request(jobs.SINCE, noon, "test window", rate=1e9)
        opened = jobs.opened(source, destination)
        await jobs.run_backfill(opened, store, request, jobs.Progress(), jobs.Stop(), clock=clock)
    source.now = later
    source.orders.append(order(900, created_at=noon, updated_at=noon))
    report, _ = await jobs.sync(tmp_path / "state.db", source, destination)
    run = figures_of(report, 0, later)

    with open_store(tmp_path / "state.db", read_only=True) as store:
        found = prometheus_text.parse(metrics_text(store, [("main", "target")], [run], later))

    way = {"pipeline": "main", "destination": "target"}
    about = {"stream": "orders", "outcome": "delivered"}
    delivered = len(destination.accepted)
    assert found[series("cdi_events_total", **way, **about)] == delivered > 30
    assert found[series("cdi_ledger_entries")] == delivered
    assert found[series("cdi_last_run_events", **way, kind="sync", **about)] == report.books.total("delivered") > 0
    last_backfill = found[series("cdi_last_run_events", **way, kind="backfill", **about)]
    assert last_backfill == delivered - report.books.total("delivered")
    assert found[series("cdi_lag_seconds", **way, stream="orders")] == 60
    assert found[series("cdi_last_run_exit_code", **way, kind="backfill")] == 0
