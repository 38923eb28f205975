"""What the tests of the plan's JSONata share: plans with scripts, mistakes as text, templates made of mappings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from plan_tools import write_plan

from cdi_cli.plan import CompiledPlan, EventRule, Plan, PlanError, compile_plan, load_plan
from cdi_cli.plan.eject import eject

HEAD = "event: Tested\ntrigger: order.completed\n"


def expression_rule(folder: Path, expression: str, type_: str = "number", **more: Any) -> EventRule:
    """The rule of an event whose one property `a` is made by an expression."""
    written = json.dumps({"type": type_, "jsonata": expression, **more})
    return rule_of(folder, {"events/tested.yaml": f"{HEAD}properties:\n  a: {written}\n"})


def template_rule(folder: Path, template: str, properties: str, **options: Any) -> EventRule:
    """The rule of an event that a template makes; `properties` in YAML, indented by two."""
    event = f"{HEAD}template: tested.jsonata\nproperties:\n{properties}"
    return rule_of(folder, {"events/tested.yaml": event, "templates/tested.jsonata": template}, **options)


def rule_of(folder: Path, files: dict[str, str], **options: Any) -> EventRule:
    """The only rule of a plan."""
    settings = options.pop("settings", None)
    compiled = compile_plan(load_plan(write_plan(folder, files), **options), settings)
    (kind,) = compiled.kinds
    return compiled.rules(kind)[0]


def mistakes_of(folder: Path, files: dict[str, str], **options: Any) -> list[tuple[str, str, str | None]]:
    """The mistakes of a plan: file with line and column, message, hint."""
    write_plan(folder, files)
    try:
        compile_plan(load_plan(folder, **options))
    except PlanError as error:
        return [
            (f"{Path(one.file).relative_to(folder)}:{one.line}:{one.column}", one.message, one.hint)
            for one in error.problems
        ]
    return []


def with_templates(plan: Plan, folder: Path) -> CompiledPlan:
    """The plan with every event made by the template that its mapping was written as; `folder` is a copy of its own."""
    (folder / "templates").mkdir()
    for event in plan.events:
        if not event.is_produced:
            continue
        file = Path(event.place.file).name
        name = file.replace(".yaml", ".jsonata")
        (folder / "templates" / name).write_text(eject(event), encoding="utf-8")
        path = folder / "events" / file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("\ntrigger:", f"\ntemplate: {name}\ntrigger:", 1), encoding="utf-8")
    made = load_plan(folder, denied_fields=plan.denied_fields)
    assert all(event.template is not None for event in made.events if event.is_produced)
    return compile_plan(made)
