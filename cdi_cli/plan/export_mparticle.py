"""Export to mParticle: a data plan version document, one data point per event.

    {"version", "data_plan_id", "version_description", "version_document": {"data_points": [
        {"description", "match": {"type", "criteria"}, "validator": {"type": "json_schema", "definition": ...}}]}}

Events of Segment's ecommerce spec become product actions, other ones custom events, traits user attributes and identities.
mParticle supports a part of JSON Schema only and its attributes are flat: what does not fit is left out and is a loss.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cdi_cli.plan import export_mparticle_names as names
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.export_mparticle_points import DataPoints
from cdi_cli.plan.export_routing import routed
from cdi_cli.plan.export_segment import note_own_knowledge, rule_version
from cdi_cli.plan.model import Plan

_NOT_IN_ID = re.compile(r"[^a-z0-9]+")


def to_mparticle(plan: Plan, losses: Losses, *, types: Iterable[str] = ()) -> dict[str, Any]:
    """The plan as a data plan version; `types` are the known destination types (for routing)."""
    points: list[dict[str, Any]] = []
    for event in routed(plan, "mparticle", types, losses):
        points += DataPoints(event, plan, losses).all()
    if len(points) > names.DATA_POINTS_MAX:
        losses.rule(f"more than {names.DATA_POINTS_MAX:,} data points", hint="mParticle takes no more in one plan")
    version = rule_version(plan)
    if str(version) != plan.version:
        losses.note(f"of the version `{plan.version}` only {version} is exported", hint="mParticle counts versions")
    identifier = plan_id(plan.name)
    if identifier != plan.name:
        losses.note(f"the name `{plan.name}` becomes the id `{identifier}`")
    losses.note("what happens on a violation", hint="mParticle can block what is unplanned, nothing else")
    note_own_knowledge(plan, losses)
    return {
        "version": version,
        "data_plan_id": identifier,
        "version_description": plan.description,
        "version_document": {"data_points": points},
    }


def plan_id(name: str) -> str:
    """A data plan's id: lower-case letters, digits and underscores."""
    return _NOT_IN_ID.sub("_", name.lower()).strip("_") or "plan"
