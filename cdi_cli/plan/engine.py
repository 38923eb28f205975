"""Evaluating JSONata: the process that does it (`expressions.py`), started when first needed, ended when it goes astray.

    engine().refusal("order.total +")             # what the engine has against an expression: "S0207"; None for nothing
    engine().evaluate(["order.total"], b"{...}")  # per expression the result as JSON, or a Failure

One process serves all threads, one request after the other; a request takes some ten microseconds. An evaluation is pure, so
one that took too long is tried again before it fails: a machine that stood still must not decide what becomes of an event.
"""

from __future__ import annotations

import atexit
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from cdi_cli.errors import ConfigError
from cdi_cli.plan import expressions

ATTEMPTS_MAX = 3
START_SECONDS_MAX = 30.0
GRACE_SECONDS = 0.5
"""What a request may take beyond the time of its expressions, before its process is ended."""

_TICK_SECONDS = 0.05
_LENGTH = struct.Struct(">I")
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
"""The environment of the process: what an interpreter needs, and no secrets."""

TIME: Final = "time"
MEMORY: Final = "memory"

SENTENCES = {
    TIME: f"it takes longer than {expressions.EVALUATION_MILLISECONDS} ms",
    MEMORY: f"it needs more than {expressions.MEMORY_BYTES_MAX // 1024 // 1024} MB of memory",
    "size": f"its result is larger than {expressions.OUTPUT_BYTES_MAX:,} bytes",
    "input": "the record is no JSON that can be read",
    "D1001": "a number is too large",
    "D1009": "two keys of an object are the same",
    "D1011": f"it goes deeper than {expressions.DEPTH_MAX} levels: a function calls itself without an end",
    "D1012": f"it takes longer than {expressions.EVALUATION_MILLISECONDS} ms",
    "D2014": "a range has too many elements",
    "D2015": f"a list has more than {expressions.SEQUENCE_MAX:,} elements",
    "D3030": "a value cannot be turned into a number",
    "D3060": "the root of a negative number",
    "D3061": "a power is too large",
    "D3110": "a text is no time",
    "D3137": "it calls `$error`",
    "D3138": "`$single` finds several",
    "D3139": "`$single` finds none",
    "D3141": "an `$assert` does not hold",
    "S0210": "a step has two groupings",
    "S0209": "a condition stands behind a grouping",
    "S0213": "a literal value cannot be a step of a path",
    "S0217": "there is nothing above that `%` could stand for",
    "T0410": "an argument of a function is of a wrong type, or too many are given",
    "T0411": "the context of a function is of a wrong type",
    "T0412": "a list given to a function holds values of a wrong type",
    "T1003": "a key of an object is no text",
    "T1006": "something is called that is no function",
    "T2001": "the left side of an arithmetic operator is no number",
    "T2002": "the right side of an arithmetic operator is no number",
    "T2003": "the left side of a range is no whole number",
    "T2004": "the right side of a range is no whole number",
    "T2006": "the right side of `~>` is no function",
    "T2007": "values of different types are sorted",
    "T2008": "values are sorted that are neither texts nor numbers",
    "T2009": "values of different types are compared",
    "T2010": "values are compared that are neither texts nor numbers",
}
"""What the engine's codes mean (docs.jsonata.org, errors), without the values that its own words quote."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an expression has no result: the engine's code, or `time`, `memory`, `size`, `input`."""

    code: str

    @property
    def sentence(self) -> str:
        """It in words, without a value of the record."""
        return SENTENCES.get(self.code) or f"the engine refuses it ({self.code})"


class _LostError(Exception):
    """The process has gone."""


class Engine:
    """Evaluates expressions for one process and all of its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._numbers: dict[str, int] = {}
        self._deadline: float | None = None
        self._is_late = False

    def refusal(self, source: str) -> str | None:
        """The engine's code for what is wrong with an expression as it is written; None where nothing is."""
        with self._lock:
            for _ in range(ATTEMPTS_MAX):
                try:
                    return self._compile(source)
                except _LostError:
                    self._end()
        return MEMORY

    def evaluate(self, sources: Sequence[str], document: bytes) -> list[bytes | Failure]:
        """The result of each expression for a document (JSON); `null` where it has none."""
        with self._lock:
            for attempt in range(1, ATTEMPTS_MAX + 1):
                is_last = attempt == ATTEMPTS_MAX
                try:
                    found = self._evaluate(sources, document)
                except _LostError:
                    is_late = self._is_late
                    self._end()
                    if is_last or (attempt > 1 and not is_late):
                        return [Failure(TIME if is_late else MEMORY)] * len(sources)
                else:
                    if is_last or Failure("D1012") not in found:
                        return found
        raise AssertionError("the last attempt returns")

    def close(self) -> None:
        """End the process, if there is one; the next request starts another."""
        with self._lock:
            self._end()

    def _evaluate(self, sources: Sequence[str], document: bytes) -> list[bytes | Failure]:
        numbers = []
        self._ready()
        for source in sources:
            if source not in self._numbers and (code := self._compile(source)) is not None:
                return [Failure(code)] * len(sources)
            numbers.append(self._numbers[source])
        head = struct.pack(f">cH{len(numbers)}I", b"E", len(numbers), *numbers)
        answer = self._ask(head + document, len(numbers))
        return _parts(answer, len(numbers))

    def _compile(self, source: str) -> str | None:
        self._ready()
        if source in self._numbers:
            return None
        code = self._ask(b"C" + source.encode("utf-8", "surrogatepass"), 1).decode()
        if code:
            return code
        self._numbers[source] = len(self._numbers)
        return None

    def _ask(self, request: bytes, expressions_count: int) -> bytes:
        """The answer to a request; raises _LostError where none comes in time."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        seconds = expressions_count * expressions.EVALUATION_MILLISECONDS / 1000 + GRACE_SECONDS
        self._deadline = time.monotonic() + seconds
        try:
            process.stdin.write(_LENGTH.pack(len(request)) + request)
            process.stdin.flush()
            head = process.stdout.read(_LENGTH.size)
            (length,) = _LENGTH.unpack(head) if len(head) == _LENGTH.size else (-1,)
            answer = process.stdout.read(length) if length >= 0 else b""
        except OSError as error:
            raise _LostError from error
        finally:
            self._deadline = None
        if len(answer) != length:
            raise _LostError
        return answer

    def _ready(self) -> None:
        """Have a process; raises ConfigError where none can be started."""
        if self._process is not None and self._owner == os.getpid():
            return
        if self._process is not None:
            self._process.returncode = 0  # it is the parent's, of which this process was forked: not ours to wait for
        self._process, self._owner, self._numbers, self._is_late = None, os.getpid(), {}, False
        command = [sys.executable, "-P", str(Path(expressions.__file__))]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        try:
            process = subprocess.Popen(  # noqa: S603 - our own file
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
            )
        except OSError as error:
            raise _unavailable(error.strerror or "the system refuses it") from None
        self._process = process
        self._deadline = time.monotonic() + START_SECONDS_MAX
        threading.Thread(target=self._watch, args=(process,), name="cdi-expressions", daemon=True).start()
        assert process.stdout is not None
        is_ready = process.stdout.read(1) == expressions.READY
        self._deadline = None
        if not is_ready:
            self._end()
            raise _unavailable("it ends at once")

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """End the process when a request takes too long; the read that waits for it then meets its end."""
        while self._process is process and process.poll() is None:
            deadline = self._deadline
            if deadline is not None and time.monotonic() > deadline:
                self._is_late = True
                process.kill()
                return
            time.sleep(_TICK_SECONDS)

    def _end(self) -> None:
        process, self._process, self._numbers, self._is_late = self._process, None, {}, False
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                pass  # what was still buffered for a process that has gone
        process.wait()


def _unavailable(why: str) -> ConfigError:
    return ConfigError(
        f"the plan has JSONata expressions, and the program that evaluates them cannot be started: {why}",
        hint="it needs `jsonatapy`, which there is for Python 3.11 to 3.13 on Linux (glibc), macOS (arm64) and Windows",
    )


def _parts(answer: bytes, count: int) -> list[bytes | Failure]:
    found: list[bytes | Failure] = []
    position = 0
    for _ in range(count):
        (length,) = _LENGTH.unpack_from(answer, position + 1)
        content = answer[position + 5 : position + 5 + length]
        found.append(content if answer[position : position + 1] == b"v" else Failure(content.decode()))
        position += 5 + length
    return found


@cache
def engine() -> Engine:
    """The engine of this process."""
    made = Engine()
    atexit.register(made.close)
    return made
