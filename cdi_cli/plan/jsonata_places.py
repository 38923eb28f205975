"""Places in an expression: which part of it makes which property, and which part of it fails.

The engine tells neither. What makes a property is read from the tree: objects, lists of objects, both branches of a
condition, `$merge`. What fails is found by trying: the parts of an expression that fails are evaluated alone, in the same
context and behind the same assignments, and the innermost that fails in the same way is the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cdi_cli.plan.jsonata_tree import Node

Steps = tuple[str | int, ...]
Fails = Callable[[str], bool]
"""Whether an expression fails as the whole one does."""

TRIES_MAX = 300
ELEMENT = "[]"
_SAME_CONTEXT = frozenset({"array", "object", "binary", "negate", "condition", "call", "bind"})


def makers(tree: Node) -> dict[tuple[str, ...], Node]:
    """Path of a property (`("products", "[]", "sku")`) -> the part that makes it; what is not told apart is left out."""
    found: dict[tuple[str, ...], Node] = {(): tree}
    _make(tree, (), found, {})
    return found


def maker_of(found: dict[tuple[str, ...], Node], steps: Steps) -> Node:
    """The part that makes the value at some steps: its own, else that of what it is in."""
    path = tuple(ELEMENT if isinstance(step, int) else step for step in steps)
    return next(found[path[:length]] for length in range(len(path), -1, -1) if path[:length] in found)


def _make(node: Node, path: tuple[str, ...], found: dict[tuple[str, ...], Node], variables: dict[str, Node]) -> None:
    kind, parts = node.kind, node.parts
    if kind == "object":
        for key, value in node.pairs():
            if key.kind == "string":
                found.setdefault((*path, key.value), value)
                _make(value, (*path, key.value), found, variables)
    elif kind == "block" and parts:
        variables = {**variables, **{part.value: part.parts[0] for part in parts if part.kind == "bind"}}
        _make(parts[-1], path, found, variables)
    elif kind == "condition":
        for part in parts[1:]:
            _make(part, path, found, variables)
    elif kind == "variable" and node.value in variables:
        rest = {name: value for name, value in variables.items() if name != node.value}
        _make(variables[node.value], path, found, rest)
    elif kind == "array" and len(parts) == 1:
        _make(parts[0], path, found, variables)
    elif kind == "dot":
        for inside in (path, (*path, ELEMENT)):
            _make(parts[1], inside, found, variables)
    elif kind in ("keep", "filter", "sort"):
        _make(parts[0], path, found, variables)
    elif kind == "call" and parts[0].value == "merge":
        for part in parts[1].parts if len(parts) > 1 and parts[1].kind == "array" else ():
            _make(part, path, found, variables)


def failing(text: str, tree: Node, fails: Fails) -> Node:
    """The innermost part of an expression that fails as the whole one does; the whole where no part of it does alone."""
    tries = 0
    node, before, after = tree, "", ""
    while True:
        for part, prefix, suffix in _parts(text, node):
            tries += 1
            if tries > TRIES_MAX:
                return node
            if fails(f"{before}{prefix}({text[part.start : part.end]}){suffix}{after}"):
                node, before, after = part, before + prefix, suffix + after
                break
        else:
            return node


def _parts(text: str, node: Node) -> Iterator[tuple[Node, str, str]]:
    """The parts of a node that can be evaluated alone, each with what must stand around it, in reading order."""
    kind, parts = node.kind, node.parts
    if kind == "block":
        for number, part in enumerate(parts):
            earlier = "".join(f"{text[each.start : each.end]};" for each in parts[:number])
            yield part, f"({earlier}", ")"
    elif kind in ("dot", "filter", "sort"):
        yield parts[0], "", ""
        for part in parts[1:]:
            yield part, f"({text[parts[0].start : parts[0].end]}).", ""
    elif kind in ("keep", "focus", "index", "group", "transform"):
        if kind != "transform":
            yield parts[0], "", ""
    elif kind in _SAME_CONTEXT:
        yield from ((part, "", "") for part in parts if part.kind not in ("lambda", "placeholder"))


def refused(text: str, tree: Node, is_refused: Fails) -> Node:
    """The innermost part that the engine refuses to compile as it refuses the whole."""
    node = tree
    while True:
        inner = next((part for part in node.parts if is_refused(text[part.start : part.end])), None)
        if inner is None:
            return node
        node = inner
