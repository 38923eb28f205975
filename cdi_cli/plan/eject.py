"""The declarative mapping of an event as a JSONata template that makes the same events: something to start from.

    {
      "order_id": order.number ?? order.id,
      "total": order.total,
      "coupon": $join(order.coupons, ", "),
      "products": [order.lines.{
        "sku": sku
      }]
    }

A path of the plan is one of JSONata: inside a list the context is its element, and `$$` leads back to the whole input.
What is empty is left out of what any script makes, so the template need not say so; only where one path stands in for
another that may be empty (`from: [record.a, record.b]`) it asks, with `$filled`.

The two differ where a raw record is not what its paths take it for: JSONata goes into the elements of a list by itself and
takes a single value for a list of one; `from:` does neither. And a number written `42.0` comes out as `42`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from cdi_cli.plan.jsonata_tokens import VALUES
from cdi_cli.plan.model import PlannedEvent, Property
from cdi_cli.plan.paths import Path, Step

INDENT = "  "
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FUNCTION_WORDS = frozenset({"function", "and", "or", "in"})
FILLED = """$filled := function($value) {
    $type($value) = "object" ? $count($each($value, function($inner) { $filled($inner) ? 1 })) > 0
    : $type($value) = "array" ? $count($filter($value, $filled)) > 0
    : $exists($value) and $value != null and $value != ""
  };"""
"""Whether a raw value is more than emptiness, as the mapping sees it."""


def eject(event: PlannedEvent) -> str:
    """The template of an event; what its own template or expressions say is taken as it is."""
    if event.template is not None:
        return event.template.text
    writer = _Writer()
    body = writer.object(event.properties, "", is_root=True)
    title = f"{event.name}: made of the mapping of the tracking plan".replace("*/", "* /")
    head = f"/* {title} */\n"
    return f"{head}(\n  {FILLED}\n{body}\n)\n" if writer.needs_filled else f"{head}{body}\n"


@dataclass(slots=True)
class _Writer:
    """Writes the expressions of one event; `needs_filled`: some of them call `$filled`."""

    needs_filled: bool = False
    count: int = field(default=0)

    def object(self, properties: tuple[Property, ...], indent: str, *, is_root: bool) -> str:
        """An object with a line for each property."""
        properties = tuple(each for each in properties if _is_made(each))
        if not properties:
            return "{}"
        inner = indent + INDENT
        lines = [
            f"{inner}{json.dumps(each.name, ensure_ascii=False)}: {self.value(each, inner, is_root=is_root)}"
            for each in properties
        ]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"

    def value(self, each: Property, indent: str, *, is_root: bool) -> str:
        """The expression of one property; `is_root`: the context is the whole input."""
        if each.script is not None:
            return f"({each.script.text.strip()})"
        if each.is_constant:
            return json.dumps(each.constant, ensure_ascii=False)
        if each.properties:
            return self._composed(each, indent, is_root=is_root)
        if each.items is not None and not _is_copied(each):
            return self._list(each, indent, is_root=is_root)
        found = self._first(each.sources, is_root=is_root)
        return self._joined(each, found) if each.join is not None else found

    def _joined(self, each: Property, found: str) -> str:
        separator = json.dumps(each.join, ensure_ascii=False)
        if each.sources[0].shape.kind != "raw":
            return f"$join({found}, {separator})"
        name = self._variable()
        test = f'$type({name}) = "array" and $count({name}[$type($) != "string"]) = 0'
        return f"({name} := {found}; {test} ? $join({name}, {separator}) : {name})"

    def _composed(self, each: Property, indent: str, *, is_root: bool) -> str:
        """An object put together from properties, here or inside what its `from` leads to."""
        if not each.sources:
            return self.object(each.properties, indent, is_root=is_root)
        made = self.object(each.properties, indent, is_root=False)
        found = self._first(each.sources, is_root=is_root)
        if each.sources[0].shape.kind != "raw":
            return made if found == "$" else f"{_step(found)}.{made}"
        name = self._variable()
        self.needs_filled = True
        return f'({name} := {found}; $type({name}) = "object" and $filled({name}) ? {name}.{made} : {name})'

    def _list(self, each: Property, indent: str, *, is_root: bool) -> str:
        """A list whose elements are mapped one by one."""
        items = each.items
        assert items is not None
        found = self._first(each.sources, is_root=is_root)
        made = self.value(items, indent, is_root=False)
        is_raw = each.sources[0].shape.kind == "raw"
        step = made if _PLAIN_NAME.fullmatch(made) or made.startswith(("{", "[")) else f"({made})"
        if not is_raw:
            return f"[{_step(found)}.{step}]"
        name = self._variable()
        return f'({name} := {found}; $type({name}) = "array" ? [{name}.{step}] : {name})'

    def _first(self, sources: tuple[Path, ...], *, is_root: bool) -> str:
        """The first of the paths that has a value."""
        written = [_path(path, is_root=is_root) for path in sources]
        if all(path.shape.kind != "raw" for path in sources[:-1]):
            return " ?? ".join(written)
        self.needs_filled = True
        chosen = written[-1]
        for path, text in reversed(list(zip(sources[:-1], written[:-1], strict=True))):
            test = f"$filled({text})" if path.shape.kind == "raw" else f"$exists({text})"
            chosen = f"{test} ? {text} : {chosen}"
        return f"({chosen})"

    def _variable(self) -> str:
        self.count += 1
        return f"$v{self.count}"


def _path(path: Path, *, is_root: bool) -> str:
    """A path of the plan in JSONata."""
    head = path.root if is_root else f"$$.{path.root}"
    if path.root == "item":
        head = "" if path.steps else "$"
    for step in path.steps:
        head = _with(head, step)
    return head


def _with(head: str, step: Step) -> str:
    if isinstance(step, int):
        return f"{head or '$'}[{step}]"
    if isinstance(step, str):
        if "`" in step:
            return f"$lookup({head or '$'}, {json.dumps(step, ensure_ascii=False)})"
        return f"{head}.{_name(step)}" if head else _name(step)
    name, wanted = step
    held = f"$lookup($, {json.dumps(name, ensure_ascii=False)})" if "`" in name else _name(name)
    # A number is compared by its digits.
    held = f"$string({held})" if wanted.lstrip("-").isdigit() else held
    return f"{head or '$'}[{held} = {json.dumps(wanted, ensure_ascii=False)}][0]"


def _name(name: str) -> str:
    is_plain = _PLAIN_NAME.fullmatch(name) is not None and name not in VALUES and name not in _FUNCTION_WORDS
    return name if is_plain else f"`{name}`"


def _step(found: str) -> str:
    """An expression as something that can be gone into."""
    return f"({found})" if " " in found and not found.startswith("(") else found


def _is_made(each: Property) -> bool:
    """Whether anything produces the property."""
    return bool(each.script or each.is_constant or each.sources or any(map(_is_made, each.properties)))


def _is_copied(each: Property) -> bool:
    """Whether the elements of a list are sent as they are."""
    items = each.items
    assert items is not None
    return not items.properties and all(path.root == "item" and not path.steps for path in items.sources) and not items.join
