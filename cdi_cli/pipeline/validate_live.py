"""Checking live records: a sample is pulled from a source, mapped and checked; nothing is sent and nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from cdi_cli.clock import Window
from cdi_cli.config.problems import suggestion
from cdi_cli.errors import ConfigError, ScopeError
from cdi_cli.pipeline.project import Project
from cdi_cli.pipeline.validate_records import Mapper, source_context
from cdi_cli.pipeline.validate_subject import Subject
from cdi_cli.plan.findings import Finding, Findings
from cdi_cli.sources import Source


@dataclass(slots=True)
class Sample:
    """What a sample came to: records by stream, events, and the events that are not as they should be."""

    records: dict[str, int] = field(default_factory=dict)
    events: int = 0
    failed: int = 0


def pipeline_of_source(project: Project, source: str, pipeline: str | None) -> str:
    """The pipeline that reads a source; raises ConfigError where none does, or not the named one."""
    if source not in project.settings.sources:
        raise ConfigError(f"there is no source `{source}`", hint=suggestion(source, project.settings.sources))
    names = [pipeline] if pipeline is not None else list(project.settings.pipelines)
    for name in names:
        if project.settings.pipelines[name].source == source:
            return name
    which = f"the pipeline `{pipeline}` does not read" if pipeline is not None else "no pipeline reads"
    raise ConfigError(f"{which} the source `{source}`", hint="name another source or pipeline")


async def check_sample(
    subject: Subject,
    pipeline: str,
    window: Window,
    records_max: int,
    findings: Findings,
    on_page: Callable[[str, int], None] = lambda _stream, _records: None,
) -> Sample:
    """Check the first `records_max` records of each stream in a window of creation time; raises what reading raises.

    A stream that may not be read is a finding. `on_page(stream, records)` tells how far it is.
    """
    assert subject.project is not None
    chosen = subject.settings(pipeline)
    spec = subject.project.source_spec(chosen.source)
    settings = subject.project.settings.sources[chosen.source].settings
    source = spec.open(settings, source_context(subject, pipeline))
    mapper = Mapper(subject, pipeline, findings)
    sample = Sample()
    try:
        for stream in chosen.streams or tuple(one.name for one in spec.streams if one.is_default):
            sample.records[stream] = 0
            try:
                async for records in _first(source, stream, window, records_max):
                    where = _places(f"{chosen.source} {stream}", sample.records[stream])
                    made = await mapper.map(source, stream, records, where)
                    sample.records[stream] += len(records)
                    events = [one for found in made for one in found if not one.is_tried]
                    sample.events += len(events)
                    sample.failed += sum(not one.is_good for one in events)
                    on_page(stream, sample.records[stream])
            except ScopeError as error:
                findings.add(Finding("warning", "source/scope", error.message, fix=error.hint or ""))
    finally:
        await source.close()
    return sample


def _places(name: str, done: int) -> Callable[[int], str]:
    return lambda number: f"{name}, record {done + number + 1}"


async def _first(source: Source, stream: str, window: Window, records_max: int) -> AsyncIterator[Sequence[bytes]]:
    """The records of a window, page by page, until there are enough."""
    left = records_max
    async for page in source.pages(stream, window, None):
        records = page.records[:left]
        left -= len(records)
        if records:
            yield records
        if left <= 0:
            return
