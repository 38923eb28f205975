"""Explaining a dead letter: each violation with the line of the plan, the mapping, and what the record holds there.

Nothing is sent and no network is needed: the record is read as the source reads it offline. Values are given apart from
their redacted text, for the caller to show only where personal data was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi_cli.commerce import Money, Order
from cdi_cli.errors import CdiError, ConfigError
from cdi_cli.events import Occurrence, occurrences, updated
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.replay import read_letters
from cdi_cli.pipeline.replay_issue import LetterRecord
from cdi_cli.pipeline.shaping import consent_fields, lifecycle_of
from cdi_cli.pipeline.validate_violations import FIX_OTHERWISE, FIXES, FIXES_MAPPED
from cdi_cli.plan import Place, Plan, PlannedEvent, Property, load_plan
from cdi_cli.plan.paths import Step
from cdi_cli.plan.record import dig
from cdi_cli.plan.redact import planned_at, redacted, value_at
from cdi_cli.sources import Departed, Nothing, Reading, SourceContext, Unreadable
from cdi_cli.state._base import DeadLetter, StoredDeadLetter

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_JSON_PATH = re.compile(r"`\$((?:\.[^.\[\]`]+|\[\d+\])+)`")
"""The place of a decoding error, as msgspec writes it: ``- at `$.totalPrice.centAmount` ``."""


@dataclass(frozen=True, slots=True)
class Held:
    """What stands at a path of the record or its entity; `kind` says it without personal data, `value` is it."""

    path: str
    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Spot:
    """One violation: what the plan says at `place` (None: it does not name the property), and what was mapped.

    `sources`: the paths that the value comes from. `shown`: the value redacted by its class, "" where there is none, and
    `value` itself. `fix`: what would mend it.
    """

    path: str
    rule: str
    message: str
    fix: str
    place: Place | None = None
    sources: tuple[str, ...] = ()
    shown: str = ""
    value: Any = None
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A dead letter and what is known about it now. `plan_version`: of the present plan, "" where it cannot be loaded.

    `place`: where the letter's event is planned. `held`: what stands where an unreadable record could not be read.
    `why_stuck`: why it cannot be replayed, "" where it can be.
    """

    stored: StoredDeadLetter
    plan_version: str
    place: Place | None
    spots: tuple[Spot, ...]
    held: tuple[Held, ...]
    why_stuck: str


async def explain(project: Project, stored: StoredDeadLetter) -> Explanation:
    """Explain a dead letter by the present settings and plan; never raises for what is wrong with these."""
    letter = stored.letter
    plan = _plan(project, stored.pipeline)
    event = next((each for each in plan.events if each.name == letter.event_name), None) if plan is not None else None
    occurrence = await _occurrence(project, stored, event) if event is not None and letter.violations else None
    found = _JSON_PATH.search(letter.detail) if letter.event_name is None else None
    return Explanation(
        stored,
        plan.version if plan is not None else "",
        event.place if event is not None else None,
        tuple(_spot(letter, event, occurrence, violation) for violation in letter.violations),
        (_held_at(letter, found.group(1).removeprefix(".")),) if found and letter.record else (),
        _why_stuck(project, stored),
    )


def _plan(project: Project, pipeline: str) -> Plan | None:
    if pipeline not in project.settings.pipelines:
        return None
    try:
        return load_plan(project.plan_folder(pipeline))
    except ConfigError:
        return None


def _why_stuck(project: Project, stored: StoredDeadLetter) -> str:
    chosen = project.settings.pipelines.get(stored.pipeline)
    if stored.letter.record is None:
        return "its record was not kept"
    if chosen is None:
        return f"there is no pipeline `{stored.pipeline}` any more"
    if stored.destination not in chosen.destinations:
        return f"pipeline `{stored.pipeline}` has no destination `{stored.destination}` any more"
    return ""


def _spot(
    letter: DeadLetter, event: PlannedEvent | None, occurrence: Occurrence | None, violation: tuple[str, str, str]
) -> Spot:
    path, rule, message = violation
    steps = _steps(path)
    fix = FIXES_MAPPED.get(rule) or FIXES.get(rule, FIX_OTHERWISE)
    planned, is_exact = planned_at(event, steps) if event is not None else (None, False)
    exact = planned if is_exact else None
    sent: dict[str, Any] = msgspec.json.decode(letter.event) if letter.event else {}
    value, has_value = value_at(sent.get("traits", sent.get("properties", {})), steps)
    near = planned.place if planned is not None else event.place if event is not None else None
    return Spot(
        path,
        rule,
        message,
        fix,
        near,
        _origin(event, exact, steps) if event is not None and exact is not None else (),
        redacted(value, exact.pii if exact is not None else None) if has_value else "",
        value,
        tuple(_held(event, steps, occurrence, letter.record)) if event is not None and occurrence is not None else (),
    )


def _origin(event: PlannedEvent, exact: Property, steps: tuple[str | int, ...]) -> tuple[str, ...]:
    """What a property comes from: its paths, or the script that makes it."""
    made = event.made_by(steps)
    return (made,) if made else tuple(each.text for each in exact.sources)


def _steps(path: str) -> tuple[str | int, ...]:
    """A violation's path taken apart: `products[2].sku`."""
    return tuple(int(number) if number else name for name, number in _STEP.findall(path))


def _held_at(letter: DeadLetter, path: str) -> Held:
    value = dig(msgspec.json.decode(letter.record or b"null"), _steps(path))
    return Held(path, _kind(value), plain_value(value))


async def _occurrence(project: Project, stored: StoredDeadLetter, event: PlannedEvent) -> Occurrence | None:
    """What happened, as the letter's record tells it offline; None where it cannot be read so."""
    chosen = project.settings.pipelines[stored.pipeline]
    spec = project.source_spec(chosen.source)
    if spec.open_offline is None or stored.letter.record is None or stored.letter.stream not in spec.names:
        return None
    context = SourceContext(run_id="explain", consent=consent_fields(chosen.consent))
    source = spec.open_offline(project.settings.sources[chosen.source].settings, context, {})
    try:
        (readings,) = await read_letters(source, spec, stored.letter.stream, [LetterRecord(stored)])
    except CdiError:
        return None
    finally:
        await source.close()
    happened = [one for each in readings for one in _happened(each, project, stored.pipeline) if one.kind == event.trigger]
    own = (one for one in happened if one.discriminator and (stored.letter.event_id or "").endswith(one.discriminator))
    return next(own, happened[0] if happened else None)


def _happened(reading: Reading, project: Project, pipeline: str) -> list[Occurrence]:
    if isinstance(reading, Unreadable | Nothing | Departed):
        return []
    found = occurrences(reading, lifecycle_of(project.settings.pipelines[pipeline].lifecycle))
    return [*found, updated(reading)] if isinstance(reading, Order) else found


def _held(event: PlannedEvent, steps: Sequence[str | int], occurrence: Occurrence, record: bytes | None) -> list[Held]:
    """What stands at each path that the property at these steps is mapped from; nothing for what a script makes."""
    if event.script_at(tuple(steps)) is not None:
        return []
    roots: dict[str, Any] = {**occurrence.subjects, "record": msgspec.json.decode(record) if record else None}
    inner: tuple[Property, ...] = event.properties
    planned: Property | None = None
    for number, step in enumerate(steps):
        planned = (
            next((each for each in inner if each.name == step), None) if isinstance(step, str) else planned and planned.items
        )
        if planned is None:
            return []
        inner = planned.properties
        if number < len(steps) - 1:
            roots = _inside(planned, step, roots)
    return [_held_from(path.text, roots.get(path.root), path.steps) for path in planned.sources] if planned else []


def _inside(planned: Property, step: str | int, roots: Mapping[str, Any]) -> dict[str, Any]:
    """The roots inside a property: `item` is its value, or the element of that number."""
    if isinstance(step, int):
        elements = roots.get("item")
        is_there = isinstance(elements, Sequence) and step < len(elements)
        return {**roots, "item": elements[step] if is_there and elements is not None else None}
    values = (dig_path(roots.get(path.root), path.steps) for path in planned.sources)
    return (
        {**roots, "item": next((value for value in values if value is not None), None)} if planned.sources else dict(roots)
    )


def _held_from(path: str, value: Any, steps: tuple[Step, ...]) -> Held:
    found = dig_path(value, steps)
    return Held(path, _kind(found), plain_value(found))


def dig_path(value: Any, steps: tuple[Step, ...]) -> Any:
    """What stands at the end of a plan's path, in an entity or in a raw record; None where nothing does."""
    for step in steps:
        is_entity = isinstance(value, msgspec.Struct) and isinstance(step, str)
        value = getattr(value, str(step), None) if is_entity else dig(value, (step,))
    return value


def plain_value(value: Any) -> Any:
    """A value as JSON has it; an amount as people write it."""
    return f"{value.decimal()} {value.currency}" if isinstance(value, Money) else msgspec.to_builtins(value)


def _kind(value: Any) -> str:
    """What kind of value it is, without saying anything of it."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return f"text of {len(value)}" if value else "an empty text"
    if isinstance(value, Money):
        return "an amount"
    if isinstance(value, int | float):
        return "a number"
    return f"a list of {len(value)}" if isinstance(value, list | tuple) else "an object"
