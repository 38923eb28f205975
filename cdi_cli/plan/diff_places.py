"""Where a plan file says something: the line of a key, looked up only when it changed."""

from __future__ import annotations

from pathlib import Path

from cdi_cli.plan.model import Plan
from cdi_cli.plan.problems import Place, Problems
from cdi_cli.plan.yaml_nodes import read_yaml


def head_place(plan: Plan, *keys: str) -> Place:
    """Where `plan.yaml` says something; its first line where it does not say it."""
    return key_place(Place(str(plan.folder / "plan.yaml")), *keys)


def key_place(near: Place, *keys: str) -> Place:
    """The place of a key of the file that `near` is in, as deep as the keys are there; `near` where none is."""
    file = Path(near.file)
    node = read_yaml(file, Problems()) if file.is_file() else None
    place = near
    for key in keys:
        node = node.get(key) if node is not None else None
        if node is None:
            break
        place = node.place
    return place
