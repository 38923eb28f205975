"""YAML read to plain data that remembers where everything stands.

The dialect is the safe core of YAML 1.2: text, true/false, numbers, null, lists, mappings with text keys; anchors are
allowed. No tags, no dates, no `yes`/`no`, no merge keys: a value is what it looks like. A key given twice is a mistake.
Size, depth and node count are bounded, so that a hostile file ends in a message and not in a full memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cdi_cli.config.problems import Problem, SettingsError
from cdi_cli.errors import ConfigError

BYTES_MAX = 1_000_000
DEPTH_MAX = 24
NODES_MAX = 20_000

Place = tuple[int, int]
"""Line and column, counted from 1."""

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead from the root of a document to a value."""

_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_NULL = "tag:yaml.org,2002:null"
_STR = "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalar rules of the YAML 1.2 core schema; used only to compose nodes."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 -- the name and the form are PyYAML's


_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_NULL, re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_INT, re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _FLOAT, re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$"), list("-+0123456789.")
)


@dataclass(slots=True)
class Document:
    """A file's data, the place of each value and of each key, and the mistakes found while reading."""

    file: Path
    data: dict[str, Any] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    settled: set[KeyPath] = field(default_factory=set)
    """Paths whose one mistake is known: what would follow from it is not told."""

    def problem(
        self, path: KeyPath, message: str, *, hint: str | None = None, value_text: str | None = None, at_key: bool = False
    ) -> None:
        """Note a mistake at a path; where that does not exist, at the nearest thing above it that does."""
        if path in self.settled:
            return
        line, column = self.place(path, at_key=at_key)
        self.problems.append(Problem(self.file, line, column, dotted(path), message, value_text, hint))

    def place(self, path: KeyPath, *, at_key: bool = False) -> Place:
        """Where a value stands (or its key); for a value on the lines after its key, the key: that is what one looks for."""
        for length in range(len(path), 0, -1):
            part = path[:length]
            key, value = self.keys.get(part), self.values.get(part)
            if key is not None and (at_key or length < len(path) or value is None or value[0] != key[0]):
                return key
            if value is not None:
                return value
        return self.values.get((), (1, 1))


def dotted(path: KeyPath) -> str:
    """A path as people write it: `pipelines.main.destinations[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def read_document(file: Path) -> Document:
    """Read a settings file; raises ConfigError when it cannot be read and SettingsError when it is no YAML mapping.

    Mistakes inside a mapping (a key given twice, a tag) are collected in the document's `problems`.
    """
    document = Document(file)
    node = _compose(file, _read_text(file))
    if not isinstance(node, yaml.MappingNode):
        what = "is empty" if node is None else "must be a mapping of keys to values"
        raise SettingsError([Problem(file, 1, 1, "", f"the settings file {what}", hint="start one with `cdi init`")])
    _Reader(document).read_root(node)
    return document


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(BYTES_MAX + 1)
    except OSError as error:
        hint = "name the file with `--config`, or make one with `cdi init`" if not file.exists() else None
        raise ConfigError(f"cannot read the settings file {file}: {error.strerror}", hint=hint) from None
    if len(content) > BYTES_MAX:
        raise ConfigError(f"the settings file {file} is larger than {BYTES_MAX:,} bytes", hint="is this the right file?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError([Problem(file, line, 1, "", "not UTF-8 text", hint="save the file as UTF-8")]) from None


def _compose(file: Path, text: str) -> yaml.Node | None:
    try:
        return _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"not valid YAML: {error.problem or error.context}"
    except yaml.YAMLError as error:
        line, column = text.count("\n", 0, getattr(error, "position", 0)) + 1, 1
        message = "not valid YAML: a control character"
    except RecursionError:
        line, column, message = 1, 1, "nested too deeply"
    hint = "indent with spaces, not with tabs" if "\\t" in message else "check indentation, quotes and colons near here"
    raise SettingsError([Problem(file, line, column, "", message, hint=hint)])


class _Reader:
    """Turns composed nodes into data and places."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0

    def read_root(self, node: yaml.MappingNode) -> None:
        data = self._read(node, ())
        assert isinstance(data, dict)
        self._document.data = data

    def _read(self, node: yaml.Node, path: KeyPath) -> Any:
        self._document.values[path] = _place(node)
        self._nodes += 1
        if len(path) > DEPTH_MAX or self._nodes > NODES_MAX:
            # A chain of anchors can stand for more nodes than any memory holds, or for itself.
            place = _place(node)
            raise SettingsError([Problem(self._document.file, *place, dotted(path[:8]), "nested too deeply or too large")])
        if isinstance(node, yaml.MappingNode):
            self._refuse_tag(node, path, "tag:yaml.org,2002:map")
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._refuse_tag(node, path, "tag:yaml.org,2002:seq")
            return [self._read(item, (*path, number)) for number, item in enumerate(node.value)]
        return self._read_scalar(node, path)

    def _read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._note(key_node, path, "a key must be text")
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in data:
                first = self._document.keys[here][0]
                self._note(key_node, here, f"key `{key}` is given twice", hint=f"it is already on line {first}")
                continue
            self._document.keys[here] = _place(key_node)
            data[key] = self._read(value_node, here)
        return data

    def _read_scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text = str(node.value)
        if node.tag == _BOOL:
            return text.lower() == "true"
        if node.tag == _NULL:
            return None
        if node.tag == _INT and len(text) <= 18:
            return int(text)
        if node.tag == _FLOAT:
            return float(text)
        self._refuse_tag(node, path, _STR, _INT)
        return text

    def _refuse_tag(self, node: yaml.Node, path: KeyPath, *allowed: str) -> None:
        if node.tag not in allowed:
            self._note(node, path, f"the tag `{node.tag.removeprefix('tag:yaml.org,2002:')}` is not allowed here")

    def _note(self, node: yaml.Node, path: KeyPath, message: str, *, hint: str | None = None) -> None:
        self._document.problems.append(Problem(self._document.file, *_place(node), dotted(path), message, None, hint))


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def value_at(data: Any, path: KeyPath) -> Any:
    """The value at a path of plain data, or None where there is none."""
    for part in path:
        is_there = part in data if isinstance(data, Mapping) else isinstance(data, list) and part in range(len(data))
        if not is_there:
            return None
        data = data[part]
    return data
