"""Names in a settings file that must exist elsewhere: sources, destinations, streams, categories, kinds, id fields.

Works on the data with its variables filled in, and repeats in messages only what is written. A part of the wrong shape is
passed over: its shape is already a mistake, reported with all others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cdi_cli.config.document import Document, KeyPath, value_at
from cdi_cli.config.fields import choices
from cdi_cli.config.problems import masked, suggestion
from cdi_cli.config.settings import LifecyclePolicy
from cdi_cli.config.switches import Switches

if TYPE_CHECKING:
    from cdi_cli.config.known import Known

SWITCH_VALUES: dict[str, frozenset[str]] = {
    key: frozenset(choices(LifecyclePolicy.model_fields[key].annotation)) for key in Switches().choices
}
_FIELD = re.compile(r"\{([^{}]*)\}")


def check_references(document: Document, filled: dict[str, Any], known: Known) -> None:
    """Note every name that leads nowhere in the document's problems; `filled` is its data with variables replaced."""
    regions = list(_mapping(filled.get("regions")))
    for name, pipeline in _mapping(filled.get("pipelines")).items():
        if isinstance(pipeline, dict):
            _check_pipeline(document, known, ("pipelines", name), pipeline)
            _check_regimes(document, ("pipelines", name, "consent"), pipeline.get("consent"), regions)
            _check_routing(document, ("pipelines", name), pipeline, regions)


def _check_pipeline(document: Document, known: Known, path: KeyPath, pipeline: dict[str, Any]) -> None:
    sources = _mapping(document.data.get("sources"))
    destinations = _mapping(document.data.get("destinations"))
    source = pipeline.get("source")
    if isinstance(source, str):
        _expect(document, (*path, "source"), source, list(sources), "source")
    _expect_each(document, (*path, "destinations"), pipeline.get("destinations"), list(destinations), "destination")
    source_type = _mapping(sources.get(source)).get("type") if isinstance(source, str) else None
    if source_type in known.sources.names:
        streams = known.streams(str(source_type))
        _expect_each(document, (*path, "streams"), pipeline.get("streams"), streams, "stream")
    categories = list(_mapping(pipeline.get("consent")))
    _expect_each(document, (*path, "require_consent"), pipeline.get("require_consent"), categories, "consent category")
    _check_gates(document, path, pipeline.get("destinations"), destinations, categories)
    off = _mapping(pipeline.get("lifecycle")).get("off")
    _expect_each(document, (*path, "lifecycle", "off"), off, list(known.kinds), "lifecycle kind")
    if source_type in known.sources.names:
        _check_switches(document, known.switches(str(source_type)), path, pipeline, str(source_type))
    _check_ids(document, known.id_fields, (*path, "ids"), _mapping(pipeline.get("ids")))


def _check_switches(document: Document, switches: Switches, path: KeyPath, pipeline: dict[str, Any], source: str) -> None:
    """A switch set to what the source cannot tell would make no event, without a word."""
    lifecycle = _mapping(pipeline.get("lifecycle"))
    for key, values in switches.choices.items():
        value, here = lifecycle.get(key), (*path, "lifecycle", key)
        if isinstance(value, str) and value in SWITCH_VALUES[key] and value not in values:
            listed = ", ".join(f"`{one}`" for one in values)
            hint = f"one of {listed}" if len(values) > 1 else f"leave it out, or write {listed}"
            document.problem(here, f"a source of type `{source}` cannot tell `{key}: {value}`", hint=hint)
    streams = pipeline.get("streams")
    is_read = isinstance(streams, list) and switches.deletions in streams
    if lifecycle.get("customer_updated") == "deleted" and "deleted" in switches.customer_updated and not is_read:
        document.problem(
            (*path, "lifecycle", "customer_updated"),
            "this pipeline does not read that customers were deleted",
            hint=f"name `{switches.deletions}` among its `streams`",
        )


def _expect(document: Document, path: KeyPath, value: str, names: Sequence[str], noun: str) -> None:
    if value not in names:
        hint = suggestion(value, names) or f"this file has no {noun}"
        document.problem(path, f"unknown {noun} `{_written(document, path)}`", hint=hint)


def _expect_each(document: Document, path: KeyPath, values: Any, names: Sequence[str], noun: str) -> None:
    seen: set[str] = set()
    for number, value in enumerate(values if isinstance(values, list) else ()):
        if not isinstance(value, str):
            continue
        _expect(document, (*path, number), value, names, noun)
        if value in seen:
            shown = _written(document, (*path, number))
            document.problem((*path, number), f"{noun} `{shown}` is listed twice", hint="remove one of them")
        seen.add(value)


def _check_gates(document: Document, path: KeyPath, names: Any, destinations: dict[str, Any], categories: list[str]) -> None:
    """A destination that requires a consent which the pipeline does not read would never get an event."""
    listed = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    for name in dict.fromkeys(listed):
        number = names.index(name)
        required = _mapping(destinations.get(name)).get("require_consent")
        for category in required if isinstance(required, list) else ():
            if isinstance(category, str) and category not in categories:
                document.problem(
                    (*path, "destinations", number),
                    f"destination `{name}` requires the consent `{category}`, which this pipeline does not read",
                    hint=f"say under `consent` where the record keeps `{category}`",
                )


def _check_regimes(document: Document, path: KeyPath, consent: Any, regions: list[str]) -> None:
    """A regime for a region that there is not would never hold."""
    for category, rule in _mapping(consent).items():
        for region in _mapping(_mapping(rule).get("regimes")):
            if isinstance(region, str) and region not in regions:
                hint = suggestion(region, regions) or "this file has no `regions`"
                here = (*path, category, "regimes", region)
                document.problem(here, f"unknown region `{masked(region)}`", hint=hint, at_key=True)


def _check_routing(document: Document, path: KeyPath, pipeline: dict[str, Any], regions: list[str]) -> None:
    """A rule about a destination that the pipeline does not feed would never hold, or would keep everything back."""
    rules, destinations = pipeline.get("routing"), pipeline.get("destinations")
    names = [name for name in destinations if isinstance(name, str)] if isinstance(destinations, list) else []
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        for part, key in (("when", "destination"), ("when", "region"), ("then", "only"), ("then", "not")):
            value = _mapping(_mapping(rule).get(part)).get(key)
            here = (*path, "routing", number, part, key)
            known, noun = (regions, "region") if key == "region" else (names, "destination of this pipeline")
            if isinstance(value, str):
                _expect(document, here, value, known, noun)
            _expect_each(document, here, value, known, noun)


def _check_ids(document: Document, fields: Collection[str], path: KeyPath, forms: dict[str, Any]) -> None:
    """An own id form names known fields only, tells one entity from another, and is not shared by two events."""
    owner: dict[str, str] = {}
    for event, form in forms.items():
        here = (*path, event)
        if not isinstance(form, str):
            continue
        used = _FIELD.findall(form)
        for field in used:
            if field not in fields:
                document.problem(
                    here, f"unknown field `{{{masked(field)}}}` in an id", hint=suggestion(field, sorted(fields))
                )
        if "{" in _FIELD.sub("", form) or "}" in _FIELD.sub("", form):
            document.problem(here, "a brace in an id must open and close a field", hint="for example `{entity_number}`")
        elif not {"entity_id", "entity_number", "discriminator"} & set(used):
            document.problem(
                here,
                f"every `{event}` would have the same id",
                hint="add `{entity_number}` or `{entity_id}` to the form",
            )
        if form in owner and "event" not in used:
            document.problem(here, f"`{event}` and `{owner[form]}` would share their ids", hint="add `{event}` to the form")
        owner.setdefault(form, event)


def _written(document: Document, path: KeyPath) -> str:
    """What the file says at a path: the variable's name, not its value; nothing that looks like a credential."""
    return masked(str(value_at(document.data, path)))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def fields_of(form: str) -> Iterator[str]:
    """The fields that an id form uses, in order."""
    yield from _FIELD.findall(form)
