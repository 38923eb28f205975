"""Stopping a run: asked once it stops reading and settles what is in flight, asked twice it gives that up too."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cdi_cli.errors import ExitCode, InterruptedRunError


class Stop:
    """Whether and how the run was asked to stop; `asked` and `forced` are set from signal handlers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.forced = asyncio.Event()
        self.exit_code = ExitCode.INTERRUPTED
        self.word = "Ctrl-C"

    def ask(self, exit_code: ExitCode = ExitCode.INTERRUPTED, word: str | None = None) -> None:
        """Ask the run to stop, because of `word`; asked again, it gives up what is in flight."""
        if self.asked.is_set():
            self.forced.set()
        self.exit_code = exit_code
        self.word = word or ("Ctrl-C" if exit_code is ExitCode.INTERRUPTED else "SIGTERM")
        self.asked.set()

    def error(self) -> InterruptedRunError:
        """The error that the interrupted run ends with."""
        error = InterruptedRunError(f"interrupted by {self.word}; the checkpoint is saved")
        error.exit_code = self.exit_code
        return error


@contextmanager
def on_signals(stop: Stop) -> Iterator[None]:
    """While inside, SIGINT, SIGTERM and SIGHUP ask the run to stop instead of ending the process; `nohup` is respected."""
    loop = asyncio.get_running_loop()
    asks = {
        signal.SIGINT: (ExitCode.INTERRUPTED, "Ctrl-C"),
        signal.SIGTERM: (ExitCode.TERMINATED, "SIGTERM"),
    }
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        asks[signal.SIGHUP] = (ExitCode.TERMINATED, "the end of its terminal")
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in asks}
    for number, ask in asks.items():

        def handle(*_: object, ask: tuple[ExitCode, str] = ask) -> None:
            loop.call_soon_threadsafe(stop.ask, *ask)

        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
