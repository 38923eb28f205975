"""The sandbox's Insider account as the contract tests want it.

An order without lines is one Insider event, one with lines one for each: all of a user of a request count as one. Everything
is defined in its panel, and it keeps events for a hundred years.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from contract_events import identify

from cdi_cli.errors import AuthError, RefusedError, TransientError
from cdi_cli.events import Event
from cdi_cli.sandbox import Fault, SandboxOptions, SandboxThread
from simulators import Delivery, Mistake

TOKEN = "canary-t0ken+/of the account"
CATALOG_TOKEN = "canary-c4talog+/token"
_VARIABLE = "CONTRACT_INSIDER_TOKEN"
_CATALOG_VARIABLE = "CONTRACT_INSIDER_CATALOG_TOKEN"
_SCRIPTS: dict[str, dict[str, Any]] = {
    "refused": {"kind": "status", "status": 400, "times": 1},
    "unauthorised": {"kind": "status", "status": 401, "times": 1},
    "unavailable": {"kind": "status", "status": 503, "times": None},
    "lost answer": {"kind": "reset_after_apply", "times": 1},
}
_KEPT_DAYS = dict.fromkeys(("purchase", "order_cancelled", "order_refunded"), 36_500)


class InsiderSimulator:
    """One sandbox; see `simulators.DestinationSimulator`."""

    environment = {_VARIABLE: TOKEN, _CATALOG_VARIABLE: CATALOG_TOKEN}  # noqa: RUF012 - never changed

    def __init__(self, sandbox: SandboxThread) -> None:
        self._sandbox = sandbox
        sandbox.insider.panel.is_open = True
        sandbox.insider.rules.retention_days.update(_KEPT_DAYS)

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Unreachable, not Insider's API, credentials that it does not know."""
        elsewhere = f"{self._sandbox.url}/insider/elsewhere"
        return {
            "dead port": Mistake({"endpoint": "http://127.0.0.1:9"}, "127.0.0.1", error=TransientError),
            "wrong path": Mistake({"endpoint": elsewhere}, "endpoint", error=RefusedError),
            "wrong partner": Mistake({"partner_name": "another"}, "`partner_name`", error=AuthError),
            "wrong token": Mistake({}, "`request_token`", {_VARIABLE: "an-0ther-canary-token"}, error=AuthError),
        }

    def settings(self) -> dict[str, Any]:
        """The account of the sandbox; a guest is known by the anonymous id."""
        return {
            "partner_name": "sandbox",
            "request_token": "${CONTRACT_INSIDER_TOKEN}",
            "catalog_token": "${CONTRACT_INSIDER_CATALOG_TOKEN}",
            "locales": ["en_US", "de_DE"],
            "endpoint": f"{self._sandbox.url}/insider",
            "catalog_endpoint": f"{self._sandbox.url}/insider",
            "identifiers": {"custom": {"guest_id": "anonymous_id"}},
            "retention_days": _KEPT_DAYS,
        }

    def clear(self) -> None:
        """Empty the account and lift all faults."""
        self._sandbox.insider.clear()
        self._sandbox.insider_catalog.clear()
        self._sandbox.faults.clear()

    def applied(self) -> Sequence[Mapping[str, Any]]:
        """What Insider stored, one for each user of a request."""
        return [asdict(entry) for entry in self._sandbox.insider.applied]

    def dropped(self) -> Sequence[str]:
        """What was thrown away behind a 200."""
        return [f"{entry.code} {entry.name}" for entry in self._sandbox.insider.dropped]

    def deliveries(self) -> Sequence[Delivery]:
        """Upserts; each user is an event."""
        return [Delivery(request.body_bytes, request.users) for request in self._sandbox.insider.requests]

    def script(self, outcome: str) -> Callable[[], int]:
        """Put a fault in force."""
        fault = self._sandbox.faults.add(Fault(match="/insider/api/user/v1/upsert", **_SCRIPTS[outcome]))
        return lambda: fault.fired

    def event_id(self, applied: Mapping[str, Any]) -> str:
        """Events hold it as a custom parameter; a profile has none, so it is told by whose it is."""
        if applied["events"]:
            (identifier,) = {each["event_params"]["c_cdi_event_id"] for each in applied["events"]}
            return str(identifier)
        return identify(int(applied["identifiers"]["uuid"].removeprefix("customer-"))).id

    def shows(self, applied: Mapping[str, Any], event: Event) -> bool:
        """An order is a purchase; what can be spelt in Insider is there, under its own name, and nothing else."""
        (found,) = applied["events"]
        params = dict(found["event_params"])
        if found["event_name"] != "purchase" or params.pop("c_cdi_event_id") != event.id:
            return False
        meant = dict(_leaves(event.properties))
        if params.pop("currency") != meant.pop("currency") or params.pop("unit_sale_price") != meant["revenue"]:
            return False
        for name in ("event_group_id", "quantity", "unit_price", "c_position", "locale", "promotion_name", "shipping_cost"):
            params.pop(name, None)
        shown = {name.removeprefix("c_"): value for name, value in params.items()}
        spelt = {name: value for name, value in meant.items() if name in shown}
        missing = [name for name in meant if name not in shown and name.isascii() and name.isalnum() and name.islower()]
        return all(_is_same(shown[name], value) for name, value in spelt.items()) and missing == []


def _leaves(properties: Mapping[str, Any], around: str = "") -> Iterator[tuple[str, Any]]:
    """What of a JSON object has a place in flat parameters: its name, and its value that is not empty."""
    for name, value in properties.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{around}{name}.")
        elif value not in (None, "", []) and not (isinstance(value, list) and all(each is None for each in value)):
            yield f"{around}{name}", value


def _is_same(shown: Any, value: Any) -> bool:
    """Whether a parameter says a value; a list that mixes kinds is told by its JSON text."""
    if isinstance(value, list) and isinstance(shown, str):
        return bool(json.loads(shown) == value)
    if isinstance(value, list):
        return bool(shown == [each for each in value if each is not None])
    return type(shown) is type(value) and bool(shown == value)


@contextmanager
def _run() -> Iterator[InsiderSimulator]:
    with SandboxThread(SandboxOptions(orders=1, insider_token=TOKEN, insider_catalog_token=CATALOG_TOKEN)) as sandbox:
        yield InsiderSimulator(sandbox)


DESTINATION_SIMULATOR = _run
