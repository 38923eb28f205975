"""Fixtures: source records with the events that are expected of them, mapped offline by the real source and the real plan.

A fixture is a line of a `fixtures/*.jsonl` file:

    {"source": "commercetools", "stream": "orders", "record": {...}, "expected": [{"event": "Order Completed", ...}]}

`source` is a type, or the name of a source in `cdi.yaml`. `expected` may be left out: then the events are only checked. What
an expected message names is compared whole (`properties` are all properties); what it does not name is not compared, and of
`context` never the plan's version. `lookups` answers look-ups by the API's path: `{"/discount-codes": {"results": [...]}}`.
A fixture is mapped by the pipeline that it names in `pipeline`, else by the first that reads its source.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cdi_cli import sources
from cdi_cli.errors import CdiError, ConfigError
from cdi_cli.pipeline.validate_diff import differences
from cdi_cli.pipeline.validate_records import Made, Mapper, source_context
from cdi_cli.pipeline.validate_subject import Subject
from cdi_cli.plan.findings import Finding, Findings
from cdi_cli.plan.problems import Place, listing, suggest
from cdi_cli.sources import SourceSpec

FOLDER = "fixtures"
FILE_BYTES_MAX = 64_000_000
KEYS = ("source", "stream", "record", "expected", "lookups", "pipeline", "note")
UNCOMPARED = ("protocols", "trackingPlan")
"""Parts of `context` that say which plan an event was checked against: they change with every version of it."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """One line of a fixture file, well formed; `content` is the line as it was read."""

    file: str
    line: int
    source: str
    stream: str
    record: bytes
    expected: list[dict[str, Any]] | None
    lookups: dict[str, Any]
    pipeline: str | None
    content: dict[str, Any]


@dataclass(slots=True)
class Tally:
    """How many fixtures were tried, how many events came of them, how many lines were rewritten."""

    fixtures: int = 0
    events: int = 0
    updated: int = 0


def find_files(folder: Path) -> list[Path]:
    """The fixture files of a project folder, by name."""
    return sorted((folder / FOLDER).glob("*.jsonl"))


async def check_fixtures(
    subjects: Sequence[Subject],
    files: Sequence[Path],
    findings: Findings,
    *,
    pipeline: str | None = None,
    is_update: bool = False,
    is_compared: bool = True,
) -> Tally:
    """Map every fixture by its plan and compare what came of it; with `is_update` write that as what is expected.

    `pipeline`: the only one whose fixtures are tried (None: all). Not `is_compared`: the events are only checked. A fixture
    whose plan could not be loaded is passed over.
    """
    tally = Tally()
    bench = _Bench(subjects, findings, pipeline)
    for file in files:
        lines: list[bytes] = []
        has_changed = False
        for number, line in enumerate(_read(file).splitlines(), start=1):
            fixture = _parse(str(file), number, line, findings) if line.strip() else None
            made = await bench.map(fixture) if fixture is not None else None
            if fixture is not None and made is not None:
                tally.fixtures += 1
                tally.events += len(made)
                if is_compared and (found := _differences(fixture, made)):
                    if is_update:
                        tally.updated += 1
                        has_changed = True
                        line = _line_of(fixture, made)
                    else:
                        findings.add(_differs(fixture, found))
            lines.append(line)
        if has_changed:
            _write(file, b"\n".join(lines) + b"\n")
    return tally


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(f"`{file}` is larger than {FILE_BYTES_MAX // 1_000_000} MB", hint="split the file")
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"`{file}` cannot be read: {error.strerror}") from None


def _write(file: Path, content: bytes) -> None:
    """Replace a file whole, or not at all."""
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as stream:
        stream.write(content)
    os.chmod(stream.name, file.stat().st_mode & 0o777)  # noqa: PTH101 - the name is text
    Path(stream.name).replace(file)


def _line_of(fixture: Fixture, made: Sequence[Made]) -> bytes:
    """The line with what came of the record as what is expected; ids are left out, they hold workspace and source."""
    expected = []
    for one in made:
        message = {name: part for name, part in message_of(one).items() if name != "messageId"}
        if not one.is_tried:
            expected.append(message)
    return msgspec.json.encode({**fixture.content, "expected": expected})


def _differs(fixture: Fixture, found: list[str]) -> Finding:
    message = "the events of this record are not what the fixture expects"
    fix = "correct the plan, or accept what comes now with `cdi validate --update`"
    finding = Finding("error", "fixture/differs", message, fix=fix, details=tuple(found))
    return finding.placed(Place(fixture.file, fixture.line))


def message_of(made: Made) -> dict[str, Any]:
    """An event as a fixture sees it: without the plan's version."""
    return _without_version(made.event.message())


def _without_version(message: dict[str, Any]) -> dict[str, Any]:
    context = message.get("context")
    if not isinstance(context, dict):
        return message
    kept = {name: part for name, part in context.items() if name not in UNCOMPARED}
    rest = {name: part for name, part in message.items() if name != "context"}
    return {**rest, "context": kept} if kept else rest


def _differences(fixture: Fixture, made: Sequence[Made]) -> list[str]:
    """What is other than expected; nothing where nothing is expected."""
    if fixture.expected is None:
        return []
    sure = [one for one in made if not one.is_tried]
    expected = [_without_version(message) for message in fixture.expected]
    return differences(expected, [message_of(one) for one in sure], [one.rule for one in sure])


def _parse(file: str, number: int, line: bytes, findings: Findings) -> Fixture | None:
    def bad(message: str, fix: str) -> None:
        findings.add(Finding("error", "fixture/invalid", message, fix=fix).placed(Place(file, number)))

    try:
        content = msgspec.json.decode(line)
        record = msgspec.json.decode(line, type=_Line).record
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bad("the line is no fixture", 'write {"source": ..., "stream": ..., "record": {...}} on one line')
        return None
    unknown = [key for key in content if key not in KEYS]
    if unknown:
        bad(f"unknown key `{unknown[0]}`", suggest(unknown[0], KEYS) or f"known keys are {listing(KEYS)}")
        return None
    expected, lookups = content.get("expected"), content.get("lookups", {})
    is_list = isinstance(expected, list) and all(isinstance(message, dict) for message in expected)
    if (expected is not None and not is_list) or not isinstance(lookups, dict):
        bad("`expected` must be a list of messages, `lookups` an object", "see the manual of fixtures")
        return None
    source, stream, pipeline = content.get("source"), content.get("stream"), content.get("pipeline")
    if not isinstance(source, str) or not isinstance(stream, str) or not isinstance(pipeline, str | None):
        bad("`source` and `stream` must be text", 'for example "commercetools" and "orders"')
        return None
    return Fixture(file, number, source, stream, bytes(record), expected, lookups, pipeline, content)


class _Line(msgspec.Struct):
    """The record of a line, as it was written."""

    record: msgspec.Raw


@dataclass(frozen=True, slots=True)
class _Way:
    """How the fixtures of one source are mapped."""

    subject: Subject
    pipeline: str | None
    spec: SourceSpec
    settings: Any
    mapper: Mapper


class _Bench:
    """Maps fixtures; finds out once per source how."""

    def __init__(self, subjects: Sequence[Subject], findings: Findings, only: str | None) -> None:
        self._only = only
        self._subjects = subjects
        self._findings = findings
        self._ways: dict[tuple[str, str | None], _Way | None] = {}

    async def map(self, fixture: Fixture) -> list[Made] | None:
        """The events of a fixture, None where it could not be tried (noted, unless its plan is what is wrong)."""
        where = f"{fixture.file}:{fixture.line}"
        try:
            way = self._way(fixture)
            if way is None:
                return None
            if fixture.stream not in way.spec.names:
                hint = suggest(fixture.stream, way.spec.names) or f"it has {listing(way.spec.names)}"
                raise ConfigError(f"`{way.spec.name}` has no stream `{fixture.stream}`", hint=hint)
            if way.spec.open_offline is None:
                raise ConfigError(f"`{way.spec.name}` cannot read records offline", hint="remove the fixture")
            context = source_context(way.subject, way.pipeline)
            source = way.spec.open_offline(way.settings, context, fixture.lookups)
            try:
                (made,) = await way.mapper.map(source, fixture.stream, [fixture.record], lambda _number: where)
            finally:
                await source.close()
        except CdiError as error:
            finding = Finding("error", "fixture/invalid", error.message, fix=error.hint or "")
            self._findings.add(finding.placed(Place(fixture.file, fixture.line)))
            return None
        return made

    def _way(self, fixture: Fixture) -> _Way | None:
        key = (fixture.source, fixture.pipeline)
        if key not in self._ways:
            pipeline = _pipeline(self._subjects, fixture, self._only)
            subject = next((one for one in self._subjects if pipeline is None or pipeline in one.pipelines), None)
            self._ways[key] = None
            if subject is not None:
                spec, settings = _source(subject, fixture, pipeline)
                mapper = Mapper(subject, pipeline, self._findings, fixture.source)
                self._ways[key] = _Way(subject, pipeline, spec, settings, mapper)
        return self._ways[key]


def _pipeline(subjects: Sequence[Subject], fixture: Fixture, only: str | None) -> str | None:
    """The pipeline that maps a fixture: the one it names, else the first (or the `only` one) that reads its source."""
    project = next((subject.project for subject in subjects if subject.project is not None), None)
    pipelines = project.settings.pipelines if project is not None else {}
    if fixture.pipeline is not None:
        if fixture.pipeline in pipelines:
            return fixture.pipeline
        raise ConfigError(f"there is no pipeline `{fixture.pipeline}`", hint=suggest(fixture.pipeline, pipelines))
    for name, chosen in pipelines.items():
        assert project is not None
        is_read = fixture.source in (chosen.source, project.settings.sources[chosen.source].type)
        if is_read and only in (None, name):
            return name
    return None


def _source(subject: Subject, fixture: Fixture, pipeline: str | None) -> tuple[SourceSpec, Any]:
    """The connector of a fixture's source, and its settings where the project has some."""
    if pipeline is not None and subject.project is not None:
        name = subject.settings(pipeline).source
        return subject.project.source_spec(name), subject.project.settings.sources[name].settings
    try:
        return sources.load(fixture.source), None
    except KeyError:
        known = sources.names()
        hint = suggest(fixture.source, known) or f"known sources are {listing(known)}"
        raise ConfigError(f"there is no source `{fixture.source}`", hint=hint) from None
