"""The test's end of the zygote: start a command, wait for it, kill it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SECONDS_MAX = 120.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (negative: by that signal) and what it printed."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL

    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass
class Running:
    """A command that was started."""

    pid: int
    arguments: tuple[str, ...]
    out: Path
    err: Path


@dataclass
class Zygote:
    """`with Zygote(folder, environment) as zygote:`; commands run in `folder`, their output is kept below `outputs`."""

    folder: Path
    outputs: Path
    environment: dict[str, str]
    started: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> Self:
        self.outputs.mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        script = str(Path(__file__).with_name("zygote.py"))
        self._process = subprocess.Popen(
            [sys.executable, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**kept, "HOME": str(self.outputs), "TERM": "dumb", **self.environment},
            cwd=self.folder,
            bufsize=0,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        process = self._process
        if process is not None and process.stdin is not None and process.stdout is not None:
            process.stdin.close()
            process.wait(SECONDS_MAX)
            process.stdout.close()

    def start(
        self,
        *arguments: str,
        offset_seconds: float = 0.0,
        kill_at: int | None = None,
        kill_at_answer: int | None = None,
        sabotage: str = "",
    ) -> Running:
        """Start a command."""
        self.started += 1
        number = self.started % 50  # the last outputs are enough to look into
        running = Running(0, arguments, self.outputs / f"{number}.out", self.outputs / f"{number}.err")
        job = {
            "do": "start",
            "arguments": arguments,
            "folder": str(self.folder),
            "environment": self.environment,
            "offset_seconds": offset_seconds,
            "kill_at": kill_at,
            "kill_at_answer": kill_at_answer,
            "sabotage": sabotage,
            "out": str(running.out),
            "err": str(running.err),
        }
        running.pid = self._ask(job)["pid"]
        return running

    def wait(self, running: Running) -> Ended:
        """Wait for a command that was started."""
        status = self._ask({"do": "wait", "pid": running.pid}, running)["status"]
        code = os.waitstatus_to_exitcode(status)
        out, err = (path.read_text(encoding="utf-8") for path in (running.out, running.err))
        assert code != 99, err
        return Ended(running.arguments, code, out, err)

    def run(self, *arguments: str, **options: Any) -> Ended:
        """Run a command to its end."""
        return self.wait(self.start(*arguments, **options))

    def _ask(self, job: dict[str, Any], running: Running | None = None) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job).encode() + b"\n")
        if not select.select([process.stdout], [], [], SECONDS_MAX)[0]:
            if running is not None:
                os.kill(running.pid, signal.SIGKILL)
            message = f"{running.arguments if running else job} did not end within {SECONDS_MAX} s"
            raise AssertionError(message)
        answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer
