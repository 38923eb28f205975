"""Nothing is recorded of files: there is no server to speak to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

from recording import Account, Recording
from recording.scrub import Scrubber

_NOBODY = Account({}, {}, Scrubber())


def _real(_environment: Mapping[str, str]) -> Account:
    raise LookupError("a folder has no account: there is nothing to record")


RECORDING = Recording(
    variables={},
    real=_real,
    sandbox=lambda: nullcontext(_NOBODY),
    replayed=_NOBODY,
    scenarios={},
    effect="nothing: a folder has no account",
)
