"""One plan at work on one pipeline's records, without a destination: what it makes of an occurrence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi_cli.events import Event, EventBuilder, IdFormat, Occurrence, missing_consent
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.shaping import identity_of, required_consent
from cdi_cli.plan import CompiledPlan, EventRule, judge

Made = tuple[Event, EventRule, dict[str, Any]]
"""An event, the rule that it was made by, its properties."""


class PlanMapper:
    """Maps occurrences as a plan and a pipeline's settings say; only events that some destination of it may get count."""

    def __init__(self, project: Project, pipeline: str, plan: CompiledPlan) -> None:
        settings = project.settings
        chosen = settings.pipelines[pipeline]
        self._plan = plan
        rules = [*plan.others, *(rule for kind in plan.kinds for rule in plan.rules(kind))]
        self._by_name: dict[tuple[str, str], EventRule] = {(rule.type, rule.name): rule for rule in rules}
        self._builder = EventBuilder(
            IdFormat(settings.workspace, chosen.source, dict(chosen.ids)),
            identity_of(chosen.identity),
            event_version=plan.major_version,
        )
        self._required = {required_consent(settings, pipeline, name) for name in chosen.destinations}

    def rule(self, event_type: str, name: str) -> EventRule | None:
        """The plan's rule for an event, None when it has none."""
        return self._by_name.get((event_type, name))

    def events(self, occurrence: Occurrence, record: bytes) -> Iterator[Made]:
        """The events that the plan makes of an occurrence, for people who can be told apart and have consented."""
        for rule in self._plan.rules(occurrence.kind):
            properties = rule.map(occurrence, record)
            event = self._builder.build(occurrence, rule.name, rule.type, properties)
            if event is not None and any(missing_consent(event, required) is None for required in self._required):
                yield event, rule, properties


def passed(rule: EventRule, properties: dict[str, Any]) -> dict[str, Any] | None:
    """The properties as a plan's policies let them pass; None where they do not."""
    violations = rule.check(properties)
    return judge(rule, properties, violations).properties if violations else properties
