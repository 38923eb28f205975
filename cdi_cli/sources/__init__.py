"""Sources: `names()` lists what the folders here and installed packages offer, `load(name)` gives one."""

from __future__ import annotations

from pathlib import Path

from cdi_cli.registry import find, find_names
from cdi_cli.sources._base import (
    FOUND_MAX,
    ConsentField,
    Cursor,
    Departed,
    FindBy,
    Joined,
    Nothing,
    Page,
    Reading,
    Source,
    SourceContext,
    SourceSpec,
    Stream,
    Unreadable,
)

__all__ = [
    "FOUND_MAX",
    "ConsentField",
    "Cursor",
    "Departed",
    "FindBy",
    "Joined",
    "Nothing",
    "Page",
    "Reading",
    "Source",
    "SourceContext",
    "SourceSpec",
    "Stream",
    "Unreadable",
    "load",
    "names",
]


def names() -> list[str]:
    """The names of all sources that can be loaded, sorted."""
    return find_names(Path(__file__).parent, "cdi.sources")


def load(name: str) -> SourceSpec:
    """The source of that name; raises KeyError for a name that `names()` does not list."""
    spec = find(name, Path(__file__).parent, __name__, "cdi.sources", "SOURCE")
    assert isinstance(spec, SourceSpec)
    return spec
