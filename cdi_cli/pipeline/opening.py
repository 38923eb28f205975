"""Opening a run: from settings to everything that pulls, maps, checks and sends for one pipeline and one destination."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cdi_cli.clock import Instant, Window
from cdi_cli.config.settings import BreakerPolicy, PipelineSettings, Settings
from cdi_cli.destinations import Destination, DestinationContext
from cdi_cli.events import EventBuilder, LifecycleSettings
from cdi_cli.pipeline.contacts import Contacts, contacts_of
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.routing import Rules, rules_of
from cdi_cli.pipeline.shaping import builder_of, consent_fields, is_paid_at_needed, lifecycle_of, required_consent
from cdi_cli.plan import CompiledPlan, Route
from cdi_cli.sources import Source, SourceContext, SourceSpec
from cdi_cli.state._base import Job, JobKind, JobSpec

NOT_SHAPING = {"workers", "destinations", "streams", "plan", "sync", "breaker", "routing"}
"""Settings of a pipeline that no event depends on, and `routing`, of which only a destination's own part counts."""

USUAL_SWITCHES = {"checkout_started": "cart", "customer_updated": "updated"}
"""Switches that say nothing where they are set as usual."""


@dataclass(slots=True)
class Opened:
    """One pipeline into one destination, open. `on_wait`, `on_retry`: who is told of pauses and retries (seconds).

    `on_pace`: who is told to lower the pace (a factor, see `DestinationContext`). `keep_seconds`: how long after an order or
    cart was created its ledger entries are kept (None: for ever).
    """

    pipeline: str
    source_name: str
    destination_name: str
    source_spec: SourceSpec
    source: Source
    destination: Destination
    plan: CompiledPlan
    builder: EventBuilder
    lifecycle: LifecycleSettings
    require_consent: tuple[str, ...]
    streams: tuple[str, ...]
    fingerprint: str
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    overlap_seconds: int = 300
    settle_seconds: int = 60
    keep_seconds: int | None = None
    is_idempotent: bool = True
    confirm_after_seconds: float = 0.0
    routes: Mapping[str, Route] = field(default_factory=dict)
    rules: Rules | None = None
    contacts: Contacts | None = None
    on_wait: list[Callable[[float], None]] = field(default_factory=list)
    on_retry: list[Callable[[float], None]] = field(default_factory=list)
    on_pace: list[Callable[[float], None]] = field(default_factory=list)

    def job_spec(
        self,
        streams: Sequence[str],
        window: Window,
        server_now: Instant,
        *,
        kind: JobKind,
        asked: str,
        fingerprint: str | None = None,
    ) -> JobSpec:
        """A job of this pipeline and destination that begins now; None: the fingerprint is that of what is open."""
        return JobSpec(
            pipeline=self.pipeline,
            source=self.source_name,
            destination=self.destination_name,
            streams=tuple(streams),
            window=window,
            asked=asked,
            fingerprint=self.fingerprint if fingerprint is None else fingerprint,
            plan_version=self.plan.version,
            server_started_at=server_now,
            kind=kind,
        )

    def about(self, job: Job, run_id: int) -> dict[str, Any]:
        """What the lines of the log tell of a run."""
        return {"pipeline": self.pipeline, "destination": self.destination_name, "job": job.id, "run": run_id}

    def follow(self, progress: Progress) -> None:
        """Tell the progress of pauses and retries."""
        self.on_wait.append(progress.waited)
        self.on_retry.append(progress.retried)

    def wait(self, seconds: float) -> None:
        """The destination asked for a pause."""
        for listener in self.on_wait:
            listener(seconds)

    def retry(self, seconds: float) -> None:
        """A request is about to be tried again."""
        for listener in self.on_retry:
            listener(seconds)

    def pace(self, factor: float) -> None:
        """The destination said how near its limit we are."""
        for listener in self.on_pace:
            listener(factor)


@asynccontextmanager
async def open_pipeline(
    project: Project, pipeline: str, destination: str, *, is_backfill: bool = True, source: Source | None = None
) -> AsyncIterator[Opened]:
    """Open a pipeline of a project into one of its destinations; closes connections at the end.

    `is_backfill`: what is sent is history, which a destination may have to be told. `source`: read this instead of the
    pipeline's own, whose secrets are then not asked for.

    Raises ConfigError for a plan that is wrong or a secret that cannot be read.
    """
    settings = project.settings
    chosen = settings.pipelines[pipeline]
    source_settings = settings.sources[chosen.source]
    source_spec = project.source_spec(chosen.source)
    plan = project.plan(pipeline)
    routes = plan.routes(destination, settings.destinations[destination].type)
    rules = rules_of(settings, pipeline, destination, plan)
    contacts = contacts_of(settings, destination, plan)
    required = required_consent(settings, pipeline, destination)
    listeners: list[Opened] = []
    source = source or source_spec.open(
        source_settings.settings,
        SourceContext(
            run_id=secrets.token_hex(4),
            consent=consent_fields(chosen.consent),
            on_retry=lambda seconds: listeners[0].retry(seconds),
            with_paid_at=is_paid_at_needed(chosen.lifecycle),
        ),
    )
    try:
        destination_spec = project.destination_spec(destination)
        target = destination_spec.open(
            settings.destinations[destination].settings,
            DestinationContext(
                is_backfill=is_backfill,
                on_wait=lambda seconds: listeners[0].wait(seconds),
                on_retry=lambda seconds: listeners[0].retry(seconds),
                on_pace=lambda factor: listeners[0].pace(factor),
            ),
        )
        try:
            opened = Opened(
                pipeline=pipeline,
                source_name=chosen.source,
                destination_name=destination,
                source_spec=source_spec,
                source=source,
                destination=target,
                plan=plan,
                builder=builder_of(settings, pipeline, plan),
                lifecycle=lifecycle_of(chosen.lifecycle),
                require_consent=required,
                streams=chosen.streams or default_streams(source_spec, is_sync=not is_backfill),
                fingerprint=fingerprint(settings, chosen, plan, required, routes, rules, contacts),
                breaker=chosen.breaker,
                overlap_seconds=_chosen(chosen.sync.overlap, source_spec.overlap_seconds),
                settle_seconds=_chosen(chosen.sync.settle, source_spec.settle_seconds),
                keep_seconds=settings.ledger.keep,
                is_idempotent=destination_spec.is_idempotent,
                confirm_after_seconds=destination_spec.confirm_after_seconds,
                routes=routes,
                rules=rules,
                contacts=contacts,
            )
            listeners.append(opened)
            yield opened
        finally:
            await target.close()
    finally:
        await source.close()


def default_streams(spec: SourceSpec, *, is_sync: bool = False) -> tuple[str, ...]:
    """The streams that a pipeline reads when it names none."""
    return tuple(one.name for one in spec.streams if one.is_default or (is_sync and one.is_sync_default))


def _chosen(configured: int | None, default: int) -> int:
    return default if configured is None else configured


def fingerprint(
    settings: Settings,
    pipeline: PipelineSettings,
    plan: CompiledPlan,
    required: tuple[str, ...],
    routes: Mapping[str, Route] | None = None,
    rules: Rules | None = None,
    contacts: Contacts | None = None,
) -> str:
    """A hash of what shapes events: the plan, the pipeline's settings but for how fast it runs, and its source's own.

    Of the pipeline's routing only what concerns the destination.
    """
    shaping = pipeline.model_dump(mode="json", exclude=NOT_SHAPING)
    for name, usual in USUAL_SWITCHES.items():
        if shaping["lifecycle"].get(name) in (usual, None):
            shaping["lifecycle"].pop(name, None)
    source = settings.sources[pipeline.source].settings
    of_source = source.model_dump(mode="json", include=set(getattr(source, "shaping", ())))
    content = [settings.workspace, plan.fingerprint, shaping, of_source, sorted(required)]
    if routes:
        content.append({event: route.content for event, route in routes.items()})
    if rules is not None:
        content.append({"rules": rules.content})
    if settings.regions:
        content.append({"regions": [[name, each.model_dump(mode="json")] for name, each in settings.regions.items()]})
    if contacts is not None:
        content.append({"contacts": contacts.content})
    text = json.dumps(content, sort_keys=True)
    return sha256(text.encode()).hexdigest()
