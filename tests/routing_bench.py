"""Routing rules as `cdi.yaml` has them, compiled for a pipeline without a file: what the tests of routing run on."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, cast

from cdi_cli.config.routing import RoutingRule
from cdi_cli.config.settings import Connector, PipelineSettings, RegionPolicy, Settings
from cdi_cli.config.types import ConnectorSettings
from cdi_cli.events import EventBuilder, IdentitySettings, IdFormat, occurrences
from cdi_cli.events.event import Event
from cdi_cli.events.lifecycle import LifecycleSettings
from cdi_cli.pipeline.routing import Rules, rules_of
from cdi_cli.plan import CompiledPlan, compile_plan, load_plan


@cache
def default_plan() -> CompiledPlan:
    """The plan that ships with cdi, compiled once."""
    return compile_plan(load_plan())


def settings_of(*rules: dict[str, Any], regions: dict[str, Any] | None = None) -> Settings:
    """Settings of a pipeline `main` from `shop` to `target` (of the type `segment`) and `other`, with these rules."""
    connector = Connector(type="segment", settings=ConnectorSettings())
    return Settings(
        file=Path("cdi.yaml"),
        workspace="test",
        regions={name: RegionPolicy.model_validate(region) for name, region in (regions or {}).items()},
        sources={"shop": connector},
        destinations={"target": connector, "other": connector},
        pipelines={
            "main": PipelineSettings(
                source="shop",
                destinations=("target", "other"),
                routing=tuple(RoutingRule.model_validate(rule) for rule in rules),
            )
        },
    )


def compiled(*rules: dict[str, Any], plan: CompiledPlan | None = None, **options: Any) -> Rules | None:
    """These rules on the way to `target`."""
    return rules_of(settings_of(*rules, **options), "main", "target", plan or default_plan())


def rules(*given: dict[str, Any], **options: Any) -> Rules:
    """The same where they concern `target`."""
    found = compiled(*given, **options)
    assert found is not None
    return found


def event_of(entity: Any, name: str = "Order Completed", plan: CompiledPlan | None = None) -> Event:
    """The event of that name that an entity makes."""
    chosen = plan or default_plan()
    builder = EventBuilder(IdFormat("test", "shop"), IdentitySettings(), event_version=1)
    for occurrence in occurrences(entity, LifecycleSettings()):
        for rule in chosen.rules(occurrence.kind):
            if rule.name == name:
                return cast("Event", builder.build(occurrence, rule.name, rule.type, rule.map(occurrence, b"{}")))
    raise LookupError(name)
