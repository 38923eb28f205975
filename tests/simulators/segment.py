"""The sandbox's Segment workspace as the contract tests want it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cdi_cli.errors import RefusedError, TransientError
from cdi_cli.events import Event
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread
from simulators import Delivery, Mistake

WRITE_KEY = "canary-wr1te+/key of the source"
_VARIABLE = "CONTRACT_WRITE_KEY"
_SCRIPTS: dict[str, dict[str, Any]] = {
    "refused": {"kind": "status", "status": 400, "times": 1},
    "unauthorised": {"kind": "status", "status": 401, "times": 1},
    "unavailable": {"kind": "status", "status": 503, "times": None},
    "lost answer": {"kind": "reset_after_apply", "times": 1},
}


class SegmentSimulator:
    """One sandbox; see `simulators.DestinationSimulator`."""

    environment = {_VARIABLE: WRITE_KEY}  # noqa: RUF012 - never changed

    def __init__(self, sandbox: SandboxThread) -> None:
        self._sandbox = sandbox

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Unreachable, not Segment's API; a wrong key cannot be told, as Segment answers 200 to any."""
        elsewhere = f"{self._sandbox.url}/segment/elsewhere"
        return {
            "dead port": Mistake({"endpoint": "http://127.0.0.1:9"}, "127.0.0.1", error=TransientError),
            "wrong path": Mistake({"endpoint": elsewhere}, "endpoint", error=RefusedError),
        }

    def settings(self) -> dict[str, Any]:
        """The workspace of the sandbox."""
        return {"endpoint": f"{self._sandbox.url}/segment", "write_key": "${CONTRACT_WRITE_KEY}"}

    def clear(self) -> None:
        """Empty the inbox and lift all faults."""
        self._sandbox.segment.clear()
        self._sandbox.faults.clear()

    def applied(self) -> Sequence[Mapping[str, Any]]:
        """What Segment would pass on."""
        return self._sandbox.segment.applied

    def dropped(self) -> Sequence[str]:
        """Codes of the Delivery Overview; a batch of no events is nothing lost."""
        return [code for code, _ in self._sandbox.segment.dropped if code != "empty_batch"]

    def deliveries(self) -> Sequence[Delivery]:
        """Batches with events in them."""
        requests = self._sandbox.segment.requests
        return [Delivery(request.body_bytes, request.message_count) for request in requests if request.message_count]

    def script(self, outcome: str) -> Callable[[], int]:
        """Put a fault in force."""
        fault = self._sandbox.faults.add(Fault(match="/segment/v1/batch", **_SCRIPTS[outcome]))
        return lambda: fault.fired

    def event_id(self, applied: Mapping[str, Any]) -> str:
        """Segment calls it `messageId`."""
        return str(applied["messageId"])

    def shows(self, applied: Mapping[str, Any], event: Event) -> bool:
        """Segment keeps the name and the whole properties."""
        said, meant = (applied["event"], applied["properties"]), (event.name, event.properties)
        return json.dumps(said, sort_keys=True) == json.dumps(meant, sort_keys=True)


@contextmanager
def _run() -> Iterator[SegmentSimulator]:
    with SandboxThread(SandboxOptions(orders=1, write_key=WRITE_KEY)) as sandbox:
        yield SegmentSimulator(sandbox)


DESTINATION_SIMULATOR = _run
