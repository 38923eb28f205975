"""Files of ready-made events as a source: one JSON message a line, gzipped or not, or standard input.

A cursor is `OFFSET:LINE`: how many bytes (inflated) and lines lie before what is read next. Memory holds a page of lines,
however large the file is. What the file is goes by its bytes (SHA-256), not by its name: the same content is the same job.
Standard input is kept in a nameless file beside the checkpoint for as long as it is read, so that it can be resumed, too.
"""

from __future__ import annotations

import gzip
import os
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from typing import IO, cast

import msgspec

from cdi_cli.checks import Check
from cdi_cli.clock import SYSTEM_CLOCK, Instant, Window
from cdi_cli.errors import ConfigError, StoppedError
from cdi_cli.sources import Cursor, FindBy, Page, Reading

PUSH_STREAM = "push"
"""The stream that pushed events count under; no source has one of that name."""
STDIN = "-"
LINE_BYTES_MAX = 1_000_000
PAGE_LINES = 500
PAGE_BYTES = 4_000_000
CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
_NOT_KEPT = b'"writeKey"'
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Line(bytes):
    """One line without its end; `number` counts from 1. `length`: its size in bytes where it is too long to be kept.

    `taken_at`: when its event happened, as an earlier push took it; for one that does not say so itself.
    """

    number: int
    length: int
    digest: bytes
    taken_at: Instant | None = None

    def __new__(cls, text: bytes, number: int, length: int = 0, digest: bytes = b"") -> Line:
        line = bytes.__new__(cls, text)
        line.number, line.length, line.digest = number, length, digest
        return line


@dataclass(frozen=True, slots=True)
class EventFile:
    """An open file of events; `name` is what it is called, `digest` the SHA-256 (hex) of its bytes."""

    name: str
    digest: str
    stream: IO[bytes]
    size: int
    is_gzip: bool
    is_empty: bool
    stamp: tuple[int, ...]

    def lines(self, offset: int, number: int) -> Iterator[tuple[Line | None, int, int]]:
        """From a place on: a line (None: an empty one), and the place after it. Raises EOFError, zlib.error, OSError."""
        self.stream.seek(0)
        whole = cast("IO[bytes]", gzip.GzipFile(fileobj=self.stream)) if self.is_gzip else self.stream
        whole.seek(offset)
        end = None if self.is_gzip else self.size
        while text := whole.readline(_room(end, offset, LINE_BYTES_MAX + len(b"\r\n"))):
            number += 1
            offset += len(text)
            bare = text.removeprefix(_BOM if number == 1 else b"").strip()
            if len(bare) <= LINE_BYTES_MAX and (text.endswith(b"\n") or len(text) <= LINE_BYTES_MAX):
                yield Line(bare, number) if bare else None, offset, number
                continue
            hashed, length = blake2b(text, digest_size=8), len(text)
            while not text.endswith(b"\n") and (text := whole.readline(_room(end, offset, CHUNK_BYTES))):
                hashed.update(text)
                length += len(text)
                offset += len(text)
            yield Line(b"", number, length, hashed.digest()), offset, number

    def refuse_change(self) -> None:
        """Raise StoppedError when somebody wrote to the file since it was opened."""
        if _stamp(self.stream) != self.stamp:
            raise StoppedError(
                f"`{self.name}` changed while it was read",
                hint="push it again when it is complete: what was delivered is not sent again",
            )


def _room(end: int | None, offset: int, wanted: int) -> int:
    return wanted if end is None else max(min(wanted, end - offset), 0)


@contextmanager
def open_events(path: str, scratch: Path) -> Iterator[EventFile]:
    """Open a file of events, or standard input (`-`), which is kept in the folder `scratch`; raises ConfigError."""
    hint = "name a file of events: JSON lines, `.gz`, or `-` for standard input"
    try:
        with _opened(path, scratch) as stream:
            yield _event_file(path, stream)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}", hint=hint) from None


@contextmanager
def _opened(path: str, scratch: Path) -> Iterator[IO[bytes]]:
    if path != STDIN:
        with Path(path).open("rb") as stream:
            yield stream
        return
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=scratch) as kept:
        while chunk := sys.stdin.buffer.read(CHUNK_BYTES):
            kept.write(chunk)
        kept.flush()
        yield kept


def _event_file(path: str, stream: IO[bytes]) -> EventFile:
    name = "standard input" if path == STDIN else path
    if not stream.seekable():
        raise ConfigError(f"`{name}` is no regular file", hint="pipe it into `cdi push -`")
    stamp = _stamp(stream)
    stream.seek(0)
    hashed, size, is_gzip = sha256(), 0, False
    while chunk := stream.read(CHUNK_BYTES):
        is_gzip = chunk.startswith(_GZIP) if size == 0 else is_gzip
        hashed.update(chunk)
        size += len(chunk)
    if size and path.endswith(".gz") and not is_gzip:
        raise ConfigError(f"`{name}` is named `.gz` and is no gzip file", hint="name it otherwise, or compress it")
    return EventFile(name, hashed.hexdigest(), stream, size, is_gzip, size == 0, stamp)


def _stamp(stream: IO[bytes]) -> tuple[int, ...]:
    status = os.fstat(stream.fileno())
    return status.st_size, status.st_mtime_ns


class LineSource:
    """A file of events as the pages of a source: the part of `Source` that a run uses."""

    def __init__(self, file: EventFile) -> None:
        self._file = file

    async def pages(self, stream: str, window: Window, cursor: Cursor | None, *, by: str = "created") -> AsyncIterator[Page]:
        """The lines of the file from the cursor on; how they are windowed plays no part. Raises StoppedError."""
        del stream, window, by
        offset, number = start = _place(cursor) if cursor else (0, 0)
        records: list[Line] = []
        size = 0
        failure: StoppedError | None = None
        try:
            for line, offset, number in self._file.lines(*start):
                if line is not None:
                    records.append(line)
                    size += len(line)
                if len(records) >= PAGE_LINES or size >= PAGE_BYTES:
                    yield Page(records, Cursor(f"{offset}:{number}"), is_last=False)
                    records, size = [], 0
        except _BROKEN:
            hint = "get the file again: what was delivered is not sent again"
            failure = StoppedError(f"`{self._file.name}` is damaged after line {number:,}, or ends too early", hint=hint)
        except OSError as error:
            failure = StoppedError(f"`{self._file.name}` cannot be read: {error.strerror}")
        try:
            self._file.refuse_change()
        except StoppedError as changed:
            failure = failure or changed
        if failure is None or records:
            yield Page(records, Cursor(f"{offset}:{number}"), is_last=failure is None)
        if failure is not None:
            raise failure

    async def read(self, _stream: str, records: Sequence[bytes]) -> list[list[Reading]]:
        """Nothing: a line is an event already, and holds no entity."""
        return [[] for _ in records]

    def scrub(self, _stream: str, record: bytes) -> bytes | None:
        """The line as it may be kept, see `scrub_line`."""
        return scrub_line(record)

    async def check(self) -> list[Check]:
        """Nothing to test: the file is open."""
        return []

    async def server_now(self) -> Instant:
        """This machine's clock: a file has none."""
        return SYSTEM_CLOCK.instant()

    async def count(self, _stream: str, _window: Window) -> int | None:
        """Nobody has counted."""
        return None

    async def find(self, _stream: str, _by: FindBy, _value: str) -> list[bytes]:
        """Nothing is looked up in a file."""
        return []

    async def close(self) -> None:
        """Nothing to close: whoever opened the file closes it."""


def _place(cursor: Cursor) -> tuple[int, int]:
    offset, _, number = cursor.partition(":")
    return int(offset), int(number)


def scrub_line(record: bytes) -> bytes | None:
    """A line without the key of a Segment source; None for one that is too long, or is no JSON and names such a key."""
    if getattr(record, "length", 0):
        return None
    if _NOT_KEPT not in record:
        return bytes(record)
    try:
        message = _decode(record)
        return _encode({key: value for key, value in message.items() if key != "writeKey"})
    except (msgspec.DecodeError, ValueError, RecursionError, AttributeError):
        return None
