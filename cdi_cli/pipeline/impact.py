"""The impact of a plan: which share of what was delivered it would reject, and which dead letters it would let pass.

The ledger cannot answer this: it holds a digest of each delivered event, not its content. So the source's records of the
window are read again and mapped with the *baseline*, the plan that the events were delivered with; what passes it is what
was delivered, and that is checked against the *candidate*. Where there is a checkpoint file, only events that its ledger
knows count, and its digests say how many of them are byte for byte what was delivered. The same records are also mapped by
the candidate itself: what it would reject from now on.

Nothing is sent and nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cdi_cli.clock import Instant, Window
from cdi_cli.errors import ScopeError
from cdi_cli.events import Event, occurrences
from cdi_cli.pipeline.impact_letters import LetterStudy, LetterTally
from cdi_cli.pipeline.impact_map import Made, PlanMapper, passed
from cdi_cli.pipeline.impact_sample import plan_sample, read_sample
from cdi_cli.pipeline.impact_tally import Tallies
from cdi_cli.pipeline.items import origins
from cdi_cli.pipeline.partition import GROUP_RECORDS, groups
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.shaping import consent_fields, lifecycle_of
from cdi_cli.plan import CompiledPlan
from cdi_cli.sources import Departed, Nothing, Source, SourceContext, Unreadable
from cdi_cli.state._base import Store

LETTERS_MAX = 2_000
"""So many dead letters are looked at, the newest first: each holds a whole record."""


@dataclass(slots=True)
class StreamRead:
    """How much of a stream was read: records, of how many (None: the source cannot count), unreadable ones among them."""

    name: str
    read: int = 0
    total: int | None = None
    unreadable: int = 0


@dataclass(slots=True)
class Impact:
    """What a candidate plan would do.

    `delivered`: events as they were delivered. `mapped`: the same records mapped by the candidate. `ledger`: how many events
    the ledger knows with the `same` or `other` content, or does `not` know (these were not delivered and are not counted);
    empty without a checkpoint file. `has_more_letters`: there are older dead letters that were not looked at. `problems`:
    streams that could not be read.
    """

    window: Window
    streams: list[StreamRead] = field(default_factory=list)
    delivered: Tallies = field(default_factory=Tallies)
    mapped: Tallies = field(default_factory=Tallies)
    ledger: Counter[str] = field(default_factory=Counter)
    letters: list[LetterTally] = field(default_factory=list)
    has_more_letters: bool = False
    problems: list[str] = field(default_factory=list)


class ImpactStudy:
    """Compares two plans on the records of one pipeline; `store` is its checkpoint file, opened for reading, if any."""

    def __init__(
        self,
        project: Project,
        pipeline: str,
        source: Source,
        *,
        baseline: CompiledPlan,
        candidate: CompiledPlan,
        store: Store | None,
    ) -> None:
        chosen = project.settings.pipelines[pipeline]
        self._pipeline = pipeline
        self._source = source
        self._source_name = chosen.source
        self._destinations = chosen.destinations
        self._store = store
        self._lifecycle = lifecycle_of(project.settings.pipelines[pipeline].lifecycle)
        self._baseline = PlanMapper(project, pipeline, baseline)
        self._candidate = PlanMapper(project, pipeline, candidate)
        self._streams = project.stream_names(chosen.source)

    async def run(self, window: Window, streams: Sequence[str], sample: int | None) -> Impact:
        """Study a window of these streams (`sample`: about so many records of each, None: all) and the dead letters.

        Raises what the source raises, but for a stream that may not be read: that is a problem among the results.
        """
        impact = Impact(window)
        for stream in streams:
            line = StreamRead(stream)
            impact.streams.append(line)
            try:
                parts, line.total = await plan_sample(self._source, stream, window, sample)
                async for records in read_sample(self._source, stream, parts):
                    for group in groups(records, GROUP_RECORDS):
                        await self._study(impact, line, group)
            except ScopeError as missing:
                impact.problems.append(f"{stream}: {missing.message}")
        if self._store is not None:
            newest = self._store.dead_letters(limit=LETTERS_MAX + 1)
            impact.has_more_letters = len(newest) > LETTERS_MAX
            ours = [stored for stored in newest[:LETTERS_MAX] if stored.pipeline == self._pipeline]
            study = LetterStudy(self._source, self._streams, self._candidate, self._lifecycle)
            impact.letters = await study.run(ours)
        return impact

    async def _study(self, impact: Impact, line: StreamRead, records: Sequence[bytes]) -> None:
        """Both plans on one group of records."""
        line.read += len(records)
        made: list[tuple[Made, str]] = []
        for record, found in zip(records, await self._source.read(line.name, records), strict=True):
            for origin, reading in origins(record, found):
                if isinstance(reading, Unreadable):
                    line.unreadable += 1
                elif not isinstance(reading, Nothing | Departed):
                    seen_at = f"{line.name} {reading.id}"
                    for occurrence in occurrences(reading, self._lifecycle):
                        made += [(each, seen_at) for each in self._baseline.events(occurrence, origin)]
                        for _, rule, properties in self._candidate.events(occurrence, origin):
                            impact.mapped.check(rule, properties, seen_at)
        self._check_delivered(impact, made)

    def _check_delivered(self, impact: Impact, made: Sequence[tuple[Made, str]]) -> None:
        """Check what passed the baseline, and where there is a ledger is in it, against the candidate."""
        sent = [
            (event, rule, delivered, seen_at)
            for (event, rule, properties), seen_at in made
            if (delivered := passed(rule, properties)) is not None
        ]
        known = self._known([event for event, *_ in sent])
        for event, rule, delivered, seen_at in sent:
            if known is not None:
                contents = known.get(event.key)
                impact.ledger["not" if contents is None else "same" if event.content in contents else "other"] += 1
                if contents is None:
                    continue
            planned = self._candidate.rule(rule.type, rule.name)
            if planned is None:
                impact.delivered.check_unplanned(rule.name, seen_at)
            else:
                impact.delivered.check(planned, delivered, seen_at)

    def _known(self, events: Sequence[Event]) -> dict[bytes, set[bytes]] | None:
        """The events that the ledger knows for any destination: key -> contents they had; None without a ledger."""
        if self._store is None:
            return None
        by_family: dict[str, dict[bytes, Instant]] = {}
        for event in events:
            by_family.setdefault(event.family, {})[event.key] = event.created_at
        known: dict[bytes, set[bytes]] = {}
        for destination in self._destinations:
            for family, keys in by_family.items():
                found: Mapping[bytes, bytes] = self._store.delivered(self._source_name, destination, family, keys)
                for key, content in found.items():
                    known.setdefault(key, set()).add(content)
        return known


@asynccontextmanager
async def open_source(project: Project, pipeline: str) -> AsyncIterator[Source]:
    """The source of a pipeline, open for reading; no destination's secret is needed."""
    chosen = project.settings.pipelines[pipeline]
    consent = consent_fields(chosen.consent)
    settings = project.settings.sources[chosen.source].settings
    source = project.source_spec(chosen.source).open(settings, SourceContext(run_id="impact", consent=consent))
    try:
        yield source
    finally:
        await source.close()
