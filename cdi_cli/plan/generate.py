"""From a planned event to straight Python: the source of one function that maps an occurrence to properties.

    def map_properties(occurrence, raw):
        subjects = occurrence.subjects
        order = subjects['order']
        x1 = order.number                      # every path once, its prefixes shared, null-safe
        x2 = order.lines
        out = {}
        if x1:
            out['order_id'] = x1
        ...

Only names that the commerce entities and trigger list declare become identifiers; everything a plan's author wrote (property
names, constants, separators, record fields) enters as a literal made by `repr`, or not at all.

A value that is missing, an empty text, list or object leaves nothing behind: no key, no null. An amount too large for an
exact JSON number is left as text, which the check then reports.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cdi_cli.plan.model import PlannedEvent, Property
from cdi_cli.plan.paths import Path, Step
from cdi_cli.plan.record import RecordReader
from cdi_cli.plan.shapes import RAW, Shape, entity_shape

Target = Callable[[str], str]
"""Makes the statement that puts a value where it belongs."""

_MADE = ("", "")
"""A step that no path has: the table at a path made an object, or the raw value cleaned."""
_FALSY_IS_MISSING = frozenset({"text", "instant", "list", "map"})


@dataclass(slots=True)
class _Scope:
    """A block of code: the top of the function, or what is done with the current `item`."""

    item: str
    item_shape: Shape
    prelude: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    values: dict[tuple[Step, ...], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A value that may feed a property: the local that holds it, its shape."""

    local: str
    shape: Shape

    @property
    def test(self) -> str:
        """The condition under which it has a value; empty when it always has one."""
        if self.shape.kind in _FALSY_IS_MISSING:
            return self.local
        return f"{self.local} is not None" if self.shape.is_optional else ""


class Generator:
    """Writes the mapping function of one event; `record` reads what it takes from the raw record."""

    def __init__(self, event: PlannedEvent, subjects: dict[str, type]) -> None:
        self._event = event
        self._subjects = {name: entity_shape(entity) for name, entity in subjects.items()}
        used = [path for _, each in event.walk() if not each.is_scripted for path in each.sources]
        paths = {path.steps: None for path in used if path.root == "record"}
        self.record = RecordReader(paths) if paths else None
        self._top = _Scope("", RAW)
        self._scripts = 0
        self._scopes = [self._top]
        self._count = 0

    def source(self) -> str:
        """The source of the function `map_properties(occurrence, raw)`."""
        self._write_object("out", self._event.properties)
        used = {path.root for _, each in self._event.walk() if not each.is_scripted for path in each.sources}
        head = [f"{name} = subjects[{name!r}]" for name in self._subjects if name in used]
        if head:
            head.insert(0, "subjects = occurrence.subjects")
        if self.record is not None:
            head.append("record = read(raw)")
        if self._scripts:
            head.append("made = evaluate(occurrence, raw)")
        lines = [*head, *self._top.prelude, *self._top.body, "return out"]
        return "def map_properties(occurrence, raw):\n" + "".join(f"    {line}\n" for line in lines)

    def _local(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _write(self, *lines: str) -> None:
        self._scopes[-1].body.extend(lines)

    def _write_object(self, local: str, properties: tuple[Property, ...]) -> None:
        """Code that fills a new dict with properties."""
        self._write(f"{local} = {{}}")
        for each in properties:
            self._write_value(each, lambda value, name=each.name: f"{local}[{name!r}] = {value}")  # type: ignore[misc]

    def _write_value(self, each: Property, target: Target) -> None:
        if each.script is not None:
            # Numbered as `PlannedEvent.walk` meets them: from the outside in, in the order of the file.
            local = self._local("x")
            self._write(f"{local} = made[{self._scripts}]", f"if {local} is not None:", f"    {target(local)}")
            self._scripts += 1
        elif each.is_constant:
            self._write(target(repr(each.constant)))
        elif each.properties:
            self._write_composed(each, target)
        elif each.items is not None and each.sources and not _is_plain_list(each):
            self._write_list(each, target)
        else:
            self._write_choice([(self._candidate(path), self._convert(path, each)) for path in each.sources], target)

    def _write_choice(self, choices: list[tuple[_Candidate, str]], target: Target) -> None:
        """`if` the first has a value, put it; `elif` the second has one; a value that is always there ends the chain."""
        word = "if"
        for candidate, expression in choices:
            if not candidate.test:
                self._write(target(expression)) if word == "if" else self._write("else:", f"    {target(expression)}")
                return
            self._write(f"{word} {candidate.test}:", f"    {target(expression)}")
            word = "elif"

    def _convert(self, path: Path, each: Property) -> str:
        """The expression that turns a value with a value into JSON."""
        local, kind = self._candidate(path).local, path.shape.kind
        if kind == "raw":
            return f"join_raw({local}, {each.join!r})" if each.join is not None else local
        if each.join is not None:
            return f"{each.join!r}.join({local})"
        return {"money": f"number({local})", "list": f"list({local})"}.get(kind, local)

    def _write_composed(self, each: Property, target: Target) -> None:
        """An object put together from properties, of the current subjects or of the object its `from` leads to."""
        made = self._local("o")
        finish = [f"if {made}:", f"    {target(made)}"]
        if not each.sources:
            self._write_object(made, each.properties)
            self._write(*finish)
            return
        local, shape = self._first(each)
        lines = self._inside(local, shape, lambda: self._write_object(made, each.properties))
        self._write_guarded(local, shape, "dict", [*lines, *finish], target)

    def _write_list(self, each: Property, target: Target) -> None:
        """A list whose elements are mapped one by one."""
        items = each.items
        assert items is not None
        local, shape = self._first(each)
        made, item = self._local("a"), self._local("i")
        lines = self._inside(
            item, shape.element or RAW, lambda: self._write_value(items, lambda value: f"{made}.append({value})")
        )
        loop = [f"{made} = []", f"for {item} in {local}:", *_indented(lines), f"if {made}:", f"    {target(made)}"]
        self._write_guarded(local, shape, "list", loop, target)

    def _inside(self, item: str, shape: Shape, write: Callable[[], None]) -> list[str]:
        """The code that `write` writes with `item` as the current element."""
        self._scopes.append(_Scope(item, shape))
        write()
        scope = self._scopes.pop()
        return [*scope.prelude, *scope.body]

    def _write_guarded(self, local: str, shape: Shape, raw_type: str, lines: list[str], target: Target) -> None:
        """Lines that need a value; a raw value of another type is put as it is, so that the check finds it."""
        if shape.kind == "raw":
            self._write(f"if {local}.__class__ is {raw_type}:", *_indented(lines))
            self._write(f"elif {local} is not None:", f"    {target(local)}")
        else:
            self._write(f"if {local}:" if shape.kind == "list" else f"if {local} is not None:", *_indented(lines))

    def _first(self, each: Property) -> tuple[str, Shape]:
        """A local that holds the first of the sources that has a value; they all have the same kind of shape."""
        candidates = [self._candidate(path) for path in each.sources]
        if len(candidates) == 1:
            return candidates[0].local, candidates[0].shape
        local = self._local("x")
        chosen = candidates[-1].local
        for candidate in reversed(candidates[:-1]):
            chosen = f"{candidate.local} if {candidate.test} else {chosen}" if candidate.test else candidate.local
        self._write(f"{local} = {chosen}")
        return local, candidates[-1].shape

    def _candidate(self, path: Path) -> _Candidate:
        """The value of a path, read once per scope into a local before the scope's body."""
        if path.root == "record":
            return _Candidate(self._record_value(path.steps), RAW)
        if path.root != "item":
            return self._as_made(self._top, path, self._entity_value(self._top, path.root, self._subjects[path.root], path))
        scope = self._scopes[-1]
        if scope.item_shape.kind == "raw":
            return _Candidate(self._read(scope, ("item", *path.steps), f"dig({scope.item}, {path.steps!r})"), RAW)
        return self._as_made(scope, path, self._entity_value(scope, scope.item, scope.item_shape, path))

    def _as_made(self, scope: _Scope, path: Path, found: _Candidate) -> _Candidate:
        """A table as the object that it becomes, for only then it shows what is left of it; a raw value of it cleaned."""
        make = {"map": "table", "raw": "plain"}.get(found.shape.kind)
        if make is None:
            return found
        return replace(found, local=self._read(scope, (path.root, *path.steps, _MADE), f"{make}({found.local})"))

    def _read(self, scope: _Scope, key: tuple[Step, ...], expression: str) -> str:
        """The local that holds an expression's value; one per key and scope."""
        if key not in scope.values:
            scope.values[key] = self._local("x")
            scope.prelude.append(f"{scope.values[key]} = {expression}")
        return scope.values[key]

    def _entity_value(self, scope: _Scope, local: str, shape: Shape, path: Path) -> _Candidate:
        for position, step in enumerate(path.steps, start=1):
            inner = shape.inner(step) if isinstance(step, str) else None
            assert inner is not None, f"{path.text} was resolved when the plan was read"
            expression = f"{local}.get({step!r})" if shape.kind == "map" else f"{local}.{step}"
            if shape.is_optional:
                expression = f"{expression} if {local} is not None else None"
            local, shape = self._read(scope, (path.root, *path.steps[:position]), expression), inner
        return _Candidate(local, shape)

    def _record_value(self, steps: tuple[Step, ...]) -> str:
        assert self.record is not None
        attributes, rest = self.record.chain(steps)
        local = "record"
        for position, attribute in enumerate(attributes, start=1):
            expression = f"{local}.{attribute}"
            if position > 1:
                expression = f"{expression} if {local} is not None else None"
            local = self._read(self._top, ("record", *steps[:position], "raw"), expression)
        value = f"plain(dig({local}, {rest!r}))" if rest else f"plain({local})"
        return self._read(self._top, ("record", *steps), value)


def _is_plain_list(each: Property) -> bool:
    """Whether the elements are sent as they are, so that the list can be copied whole."""
    items = each.items
    assert items is not None
    return not items.properties and all(path.root == "item" and not path.steps for path in items.sources) and not items.join


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
