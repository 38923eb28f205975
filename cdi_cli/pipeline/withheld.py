"""The list of events that may not be sent, as JSON lines: what `--withheld FILE` writes.

    {"at":"2026-11-24T12:00:00.000Z","pipeline":"main","destination":"segment","stream":"orders","family":"order",
     "entity":"4f…","event":"Order Completed","id":"cdi:…","reason":"consent:Advertising"}

One line for each event and run, without personal data: who has the platform's id finds the person there. The file is
appended to, and made for its owner alone. A run that is repeated after a crash lists again what it reads again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cdi_cli.clock import SYSTEM_CLOCK, Clock
from cdi_cli.errors import ConfigError, StoppedError
from cdi_cli.pipeline.items import Withheld

_encode = msgspec.json.Encoder().encode
Listener = Callable[[Sequence[Withheld]], None]


@contextmanager
def withheld_file(path: Path | None, *, pipeline: str, destination: str, clock: Clock = SYSTEM_CLOCK) -> Iterator[Listener]:
    """What is to be called with withheld events; without a path it writes nothing.

    Raises ConfigError for a file that cannot be opened; what it gives raises StoppedError when the disk takes no more.
    """
    if path is None:
        yield lambda _events: None
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"the list of withheld events cannot be written: {error.strerror}", where=str(path), hint="name another file"
        ) from None
    with os.fdopen(descriptor, "ab", buffering=0) as file:

        def write(events: Sequence[Withheld]) -> None:
            head = {"at": clock.instant(), "pipeline": pipeline, "destination": destination}
            try:
                # In one piece: the syncs of several destinations may share a file.
                file.write(b"".join(_encode(head | _line(each)) + b"\n" for each in events))
            except OSError as error:
                raise StoppedError(
                    f"the list of withheld events cannot be written: {error.strerror}",
                    where=str(path),
                    hint="make room, or name another file; then run the same command again",
                ) from None

        yield write


def _line(each: Withheld) -> dict[str, str]:
    return {
        "stream": each.stream,
        "family": each.family,
        "entity": each.entity_id,
        "event": each.event_name,
        "id": each.event_id,
        "reason": each.reason,
    }
