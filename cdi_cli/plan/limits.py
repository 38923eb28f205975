"""What destinations make of a plan that is too large or badly named, as data: one entry per destination type.

Sources: sheet "Segment" section 2 (10,000 properties an event, 4,000 events and 300 properties in the schema view) and
section 3 (names of the older spec that must not be emitted); sheet "mParticle" section 2 (1,000 event names a workspace,
names of 256 characters, 100 attributes an event); sheet "Insider" section 2 (80 custom event parameters).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """What one destination takes; None where it has no limit of the kind.

    `event_names`: different names; what comes after them is dropped. `event_name_characters`,
    `property_name_characters`: longer names are cut or refused. `properties`: top-level ones of an event, more are
    dropped. `properties_shown`, `event_names_shown`: more are sent but no longer shown. `reserved_events`: a name that means
    something else there -> what to use instead ("" where there is nothing).
    """

    title: str
    event_names: int | None = None
    event_names_shown: int | None = None
    event_name_characters: int | None = None
    property_name_characters: int | None = None
    properties: int | None = None
    properties_shown: int | None = None
    reserved_events: dict[str, str] = field(default_factory=dict)


LIMITS: dict[str, PlanLimits] = {
    "segment": PlanLimits(
        title="Segment",
        event_names_shown=4_000,
        properties=10_000,
        properties_shown=300,
        reserved_events={
            "Viewed Product Category": "Product List Viewed",
            "Viewed Product": "Product Viewed",
            "Clicked Product": "Product Clicked",
            "Added Product": "Product Added",
            "Removed Product": "Product Removed",
            "Completed Order": "Order Completed",
            "Started Order": "Checkout Started",
            "Updated Order": "Order Updated",
            "Viewed Checkout Step": "Checkout Step Viewed",
            "Completed Checkout Step": "Checkout Step Completed",
            "Viewed Promotion": "Promotion Viewed",
            "Clicked Promotion": "Promotion Clicked",
            "Violation Generated": "",
            "Segment Consent Preference Updated": "",
        },
    ),
    "mparticle": PlanLimits(
        title="mParticle",
        event_names=1_000,
        event_name_characters=256,
        property_name_characters=256,
        properties=100,
    ),
    "insider": PlanLimits(title="Insider", properties=80),
}
"""By the type of a destination in `cdi.yaml`; a type without an entry has no limits that a plan could break."""

RESERVED_PROPERTIES = frozenset({"__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "valueOf"})
"""Names that objects of JavaScript already have: browsers and the tools behind destinations misread them."""
