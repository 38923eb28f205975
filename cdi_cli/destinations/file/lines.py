"""Reading files of lines: what of a file is whole, and its lines one by one, compressed or not.

A compressed file is a row of gzip members, one for each batch, which every reader of gzip takes as one. A member that is cut
off holds nothing that was ever counted as delivered.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import msgspec

CHUNK_BYTES = 1 << 20
_GZIP = 31
_decode = msgspec.json.Decoder(msgspec.Raw).decode


def whole_bytes(stream: BufferedReader, *, is_gzip: bool) -> int:
    """How many of the first bytes are whole lines, or whole gzip members; what follows was never finished.

    A power loss may leave zeros or old blocks where data should be: the first line that is no JSON ends what is whole.
    """
    return _whole_members(stream) if is_gzip else _whole_lines(stream)


def _whole_lines(stream: BufferedReader) -> int:
    whole = 0
    for line in stream:
        if not line.endswith(b"}\n"):
            break
        try:
            _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            break
        whole += len(line)
    return whole


def _whole_members(stream: BufferedReader) -> int:
    whole = read = 0
    inflater = zlib.decompressobj(_GZIP)
    while chunk := stream.read(CHUNK_BYTES):
        read += len(chunk)
        while chunk:
            try:
                inflater.decompress(chunk)
            except zlib.error:
                return whole
            chunk = b""
            if inflater.eof:
                chunk = inflater.unused_data
                whole = read - len(chunk)
                inflater = zlib.decompressobj(_GZIP)
    return whole


def read_lines(path: Path, *, is_gzip: bool) -> Iterator[bytes]:
    """The lines of a file, as far as it can be read; the last may be cut off. Raises OSError."""
    with path.open("rb") as stream:
        if not is_gzip:
            yield from stream
            return
        rest = b""
        for part in _inflated(stream):
            *lines, rest = (rest + part).splitlines(keepends=True) or [b""]
            yield from lines
            if rest.endswith(b"\n"):
                yield rest
                rest = b""
        yield rest


def _inflated(stream: BufferedReader) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_GZIP)
    while chunk := stream.read(CHUNK_BYTES):
        while chunk:
            try:
                yield inflater.decompress(chunk)
            except zlib.error:
                return
            chunk = b""
            if inflater.eof:
                chunk = inflater.unused_data
                inflater = zlib.decompressobj(_GZIP)
