"""The one place that prints errors.

    error: environment variable SEGMENT_WRITE_KEY is not set
      --> cdi.yaml:8:16
      hint: export SEGMENT_WRITE_KEY=...

Everything passes the redactor and has its control characters escaped. Several mistakes of one file are listed one by one,
each with its place; what an error is made up of (`details`) stands below it, a line each.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cdi_cli.cli import output
from cdi_cli.errors import CdiError, ExitCode
from cdi_cli.secrets import REDACTOR

if TYPE_CHECKING:
    from rich.console import Console

TRACEBACK_VARIABLE = "CDI_TRACEBACK"
PIPE_EXIT_CODE = 141
"""128 + SIGPIPE, as a shell reports a command whose reader went away."""


class _Problem(Protocol):
    """A mistake in a file, as `config/` and `plan/` collect them."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...
    @property
    def path(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def hint(self) -> str | None: ...


def report(error: BaseException) -> int:
    """Print what ended the program, if a person should read it, and return the exit code."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, output.OutputLostError) and error.is_pipe:
        return PIPE_EXIT_CODE
    console = output.talk()
    if isinstance(error, CdiError):
        print_error(error, console)
        if os.environ.get(TRACEBACK_VARIABLE):
            _print_traceback(error, console)
        return error.exit_code
    _print(console, f"error: something unexpected happened: {type(error).__name__}: {_one_line(error)}")
    if os.environ.get(TRACEBACK_VARIABLE):
        _print_traceback(error, console)
    else:
        _print(console, f"  hint: this is a fault in cdi; run again with {TRACEBACK_VARIABLE}=1 to see where, and report it")
    return ExitCode.STOPPED


def print_error(error: CdiError, console: Console) -> None:
    """Print an error, or each of the mistakes that it stands for."""
    for line in error_lines(error):
        _print(console, line)


def error_lines(error: CdiError) -> Iterator[str]:
    """The lines that describe an error; not yet redacted."""
    problems: tuple[_Problem, ...] = tuple(getattr(error, "problems", ()))
    for problem in problems:
        yield from _problem_lines(problem)
    if not problems:
        yield f"error: {error.message}"
        if error.where:
            yield f"  --> {error.where}"
        yield from (f"  - {detail}" for detail in getattr(error, "details", ()))
        if error.hint:
            yield f"  hint: {error.hint}"
    elif len(problems) > 1:
        yield f"error: {len(problems)} mistakes, nothing was started"


def _problem_lines(problem: Any) -> Iterator[str]:
    value = getattr(problem, "value_text", None)
    yield f"error: {problem.message}"
    path = f"  {problem.path}" if problem.path else ""
    yield f"  --> {_short(problem.file)}:{problem.line}:{problem.column}{path}{f': `{value}`' if value else ''}"
    if problem.hint:
        yield f"  hint: {problem.hint}"


def _short(file: Any) -> str:
    """A file as seen from the working folder, if it lies below it."""
    path = Path(str(file))
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


def _print_traceback(error: BaseException, console: Console) -> None:
    for chunk in traceback.format_exception(error):
        for line in chunk.rstrip("\n").split("\n"):
            _print(console, line)


def _print(console: Console, text: str) -> None:
    console.print(output.plain(REDACTOR(text)), soft_wrap=True)
