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

    def ask(self, exit_code: ExitCode = ExitCode.INTERRUPTED) -> None:
        """Ask the run to stop; asked again, it gives up what is in flight."""
        if self.asked.is_set():
            self.forced.set()
        self.exit_code = exit_code
        self.asked.set()

    def error(self) -> InterruptedRunError:
        """The error that the interrupted run ends with."""
        word = "Ctrl-C" if self.exit_code is ExitCode.INTERRUPTED else "SIGTERM"
        error = InterruptedRunError(f"interrupted by {word}; the checkpoint is saved")
        error.exit_code = self.exit_code
        return error


@contextmanager
def on_signals(stop: Stop) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM ask the run to stop instead of ending the process."""
    loop = asyncio.get_running_loop()
    codes = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
    before: dict[signal.Signals, Any] = {number: signal.getsignal(number) for number in codes}
    for number, code in codes.items():

        def handle(*_: object, code: ExitCode = code) -> None:
            loop.call_soon_threadsafe(stop.ask, code)

        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
