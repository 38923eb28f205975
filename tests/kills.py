"""Real SIGKILLs at chosen points of a forked child; the points are in the tests' wrappers, never in the product."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable
from typing import Any


class Killer:
    """Counts the points that are passed and ends the process, hard, at the wanted one."""

    def __init__(self, at: int | None) -> None:
        self._at = at
        self.passed = 0

    def __call__(self) -> None:
        """Pass a point."""
        self.passed += 1
        if self.passed == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class HookedStore:
    """A store that passes a point before and after each transaction."""

    def __init__(self, store: Any, point: Callable[[], None]) -> None:
        self._store = store
        self._point = point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def settle(self, run_id: int, settlements: Any) -> None:
        """Settle between two points."""
        self._point()
        self._store.settle(run_id, settlements)
        self._point()

    def open_window(self, *args: Any, **options: Any) -> Any:
        """Open a window between two points."""
        self._point()
        try:
            return self._store.open_window(*args, **options)
        finally:
            self._point()


def fork(work: Callable[[Killer], int], at: int | None) -> tuple[int, int]:
    """Run `work` in a forked child that is killed at point `at` (None: never); its wait status and the points it passed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.close(reader)
            gc.freeze()  # what thousands of tests have left is not walked, and so not copied, once more in each child
            point = Killer(at)
            code = work(point)
            os.write(writer, str(point.passed).encode())
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        passed = pipe.read()
    _, status = os.waitpid(pid, 0)
    return status, int(passed or 0)
