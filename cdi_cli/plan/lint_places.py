"""Where a keyword of a property stands: the model knows a property's line, this finds the line of its `minimum:`.

The plan's files are read once more, as trees that know their places; `$ref` is followed to the definition that holds the
keyword. What cannot be found has the property's own place.
"""

from __future__ import annotations

from pathlib import Path

from cdi_cli.plan.problems import Place, Problems
from cdi_cli.plan.yaml_nodes import Node, read_yaml

REFERENCES_MAX = 20
_Spot = tuple[int, int]


class Places:
    """Finds keywords in the files of one plan folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._roots: dict[str, Node | None] = {}
        self._mappings: dict[str, dict[_Spot, Node]] = {}

    def of(self, place: Place, *keywords: str) -> Place:
        """The place of the first of the keywords that the property at `place` has, itself or by `$ref`."""
        node = self._mapping(place)
        for keyword in keywords:
            layer = node
            for _ in range(REFERENCES_MAX):
                if layer is None:
                    break
                if (found := layer.get(keyword)) is not None:
                    return found.place
                layer = self._referred(layer)
        return place

    def _referred(self, node: Node) -> Node | None:
        reference = node.get("$ref")
        if reference is None or not isinstance(reference.value, str):
            return None
        return self._root(str(self._folder / "definitions" / f"{reference.value}.yaml"))

    def _root(self, file: str) -> Node | None:
        if file not in self._roots:
            self._roots[file] = read_yaml(Path(file), Problems())
        return self._roots[file]

    def _mapping(self, place: Place) -> Node | None:
        if place.file not in self._mappings:
            root = self._root(place.file)
            self._mappings[place.file] = {} if root is None else _mappings(root)
        return self._mappings[place.file].get((place.line, place.column))


def _mappings(root: Node) -> dict[_Spot, Node]:
    """Every mapping below a root by the place of its key, outer ones first."""
    found: dict[_Spot, Node] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node.value, dict):
            found.setdefault((node.place.line, node.place.column), node)
            waiting.extend(node.value.values())
        elif isinstance(node.value, list):
            waiting.extend(node.value)
    return found
