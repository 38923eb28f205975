"""The files of one run: written as `.part`, named rightly when the run ends, and finished by a later run if it was killed.

    FOLDER/[GROUP/]20260131T120000Z-TOKEN.jsonl.part     being written, or left behind
    FOLDER/.cdi-TOKEN.lock                               held (flock) for as long as the run with this token lives

Files are 0600, folders that are made 0700. The names are ours: nothing in them comes of data but the sub-folder, which is
checked where it is made. Everything here blocks and is used by one thread.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from cdi_cli.destinations.file.lines import whole_bytes
from cdi_cli.errors import LostAnswerError, StoppedError, TransientError

fcntl: Any
try:
    import fcntl
except ImportError:  # not POSIX: nothing tells whether another run is alive, so what it left stays as it is
    fcntl = None

PART = ".part"
OPEN_MAX = 64
"""Files open at once; others of the run are opened again when something is added to them."""
_NAME = re.compile(r"\d{8}T\d{6}Z-([0-9a-f]{8})\.jsonl(\.gz)?(\.part)?")
_LOCK = re.compile(r"\.cdi-([0-9a-f]{8})\.lock")
_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_TEMPORARY = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EINTR})


@dataclass(slots=True)
class _Part:
    """A file of this run: its final path, how many bytes of it are safe, and its descriptor while it is open."""

    path: Path
    size: int = 0
    descriptor: int | None = None

    @property
    def part(self) -> Path:
        return self.path.with_name(self.path.name + PART)


class Parts:
    """The files of one run; `suffix` is `jsonl` or `jsonl.gz`."""

    def __init__(self, folder: Path, suffix: str, now: datetime) -> None:
        self._folder = folder
        self._token = token_hex(4)
        self._name = f"{now:%Y%m%dT%H%M%SZ}-{self._token}.{suffix}"
        self._parts: dict[str, _Part] = {}
        self._lock: int | None = None
        self._is_begun = False

    def begin(self) -> None:
        """Make the folder, say that this run is alive, and finish what killed runs left; raises StoppedError."""
        if self._is_begun:
            return
        try:
            make_folder(self._folder)
            if self._lock is None:
                self._lock = _locked(self._folder, self._token)
            for token in sorted(_tokens(self._folder) - {self._token}):
                self._finish_dead(token)
        except OSError as error:
            raise translate(error, self._folder) from error
        self._is_begun = True

    def append(self, group: str, data: bytes) -> None:
        """Add whole lines to the file of a group; on the disk when this returns.

        Raises StoppedError when nothing was added, LostAnswerError when nobody can tell.
        """
        part = self._parts.get(group)
        try:
            if part is None:
                part = self._parts[group] = self._new(group)
            descriptor = self._descriptor(group, part)
        except OSError as error:
            raise translate(error, self._folder / group) from error
        try:
            _write(descriptor, data)
            os.fsync(descriptor)
        except OSError as error:
            self._take_back(group, part, descriptor)
            raise translate(error, part.part) from error
        part.size += len(data)

    def finish(self) -> None:
        """Give all files their names; raises StoppedError for one that cannot be renamed, having tried the others."""
        failure: OSError | None = None
        parts, self._parts = self._parts, {}
        for part in parts.values():
            _close(part)
            try:
                _name_rightly(part.part, part.size)
            except OSError as error:
                failure = error
        if self._lock is not None:
            lock, self._lock = self._lock, None
            if failure is None:
                with contextlib.suppress(OSError):
                    _lock_path(self._folder, self._token).unlink()
            os.close(lock)
        if failure is not None:
            raise translate(failure, self._folder) from failure

    def _new(self, group: str) -> _Part:
        folder = self._folder
        if group:
            if group != Path(group).name or group.startswith("."):
                msg = "a sub-folder has a plain name"
                raise ValueError(msg)
            folder = self._folder / group
            make_folder(folder)
        part = _Part(folder / self._name)
        part.descriptor = os.open(part.part, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
        sync_folder(folder)
        return part

    def _descriptor(self, group: str, part: _Part) -> int:
        """The open file, after which no more than `OPEN_MAX` are open; the one used longest ago is closed."""
        if part.descriptor is None:
            part.descriptor = os.open(part.part, _FLAGS)
        self._parts[group] = self._parts.pop(group)
        opened = [each for each in self._parts.values() if each.descriptor is not None]
        for each in opened[:-OPEN_MAX]:
            _close(each)
        return part.descriptor

    def _take_back(self, group: str, part: _Part, descriptor: int) -> None:
        """Cut off what could not be written whole; raises LostAnswerError when that fails, too."""
        try:
            os.ftruncate(descriptor, part.size)
            os.fsync(descriptor)
        except OSError as error:
            # Not written to any more: a later run cuts it to what is whole, and looks in it for what was on its way.
            del self._parts[group]
            _close(part)
            raise LostAnswerError(
                f"the disk failed while lines were written: {error.strerror}",
                where=str(part.part),
                hint="check the disk, then run the same command again: it looks in the file for what was on its way",
            ) from error

    def _finish_dead(self, token: str) -> None:
        """Finish the files of a run that is no longer alive."""
        lock = _locked(self._folder, token)
        if lock is None:
            return
        try:
            for path in files_of(self._folder, token):
                if path.name.endswith(PART):
                    _finish_left(path)
            _lock_path(self._folder, token).unlink(missing_ok=True)
        finally:
            os.close(lock)


def files_of(folder: Path, token: str | None = None) -> list[Path]:
    """The files of all runs, or of one, finished or not, newest first; raises OSError."""
    found = [path for path in _walk(folder) if (match := _NAME.fullmatch(path.name)) and token in (None, match[1])]
    return sorted(found, key=lambda path: path.name, reverse=True)


def left_behind(folder: Path) -> int:
    """How many files killed runs left unfinished; raises OSError."""
    dead = 0
    for token in _tokens(folder):
        if (lock := _locked(folder, token, makes=False)) is not None:
            os.close(lock)
            dead += sum(path.name.endswith(PART) for path in files_of(folder, token))
    return dead


def is_compressed(path: Path) -> bool:
    """Whether a file of ours is compressed."""
    return path.name.removesuffix(PART).endswith(".gz")


def make_folder(folder: Path) -> None:
    """Make a folder for this user alone if it is missing; raises StoppedError for one that others can write to, OSError."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)
    if os.name != "posix":
        return
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoppedError(
            "the folder belongs to another user, or others can write to it",
            where=str(folder),
            hint="`chmod go-w` it, or name another `folder` for the destination",
        )


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power loss; raises OSError."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def translate(error: OSError, path: Path) -> StoppedError:
    """What went wrong with a file, as our own error."""
    what = f"the file destination cannot write: {error.strerror or type(error).__name__}"
    if error.errno in _TEMPORARY:
        return TransientError(what, where=str(path), hint="make room, then run the same command again")
    return StoppedError(what, where=str(path), hint="check `folder` of the destination and who may write there")


def _walk(folder: Path) -> Iterator[Path]:
    """Regular files in the folder and one level below; links are not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                with os.scandir(entry) as inner:
                    yield from (Path(each.path) for each in inner if each.is_file(follow_symlinks=False))


def _tokens(folder: Path) -> set[str]:
    """The runs that hold, or left, something unfinished."""
    names = [path.name for path in _walk(folder)]
    matches = [_LOCK.fullmatch(name) or (_NAME.fullmatch(name) if name.endswith(PART) else None) for name in names]
    return {match[1] for match in matches if match is not None}


def _lock_path(folder: Path, token: str) -> Path:
    return folder / f".cdi-{token}.lock"


def _locked(folder: Path, token: str, *, makes: bool = True) -> int | None:
    """The lock of a run, held from here on; None when it is alive, or where that cannot be told."""
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(_lock_path(folder, token), flags | (os.O_CREAT if makes else 0), 0o600)
    except FileNotFoundError:
        return os.open(os.devnull, os.O_RDONLY) if fcntl is not None else None
    if fcntl is None:
        os.close(descriptor)
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _finish_left(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "r+b") as stream:
        whole = whole_bytes(stream, is_gzip=is_compressed(path))  # type: ignore[arg-type]
        stream.truncate(whole)
        os.fsync(stream.fileno())
    _name_rightly(path, whole)


def _name_rightly(path: Path, size: int) -> None:
    """Take `.part` from a file's name; one that holds nothing goes."""
    if size:
        path.rename(path.with_name(path.name.removesuffix(PART)))
    else:
        path.unlink()
    sync_folder(path.parent)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _close(part: _Part) -> None:
    if part.descriptor is not None:
        descriptor, part.descriptor = part.descriptor, None
        os.close(descriptor)
