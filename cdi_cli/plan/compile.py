"""Compiling a plan: per event one mapping function and one checker, ready for millions of occurrences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from cdi_cli.commerce import Money
from cdi_cli.events.lifecycle import KINDS, Occurrence
from cdi_cli.plan.check import Checker, Violation
from cdi_cli.plan.generate import Generator
from cdi_cli.plan.model import ON_VIOLATION, OnViolation, Pii, Plan, PlannedEvent, PlannedType, Property, UnplannedEvents
from cdi_cli.plan.problems import PlanError
from cdi_cli.plan.record import dig, plain_reader
from cdi_cli.plan.routing import Route, compile_routes
from cdi_cli.plan.schema import ANNOTATIONS

if TYPE_CHECKING:
    from cdi_cli.plan.script_rule import ScriptRun

Mapper = Callable[[Occurrence, bytes], dict[str, Any]]
_EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, slots=True)
class EventRule:
    """One event of the plan, compiled.

    `map(occurrence, raw)` gives its properties: what is missing is left out; it raises MappingError where a script of the
    plan fails, and nothing else. `check(properties)` tells what breaks the plan. `on_unplanned` is the policy for properties
    that the plan does not name; `is_open`: they may be sent. `pii`: class by property path (`address.city`,
    `products[].sku`), only where the plan gives one. `source` is the text of `map`, for people; `given(occurrence, raw)` is
    what its scripts read, None where it has none.
    """

    name: str
    type: PlannedType
    kind: str
    on_violation: OnViolation
    on_unplanned: OnViolation
    is_open: bool
    map: Mapper
    check: Callable[[dict[str, Any]], tuple[Violation, ...]]
    pii: dict[str, Pii]
    planned: PlannedEvent
    source: str
    given: Callable[[Occurrence, bytes], bytes] | None = None


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A plan ready to run.

    `fingerprint` changes with anything that changes events, not with descriptions or layout, and not with the routing, which
    concerns one destination each. `unplanned_events`: what becomes of a lifecycle kind that triggers no event.
    """

    name: str
    version: str
    fingerprint: str
    by_kind: dict[str, tuple[EventRule, ...]]
    others: tuple[EventRule, ...] = ()
    """Events that others send: they can be checked, and no kind triggers them."""
    unplanned_events: UnplannedEvents = "ignore"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The lifecycle kinds that some event of the plan is triggered by."""
        return tuple(self.by_kind)

    @property
    def major_version(self) -> int:
        """The first number of the version: what Segment calls `event_version`."""
        return int(self.version.partition(".")[0])

    def rules(self, kind: str) -> tuple[EventRule, ...]:
        """The events that a lifecycle kind triggers, in the order of their files; empty for a kind that is not planned."""
        return self.by_kind.get(kind, ())

    def routes(self, name: str, kind: str) -> dict[str, Route]:
        """Event name -> how it goes to the destination of that name and type, for events that do not go as they are."""
        rules = (*(rule for rules in self.by_kind.values() for rule in rules), *self.others)
        return compile_routes((rule.planned for rule in rules), name, kind)


def compile_plan(plan: Plan, settings: Mapping[str, Any] | None = None) -> CompiledPlan:
    """Compile a plan that was loaded without mistakes; `settings`: what its scripts may read of the pipeline's.

    Raises PlanError for a script that only the engine finds something wrong with.
    """
    if any(event.scripts for event in plan.events):
        from cdi_cli.plan.script_rule import refusals

        if found := tuple(refusals(plan)):
            raise PlanError(str(plan.folder), found)
    by_kind: dict[str, tuple[EventRule, ...]] = {}
    for event in plan.events:
        if event.is_produced:
            by_kind[event.trigger] = (*by_kind.get(event.trigger, ()), _compile(event, plan, settings or {}))
    others = tuple(_compile(event, plan, {}) for event in plan.events if not event.is_produced)
    return CompiledPlan(plan.name, plan.version, fingerprint(plan), by_kind, others, plan.unplanned_events)


def _compile(event: PlannedEvent, plan: Plan, settings: Mapping[str, Any]) -> EventRule:
    scripts: ScriptRun | None = None
    if event.scripts:
        from cdi_cli.plan.script_rule import ScriptRun

        scripts = ScriptRun(event, plan.denied_fields, settings)
    source, mapping = _mapping(event, plan, scripts)
    on_unplanned = next((known for known in ON_VIOLATION if known == plan.unplanned_properties), event.on_violation)
    return EventRule(
        name=event.name,
        type=event.type,
        kind=event.trigger,
        on_violation=event.on_violation,
        on_unplanned=on_unplanned,
        is_open=plan.allows_unplanned or on_unplanned == "warn",
        map=mapping,
        check=Checker(event, allows_unplanned=plan.allows_unplanned),
        pii={path: each.pii for path, each in event.walk() if each.pii is not None},
        planned=event,
        source=source,
        given=scripts.input if scripts is not None else None,
    )


def _mapping(event: PlannedEvent, plan: Plan, scripts: ScriptRun | None) -> tuple[str, Mapper]:
    """The text of an event's mapping, and the mapping itself; `scripts`: what evaluates its template, or expressions."""
    if event.template is not None and scripts is not None:
        return event.template.text, scripts.properties
    generator = Generator(event, KINDS[event.trigger].subjects if event.is_produced else {})
    source = generator.source()
    namespace: dict[str, Any] = {
        "__builtins__": {"dict": dict, "list": list},
        "dig": dig,
        "evaluate": scripts.values if scripts is not None else None,
        "join_raw": _join_raw,
        "number": _number,
        "plain": plain_reader(plan.denied_fields),
        "read": generator.record.read if generator.record is not None else None,
        "table": _table,
    }
    exec(compile(source, f"<mapping of {event.name!r}>", "exec"), namespace)  # noqa: S102 - see generate.py for what enters
    mapping: Mapper = namespace["map_properties"]
    return source, mapping


def _number(amount: Money) -> float | int | str:
    """An amount as a JSON number; as text where a number would not be exact, which the check then reports."""
    try:
        return amount.number()
    except ValueError:
        return f"{amount.decimal():f}"


def _table(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """A table as an object: of texts, of amounts by currency, of entities by locale; nothing empty in it."""
    return {name: made for name, value in (values or {}).items() if (made := _whole(value)) not in _EMPTY}


def _whole(value: Any) -> Any:
    if isinstance(value, Money):
        return _number(value)
    if isinstance(value, msgspec.Struct):
        return _table(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        return _table(value)
    return [_whole(each) for each in value] if isinstance(value, tuple | list) else value


def _join_raw(value: Any, separator: str) -> Any:
    """A raw list of texts as one text; anything else as it is, for the check to judge."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return separator.join(value)
    return value


def fingerprint(plan: Plan) -> str:
    """SHA-256 (hex) of everything in a plan that shapes events or their check, however the files are laid out."""
    events = sorted(
        [
            *(event.name, event.type, event.trigger, event.on_violation, [_shape_of(each) for each in event.properties]),
            *([event.template.text] if event.template is not None else []),
        ]
        for event in plan.events
        if event.is_produced
    )
    # "forbid" and "allow" stand as a boolean, as in the fingerprints that checkpoint files hold.
    unplanned = plan.unplanned_properties in ("forbid", "allow")
    content = [plan.name, plan.version, plan.allows_unplanned if unplanned else plan.unplanned_properties, events]
    if plan.unplanned_events != "ignore":
        content.append(plan.unplanned_events)
    return sha256(msgspec.json.encode(content)).hexdigest()


def _shape_of(each: Property) -> list[Any]:
    rules = {key: value for key, value in each.keywords.items() if key not in ANNOTATIONS}
    return [
        each.name,
        each.types,
        each.is_required,
        [path.text for path in each.sources],
        [each.constant] if each.is_constant else [],
        each.join,
        _sorted(rules),
        [_shape_of(inner) for inner in each.properties],
        _shape_of(each.items) if each.items is not None else None,
        *([each.script.text] if each.script is not None else []),
    ]


_sorted = partial(msgspec.to_builtins, order="sorted")
