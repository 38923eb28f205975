"""The metrics file: figures of all pipelines in Prometheus' text format, for node_exporter's textfile collector.

    # HELP cdi_lag_seconds How far behind now each stream of a sync was when this file was written
    # TYPE cdi_lag_seconds gauge
    cdi_lag_seconds{pipeline="main",destination="segment",stream="orders"} 61.2

The file is always whole: what did not run just now is filled in from the checkpoint file. It is replaced in one step and
readable by everyone (0644), since the collector runs as another user; the scratch file beside it does not end in `.prom`,
so the collector never reads half of it. Format: Prometheus, "Exposition formats", text format 0.0.4.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cdi_cli import __version__
from cdi_cli.clock import Instant, to_datetime
from cdi_cli.errors import StoppedError
from cdi_cli.pipeline.figures import GOOD_CODES, RunFigures
from cdi_cli.pipeline.sync import watermark
from cdi_cli.state._base import JobKind, LetterFilter, OutcomeName, RunRow, Store

KINDS: tuple[JobKind, ...] = ("sync", "backfill", "reconcile", "replay", "push")
LOOK_BACK = (1, 100, 10_000)
"""How many runs are looked through for the last good one, in steps: almost always it is the last."""
MODE = 0o644

Labels = tuple[tuple[str, str], ...]
Way = tuple[str, str]
"""A pipeline and one of its destinations."""


class MetricsError(StoppedError):
    """The metrics file cannot be written; the run itself is not concerned."""


@dataclass(slots=True)
class Family:
    """One metric: its name, what it means, its type, and a value for each set of labels."""

    name: str
    help: str
    type: Literal["gauge", "counter"] = "gauge"
    samples: dict[Labels, float] = field(default_factory=dict)

    def add(self, value: float, **labels: str) -> None:
        """Set (or, for labels that are there, increase) a value."""
        key = tuple(labels.items())
        self.samples[key] = self.samples.get(key, 0) + value

    def lines(self) -> Iterator[str]:
        """The metric as text; nothing at all when there is no value."""
        if not self.samples:
            return
        yield f"# HELP {self.name} {_escaped(self.help, quotes=False)}"
        yield f"# TYPE {self.name} {self.type}"
        for labels, value in sorted(self.samples.items()):
            inside = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels)
            yield f"{self.name}{{{inside}}} {_number(value)}" if inside else f"{self.name} {_number(value)}"


@dataclass(frozen=True, slots=True)
class _Families:
    """All metrics, in the order of the file."""

    info: Family
    last_run: Family
    last_success: Family
    duration: Family
    exit_code: Family
    last_events: Family
    events: Family
    watermark: Family
    lag: Family
    letters: Family
    ledger_entries: Family
    ledger_bytes: Family

    def __iter__(self) -> Iterator[Family]:
        return (getattr(self, name) for name in self.__slots__)


def _families() -> _Families:
    return _Families(
        info=Family("cdi_info", "The version of cdi that wrote this file"),
        last_run=Family("cdi_last_run_timestamp_seconds", "When the last run ended"),
        last_success=Family("cdi_last_success_timestamp_seconds", "When the last run ended that did all there was to do"),
        duration=Family("cdi_last_run_duration_seconds", "How long the last run took"),
        exit_code=Family(
            "cdi_last_run_exit_code", "How the last run ended: 0 well, 1 with new dead letters, 3 stopped, 4 locked out"
        ),
        last_events=Family("cdi_last_run_events", "What became of the events of the last run"),
        events=Family("cdi_events_total", "What became of all events since the checkpoint file was made", "counter"),
        watermark=Family("cdi_watermark_timestamp_seconds", "Everything that changed before this moment is settled"),
        lag=Family("cdi_lag_seconds", "How far behind now each stream of a sync was when this file was written"),
        letters=Family("cdi_dead_letters", "Dead letters in the queue"),
        ledger_entries=Family("cdi_ledger_entries", "Deliveries that the ledger remembers"),
        ledger_bytes=Family("cdi_ledger_bytes", "Size of the ledger's rows"),
    )


def write_metrics(path: Path, store: Store, ways: Sequence[Way], results: Iterable[RunFigures], now: Instant) -> None:
    """Replace the metrics file by one that covers every way; `results` are the attempts of this process.

    Raises MetricsError when the file cannot be written; the file that was there is then still whole.
    """
    write_text(path, metrics_text(store, ways, results, now))


def metrics_text(store: Store, ways: Sequence[Way], results: Iterable[RunFigures], now: Instant) -> str:
    """The content of the file. Attempts in `results` go before what the checkpoint file knows of the same way and kind."""
    families = _families()
    families.info.add(1, version=__version__)
    fresh = {(one.pipeline, one.destination, one.kind): one for one in results}
    for pipeline, destination in ways:
        for kind in KINDS:
            last = fresh.get((pipeline, destination, kind)) or _stored(store, pipeline, destination, kind)
            if last is not None:
                _add_run(families, last, _last_success(store, last))
        _add_totals(families, store, pipeline, destination)
        _add_lag(families, store, pipeline, destination, now)
        reasons = store.dead_letter_reasons(LetterFilter(pipeline=pipeline, destination=destination))
        for (stream, _event, reason), number in reasons.items():
            families.letters.add(number, pipeline=pipeline, destination=destination, stream=stream, reason=reason)
    size = store.ledger_size()
    families.ledger_entries.add(size.entries)
    families.ledger_bytes.add(size.size_bytes)
    return "".join(f"{line}\n" for family in families for line in family.lines())


def _add_run(families: _Families, run: RunFigures, success_at: Instant | None) -> None:
    about = {"pipeline": run.pipeline, "destination": run.destination, "kind": run.kind}
    families.last_run.add(_seconds(run.ended_at), **about)
    families.duration.add(run.duration_seconds, **about)
    families.exit_code.add(run.exit_code, **about)
    if success_at is not None:
        families.last_success.add(_seconds(success_at), **about)
    for (stream, outcome), number in run.outcomes.items():
        families.last_events.add(number, **about, stream=stream, outcome=outcome)


def _add_totals(families: _Families, store: Store, pipeline: str, destination: str) -> None:
    """All events by outcome, over all jobs of the way; an event is counted again when it is made again."""
    for kind in KINDS:
        for job in store.jobs(pipeline, destination, kind):
            for (stream, _event, outcome, _reason), number in store.counts(job_id=job.id).items():
                families.events.add(number, pipeline=pipeline, destination=destination, stream=stream, outcome=outcome)


def _add_lag(families: _Families, store: Store, pipeline: str, destination: str, now: Instant) -> None:
    job = store.find_job(pipeline, destination, "sync")
    for partition in store.partitions(job.id) if job is not None else ():
        settled = _seconds(watermark(partition))
        about = {"pipeline": pipeline, "destination": destination, "stream": partition.stream}
        families.watermark.add(settled, **about)
        families.lag.add(max(_seconds(now) - settled, 0.0), **about)


def _stored(store: Store, pipeline: str, destination: str, kind: JobKind) -> RunFigures | None:
    """The last run that ended, as the checkpoint file knows it; None when there was none."""
    runs = store.runs(LOOK_BACK[1], pipeline=pipeline, destination=destination, kind=kind)
    last = next((run for run, _ in runs if run.ended_at is not None and run.exit_code is not None), None)
    if last is None or last.ended_at is None or last.exit_code is None:
        return None
    return RunFigures(
        pipeline=pipeline,
        destination=destination,
        kind=kind,
        ended_at=last.ended_at,
        exit_code=last.exit_code,
        duration_seconds=round(_seconds(last.ended_at) - _seconds(last.started_at), 3),
        run_id=last.id,
        outcomes=_outcomes(store, last.id),
    )


def _outcomes(store: Store, run_id: int) -> Mapping[tuple[str, OutcomeName], int]:
    found: dict[tuple[str, OutcomeName], int] = {}
    for (stream, _event, outcome, _reason), number in store.counts(run_id=run_id).items():
        found[stream, outcome] = found.get((stream, outcome), 0) + number
    return found


def _last_success(store: Store, last: RunFigures) -> Instant | None:
    """When the last good run of a way and kind ended; None when none of the last ten thousand was good."""
    if last.is_good:
        return last.ended_at
    for limit in LOOK_BACK:
        rows = store.runs(limit, pipeline=last.pipeline, destination=last.destination, kind=last.kind)
        good = next((run.ended_at for run, _ in rows if _is_good(run)), None)
        if good is not None or len(rows) < limit:
            return good
    return None


def _is_good(run: RunRow) -> bool:
    return run.ended_at is not None and run.exit_code in GOOD_CODES


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step, readable by everyone; raises MetricsError and leaves the old one when that fails."""
    scratch: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(MODE)
        Path(scratch).replace(path)
        scratch = None
    except OSError as error:
        raise MetricsError(
            f"the metrics file cannot be written: {error.strerror}",
            where=str(path),
            hint="check the folder's owner and the room on the disk; the run itself is not concerned",
        ) from None
    finally:
        if scratch is not None:
            Path(scratch).unlink(missing_ok=True)


def _seconds(instant: Instant) -> float:
    return to_datetime(instant).timestamp()


def _number(value: float) -> str:
    """A value as Go's ParseFloat reads it, without a needless fraction."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _escaped(text: str, *, quotes: bool = True) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
