"""Lineage: of every field of a request, which values of the event it is made of; found out by trying.

Each value of the event is changed a little, alone, and the request is made again: the fields that are no longer the same
are made of it. This holds for every destination, whatever it renames, adds up, hashes or leaves out, and needs nothing of
it but its own encoding. A change that the destination would refuse tells nothing, so several are tried; a value whose every
change is refused or makes no difference is one that the request does not hold. A field that is gone after a change is made
of the value only where that was taken away: a switch that makes another request of the event is no source of all its fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cdi_cli.destinations import Draft, Filtered
from cdi_cli.events import Event, changed
from cdi_cli.pipeline.preview_issue import Draw, Drawn

Steps = tuple[str | int, ...]
PROBES_MAX = 600
"""Values of one event that are tried; an order of 50 lines has about 600."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_CODES = ("EUR", "USD")
EVENT_FIELDS = {"userId": "user_id", "anonymousId": "anonymous_id", "timestamp": "at", "messageId": "id"}
"""What of an event is no property: its name in a message, and in `Event`."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One value of an event: `place` is "properties", "context" or "event", `steps` where it stands there."""

    place: str
    steps: Steps
    value: Any

    @property
    def path(self) -> str:
        """As people write it: `products[0].price`, `context.locale`, `userId`."""
        return path_of(("context", *self.steps) if self.place == "context" else self.steps)


@dataclass(slots=True)
class Leaf:
    """One value of a request, and what it is made of."""

    steps: Steps
    value: Any
    probes: list[Probe] = field(default_factory=list)


@dataclass(slots=True)
class Traced:
    """A request with its leaves in the order of its text."""

    draft: Draft
    leaves: list[Leaf]


@dataclass(slots=True)
class Lineage:
    """The requests of an event; `unused`: values that no field is made of; `is_whole`: whether every value was tried."""

    requests: list[Traced]
    unused: list[Probe] = field(default_factory=list)
    is_whole: bool = True


def trace(event: Event, draw: Draw) -> Lineage:
    """The lineage of an event that is taken; empty for one that is not."""
    drawn = draw(event, None)
    requests = [Traced(draft, _leaves(draft)) for draft in drawn] if isinstance(drawn, list) else []
    lineage = Lineage(requests)
    if not requests:
        return lineage
    probes = list(_probes(event))
    lineage.is_whole = len(probes) <= PROBES_MAX
    for probe in probes[:PROBES_MAX]:
        found, is_used = _made_of(event, probe, draw, requests)
        for leaf in found:
            leaf.probes.append(probe)
        if not is_used and probe.place == "properties":
            lineage.unused.append(probe)
    return lineage


def _made_of(event: Event, probe: Probe, draw: Draw, requests: Sequence[Traced]) -> tuple[list[Leaf], bool]:
    """The leaves that some change of the value changes, and whether any change makes another request at all.

    What is left without the value counts only where no other change is taken. One change is not enough: a text may be cut
    up, and each part of it stand in a field of its own.
    """
    found: dict[int, Leaf] = {}
    is_used = False
    for variant in _variants(probe.value):
        if variant is _REMOVED and found:
            break
        made = _drawn(event, probe, variant, draw)
        if isinstance(made, list):
            differing = list(_differing(requests, made))
            is_used = is_used or bool(differing)
            found |= {id(leaf): leaf for leaf, is_gone in differing if variant is _REMOVED or not is_gone}
    return list(found.values()), is_used


def _drawn(event: Event, probe: Probe, variant: Any, draw: Draw) -> Drawn:
    if probe.place == "properties":
        return draw(changed(event, properties=_with(event.properties, probe.steps, variant)), None)
    if probe.place == "context":
        return draw(msgspec.structs.replace(event, context=_with(event.context, probe.steps, variant)), None)
    name = str(probe.steps[0])
    if variant is _REMOVED:
        return Filtered("not_tried")  # an event without a name, a time or an id is none
    if name == "event":
        return draw(event, variant)
    return draw(msgspec.structs.replace(event, **{EVENT_FIELDS[name]: variant}), None)


def _differing(requests: Sequence[Traced], made: Sequence[Draft]) -> Iterator[tuple[Leaf, bool]]:
    """The leaves that are not the same in the requests that were made of the changed event, and whether they are gone."""
    for number, request in enumerate(requests):
        others = {leaf.steps: leaf.value for leaf in _leaves(made[number])} if number < len(made) else {}
        for leaf in request.leaves:
            other = others.get(leaf.steps, _NOWHERE)
            if other != leaf.value:
                yield leaf, other is _NOWHERE


_NOWHERE = object()
_REMOVED = object()


def _probes(event: Event) -> Iterator[Probe]:
    yield from (Probe("properties", steps, value) for steps, value in _walk(event.properties, ()) if steps)
    for name, attribute in EVENT_FIELDS.items():
        if (value := getattr(event, attribute)) is not None:
            yield Probe("event", (name,), value)
    yield Probe("event", ("event",), event.name)
    yield from (Probe("context", steps, value) for steps, value in _walk(event.context, ()) if steps)


def _leaves(draft: Draft) -> list[Leaf]:
    return [Leaf(steps, value) for steps, value in _walk(msgspec.json.decode(draft.body), ())]


def _walk(value: Any, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    """Every leaf with its steps; an empty list or object is one."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _walk(each, (*steps, name))
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield from _walk(each, (*steps, number))
    else:
        yield steps, value


def _variants(value: Any) -> Iterator[Any]:
    """Other values of the same kind, the likeliest to be taken first; last of all none."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value * 2 + 3)
    elif isinstance(value, str) and value:
        if _TIME.match(value):
            yield f"{value[:18]}{_next(value[18])}{value[19:]}"
        yield f"{value[:-1]}{_next(value[-1])}"
        middle = len(value) // 2
        yield f"{value[:middle]}{_next(value[middle])}{value[middle + 1 :]}"
        yield from (f"x{value}", f"{value}x")
        yield from (code for code in _CODES if len(value) == len(code) and code != value)
    yield _REMOVED


def _next(character: str) -> str:
    """Another character of the same kind."""
    for first, last in ("09", "az", "AZ"):
        if first <= character <= last:
            return first if character == last else chr(ord(character) + 1)
    return "x"


def _with(tree: dict[str, Any], steps: Steps, value: Any) -> dict[str, Any]:
    """A copy of the tree with another value at the steps, or without it."""
    copied: Any = tree.copy()
    holder = copied
    for step in steps[:-1]:
        holder[step] = holder[step].copy()
        holder = holder[step]
    if value is _REMOVED and isinstance(holder, dict):
        del holder[steps[-1]]
    else:
        # An element of a list leaves a gap: without it, those behind it would move up.
        holder[steps[-1]] = None if value is _REMOVED else value
    return dict(copied)


def path_of(steps: Steps) -> str:
    """Steps as people write them: `products[2].sku`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def rebuilt(traced: Traced, show: Callable[[Leaf], Any]) -> Any:
    """The request's body with every leaf as `show` gives it."""
    shown = {leaf.steps: show(leaf) for leaf in traced.leaves}
    return _rebuilt(msgspec.json.decode(traced.draft.body), (), shown)


def _rebuilt(value: Any, steps: Steps, shown: dict[Steps, Any]) -> Any:
    if steps in shown:
        return shown[steps]
    if isinstance(value, dict):
        return {name: _rebuilt(each, (*steps, name), shown) for name, each in value.items()}
    return [_rebuilt(each, (*steps, number), shown) for number, each in enumerate(value)]
