"""Reading files of events: JSON, JSON Lines, either of them gzipped, or standard input, told apart by what they hold.

A file is read a line at a time, so its size does not matter; a JSON document that spans lines is read whole, up to a limit.
What cannot be read is a `BadLine` in its place, never an exception.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from cdi_cli.errors import ConfigError

STDIN = "-"
LINE_BYTES_MAX = 8_000_000
DOCUMENT_BYTES_MAX = 256_000_000
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class BadLine:
    """Something that is no JSON, and why."""

    reason: str


Found = tuple[Any, int, int]
"""A message or a `BadLine`, the line it begins in (0: unknown), and its number in a list (0: not in a list)."""


def read_messages(path: str) -> Iterator[Found]:
    """The messages of a file (`-`: standard input), those of batches one by one; ConfigError if it cannot be opened."""
    with _opened(path) as stream:
        number = 0
        try:
            for number, value in _values(stream):
                yield from _messages(value, number)
        except _BROKEN:
            yield BadLine("the gzip data ends too early or is damaged"), number + 1, 0
        except OSError as error:
            raise ConfigError(f"`{path}` cannot be read: {error.strerror}") from None


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    if path == STDIN:
        yield _inflated(sys.stdin.buffer)  # type: ignore[arg-type]
        return
    try:
        with Path(path).open("rb") as stream:
            yield _inflated(stream)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        hint = "name files of events: JSON, JSON Lines, .gz, or `-` for standard input"
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}", hint=hint) from None


def _inflated(stream: BufferedReader) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if stream.peek(2)[:2] == _GZIP else stream


def _messages(value: Any, line: int) -> Iterator[Found]:
    if isinstance(value, dict) and isinstance(value.get("batch"), list):
        value = value["batch"]
    if not isinstance(value, list):
        yield value, line, 0
        return
    for number, message in enumerate(value, start=1):
        yield message, line, number


def _values(stream: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """The JSON values of a stream, each with its line."""
    for number, line in _lines(stream):
        if isinstance(line, BadLine):
            yield number, line
            continue
        text = line.removeprefix(_BOM).strip()
        if not text:
            continue
        if text[-1:] in b",[{:":
            # A document that is written over several lines: what follows belongs to it.
            rest = stream.read(DOCUMENT_BYTES_MAX + 1)
            is_too_large = len(rest) > DOCUMENT_BYTES_MAX
            yield (
                number,
                BadLine("the document is larger than 256 MB: use JSON Lines") if is_too_large else _value(text + rest),
            )
            return
        yield number, _value(text)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | BadLine]]:
    number = 0
    while line := stream.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) <= LINE_BYTES_MAX or line.endswith(b"\n"):
            yield number, line
            continue
        if line[:1] in b"[{" and number == 1:
            # One line may well be a whole document.
            rest = stream.read(DOCUMENT_BYTES_MAX + 1)
            yield number, line + rest if len(rest) <= DOCUMENT_BYTES_MAX else BadLine("the line is larger than 256 MB")
            return
        yield number, BadLine("the line is longer than 8 MB")
        while line and not line.endswith(b"\n"):
            line = stream.readline(LINE_BYTES_MAX)


def _value(text: bytes) -> Any:
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return BadLine("not valid JSON")
    except RecursionError:
        return BadLine("nested too deeply")
