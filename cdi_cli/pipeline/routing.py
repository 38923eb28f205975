"""Routing rules at work: what a pipeline's `routing:` makes of one event on its way to one destination.

Compiled once, to closures over what an event holds: its name, the shop that it comes from (`context.shop`), its properties
as the plan made them. A rule asks nothing else, so that events of a file, of a record and of a dead letter are ruled alike.
Every `when` sees the event as the plan made it, whatever earlier rules take away or rename.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cdi_cli.commerce.regions import countries_of
from cdi_cli.config.routing import PropertyTest, RoutingRule, Scalar, listed
from cdi_cli.config.settings import Settings
from cdi_cli.events import Event
from cdi_cli.pipeline.shaping import consent_policy
from cdi_cli.plan import CompiledPlan, PlannedEvent, Route
from cdi_cli.plan.check import compile_schema
from cdi_cli.plan.model import Routing
from cdi_cli.plan.routing import compile_route, is_inside, steps_of

Outcome = Literal["sent", "elsewhere", "filter", "block", "quarantine"]
NOT_ROUTED = "not_routed"
QUARANTINE = "quarantine:"
"""What the reason of a dead letter begins with that a rule holds back until someone replays it."""
BLOCKED = "blocked:"
FILTERED = "routing:"
_PREFIXES = {"filter": FILTERED, "block": BLOCKED, "quarantine": QUARANTINE}
BRANDS = ("brand", "products[].brand")
"""Where an event names brands."""
Test = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules say of one event.

    `outcome`: "sent", or what stops it with the `reason` to count and `detail` in words. `route`: how it goes there (None:
    as the plan says). `rules`: numbers, from 1, of those that applied.
    """

    outcome: Outcome = "sent"
    reason: str = ""
    detail: str = ""
    route: Route | None = None
    rules: tuple[int, ...] = ()

    @property
    def is_kept_back(self) -> bool:
        """Whether it goes to the dead letters."""
        return self.outcome in ("block", "quarantine")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule as it concerns one event: its number in the file, its tests, what it does."""

    number: int
    tests: tuple[Test, ...]
    rule: RoutingRule
    drop: tuple[str, ...]
    rename: dict[str, str]


@dataclass(slots=True)
class Rules:
    """The rules of a pipeline for one destination; `content` is all of them as plain data, for the fingerprint of a job."""

    destination: str
    kind: str
    events: dict[str, PlannedEvent]
    rules: Sequence[tuple[int, RoutingRule]]
    content: list[Any]
    region_of: Callable[[str | None], str | None] = field(default=lambda _country: None)
    _by_event: dict[str, tuple[_Rule, ...]] = field(default_factory=dict)
    _routes: dict[tuple[str, tuple[int, ...]], Route | None] = field(default_factory=dict)

    def __call__(self, event: Event, *, is_released: bool = False) -> Ruling | None:
        """What becomes of an event; None where no rule applies. `is_released`: somebody took it out of quarantine."""
        found = self._by_event.get(event.name)
        if found is None:
            found = self._by_event[event.name] = tuple(self._about(event.name))
        applied: list[_Rule] = []
        for rule in found:
            if not all(test(event) for test in rule.tests):
                continue
            stop = rule.rule.then.stop
            if stop is not None and not (is_released and stop[0] == "quarantine"):
                return _stopped(stop, (*(each.number for each in applied), rule.number))
            if rule.rule.leaves_out(self.destination):
                numbers = (*(each.number for each in applied), rule.number)
                return Ruling("elsewhere", NOT_ROUTED, f"rule {rule.number} sends it elsewhere", rules=numbers)
            if stop is None:
                applied.append(rule)
        return self._changed(event.name, applied) if applied else None

    def _changed(self, name: str, applied: Sequence[_Rule]) -> Ruling:
        key = (name, tuple(rule.number for rule in applied))
        if key not in self._routes:
            planned = self.events.get(name)
            self._routes[key] = self._route(planned, applied) if planned is not None else None
        return Ruling(route=self._routes[key], rules=key[1])

    def _route(self, planned: PlannedEvent, applied: Sequence[_Rule]) -> Route | None:
        """The plan's own routing with what the rules drop and rename: one reshaping, neither hides from the other."""
        drop = tuple(path for rule in applied for path in rule.drop)
        rename = {path: new for rule in applied for path, new in rule.rename.items()}
        if not drop and not rename:
            return None
        base = planned.route(self.destination, self.kind) or Routing(self.destination, planned.place)
        exclude = (*base.exclude, *(path for path in drop if path not in base.exclude))
        names = {**base.rename, **rename}
        kept = {path: new for path, new in names.items() if not any(is_inside(path, out) for out in exclude)}
        return compile_route(planned, replace(base, exclude=exclude, rename=kept))

    def _about(self, name: str) -> Iterator[_Rule]:
        """The rules that may apply to events of a name; one whose property the event does not have never does."""
        planned = self.events.get(name)
        has = {path for path, _ in planned.walk()} if planned is not None else set[str]()
        for number, rule in self.rules:
            wanted = listed(rule.when.event)
            if wanted and name not in wanted:
                continue
            drop = tuple(path for path in listed(rule.then.drop) if path in has)
            rename = {path: new for path, new in rule.then.rename.items() if path in has}
            yield _Rule(number, (*_tests(rule, planned), *self._of_region(rule)), rule, drop, rename)

    def _of_region(self, rule: RoutingRule) -> Iterator[Test]:
        wanted = frozenset(listed(rule.when.region))
        if wanted:
            yield lambda event: self.region_of(event.context.get("shop", {}).get("country")) in wanted


def rules_of(settings: Settings, pipeline: str, destination: str, plan: CompiledPlan) -> Rules | None:
    """The rules of a pipeline that concern a destination; None where none does. They are checked already (`check_rules`)."""
    rules = enumerate(settings.pipelines[pipeline].routing, start=1)
    found = [(number, rule) for number, rule in rules if rule.concerns(destination)]
    if not found:
        return None
    policy = consent_policy(settings, {})
    content: list[Any] = [
        [
            {name: value for name, value in rule.when.plain().items() if name != "destination"},
            rule.then.plain() if rule.then.stop else _effect(rule, destination),
        ]
        for _, rule in found
    ]
    if policy is not None and any(rule.when.region for _, rule in found):
        content.append(sorted(policy.regions.items()))
    kind = settings.destinations[destination].type
    rules_here = Rules(destination, kind, planned_events(plan), found, content)
    if policy is not None:
        rules_here.region_of = policy.region
    return rules_here


def planned_events(plan: CompiledPlan) -> dict[str, PlannedEvent]:
    """Every event of a plan by its name, also those that others send."""
    rules = (*(rule for kind in plan.kinds for rule in plan.rules(kind)), *plan.others)
    return {rule.name: rule.planned for rule in rules}


def _effect(rule: RoutingRule, destination: str) -> dict[str, Any]:
    """What a rule does there: where else its events go shapes nothing here."""
    changes = {"drop": list(listed(rule.then.drop)), "rename": dict(rule.then.rename)}
    return {"not": destination} if rule.leaves_out(destination) else changes


def _stopped(stop: tuple[str, str], numbers: tuple[int, ...]) -> Ruling:
    outcome, reason = stop
    words = {"filter": "leaves it out", "block": "blocks it", "quarantine": "holds it back until it is replayed"}
    detail = f"rule {numbers[-1]} of the pipeline's routing {words[outcome]}: {reason}"
    return Ruling(outcome, f"{_PREFIXES[outcome]}{reason}", detail, rules=numbers)  # type: ignore[arg-type]


def _tests(rule: RoutingRule, planned: PlannedEvent | None) -> Iterator[Test]:
    when = rule.when
    for place, wanted in (("store", when.store), ("channel", when.channel)):
        if names := listed(wanted):
            yield _of_shop(place, frozenset(names))
    if countries := listed(when.country):
        yield _of_shop("country", countries_of(countries))
    if brands := listed(when.brand):
        yield _of_values([_steps(planned, path) for path in BRANDS], frozenset(brands).__contains__)
    for test in when.tests:
        steps = [_steps(planned, test.path)]
        yield _absent(steps) if test.exists is False else _of_values(steps, _predicate(test))


def _steps(planned: PlannedEvent | None, path: str) -> list[str]:
    """The names that lead to a property; where the plan does not know it, as its path is written."""
    if planned is not None and any(path == known for known, _ in planned.walk()):
        return steps_of(planned, path)
    return [step for step in path.replace("[]", "").split(".") if step]


def _of_shop(place: str, wanted: frozenset[str]) -> Test:
    return lambda event: event.context.get("shop", {}).get(place) in wanted


def _of_values(paths: Sequence[list[str]], is_wanted: Callable[[Any], bool]) -> Test:
    return lambda event: any(is_wanted(value) for steps in paths for value in values_at(event.properties, steps))


def _absent(paths: Sequence[list[str]]) -> Test:
    return lambda event: not any(True for steps in paths for _ in values_at(event.properties, steps))


def values_at(value: Any, steps: Sequence[str]) -> Iterator[Any]:
    """Every value that the steps lead to, through all elements of lists; what is null is not there."""
    if isinstance(value, list):
        for element in value:
            yield from values_at(element, steps)
    elif not steps:
        if value is not None:
            yield value
    elif isinstance(value, dict):
        yield from values_at(value.get(steps[0]), steps[1:])


def _predicate(test: PropertyTest) -> Callable[[Any], bool]:
    if test.exists is not None:
        return lambda _value: True
    if test.matches is not None:
        # The plan's own engine: its patterns run in linear time.
        return compile_schema({"type": "string", "pattern": test.matches}).is_valid
    wanted = {_exact(value) for value in _wanted(test)}
    return lambda value: isinstance(value, Scalar) and _exact(value) in wanted


def _wanted(test: PropertyTest) -> Iterable[Scalar]:
    return test.in_ if test.in_ is not None else (test.is_,) if test.is_ is not None else ()


def _exact(value: Scalar) -> tuple[bool, Scalar]:
    """A value that equals only its like: in Python 1 is True."""
    return isinstance(value, bool), value
