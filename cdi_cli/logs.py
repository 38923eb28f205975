"""The structured log: JSON lines in a file, on request only; normal operation without it writes no log at all.

    {"at": "2026-01-31T23:59:59.999Z", "level": "info", "logger": "cdi.pipeline", "message": "...", ...}

Redaction happens in the formatter of the root handler, so that what other libraries log passes through it too. One record is
one line, bounded in length. httpx and httpcore are held at WARNING: their INFO lines carry full URLs.

Inside `run_context` every line, whoever wrote it, tells of which run it is:

    {"at": ..., "message": "...", "run": 7, "pipeline": "main", "destination": "segment"}
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cdi_cli.clock import instant_from_datetime
from cdi_cli.errors import ConfigError
from cdi_cli.secrets import REDACTOR

MESSAGE_CHARACTERS_MAX = 4_000
_NOISY = ("httpx", "httpcore", "stamina", "asyncio")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_ABOUT: ContextVar[Mapping[str, int | str]] = ContextVar("cdi_run")
"""What every line of this context says beside its message; tasks and `asyncio.to_thread` inherit it."""

# Without a log file nothing is written: not even by the standard library's handler of last resort, which prints warnings.
logging.getLogger("cdi").addHandler(logging.NullHandler())


def start(file: Path, level: str = "info") -> logging.Handler:
    """Append the log to `file` (created with mode 0600) from now on; raises ConfigError when it cannot be written.

    A second call replaces the first.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler: logging.Handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(
            f"cannot write the log file {file}: {error.strerror}", hint="name another with `--log-file`"
        ) from None
    stop()
    handler.set_name("cdi")
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    return handler


def stop() -> None:
    """Close the log, if one was started."""
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.get_name() == "cdi"]:
        root.removeHandler(handler)
        handler.close()


@contextmanager
def run_context(*, run_id: int | None = None, pipeline: str | None = None, destination: str | None = None) -> Iterator[None]:
    """Within the block every log line carries `run`, `pipeline` and `destination`, also those of other libraries.

    Blocks may be nested: what an inner one does not name stays as the outer one says, so that a pipeline can be named before
    its run has a number. Tasks started inside inherit it; two runs side by side in two tasks do not see each other's.
    """
    named: dict[str, int | str | None] = {"run": run_id, "pipeline": pipeline, "destination": destination}
    about = {**_ABOUT.get({}), **{name: value for name, value in named.items() if value is not None}}
    token = _ABOUT.set(about)
    try:
        yield
    finally:
        _ABOUT.reset(token)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, redacted; what was given as `extra=` stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, Any] = {
            "at": instant_from_datetime(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _bounded(record.getMessage()),
            # A handler formats where the record is made, so this is the context of the line, not of the handler.
            **_ABOUT.get({}),
        }
        fields |= {name: _plain(value) for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            fields["traceback"] = _bounded("".join(traceback.format_exception(*record.exc_info)))
        # Redacted before and after encoding: a secret may only become visible, or be split, by JSON's escapes.
        return REDACTOR(json.dumps({name: _redacted(value) for name, value in fields.items()}))


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float) else _bounded(str(value))


def _redacted(value: Any) -> Any:
    return REDACTOR(value) if isinstance(value, str) else value


def _bounded(text: str) -> str:
    # The redactor goes first: cutting could leave a piece of a secret that it no longer knows.
    text = REDACTOR(text)
    return text if len(text) <= MESSAGE_CHARACTERS_MAX else text[:MESSAGE_CHARACTERS_MAX] + "..."
