"""Running the scripts of an event: their input made, evaluated, what comes of it shaped; what fails told with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from cdi_cli.events.lifecycle import Occurrence
from cdi_cli.plan.engine import MEMORY, TIME, Failure, engine
from cdi_cli.plan.jsonata_places import failing, refused
from cdi_cli.plan.model import Plan, PlannedEvent
from cdi_cli.plan.problems import Place, PlanProblem
from cdi_cli.plan.script_input import Documents, union
from cdi_cli.plan.script_output import Shaper, mold_of, mold_of_all
from cdi_cli.plan.scripts import MappingError, Script

Settings = Mapping[str, Any]
"""What scripts may read of the pipeline's settings."""

_UNSEARCHED = frozenset({TIME, MEMORY, "D1012"})
"""Failures whose place is not searched for: every try would take as long again."""

_decode = msgspec.json.Decoder().decode


class ScriptRun:
    """Evaluates all scripts of one event at once."""

    def __init__(self, event: PlannedEvent, denied: frozenset[str], settings: Settings) -> None:
        self._scripts = event.scripts
        self._texts = [script.text for script in self._scripts]
        self._molds = [mold_of(each) for _, each in event.walk() if each.script is not None]
        self._mold = mold_of_all(event.properties)
        reads = union(script.reads for script in self._scripts)
        self._documents = Documents(reads, name=event.name, event_type=event.type, settings=settings, denied=denied)

    def input(self, occurrence: Occurrence, raw: bytes) -> bytes:
        """What the scripts read, as JSON."""
        return self._documents.make(occurrence, raw)

    def properties(self, occurrence: Occurrence, raw: bytes) -> dict[str, Any]:
        """What the event's template makes; raises MappingError where it fails, or makes no object."""
        (value,) = self._evaluate(occurrence, raw)
        if value is None:
            return {}
        if not isinstance(value, dict):
            script = self._scripts[0]
            noun = "a list" if isinstance(value, list) else "no object"
            raise MappingError(script, script.maker(()), f"it makes {noun}, not an object of properties")
        return Shaper(occurrence.entity).object(value, self._mold)

    def values(self, occurrence: Occurrence, raw: bytes) -> list[Any]:
        """What the expressions make, in the order of the properties; None for nothing. Raises MappingError."""
        shaper = Shaper(occurrence.entity)
        found = self._evaluate(occurrence, raw)
        return [shaper.shape(value, mold) for value, mold in zip(found, self._molds, strict=True)]

    def _evaluate(self, occurrence: Occurrence, raw: bytes) -> list[Any]:
        document = self._documents.make(occurrence, raw)
        found = engine().evaluate(self._texts, document)
        if Failure("input") in found:
            # As for `from: record...`: of a record that is no JSON there is no value.
            document = self._documents.make(occurrence, raw, has_record=False)
            found = engine().evaluate(self._texts, document)
        for script, each in zip(self._scripts, found, strict=True):
            if isinstance(each, Failure):
                raise MappingError(script, _place(script, each, document), each.sentence)
        return [_decode(each) for each in found if isinstance(each, bytes)]


def _place(script: Script, failure: Failure, document: bytes) -> Place:
    """Where a script fails."""
    if failure.code in _UNSEARCHED:
        return script.place(script.tree.start)

    def fails(source: str) -> bool:
        return engine().evaluate([source], document) == [failure]

    return script.place(failing(script.text, script.tree, fails).start)


def refusals(plan: Plan) -> Iterator[PlanProblem]:
    """What the engine has against scripts that were read without a mistake: forms that only it refuses."""
    seen: set[Script] = set()
    for event in plan.events:
        for script in event.scripts:
            if script in seen:
                continue
            seen.add(script)
            code = engine().refusal(script.text)
            if code is not None:
                place = script.place(
                    refused(script.text, script.tree, lambda text: engine().refusal(text) is not None).start
                )
                yield PlanProblem(place.file, place.line, "", Failure(code).sentence, None, place.column)
