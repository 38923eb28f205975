"""How connectors are found: by folder name inside `cdi`, and by entry point from other packages."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any


def find_names(folder: Path, group: str) -> list[str]:
    """The connectors in `folder` and in the entry point group, sorted; nothing is imported."""
    local = {path.parent.name for path in folder.glob("*/__init__.py") if path.parent.name.isidentifier()}
    return sorted(local | {point.name for point in entry_points(group=group)})


def find(name: str, folder: Path, package: str, group: str, attribute: str) -> Any:
    """The connector's specification; raises KeyError for a name that `find_names` does not list.

    The name is looked up in the list, never joined into a module path unchecked.
    """
    if name not in find_names(folder, group):
        raise KeyError(name)
    if (folder / name / "__init__.py").is_file():
        return getattr(import_module(f"{package}.{name}"), attribute)
    return next(point for point in entry_points(group=group) if point.name == name).load()
