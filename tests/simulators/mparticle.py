"""The sandbox's mParticle workspace as the contract tests want it; the vendor's schema judges each batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mparticle_judge import violations

from cdi_cli.errors import AuthError, RefusedError, TransientError
from cdi_cli.events import Event
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread
from simulators import Delivery, Mistake

KEY = "contract-key-of-a-feed"
SECRET = "canary-s3cret+/of the feed"
_VARIABLE = "CONTRACT_MPARTICLE_SECRET"
_SCRIPTS: dict[str, dict[str, Any]] = {
    "refused": {"kind": "status", "status": 400, "times": 1},
    "unauthorised": {"kind": "status", "status": 403, "times": 1},
    "unavailable": {"kind": "status", "status": 503, "times": None},
    "lost answer": {"kind": "reset_after_apply", "times": 1},
}


class MparticleSimulator:
    """One sandbox; see `simulators.DestinationSimulator`."""

    environment = {_VARIABLE: SECRET}  # noqa: RUF012 - never changed

    def __init__(self, sandbox: SandboxThread) -> None:
        self._sandbox = sandbox

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Unreachable, not mParticle's API, and credentials that it does not know."""
        elsewhere = f"{self._sandbox.url}/mparticle/elsewhere"
        return {
            "dead port": Mistake({"endpoint": "http://127.0.0.1:9"}, "127.0.0.1", error=TransientError),
            "wrong path": Mistake({"endpoint": elsewhere}, "endpoint", error=RefusedError),
            "wrong key": Mistake({"key": "key-of-another-pod"}, "`pod`", error=AuthError),
            "wrong secret": Mistake({}, "`secret`", {_VARIABLE: "an-0ther-canary-secret"}, error=AuthError),
        }

    def settings(self) -> dict[str, Any]:
        """The feed of the sandbox; consent goes to a purpose and, inverted, to the opt-out of data sale."""
        return {
            "endpoint": f"{self._sandbox.url}/mparticle",
            "key": KEY,
            "secret": "${CONTRACT_MPARTICLE_SECRET}",
            "environment": "production",
            "consent": {"Analytics": {"gdpr": "analytics", "ccpa": True}},
        }

    def clear(self) -> None:
        """Empty the inbox and lift all faults."""
        self._sandbox.mparticle.clear()
        self._sandbox.faults.clear()

    def applied(self) -> Sequence[Mapping[str, Any]]:
        """What mParticle stored."""
        return [entry.batch for entry in self._sandbox.mparticle.applied]

    def dropped(self) -> Sequence[str]:
        """What was dropped or cut behind a 202, and what breaks the vendor's schema."""
        inbox = self._sandbox.mparticle
        found = [entry.code for entry in inbox.dropped] + inbox.truncated
        return [*found, *(problem for entry in inbox.applied for problem in violations(entry.batch))]

    def deliveries(self) -> Sequence[Delivery]:
        """Requests with batches in them; each batch is an event."""
        requests = self._sandbox.mparticle.requests
        return [Delivery(request.body_bytes, request.batch_count) for request in requests if request.batch_count]

    def script(self, outcome: str) -> Callable[[], int]:
        """Put a fault in force."""
        fault = self._sandbox.faults.add(Fault(match="/mparticle/v2/bulkevents", **_SCRIPTS[outcome]))
        return lambda: fault.fired

    def event_id(self, applied: Mapping[str, Any]) -> str:
        """mParticle calls it `source_request_id`."""
        return str(applied["source_request_id"])

    def shows(self, applied: Mapping[str, Any], event: Event) -> bool:
        """An order is a purchase: fields and flat attributes; lists of objects, nested lists and null have no place."""
        (found,) = applied["events"]
        data = found["data"]
        fields = {"order_id": "transaction_id", "total": "total_amount", "tax": "tax_amount", "shipping": "shipping_amount"}
        product_action = data.get("product_action", {})
        attributes = dict(data.get("custom_attributes", {}))
        for name, value in _leaves(event.properties):
            if name in fields:
                shown = product_action.pop(fields[name], None)
            elif name == "currency":
                shown = data.get("currency_code")
            else:
                shown = attributes.pop(name, None)
            if not _is_same(shown, value):
                return False
        return attributes == {}


def _leaves(properties: Mapping[str, Any], around: str = "") -> Iterator[tuple[str, Any]]:
    """What of a JSON object has a place in flat attributes: name with dots, value."""
    for name, value in properties.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{around}{name}.")
        elif isinstance(value, list):
            if any(each is not None for each in value) and not any(isinstance(each, list | dict) for each in value):
                yield f"{around}{name}", [each for each in value if each is not None]
        elif value is not None:
            yield f"{around}{name}", value


def _is_same(shown: Any, value: Any) -> bool:
    """Whether an attribute says a value; a list is told by its JSON text, and beyond 64 bits a number by its digits."""
    if isinstance(value, list):
        return isinstance(shown, str) and json.loads(shown) == value
    return type(shown) is type(value) and shown == value


@contextmanager
def _run() -> Iterator[MparticleSimulator]:
    with SandboxThread(SandboxOptions(orders=1, mparticle_key=KEY, mparticle_secret=SECRET)) as sandbox:
        yield MparticleSimulator(sandbox)


DESTINATION_SIMULATOR = _run
