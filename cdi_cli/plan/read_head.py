"""Reading `plan.yaml`: what a plan says about itself as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from cdi_cli.plan.model import (
    ON_VIOLATION,
    UNPLANNED_EVENTS,
    UNPLANNED_PROPERTIES,
    Conventions,
    OnViolation,
    UnplannedEvents,
    UnplannedProperties,
)
from cdi_cli.plan.names import CASES, TENSES
from cdi_cli.plan.problems import Problems
from cdi_cli.plan.read_mapping import MappingReader
from cdi_cli.plan.versions import is_version
from cdi_cli.plan.yaml_nodes import Node

CONVENTIONS: dict[str, tuple[str, ...]] = {
    "event_case": tuple(CASES),
    "event_tense": TENSES,
    "property_case": tuple(CASES),
    "trait_case": tuple(CASES),
}
PLAN_KEYS = (
    *("name", "version", "owner", "description", "conventions"),
    *("on_violation", "unplanned_properties", "unplanned_events"),
)


@dataclass(frozen=True, slots=True)
class Head:
    """What `plan.yaml` says."""

    name: str = ""
    version: str = ""
    owner: str = ""
    description: str = ""
    conventions: Conventions = field(default_factory=Conventions)
    on_violation: OnViolation = "block"
    unplanned_properties: UnplannedProperties = "forbid"
    unplanned_events: UnplannedEvents = "ignore"


def read_head(node: Node, problems: Problems) -> Head:
    """The head of a plan; what is wrong is noted and takes its default."""
    reader = MappingReader(node, problems)
    reader.check_keys(PLAN_KEYS)
    version = reader.text("version", is_required=True)
    if version and not is_version(version):
        reader.note("version", f"`{version}` is not a semantic version", 'write it as in `version: "1.0.0"`')
    conventions = reader.mapping("conventions", CONVENTIONS)
    return Head(
        name=reader.text("name", is_required=True),
        version=version,
        owner=reader.text("owner"),
        description=reader.text("description"),
        conventions=Conventions(**{key: conventions.choice(key, known, None) for key, known in CONVENTIONS.items()})
        if conventions is not None
        else Conventions(),
        on_violation=reader.choice("on_violation", ON_VIOLATION, "block"),
        unplanned_properties=reader.choice("unplanned_properties", UNPLANNED_PROPERTIES, "forbid"),
        unplanned_events=reader.choice("unplanned_events", UNPLANNED_EVENTS, "ignore"),
    )
