"""Looking without running: where a pipeline's events come from and go to, and what one record makes, sending nothing.

A `Way` is a pipeline into one destination with its plan and mapping; it needs no secret. Its source is opened apart, and
only where it is asked something.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from cdi_cli.clock import Window, shift
from cdi_cli.commerce import Entity, Order
from cdi_cli.destinations import Destination, Rejected
from cdi_cli.events import (
    KINDS,
    Event,
    EventBuilder,
    IdentitySettings,
    IdFormat,
    LifecycleSettings,
    Occurrence,
    event_id,
    key_of,
    occurrences,
    updated,
)
from cdi_cli.pipeline.contacts import Contacts, contacts_of
from cdi_cli.pipeline.issue import Issuer
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.routing import Rules, rules_of
from cdi_cli.pipeline.scope import Scope
from cdi_cli.pipeline.shaping import (
    builder_of,
    consent_fields,
    identity_of,
    is_paid_at_needed,
    lifecycle_of,
    required_consent,
)
from cdi_cli.pipeline.sync import scope_of
from cdi_cli.plan import CompiledPlan, EventRule, MappingError, Route
from cdi_cli.sources import Departed, Nothing, Reading, Source, SourceContext, SourceSpec, Unreadable
from cdi_cli.state._base import Job, Store

ATTEMPTS_MAX = 3
"""Somebody is waiting: a source that does not answer is told soon."""


@dataclass(frozen=True, slots=True)
class Way:
    """One pipeline into one destination, as far as it takes no secret and no connection."""

    pipeline: str
    source_name: str
    destination_name: str
    source_spec: SourceSpec
    plan: CompiledPlan
    ids: IdFormat
    builder: EventBuilder
    identity: IdentitySettings
    lifecycle: LifecycleSettings
    require_consent: tuple[str, ...]
    routes: Mapping[str, Route]
    refuses: Callable[[Event], Rejected | None]
    rules: Rules | None = None
    contacts: Contacts | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """One event that a record makes; `event` is None where the record names nobody whom it could belong to."""

    name: str
    kind: str
    event: Event | None


def ways_of(project: Project, pipelines: Iterable[str]) -> list[Way]:
    """Every way of these pipelines; raises PlanError or SettingsError for a plan that is wrong."""
    settings = project.settings
    ways: list[Way] = []
    for name in pipelines:
        chosen = settings.pipelines[name]
        plan = project.plan(name)
        ids = IdFormat(settings.workspace, chosen.source, dict(chosen.ids))
        identity = identity_of(chosen.identity)
        for destination in chosen.destinations:
            target = settings.destinations[destination]
            judge = project.destination_spec(destination).judge
            ways.append(
                Way(
                    pipeline=name,
                    source_name=chosen.source,
                    destination_name=destination,
                    source_spec=project.source_spec(chosen.source),
                    plan=plan,
                    ids=ids,
                    builder=builder_of(settings, name, plan),
                    identity=identity,
                    lifecycle=lifecycle_of(chosen.lifecycle),
                    require_consent=required_consent(settings, name, destination),
                    routes=plan.routes(destination, target.type),
                    refuses=judge(target.settings) if judge is not None else lambda _event: None,
                    rules=rules_of(settings, name, destination, plan),
                    contacts=contacts_of(settings, destination, plan),
                )
            )
    return ways


@asynccontextmanager
async def open_source(project: Project, pipeline: str) -> AsyncIterator[Source]:
    """A pipeline's source, with the pipeline's consent fields; raises ConfigError when its secret cannot be read."""
    chosen = project.settings.pipelines[pipeline]
    context = SourceContext(
        run_id=secrets.token_hex(4),
        consent=consent_fields(chosen.consent),
        attempts_max=ATTEMPTS_MAX,
        with_paid_at=is_paid_at_needed(chosen.lifecycle),
    )
    source = project.source_spec(chosen.source).open(project.settings.sources[chosen.source].settings, context)
    try:
        yield source
    finally:
        await source.close()


def happenings(way: Way, entity: Entity, record: bytes) -> list[Happening]:
    """Every event that an entity makes under the plan, Order Updated included, delivered before or not."""
    found = occurrences(entity, way.lifecycle)
    if isinstance(entity, Order) and "order.updated" not in way.lifecycle.off:
        found.append(updated(entity))
    return [
        Happening(
            rule.name,
            occurrence.kind,
            way.builder.build(occurrence, rule.name, rule.type, _properties(rule, occurrence, record)),
        )
        for occurrence in found
        for rule in way.plan.rules(occurrence.kind)
    ]


def _properties(rule: EventRule, occurrence: Occurrence, record: bytes) -> dict[str, Any]:
    """What the event holds; nothing where a script fails to make it: what the ledger knows it by needs nothing of it."""
    try:
        return rule.map(occurrence, record)
    except MappingError:
        return {}


def entity_of(reading: Reading) -> Entity | None:
    """The entity that a reading is, if it is one."""
    return None if isinstance(reading, Unreadable | Nothing | Departed) else reading


def keys_of_id(way: Way, family: str, entity_id: str, number: str | None = None) -> dict[bytes, str]:
    """Ledger key -> event name, for what follows from an entity's id alone: not its refunds and deliveries.

    An own id that is made of the number is left out where that is not known.
    """
    found: dict[bytes, str] = {}
    for rule in _rules(way, family):
        if number is None and "{entity_number}" in way.ids.forms.get(rule, ""):
            continue
        made_of = {"family": family, "entity_id": entity_id, "event": rule, "entity_number": number}
        found[key_of(event_id(way.ids, **made_of, discriminator=""))] = rule  # type: ignore[arg-type]
    return found


def _rules(way: Way, family: str) -> Iterator[str]:
    return (rule.name for kind in way.plan.kinds if KINDS[kind].family == family for rule in way.plan.rules(kind))


def issuer_of(way: Way, source: Source, store: Store) -> Issuer:
    """What tells of a record what would be sent now and why the rest would not; it asks the store and writes nothing."""
    origin, target = way.source_name, way.destination_name
    return Issuer(
        plan=way.plan,
        builder=way.builder,
        lifecycle=way.lifecycle,
        destination=cast("Destination", _Judge(way.refuses)),
        require_consent=way.require_consent,
        delivered=lambda family, keys: store.delivered(origin, target, family, keys),
        scrub=source.scrub,
        routes=way.routes,
        rules=way.rules,
        contacts=way.contacts,
        scope=_scope(way, source, store),
        letters=lambda places: store.letters(origin, target, places),
        erased=set(store.erased(origin)),
    )


class _Judge:
    """Encodes nothing, and refuses what the destination would refuse."""

    def __init__(self, refuses: Callable[[Event], Rejected | None]) -> None:
        self._refuses = refuses

    def encode(self, event: Event) -> bytes | Rejected:
        """Empty bytes for an event that would be taken."""
        return self._refuses(event) or b""


def _scope(way: Way, source: Source, store: Store) -> Scope | None:
    """What is news to the way's sync, or will be to its first one; None where nothing was ever run."""
    job = store.find_job(way.pipeline, way.destination_name, "sync") or _first_sync(way, store)
    if job is None:
        return None
    opened = Opened(
        pipeline=way.pipeline,
        source_name=way.source_name,
        destination_name=way.destination_name,
        source_spec=way.source_spec,
        source=source,
        destination=cast("Destination", _Judge(way.refuses)),
        plan=way.plan,
        builder=way.builder,
        lifecycle=way.lifecycle,
        require_consent=way.require_consent,
        streams=(),
        fingerprint="",
    )
    return scope_of(opened, store, job)


def _first_sync(way: Way, store: Store) -> Job | None:
    """The sync that would follow the backfills made so far: it starts where the first of them began to read."""
    made = [job for job in store.jobs(way.pipeline, way.destination_name, "backfill") if job.status != "abandoned"]
    if not made:
        return None
    start = min(min(job.spec.server_started_at, job.spec.window.until) for job in made)
    streams = tuple({name: None for job in made for name in job.spec.streams})
    spec = replace(made[0].spec, window=Window(start, shift(start, timedelta(milliseconds=1))), streams=streams)
    return replace(made[0], spec=spec)
