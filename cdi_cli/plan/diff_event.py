"""Comparing events: their trigger, their policy, the destinations they go to, and their properties."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from cdi_cli.plan.diff_change import Change, Level, Spot
from cdi_cli.plan.diff_places import key_place
from cdi_cli.plan.diff_property import PropertyComparer, remark
from cdi_cli.plan.model import OnViolation, PlannedEvent, Routing
from cdi_cli.plan.problems import listing

ALIKE_MIN = 0.6
"""Two events of different names are one that was renamed when they share this part of their property names (Jaccard)."""

_PROMISES: dict[OnViolation, str] = {
    "block": "every event that arrives keeps to the plan",
    "strip": "every event that arrives keeps to the plan, without what breaks it",
    "warn": "events that break the plan arrive as they are",
}


def paired_events(
    before: Sequence[PlannedEvent], after: Sequence[PlannedEvent]
) -> tuple[list[tuple[PlannedEvent, PlannedEvent]], list[PlannedEvent], list[PlannedEvent]]:
    """Pairs in the order of `after`, events that were removed, events that were added."""
    old, new = ({(each.type, each.name): each for each in events} for events in (before, after))
    removed = {key: each for key, each in old.items() if key not in new}
    added = {key: each for key, each in new.items() if key not in old}
    partners = {key: old[key] for key in new if key in old}
    likely = [pair for pair in product(removed.values(), added.values()) if _likeness(*pair) >= ALIKE_MIN]
    for first, second in sorted(likely, key=lambda pair: (-_likeness(*pair), sorted(event.name for event in pair))):
        gone, came = (first.type, first.name), (second.type, second.name)
        if gone in removed and came in added:
            partners[came] = removed.pop(gone)
            added.pop(came)
    pairs = [(partners[key], each) for key, each in new.items() if key in partners]
    return pairs, list(removed.values()), list(added.values())


def _likeness(first: PlannedEvent, second: PlannedEvent) -> float:
    if (first.type, first.trigger) != (second.type, second.trigger):
        return 0.0
    one, other = ({each.name for each in event.properties} for event in (first, second))
    return len(one & other) / max(1, len(one | other))


def event_changes(old: PlannedEvent, new: PlannedEvent, *, is_closed: bool) -> Iterator[Change]:
    """Every difference between an event and what it became; `is_closed`: unplanned properties are violations."""
    spot = Spot(new.name, "", old.place, new.place, new.place)
    if old.name != new.name:
        reason = "who reads the old name gets no more of them"
        yield spot.change("event_renamed", "breaking", f"`{old.name}` was renamed to `{new.name}`", reason)
    if old.trigger != new.trigger:
        message = f"the trigger `{old.trigger}` became `{new.trigger}`"
        reason = "under the same name it says that something else happened"
        # What others sent may have meant the same.
        is_suspected = not old.is_produced
        yield _at(spot, "trigger").change("trigger_changed", "breaking", message, reason, is_suspected=is_suspected)
    if old.on_violation != new.on_violation:
        message = f"the policy `{old.on_violation}` became `{new.on_violation}`"
        level: Level = "breaking" if new.on_violation == "warn" else "compatible"
        yield _at(spot, "on_violation").change("policy_changed", level, message, _PROMISES[new.on_violation])
    yield from _template_change(old, new, spot)
    yield from _remarks(old, new, spot)
    yield from _routing_changes(old, new, spot)
    yield from PropertyComparer(is_closed).compare_all(old.properties, new.properties, spot)


def _template_change(old: PlannedEvent, new: PlannedEvent, spot: Spot) -> Iterator[Change]:
    """What makes the event as a whole: what its own properties say of their mapping counts where nothing does."""
    before, after = old.template, new.template
    if (before.text if before is not None else None) == (after.text if after is not None else None):
        return
    if before is not None and after is not None:
        message = f"the template `{after.name}` changed"
    else:
        message = f"the template `{after.name}` makes it" if after is not None else "it is mapped property by property again"
    reason = "it cannot be told whether the values are still the same; `cdi plan impact` compares them on records"
    place = after.start if after is not None else None
    spot = replace(_at(spot, "template"), after=place or spot.after, nearest=place or spot.nearest)
    yield spot.change("template_changed", "breaking", message, reason, is_suspected=True)


def _at(spot: Spot, key: str) -> Spot:
    """The spot of a key of the event's file."""
    before, after = (key_place(place, key) if place is not None else None for place in (spot.before, spot.after))
    return replace(spot, before=before, after=after, nearest=after or spot.nearest)


def _remarks(old: PlannedEvent, new: PlannedEvent, spot: Spot) -> Iterator[Change]:
    """What is said about an event to people."""
    for key in ("deprecated", "since", "description"):
        if getattr(old, key) != getattr(new, key):
            yield remark(key, old, new, _at(spot, key))


def _routing_changes(old: PlannedEvent, new: PlannedEvent, spot: Spot) -> Iterator[Change]:
    before, after = ({each.key: each for each in event.routing} for event in (old, new))
    for key in dict.fromkeys((*before, *after)):
        yield from _route_changes(key, before.get(key), after.get(key), spot)


def _route_changes(key: str, before: Routing | None, after: Routing | None, event: Spot) -> Iterator[Change]:
    """How the way to one destination changed; without an entry an event goes there as it is."""
    spot = Spot(
        event.event,
        "",
        before.place if before else event.before,
        after.place if after else event.after,
        after.place if after else event.nearest,
    )
    old, new = before or Routing(key, event.nearest), after or Routing(key, event.nearest)
    found = list(_way_changes(key, old, new, spot))
    yield from found
    if not found and (before is None) != (after is None):
        message = f"`{key}` got an entry of its own" if before is None else f"`{key}` lost its own entry"
        reason = "an entry under a destination's name takes the place of the one under its type"
        yield spot.change("routing_changed", "breaking", message, reason, is_suspected=True)


def _way_changes(key: str, old: Routing, new: Routing, spot: Spot) -> Iterator[Change]:
    if old.is_sent != new.is_sent:
        if new.is_sent:
            yield spot.change("routing_changed", "compatible", f"it goes to `{key}` now", "no reader there knows it yet")
        else:
            reason = "who reads it there gets no more of them"
            yield spot.change("routing_changed", "breaking", f"it no longer goes to `{key}`", reason)
    if old.event_name != new.event_name:
        message = f"at `{key}` it is named {_named(new.event_name)}, no longer {_named(old.event_name)}"
        yield spot.change("routing_changed", "breaking", message, "who reads the old name there gets no more of them")
    if left := sorted(set(new.exclude) - set(old.exclude)):
        reason = "who reads it there finds nothing any more"
        yield spot.change("routing_changed", "breaking", f"{listing(left)} no longer goes to `{key}`", reason)
    if came := sorted(set(old.exclude) - set(new.exclude)):
        message = f"{listing(came)} goes to `{key}` now"
        yield spot.change("routing_changed", "compatible", message, "no reader there knows it yet")
    for path in sorted(old.rename.keys() | new.rename.keys()):
        if old.rename.get(path) != new.rename.get(path):
            message = (
                f"at `{key}` `{path}` is named {_named(new.rename.get(path))}, no longer {_named(old.rename.get(path))}"
            )
            yield spot.change("routing_changed", "breaking", message, "who reads the old name there finds nothing any more")


def _named(name: str | None) -> str:
    return f"`{name}`" if name else "as in the plan"
