"""The tracking plan: what each event is, where each property comes from, and whether an event keeps to it.

    plan = load_plan(folder)            # YAML files -> a checked `Plan`; PlanError lists every mistake with file and line
    compiled = compile_plan(plan)       # -> mapping functions and checkers
    for rule in compiled.rules(occurrence.kind):
        properties = rule.map(occurrence, raw_record)
        violations = rule.check(properties)

The format is described in `tracking_plan/README.md`.
"""

from cdi_cli.plan.check import Violation, strip
from cdi_cli.plan.compile import CompiledPlan, EventRule, compile_plan
from cdi_cli.plan.load import load_plan
from cdi_cli.plan.model import Plan, PlannedEvent, Property
from cdi_cli.plan.policy import Verdict, judge, policy_of
from cdi_cli.plan.problems import Place, PlanError, PlanProblem
from cdi_cli.plan.routing import Route
from cdi_cli.plan.scripts import MappingError

__all__ = [
    "CompiledPlan",
    "EventRule",
    "MappingError",
    "Place",
    "Plan",
    "PlanError",
    "PlanProblem",
    "PlannedEvent",
    "Property",
    "Route",
    "Verdict",
    "Violation",
    "compile_plan",
    "judge",
    "load_plan",
    "policy_of",
    "strip",
]
