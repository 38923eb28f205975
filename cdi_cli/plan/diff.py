"""The difference between two plans: every change, classed, and whether the version moved as far as they demand.

    found = diff_plans(load_plan(before), load_plan(after))
    for change in found.changes: ...
    found.is_bump_made

Events are paired by type and name; one that disappeared and one that came with the same trigger and mostly the same
properties are the same event under another name. Files may move, definitions may be split: only what plans say is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cdi_cli.plan.diff_change import LEVELS, Change, Level, Spot, merged
from cdi_cli.plan.diff_event import event_changes, paired_events
from cdi_cli.plan.diff_places import head_place
from cdi_cli.plan.diff_version import Bump, demanded_bump, is_bump_made, next_version
from cdi_cli.plan.model import Plan
from cdi_cli.plan.versions import Version


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """Two plans and their differences, worst first; `is_lenient`: suspected breaking changes demand a minor bump only."""

    before: Plan
    after: Plan
    changes: tuple[Change, ...]
    is_lenient: bool = False

    @property
    def demanded(self) -> Bump:
        """The version bump that the changes demand."""
        return demanded_bump(self.changes, Version(self.before.version), is_lenient=self.is_lenient)

    @property
    def is_bump_made(self) -> bool:
        """Whether the version of the later plan makes that bump."""
        return is_bump_made(Version(self.before.version), Version(self.after.version), self.demanded)

    @property
    def next_version(self) -> str:
        """The nearest version that makes the bump."""
        return next_version(Version(self.before.version), self.demanded)

    def demand_of(self, change: Change) -> Bump:
        """The bump that one change demands alone."""
        return demanded_bump([change], Version(self.before.version), is_lenient=self.is_lenient)

    @property
    def counts(self) -> dict[Level, int]:
        """How many changes there are of each level."""
        return {level: sum(change.level == level for change in self.changes) for level in LEVELS}


def diff_plans(before: Plan, after: Plan, *, is_lenient: bool = False) -> PlanDiff:
    """Compare two plans that were loaded without mistakes."""
    return PlanDiff(before, after, merged(_changes(before, after)), is_lenient)


def _changes(before: Plan, after: Plan) -> Iterator[Change]:
    yield from _head_changes(before, after)
    pairs, removed, added = paired_events(before.events, after.events)
    for each in removed:
        spot = Spot(each.name, "", each.place, None, head_place(after))
        reason = "who reads it gets no more of them"
        yield spot.change("event_removed", "breaking", f"`{each.name}` was removed", reason)
    for each in added:
        spot = Spot(each.name, "", None, each.place, each.place)
        yield spot.change("event_added", "compatible", f"`{each.name}` was added", "no reader knows it yet")
    for old, new in pairs:
        yield from event_changes(old, new, is_closed=not after.allows_unplanned)


def _head_changes(before: Plan, after: Plan) -> Iterator[Change]:
    """What the plans say about themselves as a whole, but for the version."""

    def at(*keys: str) -> Spot:
        place = head_place(after, *keys)
        return Spot("", "", head_place(before, *keys), place, place)

    if before.name != after.name:
        message = f"the plan's name `{before.name}` became `{after.name}`"
        reason = "the name travels with every event; a reader that chooses by it finds none"
        yield at("name").change("plan_renamed", "breaking", message, reason)
    for key in ("owner", "description"):
        if getattr(before, key) != getattr(after, key):
            yield at(key).change(f"{key}_changed", "cosmetic", f"the plan's {key} changed", "no event changes")
    if before.conventions != after.conventions:
        reason = "they hold for those who write the plan; no event changes"
        yield at("conventions").change("conventions_changed", "cosmetic", "the naming conventions changed", reason)
    if before.on_violation != after.on_violation:
        message = f"the default policy `{before.on_violation}` became `{after.on_violation}`"
        reason = "each event whose policy changes by it is listed for itself"
        yield at("on_violation").change("default_policy_changed", "cosmetic", message, reason)
    if before.unplanned_properties != after.unplanned_properties:
        message = f"unplanned properties: `{before.unplanned_properties}` became `{after.unplanned_properties}`"
        reason = "properties that the plan does not name were never promised, and readers of the others are not concerned"
        yield at("unplanned_properties").change("unplanned_policy_changed", "compatible", message, reason)
    if before.unplanned_events != after.unplanned_events:
        message = f"unplanned events: `{before.unplanned_events}` became `{after.unplanned_events}`"
        reason = "what no event of the plan is triggered by is not delivered either way"
        yield at("unplanned_events").change("unplanned_policy_changed", "cosmetic", message, reason)
