"""YAML files as trees that know their places: every value with file, line and column, every mistake noted.

A plan is untrusted input, so this reads less than YAML: one document, mappings with text keys that occur once, lists,
text, numbers, `true`/`false`/`null` in JSON's sense (`no` is text, `12:30` is text). Aliases, merge keys and tags are
mistakes. The tree is built from the parser's flat stream of events with an explicit stack: composing recursively, libyaml
overflows the C stack on deep nesting, which no exception handler can catch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cdi_cli.plan.problems import Place, Problems

FILE_BYTES_MAX = 1_000_000
DEPTH_MAX = 40
NODES_MAX = 50_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_STRING_TAG = "tag:yaml.org,2002:str"


@dataclass(slots=True)
class Node:
    """A value of a YAML file: a scalar, a list of nodes, or a mapping of text to nodes.

    `place` is where the value's key stands, or the value itself where it has none; `content` where the value begins, and
    `style` how a text is written there: `"`, `'`, `|`, `>`, or "" without quotes.
    """

    value: Any
    place: Place
    content: Place | None = None
    style: str = ""

    def plain(self) -> Any:
        """The value as plain data, without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def get(self, key: str) -> Node | None:
        """The node under `key`, or None if this is no mapping or has no such key."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def find(self, steps: tuple[str | int, ...]) -> Node:
        """The deepest node that the steps reach: the place of a mistake that a JSON Schema engine found."""
        node = self
        for step in steps:
            inner = node.value[step] if _holds(node.value, step) else None
            if inner is None:
                return node
            node = inner
        return node


def _holds(value: Any, step: str | int) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(value)


class _Refused(Exception):
    """The file cannot be read any further; the mistake is noted."""


def read_yaml(path: Path, problems: Problems) -> Node | None:
    """The tree of a YAML file, or None when it cannot be read; every mistake is added to `problems`."""
    start = Place(str(path))
    try:
        if path.exists() and not path.is_file():
            problems.add(start, "", "this is no file", "remove it, or give it another name")
            return None
        if path.stat().st_size > FILE_BYTES_MAX:
            problems.add(start, "", f"the file is larger than {FILE_BYTES_MAX:,} bytes")
            return None
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problems.add(start, "", f"the file cannot be read: {error.strerror}", "check its name and its owner")
        return None
    except UnicodeDecodeError as error:
        problems.add(start, "", f"the file is not UTF-8 text (byte {error.start})", "save it as UTF-8")
        return None
    try:
        return _Builder(str(path), problems).build(yaml.parse(text, Loader=_LOADER))
    except _Refused:
        return None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = Place(str(path), mark.line + 1, mark.column + 1) if mark is not None else start
        reason = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "the text cannot be read")
        if (
            "nesting depth" in reason
        ):  # PyYAML from 6.0.4 on looks ahead, and refuses depths of its own, before ours is reached
            problems.add(place, "", f"nested deeper than {DEPTH_MAX} levels")
            return None
        problems.add(place, "", f"not valid YAML: {reason}", "check indentation, quotes and brackets near here")
        return None


class _Builder:
    """Builds the tree of one file from the parser's events."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._stack: list[tuple[Node, list[tuple[str, Place] | None]]] = []
        self._root: Node | None = None
        self._count = 0
        self._documents = 0

    def build(self, events: Iterator[Any]) -> Node | None:
        """The root node, or None for an empty file (noted)."""
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if self._documents > 1:
                    self._refuse(event, "the file holds more than one document", "one file describes one thing")
            elif isinstance(event, yaml.NodeEvent):
                self._take(event)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._stack.pop()
        if self._root is None:
            self._problems.add(Place(self._file), "", "the file is empty")
        return self._root

    def _take(self, event: Any) -> None:
        self._count += 1
        if self._count > NODES_MAX:
            self._refuse(event, f"the file holds more than {NODES_MAX:,} values")
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, "aliases are not allowed in a plan", "put what is shared into `definitions/` and use `$ref`")
        if event.tag is not None and not (event.tag == _STRING_TAG and isinstance(event, yaml.ScalarEvent)):
            self._refuse(event, f"the tag `{event.tag}` is not allowed in a plan")
        if isinstance(event, yaml.ScalarEvent):
            self._attach(event, self._scalar(event))
            return
        if len(self._stack) >= DEPTH_MAX:
            self._refuse(event, f"nested deeper than {DEPTH_MAX} levels")
        node = self._attach(event, {} if isinstance(event, yaml.MappingStartEvent) else [])
        self._stack.append((node, [None]))

    def _attach(self, event: Any, value: Any) -> Node:
        """Put a value where it belongs: as the root, a list element, a mapping's key or the value of the last key."""
        place = self._place(event)
        style = getattr(event, "style", None) or ""
        if not self._stack:
            self._root = Node(value, place, place, style)
            return self._root
        parent, pending = self._stack[-1]
        if isinstance(parent.value, list):
            node = Node(value, place, place, style)
            parent.value.append(node)
            return node
        if pending[0] is None:
            if isinstance(value, (dict, list)):
                self._refuse(event, "a key must be text")
            pending[0] = (event.value, place)
            return Node(event.value, place)
        key, key_place = pending[0]
        pending[0] = None
        node = Node(value, key_place, place, style)
        if key == "<<":
            self._problems.add(key_place, key, "merge keys are not allowed in a plan", "use `$ref` to share a definition")
        elif key in parent.value:
            first = parent.value[key].place.line
            self._problems.add(key_place, key, f"the key `{key}` occurs twice, first in line {first}", "remove one of them")
        else:
            parent.value[key] = node
        return node

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if any(character.isdigit() for character in text) and _NUMBER.fullmatch(text):
            number = float(text)
            return number if math.isfinite(number) else text
        return text

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _refuse(self, event: Any, message: str, hint: str | None = None) -> None:
        self._problems.add(self._place(event), "", message, hint)
        raise _Refused
