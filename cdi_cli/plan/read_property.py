"""Reading properties: from YAML nodes to checked `Property` trees, every mistake noted at its line.

`$ref` is replaced by the definition it names, beneath the keys that stand beside it; definitions are files of the same plan,
nothing else can be referred to. Expansion is bounded in depth and number.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from typing import Any

from cdi_cli.plan.agree import disagreement, is_same
from cdi_cli.plan.model import PII, Property
from cdi_cli.plan.names import CASES, NAME_CHARACTERS_MAX, is_name
from cdi_cli.plan.paths import Path, PathError, resolve
from cdi_cli.plan.problems import Problems, listing, suggest
from cdi_cli.plan.read_keywords import has_valid_keywords, is_valid_constant, read_keywords
from cdi_cli.plan.read_mapping import read_deprecation, version_of
from cdi_cli.plan.read_script import ScriptReader
from cdi_cli.plan.schema import KEYWORDS, property_schema
from cdi_cli.plan.scripts import Script
from cdi_cli.plan.shapes import RAW, Shape
from cdi_cli.plan.yaml_nodes import Node

OWN_KEYS = frozenset(
    {
        *("type", "required", "from", "value", "jsonata", "join", "description", "pii", "properties", "items", "$ref"),
        *("since", "deprecated"),
    }
)
JSON_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
NESTING_MAX = 8
PROPERTIES_MAX = 10_000
SOURCES_MAX = 8
CHAIN_MAX = 8
"""So many definitions may refer to each other beneath one property."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a property stands in: its path, the roots its `from:` may name, the PII class and definitions around it."""

    path: str
    roots: dict[str, Shape]
    pii: Any = None
    refs: tuple[str, ...] = ()
    depth: int = 0
    element: Shape | None = None
    """The shape of the list's elements, where the property describes them."""
    is_produced: bool = True
    """Whether cdi makes the event, so that somebody must say where values come from."""
    inputs: dict[str, Shape] = field(default_factory=dict)
    """What an expression may read."""
    is_scripted: bool = False
    """Whether a template or an expression further out makes it, so that its own mapping is not used."""

    def inside(self, path: str, item: Shape | None = None, **changes: Any) -> Surroundings:
        """The surroundings one level further in; `item` becomes the current element where it is given."""
        roots = {**self.roots, "item": item} if item is not None else self.roots
        return replace(self, path=path, roots=roots, depth=self.depth + 1, **{"element": None, **changes})


@dataclass(slots=True)
class PropertyReader:
    """Reads the properties of one plan; `definitions` are its shared ones, by name, `used` those that are referred to."""

    problems: Problems
    definitions: dict[str, Node]
    denied: frozenset[str]
    scripts: ScriptReader
    plan_version: str = ""
    case: str | None = None
    count: int = field(default=0)
    used: set[str] = field(default_factory=set)

    def read_all(self, node: Node, around: Surroundings, *, without: Container[str] = ()) -> tuple[Property, ...]:
        """The properties of a mapping of names but for some; those with mistakes are left out, the mistakes noted."""
        if not isinstance(node.value, dict) or not node.value:
            self.problems.add(node.place, around.path, "must be a mapping of property names", "write `order_id: {...}`")
            return ()
        found = []
        for name, inner in node.value.items():
            if name in without:
                continue
            path = f"{around.path}.{name}" if around.path else name
            self._check_name(name, inner, path)
            if read := self.read(name, inner, around.inside(path)):
                found.append(read)
        return tuple(found)

    def read(self, name: str, node: Node, around: Surroundings) -> Property | None:
        """One property, or None when it has mistakes that leave nothing to check."""
        self.count += 1
        if self.count > PROPERTIES_MAX or around.depth > NESTING_MAX:
            if self.count == PROPERTIES_MAX + 1 or around.depth > NESTING_MAX:
                limit = f"more than {PROPERTIES_MAX:,} properties" if self.count > PROPERTIES_MAX else "nested too deep"
                self.problems.add(node.place, around.path, f"the plan has {limit}", "split or flatten the event")
            return None
        layers, refs = self._expand(node, around)
        if layers is None:
            return None
        return _PropertyRead(self, name, layers, replace(around, refs=refs)).property()

    def _check_name(self, name: str, node: Node, path: str) -> None:
        if not is_name(name):
            self.problems.add(
                node.place, path[:80], f"a name has 1 to {NAME_CHARACTERS_MAX} printable characters", "choose another name"
            )
        elif self.case is not None and not CASES[self.case].fullmatch(name):
            self.problems.add(
                node.place,
                path,
                f"the name `{name}` is not in {self.case} case",
                "the conventions of `plan.yaml` ask for it",
            )

    def _expand(self, node: Node, around: Surroundings) -> tuple[list[Node] | None, tuple[str, ...]]:
        """The node and the definitions it refers to, nearest first, and the names of all definitions being expanded."""
        layers, refs = [node], around.refs
        while True:
            if not isinstance(layers[-1].value, dict):
                self.problems.add(
                    layers[-1].place, around.path, "a property must be a mapping", "write at least `{type: string}`"
                )
                return None, refs
            reference = layers[-1].get("$ref")
            if reference is None:
                return layers, refs
            name = reference.value
            if name not in self.definitions:
                known = f"the plan defines {listing(sorted(self.definitions))}" if self.definitions else "it defines nothing"
                hint = suggest(str(name), self.definitions) or f"only `definitions/` of this plan can be named; {known}"
                self.problems.add(reference.place, around.path, f"`$ref: {name}` names no definition of this plan", hint)
                return None, refs
            if len(layers) > CHAIN_MAX:
                message = f"more than {CHAIN_MAX} definitions refer to each other here"
                self.problems.add(reference.place, around.path, message, "put some of them together")
                return None, refs
            if name in refs:
                self.problems.add(
                    reference.place,
                    around.path,
                    f"the definition `{name}` contains itself",
                    "a definition must end somewhere",
                )
                return None, refs
            self.used.add(name)
            refs = (*refs, name)
            layers.append(self.definitions[name])


class _PropertyRead:
    """The reading of one property, layer by layer."""

    def __init__(self, reader: PropertyReader, name: str, layers: list[Node], around: Surroundings) -> None:
        self.reader = reader
        self.problems = reader.problems
        self.name = name
        self.layers = layers
        self.around = around

    def get(self, key: str) -> Node | None:
        """The nearest layer's node under `key`."""
        return next((found for layer in self.layers if (found := layer.get(key)) is not None), None)

    def note(self, node: Node, message: str, hint: str | None = None) -> None:
        """Note a mistake at a node."""
        self.problems.add(node.place, self.around.path, message, hint)

    def property(self) -> Property | None:
        """The property, None when its type is unknown."""
        self._check_keys()
        types = self._types()
        join = self._text("join", default=None)
        is_known, sources = self._sources(types, join)
        constant = self.get("value")
        since = self._since()
        script = self._script()
        if constant is not None and self.get("from") is not None:
            self.note(constant, "a property has either `from` or `value`, not both", "remove one of them")
        read = Property(
            name=self.name,
            types=types,
            place=self.layers[0].place,
            is_required=self._required(),
            description=self._text("description", default="") or "",
            pii=self._pii(),
            sources=sources,
            is_constant=constant is not None,
            constant=constant.plain() if constant is not None else None,
            join=join,
            keywords=read_keywords(self.layers, self.around.path, self.problems),
            since=since,
            deprecated=read_deprecation(
                self.get("deprecated"), since, self.problems, self.around.path, self.reader.plan_version
            ),
            script=script,
            is_scripted=self.around.is_scripted or self.get("jsonata") is not None,
        )
        is_sound = bool(types) and has_valid_keywords(read, self.layers, self.around.path, self.problems)
        read = self._with_inner(read, is_known)
        if (
            constant is not None
            and is_sound
            and not is_valid_constant(property_schema(read, allows_unplanned=True), constant)
        ):
            self.note(constant, "the constant breaks the property's own rules", "correct the value or the rules")
        self._check_produced(read, is_known)
        return read if types else None

    def _check_keys(self) -> None:
        known = OWN_KEYS | KEYWORDS
        for layer in self.layers:
            for key, node in layer.value.items():
                if key not in known:
                    hint = suggest(key, OWN_KEYS) or suggest(key, KEYWORDS) or "see tracking_plan/README.md for all keys"
                    self.note(node, f"unknown key `{key}`", hint)

    def _types(self) -> tuple[str, ...]:
        node = self.get("type")
        if node is None:
            self.note(self.layers[0], "the property has no `type`", f"one of {listing(JSON_TYPES)}")
            return ()
        names = node.plain() if isinstance(node.value, list) else [node.value]
        for name in names:
            if name not in JSON_TYPES:
                hint = suggest(str(name), JSON_TYPES) or f"one of {listing(JSON_TYPES)}"
                if name is None:
                    hint = 'put it in quotes: `"null"`'
                self.note(node, f"`{name}` is not a type", hint)
                return ()
        return tuple(names)

    def _required(self) -> bool:
        node = self.get("required")
        if node is None:
            return False
        if self.around.element is not None:
            self.note(node, "`required` has no meaning on the elements of a list", "use `minItems` on the list")
        if not isinstance(node.value, bool):
            self.note(node, "`required` must be `true` or `false`", "name each required property with `required: true`")
            return False
        return node.value

    def _text(self, key: str, default: str | None) -> str | None:
        node = self.get(key)
        if node is None:
            return default
        if not isinstance(node.value, str):
            self.note(node, f"`{key}` must be text", "put it in quotes")
            return default
        return node.value

    def _since(self) -> str:
        node = self.get("since")
        if node is None:
            return ""
        return version_of(node, "since", self.problems, self.around.path, self.reader.plan_version)

    def _pii(self) -> Any:
        node = self.get("pii")
        if node is None:
            return self.around.pii
        if node.value not in PII:
            self.note(node, f"`{node.value}` is not a PII class", suggest(str(node.value), PII) or f"one of {listing(PII)}")
            return None
        return node.value

    def _sources(self, types: tuple[str, ...], join: str | None) -> tuple[bool, tuple[Path, ...]]:
        """Whether all sources could be read, and the sources."""
        node = self.get("from")
        if node is None:
            return True, self._default_source(types, join)
        if not self.around.is_produced:
            self.note(node, "an event that others send has no `from`", "name the event's `trigger`, or remove `from`")
            return False, ()
        places = node.value if isinstance(node.value, list) else [node]
        if not 0 < len(places) <= SOURCES_MAX or not all(isinstance(place.value, str) for place in places):
            self.note(node, f"`from` must be a path or a list of 1 to {SOURCES_MAX} paths", "as in `from: order.number`")
            return False, ()
        found = [path for place in places if (path := self._source(place, types, join)) is not None]
        return len(found) == len(places), tuple(found)

    def _source(self, node: Node, types: tuple[str, ...], join: str | None) -> Path | None:
        try:
            path = resolve(node.value, self.around.roots, self.reader.denied)
        except PathError as error:
            self.note(node, error.message, error.hint)
            return None
        if types and (found := disagreement(path, types, join)):
            self.note(node, *found)
            return None
        return path

    def _script(self) -> Script | None:
        node = self.get("jsonata")
        if node is None:
            return None
        other = next((key for key in ("from", "value", "join") if self.get(key) is not None), None)
        if other is not None:
            message = f"a property has either `jsonata` or `{other}`, not both"
            self.note(node, message, "remove one of them, also in the definition that `$ref` names")
        elif not self.around.is_produced:
            self.note(node, "an event that others send has no `jsonata`", "name the event's `trigger`, or remove `jsonata`")
        elif self.around.is_scripted:
            self.note(node, "a template or an expression further out makes the value already", "remove one of the two")
        elif "item" in self.around.roots or self.around.element is not None:
            message = "`jsonata` has no meaning inside a list, or an object with a `from` of its own"
            self.note(node, message, "write one expression beside the list or object; it makes all that is inside")
        else:
            return self.reader.scripts.expression(node, self.around.path, self.around.inputs)
        return None

    def _default_source(self, types: tuple[str, ...], join: str | None) -> tuple[Path, ...]:
        """The element itself feeds the elements of a list, unless they are constant."""
        element = self.around.element
        is_own = self.get("value") is not None or self.around.is_scripted
        if element is None or is_own or not self.around.is_produced:
            return ()
        path = Path("item", "item", (), element)
        if types and (found := disagreement(path, types, join)):
            self.note(self.layers[0], found[0].replace("`item`", "an element"), found[1])
            return ()
        return (path,)

    def _with_inner(self, read: Property, is_known: bool) -> Property:
        properties, items = self.get("properties"), self.get("items")
        is_open = not is_known or read.is_scripted
        shape = read.sources[0].shape if read.sources else (RAW if is_open else None)
        if any(shape is not None and not is_same(shape, other.shape) for other in read.sources[1:]) and (
            properties or items
        ):
            self.note(self.get("from") or self.layers[0], "the paths lead to different kinds of things", "map them apart")
            shape = RAW
        inner: dict[str, Any] = {}
        if properties is not None:
            if read.types and "object" not in read.types:
                self.note(properties, "only an object has `properties`", "declare `type: object`")
            around = self.around.inside(self.around.path, shape, pii=read.pii, is_scripted=read.is_scripted)
            inner["properties"] = self.reader.read_all(properties, replace(around, depth=self.around.depth))
        if items is not None:
            if read.types and "array" not in read.types:
                self.note(items, "only a list has `items`", "declare `type: array`")
            element = (shape.element if shape is not None else None) or RAW
            inside = {"pii": read.pii, "element": element, "is_scripted": read.is_scripted}
            around = self.around.inside(f"{self.around.path}[]", element, **inside)
            inner["items"] = self.reader.read("", items, around)
        self._check_structure(read, shape, properties, items)
        return replace(read, **inner)

    def _check_structure(self, read: Property, shape: Shape | None, properties: Node | None, items: Node | None) -> None:
        if shape is None or read.join is not None:
            return
        place = self.get("from") or self.layers[0]
        if shape.kind == "object" and properties is None:
            self.note(place, f"{shape.noun} cannot be sent whole", "say with `properties:` what it holds")
        if (
            shape.kind == "list"
            and items is None
            and shape.element is not None
            and shape.element.kind not in ("text", "instant")
        ):
            self.note(place, "a list of objects cannot be sent whole", "say with `items:` what each element holds")

    def _check_produced(self, read: Property, is_known: bool) -> None:
        is_composed = self.get("properties") is not None
        is_made = bool(read.sources) or read.is_constant or is_composed or read.is_scripted or not self.around.is_produced
        if read.is_required and is_known and not is_made:
            message = "a required property needs `from`, `value` or `jsonata`"
            self.note(self.layers[0], message, "say where its value comes from")
        if read.is_constant and read.constant is None:
            self.note(
                self.get("value") or self.layers[0], "`value` is empty", "missing values are left out, not sent as null"
            )
