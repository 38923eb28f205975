"""What a person sees while a run works: bars on a terminal, a plain line now and then when piped. All of it on stderr."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from cdi_cli.pipeline.progress import Progress as RunProgress

REFRESH_SECONDS = 0.2
LINE_SECONDS = 10.0


class _Tail(ProgressColumn):
    """Events so far, events per second, time left, retries: right of the bar of all events."""

    def __init__(self, progress: RunProgress, started: float) -> None:
        super().__init__()
        self._progress = progress
        self._started = started

    def render(self, task: Task) -> Text:
        """The text right of the bar of all events; streams have none."""
        return Text(tail(self._progress, time.monotonic() - self._started) if task.fields.get("is_total") else "")


def tail(progress: RunProgress, elapsed_seconds: float) -> str:
    """Events delivered, rate, and trouble, in one short text."""
    events = progress.delivered()
    parts = [f"{events:,} events", f"{events / max(elapsed_seconds, 0.001):,.0f}/s"]
    if (left := seconds_left(progress, elapsed_seconds)) is not None:
        parts.append(f"{duration(left)} left")
    if progress.retries:
        parts.append(f"{progress.retries} retries")
    if (pause := progress.looks_from - time.monotonic()) > 0:
        parts.append(f"looks in {duration(pause)} for what may have arrived")
    return "  ".join(parts)


def seconds_left(progress: RunProgress, elapsed_seconds: float) -> float | None:
    """Seconds until everything is settled, at the pace so far; None while nothing can be said.

    Records that are still to be read count as so many events as those read so far made on average.
    """
    pulled, issued, settled = progress.pulled.total(), progress.issued.total(), progress.settled.total()
    if not pulled or not settled or any(expected is None for expected in dict(progress.expected).values()):
        return None
    unread = sum(
        max(0, (expected or 0) - progress.pulled[stream] - progress.already[stream])
        for stream, expected in dict(progress.expected).items()
    )
    return (issued - settled + unread * issued / pulled) * elapsed_seconds / settled


def duration(seconds: float) -> str:
    """A span of time as a person says it: `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextmanager
def display(progress: RunProgress, console: Console) -> Iterator[None]:
    """Show a run's progress on `console` while inside."""
    if console.is_terminal:
        with _bars(progress, console):
            yield
    else:
        with _lines(progress, console):
            yield


@contextmanager
def _bars(progress: RunProgress, console: Console) -> Iterator[None]:
    started = time.monotonic()
    bars = Progress(
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Tail(progress, started),
        console=console,
        refresh_per_second=1 / REFRESH_SECONDS,
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def update() -> None:
        for stream, expected in dict(progress.expected).items():
            if stream not in tasks:
                tasks[stream] = bars.add_task(stream, total=expected, start=False)
            done = progress.pulled[stream] + progress.already[stream]
            if stream == progress.stream or done:
                bars.start_task(tasks[stream])
            bars.update(tasks[stream], completed=done, total=max(expected or 0, done) or None)
        if tasks and "" not in tasks:
            tasks[""] = bars.add_task("delivered", total=None, is_total=True)
        if tasks:
            bars.update(tasks[""], completed=progress.delivered(), total=sum(progress.issued.values()) or None)

    with bars:
        with _repeat(update, REFRESH_SECONDS):
            yield
        # The last state is drawn, too, however short the run was.
        update()
        bars.refresh()


@contextmanager
def _lines(progress: RunProgress, console: Console) -> Iterator[None]:
    started = time.monotonic()

    def line() -> None:
        expected = progress.expected.get(progress.stream)
        done = progress.pulled[progress.stream] + progress.already[progress.stream]
        share = f"{done:,}" if not expected else f"{done:,} of {expected:,}"
        text = f"{progress.stream or 'starting'}: {share} records, {tail(progress, time.monotonic() - started)}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    with _repeat(line, LINE_SECONDS):
        yield


@contextmanager
def _repeat(action: object, seconds: float) -> Iterator[None]:
    """Call `action` every so often from a thread of its own until left."""
    assert callable(action)
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(seconds):
            action()

    thread = threading.Thread(target=loop, name="cdi-display", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
