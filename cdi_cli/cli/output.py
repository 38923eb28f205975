"""Where output goes: data to standard output, talk to standard error; neither is ever read as markup.

`NO_COLOR` turns colour off, `FORCE_COLOR` on; otherwise a terminal has colour and a pipe has none. A pipe is 80 columns wide
for tables, or what `COLUMNS` says.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def data() -> Console:
    """The console for results: what a script reads."""
    return _console(is_stderr=False)


def talk() -> Console:
    """The console for progress, hints and errors: what a person reads."""
    return _console(is_stderr=True)


def _console(*, is_stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=is_stderr, markup=False, highlight=False, emoji=False)


def print_json(value: Any) -> None:
    """Print a value as indented JSON on standard output."""
    print_text(json.dumps(value, indent=2, ensure_ascii=False))


def print_text(text: str) -> None:
    """Print a finished text on standard output exactly as it is, in UTF-8 whatever the locale says."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text + "\n")
        return
    sys.stdout.flush()
    buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    buffer.flush()


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
