"""What an expression must not do and what it reads, told from its tree before anything runs.

Refused: what would make two runs differ (`$now`, `$millis`, `$random`, `$shuffle`), what cannot be looked into (`$eval`),
names of functions and variables that are nowhere, parts of the input that there are not, fields that a source protects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cdi_cli.plan.jsonata_tokens import JsonataError
from cdi_cli.plan.jsonata_tree import Node
from cdi_cli.plan.problems import listing, suggest
from cdi_cli.plan.shapes import Shape

FORBIDDEN = {
    **dict.fromkeys(("now", "millis"), "events carry business time: use `event.time`"),
    **dict.fromkeys(("random", "shuffle"), "the same record must always make the same event"),
    "eval": "write the expression itself",
}
"""Functions of JSONata that are refused -> what to do instead."""

FUNCTIONS = frozenset(
    (
        *("abs", "append", "assert", "average", "base64decode", "base64encode", "boolean", "ceil", "contains", "count"),
        *("decodeUrl", "decodeUrlComponent", "distinct", "each", "encodeUrl", "encodeUrlComponent", "error", "exists"),
        *("filter", "floor", "formatBase", "formatInteger", "formatNumber", "fromMillis", "join", "keys", "length"),
        *("lookup", "lowercase", "map", "match", "max", "merge", "min", "not", "number", "pad", "parseInteger", "power"),
        *("reduce", "replace", "reverse", "round", "sift", "single", "sort", "split", "spread", "sqrt", "string"),
        *("substring", "substringAfter", "substringBefore", "sum", "toMillis", "trim", "type", "uppercase", "zip"),
    )
)
"""The functions of JSONata that an expression may call (docs.jsonata.org, function library)."""

_OF_CONTEXT = frozenset({"lookup", "each", "sift"})
"""Functions that read the context, where they are given one argument."""


def mistakes(tree: Node, inputs: Mapping[str, Shape], denied: frozenset[str]) -> Iterator[JsonataError]:
    """Everything that is refused, in reading order; `inputs`: the parts of the input, with the shapes of what they hold."""
    found = [*_words(tree, denied), *_paths(tree, inputs)]
    yield from sorted(found, key=lambda each: each.offset)


def _words(tree: Node, denied: frozenset[str]) -> Iterator[JsonataError]:
    bound = set(_bound(tree))
    for node in tree.walk():
        if node.kind == "name" and node.value in denied:
            message = f"the record field `{node.value}` must never be mapped"
            yield JsonataError(message, node.start, "the source protects this field")
        elif node.kind == "variable" and node.value in FORBIDDEN:
            yield JsonataError(f"`${node.value}` is not allowed in a plan", node.start, FORBIDDEN[node.value])
        elif node.kind == "variable" and node.value not in ("", "$") and node.value not in FUNCTIONS | bound:
            near = suggest(node.value, FUNCTIONS | bound)
            hint = near.replace("`", "`$", 1) if near else "name a function of JSONata, or assign the variable with `:=`"
            yield JsonataError(f"there is no function or variable `${node.value}`", node.start, hint)


def _bound(tree: Node) -> Iterator[str]:
    for node in tree.walk():
        if node.kind in ("bind", "focus", "index"):
            yield node.value
        elif node.kind == "lambda":
            yield from node.value


def _paths(tree: Node, inputs: Mapping[str, Shape]) -> Iterator[JsonataError]:
    """Paths that lead nowhere: parts of the input that there are not, fields that the entities do not have."""
    reader = Reads(tree, inputs)
    yield from reader.mistakes


_INPUT = Shape("object")
"""The shape of the input itself."""

Fields = dict[str, frozenset[str] | None]
"""Part of the input -> the fields of it that are read, None: any."""


class Reads:
    """What an expression reads of its input, told by following the context from step to step.

    `is_whole`: whether it may read any part. `mistakes`: names that the context, as far as it is known, does not have.
    """

    def __init__(self, tree: Node, inputs: Mapping[str, Shape]) -> None:
        self._inputs = inputs
        self._fields: dict[str, set[str]] = {}
        self._whole: set[str] = set()
        self._parts: dict[int, tuple[Shape, str]] = {}
        self.is_whole = False
        self.mistakes: list[JsonataError] = []
        self._visit(tree, _INPUT)

    @property
    def fields(self) -> Fields | None:
        """The parts of the input that are read, with the fields of each; None: any."""
        if self.is_whole:
            return None
        return {name: None if name in self._whole else frozenset(found) for name, found in self._fields.items()}

    def _visit(self, node: Node, context: Shape | None) -> Shape | None:
        """Go through a node; returns the shape of what it comes to, None where that is not known."""
        kind, parts = node.kind, node.parts
        if kind == "name":
            return self._name(node, context)
        if kind == "variable":
            return self._variable(node, context)
        if kind in ("dot", "filter", "sort", "group"):
            found = self._step(parts[0], context) if kind == "dot" else self._visit(parts[0], context)
            inner = [self._visit(part, found) for part in parts[1:]]
            return inner[0] if kind == "dot" else None if kind == "group" else found
        if kind in ("parent", "focus"):
            self.is_whole = True
        if kind in ("wildcard", "descendants") or (kind == "call" and _reads_context(node)):
            self._read_all_of(context)
        inner = [self._visit(part, None if kind == "transform" else context) for part in parts]
        is_passed_on = kind in ("keep", "index", "block") or (kind == "array" and len(parts) == 1)
        return inner[-1] if is_passed_on and inner else None

    def _step(self, node: Node, context: Shape | None) -> Shape | None:
        """What is gone into: the input itself, or a part of it, may be without that all of it is read."""
        if node.kind == "variable" and (node.value == "$" or (node.value == "" and context is _INPUT)):
            return _INPUT
        if node.kind == "name" and context is _INPUT:
            return self._part(node)
        if node.kind != "dot":
            return self._visit(node, context)
        before, name = self._step(node.parts[0], context), node.parts[1]
        return self._part(name) if before is _INPUT and name.kind == "name" else self._visit(name, before)

    def _part(self, node: Node) -> Shape | None:
        """A part of the input that is gone into; its shape is told from others of its kind by its identity."""
        self._fields.setdefault(node.value, set())
        shape = self._inputs.get(node.value)
        if shape is None:
            hint = suggest(node.value, self._inputs) or f"the input holds {listing(self._inputs)}"
            self.mistakes.append(JsonataError(f"`{node.value}` is not known here", node.start, hint))
            return None
        own = replace(shape)
        self._parts[id(own)] = (own, node.value)
        return own

    def _read_all_of(self, context: Shape | None) -> None:
        """Note that the whole context may be read."""
        self.is_whole |= context is _INPUT
        if id(context) in self._parts:
            self._whole.add(self._parts[id(context)][1])

    def _variable(self, node: Node, context: Shape | None) -> Shape | None:
        if node.value == "":
            self._read_all_of(context)
            return context
        self.is_whole |= node.value == "$"
        return None

    def _name(self, node: Node, context: Shape | None) -> Shape | None:
        if context is _INPUT:
            part = self._part(node)
            self._read_all_of(part)
            return part
        if id(context) in self._parts:
            self._fields[self._parts[id(context)][1]].add(node.value)
        while context is not None and context.kind == "list":
            context = context.element  # JSONata goes into the elements of a list by itself
        if context is None or context.kind == "raw" or (context.kind == "money" and node.value == "amount"):
            return None
        inner = context.inner(node.value)
        if inner is None:
            self._note_missing(node, context)
        return inner

    def _note_missing(self, node: Node, context: Shape) -> None:
        fields = [*context.fields(), *(["amount"] if context.kind == "money" else [])]
        hint = suggest(node.value, fields) or (f"it has {listing(fields)}" if fields else "there is nothing inside")
        if node.value in self._inputs:
            hint = f"here `{node.value}` would be a field of {context.noun}: write `$$.{node.value}` for that of the input"
        self.mistakes.append(JsonataError(f"{context.noun} has no field `{node.value}`", node.start, hint))


def _reads_context(node: Node) -> bool:
    """Whether a call reads the context besides, or instead of, its arguments."""
    function, count = node.parts[0], len(node.parts) - 1
    return count == 0 or (count == 1 and function.kind == "variable" and function.value in _OF_CONTEXT)
