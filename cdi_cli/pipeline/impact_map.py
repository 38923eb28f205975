"""One plan at work on one pipeline's records, without a destination: what it makes of an occurrence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cdi_cli.events import Event, Occurrence, missing_consent
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.routing import Rules, rules_of
from cdi_cli.pipeline.shaping import builder_of, required_consent
from cdi_cli.plan import CompiledPlan, EventRule, MappingError, Route, Violation, judge

Made = tuple[Event, EventRule, dict[str, Any]]
"""An event, the rule that it was made by, its properties."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What stands between the events of a pipeline and one of its destinations."""

    required: tuple[str, ...]
    routes: Mapping[str, Route]
    rules: Rules | None

    def gets(self, event: Event) -> bool:
        """Whether an event that keeps to the plan goes there."""
        route = self.routes.get(event.name)
        if route is not None and not route.is_sent:
            return False
        ruling = self.rules(event) if self.rules is not None else None
        return (ruling is None or ruling.outcome == "sent") and missing_consent(event, self.required) is None


class PlanMapper:
    """Maps occurrences as a plan and a pipeline's settings say; only events that some destination of it may get count."""

    def __init__(self, project: Project, pipeline: str, plan: CompiledPlan) -> None:
        settings = project.settings
        chosen = settings.pipelines[pipeline]
        self._plan = plan
        rules = [*plan.others, *(rule for kind in plan.kinds for rule in plan.rules(kind))]
        self._by_name: dict[tuple[str, str], EventRule] = {(rule.type, rule.name): rule for rule in rules}
        self._builder = builder_of(settings, pipeline, plan, is_stamped=False)
        self._targets = [
            _Target(
                required_consent(settings, pipeline, name),
                plan.routes(name, settings.destinations[name].type),
                rules_of(settings, pipeline, name, plan),
            )
            for name in chosen.destinations
        ]

    def rule(self, event_type: str, name: str) -> EventRule | None:
        """The plan's rule for an event, None when it has none."""
        return self._by_name.get((event_type, name))

    def events(self, occurrence: Occurrence, record: bytes) -> Iterator[Made]:
        """The events that the plan makes of an occurrence, as far as some destination gets them.

        They are about people who can be told apart and have consented, and neither the plan nor a rule keeps them back.
        """
        for rule in self._plan.rules(occurrence.kind):
            try:
                properties = rule.map(occurrence, record)
            except MappingError as error:
                rule, properties = _failed(rule, error), {}
            event = self._builder.build(occurrence, rule.name, rule.type, properties)
            if event is not None and any(target.gets(event) for target in self._targets):
                yield event, rule, properties


def _failed(rule: EventRule, error: MappingError) -> EventRule:
    """A rule that no event can keep, for one that a script fails to make."""
    violation = Violation("", error.reason, error.detail)
    return replace(rule, on_violation="block", check=lambda _properties: (violation,))


def passed(rule: EventRule, properties: dict[str, Any]) -> dict[str, Any] | None:
    """The properties as a plan's policies let them pass; None where they do not."""
    violations = rule.check(properties)
    return judge(rule, properties, violations).properties if violations else properties
