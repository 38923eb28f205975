"""`cdi template test`, without its output: one event tried on one record, with what its scripts read and what they make.

The record is read offline by its source, as `cdi preview --record` does; then comes the code of a run: the occurrences, the
mapping, the check. No destination is asked, nothing is sent or written.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cdi_cli import sources
from cdi_cli.commerce import Entity, Order
from cdi_cli.config.problems import suggestion
from cdi_cli.errors import ConfigError
from cdi_cli.events import KINDS, LifecycleSettings, Occurrence, occurrences, origins_of, updated
from cdi_cli.events.ids import slug
from cdi_cli.pipeline.items import origins
from cdi_cli.pipeline.preview import GivenRecord
from cdi_cli.pipeline.preview_mask import personal_texts
from cdi_cli.pipeline.preview_origin import Origins
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.shaping import consent_fields, lifecycle_of
from cdi_cli.plan import CompiledPlan, EventRule, MappingError, Violation, compile_plan, load_plan
from cdi_cli.sources import Departed, Nothing, Reading, Source, SourceContext, SourceSpec, Unreadable

ALL_KINDS = LifecycleSettings(groups=("business_unit", "store", "company"))
"""Without a project nothing is switched off."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What an event is tried with: a source that reads offline, a plan, and what the pipeline's settings say, if any."""

    spec: SourceSpec
    settings: Any
    plan: CompiledPlan
    lifecycle: LifecycleSettings
    context: SourceContext


@dataclass(frozen=True, slots=True)
class Try:
    """An event of a record. `properties`: what it holds, None where `error` says why it could not be made.

    `given`: what scripts read, as JSON; `personal`: texts of the record that tell something about a person.
    """

    rule: EventRule
    occurrence: Occurrence
    given: bytes
    properties: dict[str, Any] | None
    error: MappingError | None
    violations: tuple[Violation, ...]
    origins: Origins
    personal: frozenset[str]

    @property
    def is_good(self) -> bool:
        """Whether it is made and keeps to the plan."""
        return self.error is None and not self.violations


def bench_of(project: Project | None, source: str | None, pipeline: str | None, folder: Path | None) -> Bench:
    """The bench for a source by its name in the project, or by its type; raises ConfigError and PlanError.

    `folder` stands for the plan of the project, or is the plan where there is no project.
    """
    if project is not None and (source is None or source in project.settings.sources):
        chosen = project.settings.pipelines
        reading = [name for name, one in chosen.items() if source in (None, one.source)]
        name = pipeline or (reading[0] if len(reading) == 1 else None)
        name = project.pipeline_name(name)
        one = chosen[name]
        spec = project.source_spec(one.source)
        plan = project.plan(name) if folder is None else _compiled(folder, spec, one.source)
        context = SourceContext(run_id="template", consent=consent_fields(one.consent))
        return Bench(spec, project.settings.sources[one.source].settings, plan, lifecycle_of(one.lifecycle), context)
    if source is None:
        raise ConfigError("which source does the record come from?", hint=f"`--source {sources.names()[0]}`, for example")
    try:
        spec = sources.load(source)
    except KeyError:
        raise ConfigError(f"there is no source `{source}`", hint=suggestion(source, sources.names())) from None
    return Bench(spec, None, _compiled(folder, spec, source), ALL_KINDS, SourceContext(run_id="template"))


def _compiled(folder: Path | None, spec: SourceSpec, source: str) -> CompiledPlan:
    return compile_plan(load_plan(folder, denied_fields=spec.denied_fields), {"source": source})


def rule_of(plan: CompiledPlan, name: str) -> EventRule:
    """The event of that name, file, or template; raises ConfigError where there is none."""
    rules = [rule for kind in plan.kinds for rule in plan.rules(kind)]
    by_name = {key: rule for rule in reversed(rules) for key in keys_of(rule)}
    wanted = name.removesuffix(".jsonata").removesuffix(".yaml")
    for key in (name, wanted, slug(wanted.replace("_", "-"))):
        if key in by_name:
            return by_name[key]
    raise ConfigError(f"the plan makes no event `{name}`", hint=suggestion(name, [rule.name for rule in rules]))


def keys_of(rule: EventRule) -> Iterator[str]:
    """What a person may call an event: its name, its slug, the stem of its file, that of its template."""
    planned = rule.planned
    yield from (rule.name, slug(rule.name), Path(planned.place.file).stem)
    if planned.template is not None:
        yield Path(planned.template.name).stem


async def try_event(bench: Bench, rule: EventRule, given: GivenRecord) -> list[Try]:
    """The event of every entity that the record is; raises ConfigError where the record cannot be read or makes none."""
    stream = given.stream or _stream_of(bench, rule)
    if stream not in bench.spec.names:
        raise ConfigError(f"`{bench.spec.name}` has no stream `{stream}`", hint=f"it has {', '.join(bench.spec.names)}")
    found: list[Try] = []
    why = ""
    async with _opened(bench, given) as source:
        (readings,) = await source.read(stream, [given.record])
    for record, reading in origins(given.record, readings):
        entity, why = _entity(reading, why)
        if entity is not None:
            found += [_try(rule, one, record) for one in _happened(entity, bench, rule.kind)]
    if not found:
        reason = why or f"nothing in it says `{rule.kind}`: {KINDS[rule.kind].description.lower()}"
        raise ConfigError(f"the record makes no `{rule.name}`: {reason}", hint="name another record with `--record`")
    return found


@contextlib.asynccontextmanager
async def _opened(bench: Bench, given: GivenRecord) -> AsyncIterator[Source]:
    if bench.spec.open_offline is None:
        raise ConfigError(f"`{bench.spec.name}` cannot read records offline")
    source = bench.spec.open_offline(bench.settings, bench.context, given.lookups)
    try:
        yield source
    finally:
        await source.close()


def _stream_of(bench: Bench, rule: EventRule) -> str:
    """The stream whose records tell of the event."""
    families = origins_of(KINDS[rule.kind], bench.lifecycle)
    streams = [stream for stream in bench.spec.streams if stream.family in families]
    if not streams:
        raise ConfigError(f"the source `{bench.spec.name}` has no stream whose records make `{rule.name}`")
    return next((stream for stream in streams if stream.is_default), streams[0]).name


def _entity(reading: Reading, why: str) -> tuple[Entity | None, str]:
    """The entity of a reading, or why there is none."""
    if isinstance(reading, Unreadable):
        return None, f"it cannot be read: {reading.detail}"
    if isinstance(reading, Departed):
        return None, "the customer was deleted"
    return (None, reading.reason) if isinstance(reading, Nothing) else (reading, why)


def _happened(entity: Entity, bench: Bench, kind: str) -> list[Occurrence]:
    found = occurrences(entity, bench.lifecycle)
    if isinstance(entity, Order):
        found.append(updated(entity))
    return [one for one in found if one.kind == kind]


def _try(rule: EventRule, occurrence: Occurrence, record: bytes) -> Try:
    properties: dict[str, Any] | None = None
    error: MappingError | None = None
    try:
        properties = rule.map(occurrence, record)
    except MappingError as failed:
        error = failed
    return Try(
        rule=rule,
        occurrence=occurrence,
        given=rule.given(occurrence, record) if rule.given is not None else b"{}",
        properties=properties,
        error=error,
        violations=rule.check(properties) if properties is not None else (),
        origins=Origins(rule.planned, occurrence, record),
        personal=personal_texts(occurrence.entity),
    )


def decoded_input(one: Try) -> dict[str, Any]:
    """What the scripts read, as plain data; empty where there are none."""
    found: dict[str, Any] = msgspec.json.decode(one.given)
    return found
