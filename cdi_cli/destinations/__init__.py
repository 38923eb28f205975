"""Destinations: `names()` lists what the folders here and installed packages offer, `load(name)` gives one."""

from __future__ import annotations

from pathlib import Path

from cdi_cli.destinations._base import (
    ACCEPTED,
    Accepted,
    Destination,
    DestinationContext,
    DestinationSpec,
    ErasureRequest,
    Limits,
    Outcome,
    Person,
    Rejected,
)
from cdi_cli.registry import find, find_names

__all__ = [
    "ACCEPTED",
    "Accepted",
    "Destination",
    "DestinationContext",
    "DestinationSpec",
    "ErasureRequest",
    "Limits",
    "Outcome",
    "Person",
    "Rejected",
    "load",
    "names",
]


def names() -> list[str]:
    """The names of all destinations that can be loaded, sorted."""
    return find_names(Path(__file__).parent, "cdi.destinations")


def load(name: str) -> DestinationSpec:
    """The destination of that name; raises KeyError for a name that `names()` does not list."""
    spec = find(name, Path(__file__).parent, __name__, "cdi.destinations", "DESTINATION")
    assert isinstance(spec, DestinationSpec)
    return spec
