"""The tree of a JSONata expression: what stands in it, and where.

| kind | `value` | `parts` |
|---|---|---|
| `name`, `variable`, `string`, `number`, `value`, `regex` | what it says | |
| `wildcard`, `descendants`, `parent`, `placeholder` | | |
| `dot`, `filter` | | what is gone into, and the step or condition in it |
| `keep` (`[]`), `focus` (`@$x`), `index` (`#$x`) | the variable | what it is applied to |
| `group`, `sort` | | what it is applied to, then keys and values, or the terms |
| `object` | | keys and values by turns |
| `array`, `block` | | elements, or statements |
| `bind` (`:=`) | the variable | the value |
| `binary` | the operator | both sides |
| `negate` | | the operand |
| `condition` | | condition, then, else |
| `call` | | the function, then the arguments |
| `lambda` | the parameters | the body |
| `transform` | | where, what, and what to delete |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression: `text[start:end]`; `depth`: how many levels of parts there are, itself included."""

    kind: str
    start: int
    end: int
    value: Any = None
    parts: tuple[Node, ...] = ()
    depth: int = 1

    def walk(self) -> Iterator[Node]:
        """The node and everything in it, from the outside in."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.parts))

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Keys with their values, of an `object`, or of a `group` without what it is applied to."""
        parts = self.parts if self.kind == "object" else self.parts[1:]
        return zip(parts[::2], parts[1::2], strict=True)
