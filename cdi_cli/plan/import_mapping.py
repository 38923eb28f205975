"""What only cdi knows, taken from a plan that knows it: triggers, where values come from, PII classes.

An imported event has none of it. Where the other plan has an event of the same name, its properties of the same name and a
fitting type bring their mapping along. An event whose required properties all come from somewhere is made by cdi from then
on; any other is only checked (`trigger: none`), and what it lacks is listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cdi_cli.plan.agree import disagreement
from cdi_cli.plan.import_document import ImportedEvent, ImportedPlan
from cdi_cli.plan.model import Plan, PlannedEvent, Property

Table = dict[str, Any]

_ORDER = ("type", "required", "from", "value", "jsonata", "join", "pii", "description")


def take_mapping(plan: ImportedPlan, donor: Plan) -> None:
    """Give the events of `plan` what the events of the same name in `donor` know."""
    known = {(str(event.type), event.name): event for event in donor.events if event.is_produced}
    for event in plan.events:
        if (found := known.get((event.type, event.name))) is None:
            continue
        if found.template is not None:
            plan.templates[found.template.name] = found.template.text
        _take(event, found)


def _take(event: ImportedEvent, donor: PlannedEvent) -> None:
    missing: list[str] = []
    known = {each.name: each for each in donor.properties}
    mapped = _table(event.properties, known, "", None, missing)
    event.todo = tuple(missing)
    if missing:
        event.properties = without_mapping(mapped)
        return
    event.properties = mapped
    event.extra = {"trigger": donor.trigger}
    if donor.template is not None:
        event.extra["template"] = donor.template.name
    if donor.on_violation != "block":
        event.extra["on_violation"] = donor.on_violation


def _table(table: Table, known: dict[str, Property], around: str, pii: str | None, missing: list[str]) -> Table:
    """Properties by name, in the order of the donor, then those that it does not have."""
    names = [*(name for name in known if name in table), *(name for name in table if name not in known)]
    return {name: _property(table[name], known.get(name), f"{around}{name}", pii, missing) for name in names}


def _property(schema: Table, donor: Property | None, path: str, pii: str | None, missing: list[str]) -> Table:
    """One property with its mapping; what is required and comes from nowhere is added to `missing`."""
    if donor is None:
        missing += _required(schema, path)
        return schema
    written = schema["type"]
    types = tuple(written) if isinstance(written, list) else (written,)
    is_fitting = all(disagreement(source, types, donor.join) is None for source in donor.sources)
    mapped = dict(schema) | _mapping(donor, is_fitting=is_fitting, is_element=path.endswith("[]"))
    if donor.pii is not None and donor.pii != pii:
        mapped["pii"] = donor.pii
    if not is_fitting:
        missing += _required(schema, path)
        return _in_order(mapped)
    is_made = donor.sources or donor.is_constant or donor.is_scripted or "properties" in schema
    if schema.get("required") and not is_made:
        missing.append(path)
    inner_pii = donor.pii or pii
    if "properties" in schema:
        known = {each.name: each for each in donor.properties}
        mapped["properties"] = _table(schema["properties"], known, f"{path}.", inner_pii, missing)
    if "items" in schema:
        mapped["items"] = _property(schema["items"], donor.items, f"{path}[]", inner_pii, missing)
    return _in_order(mapped)


def _mapping(donor: Property, *, is_fitting: bool, is_element: bool) -> Table:
    """The keys that say where a value comes from."""
    if donor.script is not None:
        return {"jsonata": donor.script.text}
    if donor.is_constant:
        return {"value": donor.constant}
    sources = [source.text for source in donor.sources]
    # The elements of a list come from the element itself unless they say otherwise.
    if not sources or not is_fitting or (is_element and sources == ["item"]):
        return {}
    found: Table = {"from": sources[0] if len(sources) == 1 else sources}
    return found if donor.join is None else {**found, "join": donor.join}


def _in_order(mapped: Table) -> Table:
    head = {key: mapped[key] for key in _ORDER if key in mapped}
    return head | {key: value for key, value in mapped.items() if key not in head}


def _required(schema: Table, path: str) -> Iterator[str]:
    """The paths of what is required in a property that comes from nowhere."""
    if schema.get("required") and "properties" not in schema:
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from _required(inner, f"{path}.{name}")
    if "items" in schema:
        yield from _required(schema["items"], f"{path}[]")


def without_mapping(table: Table) -> Table:
    """Properties without the keys that say where values come from."""
    return {name: _unmapped(schema) for name, schema in table.items()}


def _unmapped(schema: Table) -> Table:
    kept = {key: value for key, value in schema.items() if key not in ("from", "value", "jsonata", "join")}
    if "properties" in kept:
        kept["properties"] = without_mapping(kept["properties"])
    if "items" in kept:
        kept["items"] = _unmapped(kept["items"])
    return kept
