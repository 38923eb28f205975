"""Mapping records as a pipeline would, to look at what comes of them: nothing is sent, nothing is remembered.

    mapper = Mapper(subject, "main", findings)
    events = await mapper.map(source, "orders", [record])

Beyond a run it also tries Order Updated for every order, which a run only makes of an order that was delivered before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cdi_cli.commerce import Order
from cdi_cli.destinations import Rejected
from cdi_cli.events import (
    Event,
    EventBuilder,
    IdentitySettings,
    IdFormat,
    LifecycleSettings,
    Occurrence,
    occurrences,
    updated,
)
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.shaping import builder_of, consent_fields, lifecycle_of, script_settings
from cdi_cli.pipeline.validate_subject import Subject
from cdi_cli.pipeline.validate_violations import note_violations
from cdi_cli.plan import EventRule, MappingError, Violation, compile_plan
from cdi_cli.plan.findings import Finding, Findings
from cdi_cli.sources import Departed, Joined, Nothing, Reading, Source, SourceContext, Unreadable

GROUP_RECORDS = 50
OFFLINE = "offline"
Judge = Callable[[Event], Rejected | None]


@dataclass(frozen=True, slots=True)
class Made:
    """An event that came of a record, and in what it breaks the plan. `is_tried`: a run might not make it."""

    event: Event
    rule: EventRule
    violations: tuple[Violation, ...]
    refusals: tuple[str, ...] = ()
    is_tried: bool = False

    @property
    def is_good(self) -> bool:
        """Whether it keeps to the plan and every destination would take it."""
        return not self.violations and not self.refusals


class Mapper:
    """Maps records as one pipeline of a subject does (None: as a pipeline with default settings) and notes what is wrong."""

    def __init__(self, subject: Subject, pipeline: str | None, findings: Findings, source_name: str = OFFLINE) -> None:
        self._compiled = subject.compiled
        self._findings = findings
        version = subject.compiled.major_version
        self._builder = EventBuilder(IdFormat(OFFLINE, source_name), IdentitySettings(), event_version=version)
        self._lifecycle = LifecycleSettings()
        self._judges: list[tuple[str, Judge]] = []
        if pipeline is not None and subject.project is not None:
            chosen = subject.settings(pipeline)
            if any(event.scripts for event in subject.plan.events):
                # Scripts may read the pipeline's settings, which another one of the same plan has otherwise.
                self._compiled = compile_plan(subject.plan, script_settings(subject.project.settings, pipeline))
            self._builder = builder_of(subject.project.settings, pipeline, subject.compiled, is_stamped=False)
            self._lifecycle = lifecycle_of(chosen.lifecycle)
            self._judges = [judge for name in chosen.destinations for judge in _judges(subject.project, name)]

    async def map(
        self, source: Source, stream: str, records: Sequence[bytes], where: Callable[[int], str]
    ) -> list[list[Made]]:
        """The events of each record, violations noted; `where(number)` says where a record stands. Raises as `read` does."""
        made: list[list[Made]] = []
        for start in range(0, len(records), GROUP_RECORDS):
            group = records[start : start + GROUP_RECORDS]
            for number, found in enumerate(await source.read(stream, group)):
                origins = found.records if isinstance(found, Joined) else [group[number]] * len(found)
                place = where(start + number)
                pairs = zip(found, origins, strict=True)
                made.append([one for reading, raw in pairs for one in self._of_reading(reading, raw, stream, place)])
        return made

    def _of_reading(self, reading: Reading, record: bytes, stream: str, place: str) -> list[Made]:
        if isinstance(reading, Unreadable):
            self._unreadable(reading, stream, place)
            return []
        if isinstance(reading, Nothing | Departed):
            return []
        place = f"{place} ({reading.id})"
        found = [(one, False) for one in occurrences(reading, self._lifecycle)]
        if isinstance(reading, Order) and "order.updated" not in self._lifecycle.off:
            found.append((updated(reading), True))
        return [made for one, is_tried in found for made in self._of_occurrence(one, record, place, is_tried=is_tried)]

    def _of_occurrence(self, occurrence: Occurrence, record: bytes, place: str, *, is_tried: bool) -> list[Made]:
        made = []
        for rule in self._compiled.rules(occurrence.kind):
            try:
                properties = rule.map(occurrence, record)
            except MappingError as error:
                finding = Finding("error", f"mapping/{error.reason}", error.sentence, event=rule.name, seen_at=place)
                self._findings.add(finding.placed(error.place))
                continue
            violations = rule.check(properties)
            if violations:
                note_violations(self._findings, rule, properties, violations, lambda: place, is_mapped=True)
            event = self._builder.build(occurrence, rule.name, rule.type, properties)
            if event is not None:
                made.append(Made(event, rule, violations, self._refusals(event, rule, place), is_tried))
        return made

    def _refusals(self, event: Event, rule: EventRule, place: str) -> tuple[str, ...]:
        refusals = []
        for title, judge in self._judges:
            rejected = judge(event)
            if rejected is not None:
                refusals.append(rejected.reason)
                message = f"{title} refuses it: {rejected.detail}"
                finding = Finding("error", f"destination/{rejected.reason}", message, event=rule.name, seen_at=place)
                self._findings.add(finding.placed(rule.planned.place))
        return tuple(refusals)

    def _unreadable(self, reading: Unreadable, stream: str, place: str) -> None:
        def make() -> Finding:
            fix = "the record differs from the platform's documented shape: correct it there"
            message = f"a record of `{stream}` cannot be read: {reading.detail}"
            return Finding("error", f"record/{reading.reason}", message, fix=fix, seen_at=place)

        self._findings.count(("record", stream, reading.reason, reading.detail), make)


def _judges(project: Project, destination: str) -> list[tuple[str, Judge]]:
    spec = project.destination_spec(destination)
    if spec.judge is None:
        return []
    return [(spec.title, spec.judge(project.settings.destinations[destination].settings))]


def source_context(subject: Subject, pipeline: str | None) -> SourceContext:
    """What a source is opened with: the consent fields of the pipeline."""
    if pipeline is None:
        return SourceContext(run_id="validate")
    rules = subject.settings(pipeline).consent
    return SourceContext(
        run_id="validate",
        consent=consent_fields(rules),
    )
