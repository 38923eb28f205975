"""Cassettes: each connector's canonical requests with their answers, recorded once and replayed without a network.

    scrub      what a request or an answer loses before it is written      scan      what must not be in a file, ever
    cassette   recording, replaying, the file format                       <name>    what is recorded of a connector
    __main__   `make record SOURCE=<name>`

A cassette holds decoded text (never gzip), so that a reviewer sees what was said. One module per connector, named as the
connector, offers `RECORDING`, a `Recording`; a connector without one fails the tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from recording.scrub import Scrubber


@dataclass(frozen=True)
class Account:
    """What is recorded from: settings as in `cdi.yaml`, the variables these refer to, and what replaces what in the file."""

    settings: Mapping[str, Any]
    environment: Mapping[str, str]
    scrubber: Scrubber


@dataclass(frozen=True)
class Scenario:
    """Requests that belong together: `run(account, since)` makes them and returns what the connector made of the answers.

    `since(account)` looks, unrecorded, for the time from which on there is something worth recording.
    """

    run: Callable[[Account, str], Awaitable[Any]]
    since: Callable[[Account], Awaitable[str]] | None = None


@dataclass(frozen=True)
class Recording:
    """What is recorded of a connector, and from where.

    `variables`: the environment variables with the credentials of a real account, and what each is. `real(environment)`
    makes an account of them, `sandbox()` runs a simulator, `replayed` is what stands in the cassettes instead. `effect` says
    what recording does to a real account.
    """

    variables: Mapping[str, str]
    real: Callable[[Mapping[str, str]], Account]
    sandbox: Callable[[], AbstractContextManager[Account]]
    replayed: Account
    scenarios: Mapping[str, Scenario]
    effect: str
    secrets: tuple[str, ...] = field(default=())
    """Secrets of the sandbox, which must not be found in a cassette either."""


def recording_of(name: str) -> Recording:
    """The recording of a connector; raises LookupError, saying what to add, for one that has none."""
    try:
        found = import_module(f"recording.{name}").RECORDING
    except (ModuleNotFoundError, AttributeError):
        raise LookupError(f"`{name}` has no recording: add `tests/recording/{name}.py` with `RECORDING`") from None
    assert isinstance(found, Recording)
    return found
