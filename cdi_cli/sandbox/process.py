"""A sandbox in a process of its own, so that its work does not count as the client's.

The child is told its options on the command line, prints its URL as its only line of output, and ends when its standard
input does: it cannot outlive the process that started it.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from types import TracebackType
from typing import Any, Self

from cdi_cli.errors import StoppedError
from cdi_cli.sandbox.options import NESTED, SandboxOptions

_STOP_SECONDS = 10.0


def command_line(options: Any, prefix: str = "--") -> list[str]:
    """The arguments for `python -m cdi_cli.sandbox` that make these options."""
    arguments: list[str] = []
    for setting in fields(options):
        value = getattr(options, setting.name)
        flag = f"{prefix}{setting.name.replace('_', '-')}"
        if setting.name in NESTED:
            arguments += command_line(value, f"{flag}-")
        elif value == setting.default:
            continue
        elif isinstance(value, bool):
            arguments.append(flag if value else f"--no-{flag[2:]}")
        else:
            arguments += [flag, " ".join(value) if isinstance(value, tuple) else str(value)]
    return arguments


class SandboxProcess:
    """`with SandboxProcess(options) as sandbox:` starts the child, waits until it answers, and stops it at the end."""

    def __init__(self, options: SandboxOptions | None = None) -> None:
        self.options = options or SandboxOptions()
        self.url = ""
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Start the child and return its URL; raises StoppedError if it ends before it serves."""
        command = [sys.executable, "-m", "cdi_cli.sandbox", "--exit-with-stdin", *command_line(self.options)]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - our own module
        self._child = child
        line = child.stdout.readline() if child.stdout is not None else b""
        if not line:
            code = child.wait()
            self.stop()
            raise StoppedError(f"the sandbox ended at once with exit code {code}", hint="see its output above")
        self.url = line.decode().strip()
        return self.url

    def stop(self) -> None:
        """End the child by closing its standard input; kill it if it does not listen."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            child.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()
