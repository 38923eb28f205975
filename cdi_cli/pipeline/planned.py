"""What a plan may send to one destination: every event under the name that it has there, with the properties that go along.

Of the plan's routing and the pipeline's rules all is taken into account that holds whatever the event says. A rule that
asks for more (a country, a property) may apply or not: what it drops is counted in, and so is the new name that it gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from cdi_cli.config.routing import RoutingRule, listed
from cdi_cli.destinations import Planned
from cdi_cli.events import KINDS, LifecycleSettings
from cdi_cli.pipeline.routing import Rules
from cdi_cli.plan import CompiledPlan, EventRule
from cdi_cli.plan.model import PlannedEvent, Routing
from cdi_cli.plan.routing import is_inside, steps_of


def planned_for(
    plan: CompiledPlan,
    destination: tuple[str, str],
    rules: Rules | None,
    lifecycle: LifecycleSettings,
    families: Collection[str],
    *,
    is_push: bool = False,
) -> list[Planned]:
    """Events that records of these families make, or that a file may hold (`is_push`); `destination`: its name and type."""
    found: list[Planned] = []
    for rule in _rules(plan, lifecycle, families, is_push=is_push):
        routing = rule.planned.route(*destination)
        if routing is not None and not routing.is_sent:
            continue
        own = [each for _, each in rules.rules if _is_about(each, rule.name)] if rules is not None else []
        if not any(_keeps_away(each, destination[0]) for each in own):
            name = (routing.event_name if routing is not None else "") or rule.name
            found.append(Planned(rule.kind, rule.type, name, tuple(_paths(rule.planned, routing, own))))
    return found


def _rules(
    plan: CompiledPlan, lifecycle: LifecycleSettings, families: Collection[str], *, is_push: bool
) -> Iterator[EventRule]:
    if is_push:
        yield from plan.others
    for kind in plan.kinds:
        is_made = kind not in lifecycle.off and not KINDS[kind].origins.isdisjoint(families)
        if kind == "group.member":
            is_made = is_made and bool(lifecycle.groups)
        if is_made or is_push:
            yield from plan.rules(kind)


def _is_about(rule: RoutingRule, name: str) -> bool:
    wanted = listed(rule.when.event)
    return not wanted or name in wanted


def _is_certain(rule: RoutingRule) -> bool:
    """Whether it applies to all of the events that it is about."""
    when = rule.when
    return not (when.store or when.channel or when.brand or when.country or when.region or when.tests)


def _keeps_away(rule: RoutingRule, destination: str) -> bool:
    """Whether nothing of an event gets past it; what is in quarantine may be released."""
    stop = rule.then.stop
    is_stopped = stop is not None and stop[0] != "quarantine"
    return _is_certain(rule) and (is_stopped or rule.leaves_out(destination))


def _paths(event: PlannedEvent, routing: Routing | None, rules: list[RoutingRule]) -> Iterator[str]:
    """The paths of the properties that may go, as they are called there."""
    certain = [rule for rule in rules if _is_certain(rule)]
    excluded = [
        *(routing.exclude if routing is not None else ()),
        *(out for rule in certain for out in listed(rule.then.drop)),
    ]
    always = dict(routing.rename) if routing is not None else {}
    for rule in certain:
        always |= rule.then.rename
    maybe = [rule.then.rename for rule in rules if rule not in certain and rule.then.rename]
    for path, _ in event.walk():
        if any(is_inside(path, out) for out in excluded):
            continue
        for names in (always, *(always | other for other in maybe)):
            yield _renamed(event, path, names)


def _renamed(event: PlannedEvent, path: str, names: Mapping[str, str]) -> str:
    """A path with the new names in it; the innermost first, so that what stands before it is still as the plan has it."""
    for old in sorted(names, key=len, reverse=True):
        if is_inside(path, old) and _is_there(event, old):
            last = steps_of(event, old)[-1]
            path = f"{old.removesuffix(last)}{names[old]}{path[len(old) :]}"
    return path


def _is_there(event: PlannedEvent, path: str) -> bool:
    return any(path == known for known, _ in event.walk())
