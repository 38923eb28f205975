"""Comparing properties: what each is, where its value comes from, who may see it, and everything inside it.

Properties are paired by name; one that disappeared and one that came with the same type and the same mapping are the same
property under another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cdi_cli.plan.diff_change import Change, Level, Spot, quote
from cdi_cli.plan.diff_keywords import LOOSER, TIGHTER, canonical, keyword_changes
from cdi_cli.plan.model import PII, Pii, PlannedEvent, Property
from cdi_cli.plan.problems import listing

PiiMove = tuple[Pii | None, Pii | None]
Pair = tuple[Property, Property]

_MAY_DIFFER = "it cannot be told whether the value is still the same; readers may read something else under the same name"


class PropertyComparer:
    """Compares the properties of one event; `is_closed`: the plan forbids properties that it does not name."""

    def __init__(self, is_closed: bool) -> None:
        self._is_closed = is_closed

    def compare_all(
        self, before: Sequence[Property], after: Sequence[Property], around: Spot, moved: PiiMove = (None, None)
    ) -> Iterator[Change]:
        """The differences between two objects' properties; `moved` is how the PII class around them changed."""
        pairs, removed, added = _paired(before, after)
        for each in removed:
            reason = "who reads it finds nothing there any more"
            spot = around.inside(_path(around, each), each.place, None)
            yield spot.change("property_removed", "breaking", f"`{each.name}` was removed", reason)
        for each in added:
            noun = "required" if each.is_required else "optional"
            reason = "no reader knows it yet"
            if each.is_required:
                reason = "no reader knows it yet; events without it break the plan (`cdi plan impact` tells how many)"
            spot = around.inside(_path(around, each), None, each.place)
            yield spot.change("property_added", "compatible", f"`{each.name}` was added ({noun})", reason)
        for old, new in pairs:
            spot = around.inside(_path(around, new), old.place, new.place)
            if old.name != new.name:
                message = f"`{old.name}` was renamed to `{new.name}`"
                reason = "who reads the old name finds nothing there any more"
                yield spot.change("property_renamed", "breaking", message, reason)
            yield from self.compare(old, new, spot, moved)

    def compare(self, old: Property, new: Property, spot: Spot, moved: PiiMove = (None, None)) -> Iterator[Change]:
        """The differences between a property and what it became, and inside it."""
        yield from _required(old, new, spot)
        yield from _types(old, new, spot)
        yield from keyword_changes(old.keywords, new.keywords, spot, is_closed=self._is_closed)
        yield from _mapping(old, new, spot)
        if old.pii != new.pii and (old.pii, new.pii) != moved:
            yield _pii(old, new, spot)
        for key in ("deprecated", "since", "description"):
            if getattr(old, key) != getattr(new, key):
                yield remark(key, old, new, spot)
        moved = (old.pii, new.pii)
        if bool(old.properties) != bool(new.properties):
            yield _opened_or_closed(new, spot)
        else:
            yield from self.compare_all(old.properties, new.properties, spot, moved)
        if old.items is not None and new.items is not None:
            inner = spot.inside(f"{spot.path}[]", old.items.place, new.items.place)
            yield from self.compare(old.items, new.items, inner, moved)
        elif old.items is not None or new.items is not None:
            yield _elements(new, spot)


def _path(around: Spot, each: Property) -> str:
    return f"{around.path}.{each.name}" if around.path else each.name


def _paired(before: Sequence[Property], after: Sequence[Property]) -> tuple[list[Pair], list[Property], list[Property]]:
    """Pairs in the order of `after`, what was removed, what was added."""
    old_by_name = {each.name: each for each in before}
    new_names = {each.name for each in after}
    removed = {each.name: each for each in before if each.name not in new_names}
    fresh = {each.name: each for each in after if each.name not in old_by_name}
    renamed: dict[str, Property] = {}
    for name in sorted(fresh):
        same = next((old for old in sorted(removed) if _is_same_value(removed[old], fresh[name])), None)
        if same is not None:
            renamed[name] = removed.pop(same)
    pairs = [(old, each) for each in after if (old := old_by_name.get(each.name) or renamed.get(each.name)) is not None]
    return pairs, list(removed.values()), [each for each in fresh.values() if each.name not in renamed]


def _is_same_value(old: Property, new: Property) -> bool:
    """Whether two properties of different names hold the same: one type, and one mapping that is no constant."""
    is_mapped = bool(old.sources) and not old.is_scripted and not new.is_scripted
    return is_mapped and set(old.types) == set(new.types) and _origin(old) == _origin(new)


def _required(old: Property, new: Property, spot: Spot) -> Iterator[Change]:
    if old.is_required and not new.is_required:
        reason = "a reader that relies on it meets events without it"
        yield spot.change("became_optional", "breaking", f"`{new.name}` became optional", reason)
    elif new.is_required and not old.is_required:
        reason = "a reader may rely on it now; events without it break the plan (`cdi plan impact` tells how many)"
        yield spot.change("became_required", "compatible", f"`{new.name}` became required", reason)


def _types(old: Property, new: Property, spot: Spot) -> Iterator[Change]:
    if set(old.types) == set(new.types):
        return
    message = f"the type {_type_text(old)} became {_type_text(new)}"
    if _admits(old.types, new.types):
        yield spot.change("type_narrowed", "compatible", message, TIGHTER)
    elif _admits(new.types, old.types):
        yield spot.change("type_widened", "breaking", message, LOOSER)
    else:
        yield spot.change("type_changed", "breaking", message, "a reader that expects the old type fails on the new one")


def _admits(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return all(each in wide or (each == "integer" and "number" in wide) for each in narrow)


def _type_text(each: Property) -> str:
    return " or ".join(f"`{name}`" for name in each.types)


def _origin(each: Property) -> tuple[object, ...]:
    constant = canonical(each.constant) if each.is_constant else None
    return tuple(path.text for path in each.sources), constant, each.join


def _mapping(old: Property, new: Property, spot: Spot) -> Iterator[Change]:
    """Where the value comes from."""
    if old.join != new.join and not new.is_scripted:
        message = f"the texts of the list are joined by {_joined(new)}, not by {_joined(old)}"
        yield spot.change("join_changed", "breaking", message, "a reader that takes the text apart finds other parts")
    if old.script is not None or new.script is not None:
        if _script_text(old) != _script_text(new):
            yield spot.change("mapping_changed", "breaking", _mapping_text(old, new), _MAY_DIFFER, is_suspected=True)
        return
    if (old.is_scripted and new.is_scripted) or _origin(old)[:2] == _origin(new)[:2]:
        return
    if old.is_constant or new.is_constant:
        kind = "constant_changed" if old.is_constant and new.is_constant else "mapping_changed"
        yield spot.change(kind, "breaking", _mapping_text(old, new), _MAY_DIFFER, is_suspected=True)
        return
    before, after = ([path.text for path in each.sources] for each in (old, new))
    if not before:
        # An object is put together from its own properties; with a source of its own, they may mean another thing.
        level: Level = "breaking" if old.properties else "compatible"
        reason = _MAY_DIFFER if old.properties else "it had no value until now"
        is_suspected = bool(old.properties)
        yield spot.change("mapping_changed", level, _mapping_text(old, new), reason, is_suspected=is_suspected)
    elif after[: len(before)] == before:
        reason = "where it had a value it keeps it; where it had none it may have one now"
        yield spot.change("fallback_added", "compatible", _mapping_text(old, new), reason)
    elif after and before[: len(after)] == after:
        reason = "where the value came from the removed path there is none any more"
        yield spot.change("fallback_removed", "breaking", _mapping_text(old, new), reason, is_suspected=True)
    elif after or new.properties:
        yield spot.change("mapping_changed", "breaking", _mapping_text(old, new), _MAY_DIFFER, is_suspected=True)
    else:
        yield spot.change("mapping_changed", "breaking", _mapping_text(old, new), "it is never sent any more")


def _script_text(each: Property) -> str | None:
    return each.script.text if each.script is not None else None


def _joined(each: Property) -> str:
    return quote(each.join) if each.join is not None else "nothing"


def _mapping_text(old: Property, new: Property) -> str:
    return f"the value comes from {_origin_text(new)}, no longer from {_origin_text(old)}"


def _origin_text(each: Property) -> str:
    if each.script is not None:
        return f"the expression {quote(each.script.text)}"
    if each.is_constant:
        return f"the constant {quote(each.constant)}"
    return listing(path.text for path in each.sources) if each.sources else "nowhere"


def _pii(old: Property, new: Property, spot: Spot) -> Change:
    rank = {name: number for number, name in enumerate((None, *PII))}
    message = f"the PII class {_class(old)} became {_class(new)}"
    reason = "the values stay; messages and tools may show more of them now"
    if rank[new.pii] > rank[old.pii]:
        reason = "the values stay; whoever stores them must protect them better now"
    return spot.change("pii_changed", "compatible", message, reason)


def _class(each: Property) -> str:
    return f"`{each.pii}`" if each.pii is not None else "unsaid"


def remark(key: str, old: Property | PlannedEvent, new: Property | PlannedEvent, spot: Spot) -> Change:
    """A change of what is said to people: `deprecated`, `since` or `description`."""
    if key != "deprecated":
        message = "the description changed" if key == "description" else f"`{key}` changed"
        return spot.change(f"{key}_changed", "cosmetic", message, "no event changes")
    word = "is deprecated" if new.deprecated is not None else "is no longer deprecated"
    if old.deprecated is not None and new.deprecated is not None:
        word = "is deprecated in other words"
    reason = "it is still sent as before; readers are told to look for another"
    return spot.change("deprecation_changed", "compatible", f"`{new.name or 'the element'}` {word}", reason)


def _opened_or_closed(new: Property, spot: Spot) -> Change:
    """An object that was sent whole and is now put together from planned properties, or the other way round."""
    if new.properties:
        reason = "fields that nobody planned were sent until now, and are left out from now on"
        return spot.change("object_planned", "breaking", "its properties are planned now", reason, is_suspected=True)
    reason = "nothing is promised any more about what it holds"
    return spot.change("object_unplanned", "breaking", "its properties are no longer planned", reason)


def _elements(new: Property, spot: Spot) -> Change:
    """A list whose elements were not planned and now are, or the other way round."""
    if new.items is None:
        reason = "nothing is promised any more about its elements"
        return spot.change("elements_unplanned", "breaking", "its elements are no longer planned", reason)
    if new.items.properties or any(path.text != "item" for path in new.items.sources) or new.items.is_constant:
        reason = "elements were sent as they were until now, and are mapped from now on"
        return spot.change("elements_planned", "breaking", "its elements are planned now", reason, is_suspected=True)
    return spot.change("elements_planned", "compatible", "its elements are planned now", TIGHTER)
