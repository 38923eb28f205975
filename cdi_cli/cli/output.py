"""Where output goes: data to standard output, talk to standard error; neither is ever read as markup.

Data that cannot be written ends the command (OutputLostError). Talk that cannot be written, because the terminal or the
reader of a pipe has gone, is dropped: no backfill ends for it.

`NO_COLOR` turns colour off, `FORCE_COLOR` on; otherwise a terminal has colour and a pipe has none. A pipe is 80 columns wide
for tables, or what `COLUMNS` says.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from cdi_cli.errors import StoppedError

if TYPE_CHECKING:
    from rich.console import Console


class OutputLostError(StoppedError):
    """Standard output cannot be written; `is_pipe`: its reader has gone, which need not be told."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"standard output cannot be written: {error.strerror}",
            hint="what was delivered is remembered; run it again with room for its output",
        )
        self.is_pipe = isinstance(error, BrokenPipeError)


class _Stream:
    """A standard stream that may go away: then it is silent, after OutputLostError if it `is_data`."""

    def __init__(self, stream: TextIO | None, *, is_data: bool) -> None:
        self._stream = stream if stream is not None else io.TextIOWrapper(io.BytesIO())
        self._is_data = is_data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes as they are, after all text so far."""
        self.flush()
        try:
            self._stream.buffer.write(data)
            self._stream.buffer.flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        # What is still buffered goes nowhere: Python flushes it at exit, and would complain.
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())
        if self._is_data:
            raise OutputLostError(error) from None


def data() -> Console:
    """The console for results: what a script reads."""
    return _console(is_stderr=False)


def talk() -> Console:
    """The console for progress, hints and errors: what a person reads."""
    return _console(is_stderr=True)


def _console(*, is_stderr: bool) -> Console:
    from rich.console import Console

    stream = _Stream(sys.stderr if is_stderr else sys.stdout, is_data=not is_stderr)
    return Console(file=cast("TextIO", stream), markup=False, highlight=False, emoji=False)


def print_json(value: Any) -> None:
    """Print a value as indented JSON on standard output."""
    print_text(json.dumps(value, indent=2, ensure_ascii=False))


def print_text(text: str) -> None:
    """Print a finished text on standard output exactly as it is, in UTF-8 whatever the locale says."""
    if sys.stdout is not None and not hasattr(sys.stdout, "buffer"):
        sys.stdout.write(text + "\n")
        return
    _Stream(sys.stdout, is_data=True).write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def command() -> str:
    """How `cdi` is called from here: its bare name where the shell finds it, else its path."""
    beside = Path(sys.executable).with_name("cdi")
    found = shutil.which("cdi")
    if found is not None or not beside.exists():
        return "cdi"
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)


def plain(text: str) -> str:
    """A text that cannot steer a terminal: control characters (C0, DEL, C1) and line separators become escapes."""
    return "".join(character if _is_harmless(character) else _escaped(character) for character in text)


def _is_harmless(character: str) -> bool:
    code = ord(character)
    is_control = code < 0x20 or 0x7F <= code < 0xA0
    # U+2028/2029 break lines, U+202A-202E and U+2066-2069 reorder what is shown, lone surrogates cannot be encoded.
    is_tricky = 0x2028 <= code <= 0x202E or 0x2066 <= code <= 0x2069 or 0xD800 <= code <= 0xDFFF
    return not (is_control or is_tricky)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
