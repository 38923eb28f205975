"""Checking dead letters again: how many of them would pass against the plan as it is now.

A dead letter is made anew from its record, where the source can read records offline (its look-ups then find nothing, which
leaves out names only); else its event is checked as it was. Nothing is sent and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cdi_cli.errors import CdiError
from cdi_cli.pipeline.validate_events import EventChecker, Seen
from cdi_cli.pipeline.validate_records import Made, Mapper, source_context
from cdi_cli.pipeline.validate_subject import Subject
from cdi_cli.pipeline.validate_violations import note_violations
from cdi_cli.plan.findings import Findings
from cdi_cli.sources import Source
from cdi_cli.state._base import StoredDeadLetter

NOT_OURS = ("destination_refused",)
"""Reasons that neither the plan nor a destination's own rules can judge: the other side said no."""


@dataclass(slots=True)
class Outcome:
    """How many dead letters were checked, and what became of them; `unknown` ones cannot be judged from here."""

    letters: int = 0
    passing: int = 0
    failing: int = 0
    unknown: int = 0


async def check_dead_letters(
    subjects: Sequence[Subject], letters: Sequence[StoredDeadLetter], findings: Findings
) -> Outcome:
    """Check dead letters against the plans of their pipelines; those of a pipeline that is not among these are unknown."""
    outcome = Outcome()
    by_pipeline = {name: subject for subject in subjects for name in subject.pipelines}
    readers: dict[str, _Reader] = {}
    try:
        for stored in letters:
            outcome.letters += 1
            subject = by_pipeline.get(stored.pipeline)
            verdict: bool | None = None
            if subject is not None:
                reader = readers.setdefault(stored.pipeline, _Reader(subject, stored.pipeline, findings))
                verdict = await reader.would_pass(stored)
            outcome.passing += verdict is True
            outcome.failing += verdict is False
            outcome.unknown += verdict is None
    finally:
        for reader in readers.values():
            await reader.close()
    return outcome


class _Reader:
    """Makes the events of one pipeline's dead letters anew."""

    def __init__(self, subject: Subject, pipeline: str, findings: Findings) -> None:
        self._findings = findings
        self._mapper = Mapper(subject, pipeline, Findings())
        self._checker = EventChecker(subject.plan, subject.compiled, findings)
        self._source: Source | None = None
        assert subject.project is not None
        name = subject.settings(pipeline).source
        spec = subject.project.source_spec(name)
        if spec.open_offline is not None:
            settings = subject.project.settings.sources[name].settings
            self._source = spec.open_offline(settings, source_context(subject, pipeline), {})

    async def close(self) -> None:
        """Give back what the source holds."""
        if self._source is not None:
            await self._source.close()

    async def would_pass(self, stored: StoredDeadLetter) -> bool | None:
        """Whether the dead letter would pass now; None where that cannot be told. What is still wrong is noted."""
        letter = stored.letter
        where = f"dead letter {stored.id}"
        if letter.reason in NOT_OURS:
            return None
        made = await self._made_of(stored)
        own = [one for one in made if letter.event_id is None or one.event.id == letter.event_id]
        for one in own:
            note_violations(self._findings, one.rule, one.event.properties, one.violations, lambda: where, is_mapped=True)
        if own:
            return all(one.is_good for one in own)
        if letter.event is None:
            return None
        return self._checker.check(msgspec.json.decode(letter.event), lambda: Seen(where))

    async def _made_of(self, stored: StoredDeadLetter) -> list[Made]:
        if self._source is None or stored.letter.record is None:
            return []
        try:
            (made,) = await self._mapper.map(self._source, stored.letter.stream, [stored.letter.record], lambda _number: "")
        except CdiError:
            return []
        return made
