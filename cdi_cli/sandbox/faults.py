"""Faults on request: what goes wrong, on which requests, how often, and whether it really happened.

A fault sees the requests that match it, lets the first `skip` pass, then fires `times` times (None: for ever). The
first fault in the order of `add` that wants to fire on a request does. `fired` counts, so that a test can assert that
its fault took place.

    kind                what the client sees                                          was the request carried out?
    status              `status` with `headers` and `body`                            no
    delay               nothing for `seconds`, then the real answer                   yes
    reset_before_body   connection reset, not one byte of an answer                   no
    reset_after_apply   connection reset, not one byte of an answer                   yes
    reset_mid_body      headers, half of the body, connection reset                   yes
    truncate            full Content-Length, half of the body, connection closed      yes
    drip                the real answer, one byte each `seconds`                      yes
    html200             200 with an HTML page, as a proxy would send                  no
    broken_json         200 with the real body cut in half, lengths agreeing          yes
    bad_gzip            200 announcing gzip, with bytes that are not                  yes
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

FaultKind = Literal[
    "status",
    "delay",
    "reset_before_body",
    "reset_after_apply",
    "reset_mid_body",
    "truncate",
    "drip",
    "html200",
    "broken_json",
    "bad_gzip",
]
KINDS = frozenset(get_args(FaultKind))


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault; `match` is a part of `path?query`, `share` the chance to fire on a request that would otherwise.

    `body` None stands for the error body that the imitated system sends with `status`.
    """

    kind: FaultKind
    match: str = ""
    method: str | None = None
    skip: int = 0
    times: int | None = 1
    share: float = 1.0
    status: int = 503
    body: str | dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.3
    seen: int = 0
    fired: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            msg = f"unknown fault kind `{self.kind}`: one of {', '.join(sorted(KINDS))}"
            raise ValueError(msg)

    def wants(self, method: str, target: str, chance: float) -> bool:
        """Whether to fire on this request; counts it as seen when it matches."""
        if self.match not in target or (self.method is not None and self.method != method):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.fired >= self.times):
            return False
        if chance >= self.share:
            return False
        self.fired += 1
        return True


class FaultBoard:
    """The faults in force; safe to use from the test's thread while the server runs in its own."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._random = random.Random(seed)

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force and return it, for its counters."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Lift all faults."""
        with self._lock:
            self._faults.clear()

    def all(self) -> list[Fault]:
        """The faults in force, oldest first."""
        with self._lock:
            return list(self._faults)

    def take(self, method: str, target: str) -> Fault | None:
        """The fault that fires on this request, if any."""
        with self._lock:
            chance = self._random.random() if self._faults else 0.0
            return next((fault for fault in self._faults if fault.wants(method, target, chance)), None)
