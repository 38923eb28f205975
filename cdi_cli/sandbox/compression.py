"""gzip for the sandbox: isal where its wheel exists, else zlib, both at level 1.

`gunzip` never inflates more than it is asked for, so a small bomb cannot fill the memory.
"""

from __future__ import annotations

import zlib
from typing import Any

try:
    from isal import isal_zlib

    _zlib: Any = isal_zlib
except ImportError:  # isal has no wheel on some machines
    _zlib = zlib

_GZIP_WINDOW = 31
_LEVEL = 1


class BadGzipError(ValueError):
    """The bytes are not one complete gzip stream."""


def compress(data: bytes) -> bytes:
    """`data` as one gzip stream."""
    engine = _zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    packed: bytes = engine.compress(data) + engine.flush()
    return packed


def gunzip(data: bytes, bytes_max: int) -> bytes:
    """The content of a gzip stream, at most `bytes_max + 1` bytes of it; raises BadGzipError if it is malformed."""
    engine = _zlib.decompressobj(_GZIP_WINDOW)
    try:
        content: bytes = engine.decompress(data, bytes_max + 1)
    except (zlib.error, _zlib.error) as error:
        raise BadGzipError(str(error)) from error
    if len(content) <= bytes_max and not engine.eof:
        raise BadGzipError("the stream ends early")
    return content
