"""The record that `cdi preview --record FILE` looks at: as a source sends it, or a line of a fixture file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from cdi_cli.errors import ConfigError
from cdi_cli.pipeline.preview import GivenRecord

BYTES_MAX = 16_000_000
_HINT = 'a record as the source sends it, or `{"stream": ..., "record": {...}, "lookups": {...}}` as in `fixtures/*.jsonl`'


class _Fixture(msgspec.Struct):
    """What of a fixture matters here; the record as it was written."""

    record: msgspec.Raw
    stream: str
    lookups: dict[str, Any] = {}


def read_record(path: Path) -> GivenRecord:
    """The record of a file; raises ConfigError where that cannot be read or holds none, or more than one."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ConfigError(f"`{path}` is larger than {BYTES_MAX // 1_000_000} MB", hint="leave one record in it")
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf").strip()
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {error.strerror}", hint=_HINT) from None
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lines = sum(1 for line in content.splitlines() if line.strip().startswith(b"{"))
        message = f"`{path}` holds {lines} records, not one" if _are_lines(content) else f"`{path}` is no JSON"
        raise ConfigError(message, hint=_HINT) from None
    if not isinstance(value, dict):
        raise ConfigError(f"`{path}` does not hold a record", hint=_HINT)
    if "record" not in value or "stream" not in value:
        return GivenRecord(content)
    try:
        fixture = msgspec.json.decode(content, type=_Fixture)
    except msgspec.ValidationError as error:
        raise ConfigError(f"`{path}` is not a fixture: {error}", hint=_HINT) from None
    return GivenRecord(bytes(fixture.record), fixture.stream, fixture.lookups)


def _are_lines(content: bytes) -> bool:
    try:
        return len([msgspec.json.decode(line) for line in content.splitlines() if line.strip()]) > 1
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
