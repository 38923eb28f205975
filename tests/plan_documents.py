"""What the tests of export and import share: documents of other systems, and a plan that went out and came back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cdi_cli.plan import Plan
from cdi_cli.plan.export_losses import Losses
from cdi_cli.plan.export_mparticle import to_mparticle
from cdi_cli.plan.export_segment import to_segment
from cdi_cli.plan.import_document import ImportedPlan
from cdi_cli.plan.import_files import write_plan
from cdi_cli.plan.import_mapping import take_mapping
from cdi_cli.plan.import_mparticle import from_mparticle
from cdi_cli.plan.import_segment import from_segment
from cdi_cli.plan.schema import event_schema

DATA = Path(__file__).parent / "data" / "plan"
WAYS: dict[str, tuple[Callable[[Plan, Losses], dict[str, Any]], Callable[[Any, Losses], ImportedPlan]]] = {
    "segment": (to_segment, from_segment),
    "mparticle": (to_mparticle, from_mparticle),
}


def document(name: str) -> Any:
    """A recorded or written document: `segment/typewriter`, `segment/rules`, `mparticle/plan`."""
    return json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))


def there_and_back(plan: Plan, system: str, folder: Path, *, donor: Plan | None = None) -> tuple[Plan, Losses, Losses]:
    """A plan exported, put through JSON, and imported again; with the losses of both ways."""
    export, take = WAYS[system]
    out, back = Losses(), Losses()
    imported = take(json.loads(json.dumps(export(plan, out))), back)
    if donor is not None:
        take_mapping(imported, donor)
    return write_plan(imported, folder, back, origin="Imported"), out, back


def schemas(plan: Plan) -> dict[str, Any]:
    """The schema of each event, by its name, with the order of required names left out of account."""
    return {event.name: _sorted(event_schema(event, allows_unplanned=plan.allows_unplanned)) for event in plan.events}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: sorted(each) if key == "required" and isinstance(each, list) else _sorted(each)
            for key, each in value.items()
        }
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def said(losses: Losses, *, rules_only: bool = True) -> dict[str, list[str]]:
    """The losses by what got lost: the places."""
    found: dict[str, list[str]] = {}
    for loss in losses.rules() if rules_only else losses.all():
        found.setdefault(loss.aspect, []).append(loss.place)
    return found
