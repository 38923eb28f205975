"""From what SQLite and the operating system say to a StateError that says what happened and what to do.

Texts name the file and SQLite's own code word, never the content of a row.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cdi_cli.errors import StateError

RESTORE = "restore a copy of the file, or name another `state:` path"
_AGAIN = "then run the same command again"
_PRIMARY_CODES = 0xFF

# SQLite's primary result code -> (what happened, what to do); https://sqlite.org/rescode.html
_MEANINGS: dict[int, tuple[str, str]] = {
    3: (
        "the checkpoint file may not be used by this user",
        f"check the owner and mode of the file and its folder, {_AGAIN}",
    ),
    5: ("another program keeps the checkpoint file busy", f"close whatever has it open (a shell, a backup), {_AGAIN}"),
    6: ("another program keeps the checkpoint file busy", f"close whatever has it open (a shell, a backup), {_AGAIN}"),
    8: ("the checkpoint file is read-only", "make the file and its folder writable, or name another `state:` path"),
    10: ("the disk failed on the checkpoint file", f"check the disk and the file size limit (`ulimit -f`), {_AGAIN}"),
    11: ("the checkpoint file is damaged", RESTORE),
    13: ("the disk is full: the checkpoint file cannot grow", f"free space on its disk, {_AGAIN}"),
    14: ("the checkpoint file cannot be opened", f"check the mode of the file and its folder, {_AGAIN}"),
    26: ("the checkpoint file is not a SQLite file", RESTORE),
}
FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite calls raise: the second for damage that breaks the text of SQLite's own error message, or of a column."""
_OTHER = ("the checkpoint file cannot be used", RESTORE)


def translate(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> StateError:
    """The StateError that an error of SQLite amounts to."""
    if isinstance(error, UnicodeDecodeError):
        return damaged("it holds text that is not UTF-8", path)
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY_CODES
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    what, hint = _MEANINGS.get(code, _OTHER)
    return StateError(f"{what} ({name})", where=str(path), hint=hint)


def translate_os(error: OSError, path: Path) -> StateError:
    """The StateError that an error of the operating system amounts to."""
    reason = error.strerror or type(error).__name__
    return StateError(
        f"the checkpoint file cannot be opened: {reason[:1].lower()}{reason[1:]}",
        where=str(path),
        hint="check the path, the mode of its folder and the space on its disk, or name another `state:` path",
    )


def damaged(what: str, path: Path) -> StateError:
    """A StateError for content that cannot be right; `what` says which row."""
    return StateError(f"the checkpoint file is damaged: {what}", where=str(path), hint=RESTORE)
