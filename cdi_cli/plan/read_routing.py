"""Reading `destinations:` of an event: where it does not go, or goes under other names.

    destinations:
      insider: false                          # not at all
      mparticle:
        rename: Purchase                      # the event's name there
        properties:                           # `traits:` for the type identify
          exclude: [coupon, "products[].coupon"]
          rename: {order_id: transaction_id}

A key is the name of a destination in `cdi.yaml` or a destination's type; the name wins over the type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdi_cli.plan.model import PlannedEvent, Property, Routing
from cdi_cli.plan.names import NAME_CHARACTERS_MAX, is_name
from cdi_cli.plan.problems import suggest
from cdi_cli.plan.read_mapping import MappingReader
from cdi_cli.plan.yaml_nodes import Node

KEY_PATTERN = r"^[a-z0-9_-]{1,64}$"
ROUTING_KEYS = ("rename", "properties", "traits")
SELECTION_KEYS = ("exclude", "rename")
_KEY = re.compile(KEY_PATTERN.removesuffix("$"))


def read_routing(destinations: MappingReader, event: PlannedEvent) -> tuple[Routing, ...]:
    """The routing of an event whose properties are read; entries with mistakes keep what is right about them."""
    found = []
    for key, node in destinations.node.value.items():
        if not _KEY.fullmatch(key):
            hint = "use the name of a destination in `cdi.yaml` or its type"
            destinations.note(key, "must be 1 to 64 of `a-z`, `0-9`, `_`, `-`", hint)
        elif isinstance(node.value, bool):
            found.append(Routing(key, node.place, is_sent=node.value))
        elif isinstance(node.value, dict):
            found.append(_Route(destinations, key, node, event).routing())
        else:
            destinations.note(key, "must be `false`, `true` or a mapping", "`false` keeps the event away")
    return tuple(found)


class _Route:
    """The reading of one destination's entry."""

    def __init__(self, destinations: MappingReader, key: str, node: Node, event: PlannedEvent) -> None:
        self.reader = MappingReader(node, destinations.problems, f"{destinations.path}.{key}")
        self.key = key
        self.event = event
        self.planned = [path for path, _ in event.walk() if not path.endswith("[]")]

    def routing(self) -> Routing:
        reader = self.reader
        reader.check_keys(ROUTING_KEYS)
        name = reader.text("rename")
        if name and self.event.is_any:
            reader.note("rename", f"an event of type `{self.event.type}` has no name of its own", "remove `rename`")
        elif name and not is_name(name):
            reader.note("rename", f"a name has 1 to {NAME_CHARACTERS_MAX} printable characters", "choose another name")
        word = self.event.holder
        other = "properties" if word == "traits" else "traits"
        if reader.node.get(other) is not None:
            message = f"an event of type `{self.event.type}` has `{word}`, not `{other}`"
            reader.note(other, message, f"rename the key to `{word}`")
        chosen = reader.mapping(word, SELECTION_KEYS)
        if chosen is None:
            return Routing(self.key, reader.node.place, event_name=name)
        exclude = tuple(node.value for node in chosen.texts("exclude") if self._is_planned(chosen, node, node.value))
        rename = dict(self._renamed(chosen, exclude))
        self._check_collisions(chosen, self.event.properties, "", exclude, rename)
        return Routing(self.key, reader.node.place, event_name=name, exclude=exclude, rename=rename)

    def _is_planned(self, chosen: MappingReader, node: Node, path: str) -> bool:
        if path in self.planned:
            return True
        hint = suggest(path, self.planned) or "write its path as in `products[].sku`"
        chosen.problems.add(node.place, chosen.path, f"the event has no property `{path}`", hint)
        return False

    def _renamed(self, chosen: MappingReader, exclude: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        renames = chosen.mapping("rename")
        for path, node in renames.node.value.items() if renames is not None else ():
            if not self._is_planned(chosen, node, path):
                continue
            if not isinstance(node.value, str) or not is_name(node.value):
                limit = f"a name has 1 to {NAME_CHARACTERS_MAX} printable characters"
                chosen.problems.add(node.place, chosen.path, limit, f"as in `{path}: new_name`")
            elif any(path == out or path.startswith((f"{out}.", f"{out}[]")) for out in exclude):
                chosen.problems.add(node.place, chosen.path, f"`{path}` is both excluded and renamed", "remove one of them")
            else:
                yield path, node.value

    def _check_collisions(
        self,
        chosen: MappingReader,
        siblings: tuple[Property, ...],
        prefix: str,
        exclude: tuple[str, ...],
        rename: dict[str, str],
    ) -> None:
        """Note two properties that would have the same name there."""
        taken: dict[str, str] = {}
        for each in siblings:
            path = f"{prefix}{each.name}"
            if path in exclude:
                continue
            first = taken.setdefault(rename.get(path, each.name), path)
            if first != path:
                message = f"`{first}` and `{path}` would both be called `{rename.get(path, each.name)}` there"
                chosen.note("rename", message, "choose another name, or exclude one of them")
            self._check_collisions(chosen, each.properties, f"{path}.", exclude, rename)
            if each.items is not None:
                self._check_collisions(chosen, each.items.properties, f"{path}[].", exclude, rename)
