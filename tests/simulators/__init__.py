"""What the contract tests cannot know about a connector by themselves: how to run the system it speaks to, and its data.

One module per connector, named as the connector: `simulators/<name>.py` with `SOURCE_SIMULATOR` (a callable that gives a
context manager for a `SourceSimulator`) or `DESTINATION_SIMULATOR` (likewise for a `DestinationSimulator`). A connector
without one fails the contract tests with a message that says so. A simulator shares no code with its connector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import Any, Protocol

import pytest

from cdi_cli.clock import Instant, Window
from cdi_cli.events import Event


@dataclass(frozen=True)
class Row:
    """One record of a simulator: its id, when it was created and when it was last changed."""

    id: str
    created_at: Instant
    modified_at: Instant

    def at(self, by: str) -> Instant:
        """The time that windows of this kind go by."""
        return self.created_at if by == "created" else self.modified_at


@dataclass(frozen=True)
class Mistake:
    """A wrong set-up: changed settings and environment, and a text that some failed check must name."""

    settings: Mapping[str, Any]
    named: str
    environment: Mapping[str, str] = field(default_factory=dict)
    error: type[Exception] | None = None
    """What using the connector raises; None if nothing can be noticed before events are lost."""
    stream: str = ""
    """For a source: the stream that cannot be read; empty stands for all."""


class SourceSimulator(Protocol):
    """A running system that a source reads."""

    window: Window
    """Holds all records, by creation and by change."""
    environment: Mapping[str, str]
    """The variables that the settings refer to, with their secret values."""

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Wrong set-ups by name; one of them is `dead port`."""
        ...

    def settings(self, stream: str = "") -> dict[str, Any]:
        """Good settings as in `cdi.yaml`; with a stream, such that its records fill at least four pages."""
        ...

    def rows(self, stream: str) -> Sequence[Row]:
        """The simulator's own records of a stream, in any order."""
        ...

    def secrets_served(self) -> Sequence[str]:
        """Secrets that the system itself handed out so far, as access tokens."""
        ...

    def server_now(self) -> Instant:
        """The system's clock."""
        ...

    def clock_shifted(self, by: timedelta) -> AbstractContextManager[None]:
        """The system's clock stands wrong, until the block ends."""
        ...

    def id_of(self, record: Mapping[str, Any]) -> str:
        """The id of a decoded record."""
        ...

    def break_type(self, stream: str, record: dict[str, Any]) -> None:
        """Put a value of a wrong type where reading needs it, without touching the id."""
        ...

    def belongs(self, stream: str, record: Mapping[str, Any], entity: Any) -> bool:
        """Whether an entity may have come of a record."""
        ...


@dataclass(frozen=True)
class Delivery:
    """One request as the simulator received it: the size of its inflated body and the number of events."""

    body_bytes: int
    events: int


class DestinationSimulator(Protocol):
    """A running system that a destination feeds."""

    environment: Mapping[str, str]
    """The variables that the settings refer to, with their secret values."""

    @property
    def mistakes(self) -> Mapping[str, Mistake]:
        """Wrong set-ups by name; one of them is `dead port` where there is a server."""
        ...

    def settings(self) -> dict[str, Any]:
        """Good settings as in `cdi.yaml`."""
        ...

    def clear(self) -> None:
        """Forget everything received and scripted."""
        ...

    def applied(self) -> Sequence[Mapping[str, Any]]:
        """What took effect, once each, in order."""
        ...

    def dropped(self) -> Sequence[str]:
        """Why received events were thrown away after they had been acknowledged, one code each."""
        ...

    def deliveries(self) -> Sequence[Delivery]:
        """The requests that brought events, in order."""
        ...

    def script(self, outcome: str) -> Callable[[], int]:
        """Make the next requests fail (`refused`, `unauthorised`, `unavailable`, `lost answer`); tells how often it did.

        Skips the test where there is no server that could do so.
        """
        ...

    def event_id(self, applied: Mapping[str, Any]) -> str:
        """The event id of something applied."""
        ...

    def shows(self, applied: Mapping[str, Any], event: Event) -> bool:
        """Whether something applied says all that the event's name and properties say and the product has a place for."""
        ...


def source_simulator(name: str) -> Callable[[], AbstractContextManager[SourceSimulator]]:
    """How to run the simulator of a source; fails the test when there is none."""
    made: Callable[[], AbstractContextManager[SourceSimulator]] = _find(name, "SOURCE_SIMULATOR", "source")
    return made


def destination_simulator(name: str) -> Callable[[], AbstractContextManager[DestinationSimulator]]:
    """How to run the simulator of a destination; fails the test when there is none."""
    made: Callable[[], AbstractContextManager[DestinationSimulator]] = _find(name, "DESTINATION_SIMULATOR", "destination")
    return made


def _find(name: str, attribute: str, kind: str) -> Any:
    try:
        return getattr(import_module(f"simulators.{name}"), attribute)
    except (ModuleNotFoundError, AttributeError):
        pytest.fail(
            f"the {kind} `{name}` has no simulator for its contract tests: "
            f"add `tests/simulators/{name}.py` with `{attribute}` (see `tests/simulators/__init__.py`)",
            pytrace=False,
        )
