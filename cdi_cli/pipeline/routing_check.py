"""Routing rules held against the plan when a project is opened: what names nothing, and what can never hold.

Destinations are checked when the settings are read (`config/references.py`): they need no plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cdi_cli.config.document import Document, KeyPath, read_document
from cdi_cli.config.problems import SettingsError, masked, suggestion
from cdi_cli.config.routing import PropertyTest, RoutingRule, Scalar, listed
from cdi_cli.config.settings import Settings
from cdi_cli.pipeline.routing import BRANDS, planned_events
from cdi_cli.plan import CompiledPlan, PlannedEvent, Property
from cdi_cli.plan.check import SchemaError, compile_schema
from cdi_cli.plan.model import Routing
from cdi_cli.plan.names import NAME_CHARACTERS_MAX, is_name
from cdi_cli.plan.routing import is_inside

_NOUNS = {bool: "true or false", int: "a number", float: "a number", str: "text"}
_TYPES = {bool: {"boolean"}, int: {"integer", "number"}, float: {"number", "integer"}, str: {"string"}}


def check_rules(settings: Settings, pipeline: str, plan: CompiledPlan) -> None:
    """Raise SettingsError unless every rule names events and properties of the plan and can hold for some event."""
    rules = settings.pipelines[pipeline].routing
    if not rules:
        return
    check = _Check(read_document(settings.file), settings, pipeline, planned_events(plan))
    for number, rule in enumerate(rules):
        check.rule(number, rule)
    check.order(rules)
    check.names(rules)
    if check.found:
        raise SettingsError(check.document.problems)


class _Check:
    """The check of one pipeline's rules; mistakes are noted in the settings' document."""

    def __init__(self, document: Document, settings: Settings, pipeline: str, events: dict[str, PlannedEvent]) -> None:
        self.document = document
        self.found = 0
        self._events = events
        self._path: KeyPath = ("pipelines", pipeline, "routing")
        self._targets = [(name, settings.destinations[name].type) for name in settings.pipelines[pipeline].destinations]

    def rule(self, number: int, rule: RoutingRule) -> None:
        """Everything that a rule says by itself."""
        path = (*self._path, number)
        names = listed(rule.when.event)
        for place, name in _each((*path, "when", "event"), rule.when.event):
            if name not in self._events:
                message = f"the tracking plan has no event `{masked(name)}`"
                self._note(place, message, suggestion(name, self._events))
        events = [event for name, event in self._events.items() if not names or name in names]
        if not events:
            return
        tests = rule.when.tests
        is_one = isinstance(rule.when.property_, PropertyTest)
        for index, test in enumerate(tests):
            self._test((*path, "when", "property", *(() if is_one else (index,))), test, events)
        if listed(rule.when.brand) and not any(_has(event, each) for event in events for each in BRANDS):
            message = f"{_lacks(events, 'products[].brand')} to tell the brand by"
            self._note((*path, "when", "brand"), message, "map it in the plan: `brand: {type: string, from: item.brand}`")
        for place, name in _each((*path, "then", "drop"), rule.then.drop):
            self._known(place, name, events, at_key=False)
        for name, new in rule.then.rename.items():
            place = (*path, "then", "rename", name)
            if self._known(place, name, events, at_key=True) and not is_name(new):
                self._note(place, f"a name has 1 to {NAME_CHARACTERS_MAX} printable characters", f"as in `{name}: new_name`")
            if any(is_inside(name, out) for out in listed(rule.then.drop)):
                self._note(place, f"`{name}` is both dropped and renamed", "remove one of them")

    def order(self, rules: Sequence[RoutingRule]) -> None:
        """A rule that stops every event ends the list."""
        for number, rule in enumerate(rules[:-1]):
            if rule.then.stop is not None and not rule.when.plain():
                message = f"this rule stops every event: the rules after it, from number {number + 2} on, never apply"
                self._note((*self._path, number), message, "say under `when` which events are meant, or remove the others")

    def names(self, rules: Sequence[RoutingRule]) -> None:
        """No two properties of an event get one name at a destination, whichever of the rules hold together."""
        for number, rule in enumerate(rules):
            for name, new in rule.then.rename.items():
                clash = next(self._clashes(rules[: number + 1], rule, name, new), None)
                if clash is not None:
                    message = f"`{clash}` and `{name}` could both be called `{new}` there"
                    place = (*self._path, number, "then", "rename", name)
                    self._note(place, message, "choose another name, or drop one of them", at_key=True)

    def _clashes(self, rules: Sequence[RoutingRule], rule: RoutingRule, name: str, new: str) -> Iterator[str]:
        parent = _parent(name)
        for destination, kind in self._targets:
            if not rule.concerns(destination):
                continue
            others = [each for each in rules if each is not rule and each.concerns(destination)]
            for event in self._events.values():
                if listed(rule.when.event) and event.name not in listed(rule.when.event):
                    continue
                plan = event.route(destination, kind) or Routing(destination, event.place)
                plan = replace(plan, rename={**plan.rename, **rule.then.rename})
                gone = {*plan.exclude, *listed(rule.then.drop)}
                for path in (
                    path for path, _ in event.walk() if path != name and _parent(path) == parent and path not in gone
                ):
                    could_be = {plan.rename.get(path, _last(path))}
                    could_be |= {other.then.rename[path] for other in others if path in other.then.rename}
                    if new in could_be and _has(event, name):
                        yield path

    def _test(self, path: KeyPath, test: PropertyTest, events: Sequence[PlannedEvent]) -> None:
        if not self._known((*path, "path"), test.path, events, at_key=False):
            return
        planned = [found for event in events for known, found in event.walk() if known == test.path]
        if test.matches is not None:
            try:
                compile_schema({"type": "string", "pattern": test.matches})
            except SchemaError:
                hint = "patterns are those of the tracking plan, as in `^TEST-[0-9]+$`"
                self._note((*path, "matches"), "this is not a pattern that can be read", hint)
            self._possible((*path, "matches"), test.path, "a text", planned, {"string"})
        for place, value in _values(path, test):
            self._possible(place, test.path, _NOUNS[type(value)], planned, _TYPES[type(value)])

    def _possible(self, place: KeyPath, name: str, noun: str, planned: Sequence[Property], types: set[str]) -> None:
        """Note a value that the property can never have by its type; a list stands for its elements."""
        declared = {each for one in planned for each in (one.items.types if one.items is not None else one.types)}
        if declared and not declared & types:
            self._note(place, f"`{name}` is never {noun}: the plan says {' or '.join(sorted(declared))}", None)

    def _known(self, place: KeyPath, name: str, events: Sequence[PlannedEvent], *, at_key: bool) -> bool:
        if any(_has(event, name) for event in events):
            return True
        paths = dict.fromkeys(path for event in events for path, _ in event.walk() if not path.endswith("[]"))
        hint = suggestion(name, paths)
        hint = hint if hint and hint.startswith("did") else "write its path as in the plan: `coupon`, `products[].sku`"
        self._note(place, _lacks(events, masked(name)), hint, at_key=at_key)
        return False

    def _note(self, place: KeyPath, message: str, hint: str | None, *, at_key: bool = False) -> None:
        self.found += 1
        self.document.problem(place, message, hint=hint, at_key=at_key)


def _each(path: KeyPath, value: str | tuple[str, ...] | None) -> Iterator[tuple[KeyPath, str]]:
    """Each name with its place in the file, whether it stands alone or in a list."""
    if isinstance(value, str):
        yield path, value
    else:
        yield from (((*path, number), name) for number, name in enumerate(value or ()))


def _values(path: KeyPath, test: PropertyTest) -> Iterator[tuple[KeyPath, Scalar]]:
    if test.is_ is not None:
        yield (*path, "is"), test.is_
    yield from (((*path, "in", number), value) for number, value in enumerate(test.in_ or ()))


def _lacks(events: Sequence[PlannedEvent], name: str) -> str:
    only = f"`{events[0].name}` has no property" if len(events) == 1 else "no event that the rule is about has a property"
    return f"{only} `{name}`"


def _has(event: PlannedEvent, name: str) -> bool:
    return any(path == name for path, _ in event.walk() if not path.endswith("[]"))


def _parent(path: str) -> str:
    return path.rpartition(".")[0]


def _last(path: str) -> str:
    return path.rpartition(".")[2]
