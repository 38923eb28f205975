"""Dead letters under another plan: which of them would pass now.

A letter's record is read again and mapped by the candidate plan; where no record was kept, or it no longer makes that event,
the event as it was kept is checked instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from cdi_cli.commerce import Order
from cdi_cli.events import KINDS, Event, LifecycleSettings, occurrences, updated
from cdi_cli.pipeline.impact_map import PlanMapper, passed
from cdi_cli.pipeline.items import origins
from cdi_cli.pipeline.partition import GROUP_RECORDS
from cdi_cli.plan.model import holder_of
from cdi_cli.sources import Departed, Nothing, Reading, Source, Unreadable
from cdi_cli.state._base import StoredDeadLetter

Fate = Literal["passes", "rejected", "unknown"]
_ELEMENT = re.compile(r"\[\d+\]")


@dataclass(slots=True)
class LetterTally:
    """What becomes of the dead letters of one event that broke one rule; `example` is the number of one of them."""

    event: str
    path: str
    rule: str
    example: int
    fates: Counter[Fate] = field(default_factory=Counter)


class LetterStudy:
    """Tries dead letters of one pipeline against a candidate plan; `streams` are those that the source has."""

    def __init__(self, source: Source, streams: Sequence[str], candidate: PlanMapper, lifecycle: LifecycleSettings) -> None:
        self._source = source
        self._streams = streams
        self._candidate = candidate
        self._lifecycle = lifecycle

    async def run(self, letters: Sequence[StoredDeadLetter]) -> list[LetterTally]:
        """The fate of each letter, counted by event and rule; raises what the source raises for a failed look-up."""
        found: dict[tuple[str, str, str], LetterTally] = {}
        fates = await self._mapped(letters)
        for stored in letters:
            letter = stored.letter
            path, rule = letter.violations[0][:2] if letter.violations else ("", letter.reason)
            key = (letter.event_name or f"{letter.stream} record", _ELEMENT.sub("[]", path), rule)
            tally = found.setdefault(key, LetterTally(*key, example=stored.id))
            tally.fates[fates.get(stored.id) or self._as_kept(stored)] += 1
        return list(found.values())

    async def _mapped(self, letters: Sequence[StoredDeadLetter]) -> dict[int, Fate]:
        """The fate of each letter whose record makes its event now, by the letter's number."""
        fates: dict[int, Fate] = {}
        for stream in self._streams:
            kept = [stored for stored in letters if stored.letter.stream == stream and stored.letter.record is not None]
            for start in range(0, len(kept), GROUP_RECORDS):
                group = kept[start : start + GROUP_RECORDS]
                records = [stored.letter.record or b"" for stored in group]
                readings = await self._source.read(stream, records)
                for stored, record, read in zip(group, records, readings, strict=True):
                    if fate := self._fate(stored, record, read):
                        fates[stored.id] = fate
        return fates

    def _fate(self, stored: StoredDeadLetter, record: bytes, read: Sequence[Reading]) -> Fate | None:
        """The fate of a letter by what its record says now; None where that does not make the letter's event."""
        verdicts: list[bool] = []
        for origin, reading in origins(record, read):
            if isinstance(reading, Unreadable):
                return "rejected"
            if isinstance(reading, Nothing | Departed):
                continue
            happened = occurrences(reading, self._lifecycle)
            if isinstance(reading, Order):
                happened.append(updated(reading))
            for occurrence in happened:
                for event, rule, properties in self._candidate.events(occurrence, origin):
                    if _is_the_same(stored, event):
                        verdicts.append(passed(rule, properties) is not None)
        if not verdicts:
            return None
        return "passes" if all(verdicts) else "rejected"

    def _as_kept(self, stored: StoredDeadLetter) -> Fate:
        """The fate of the event as it was kept; unknown where none was, or the candidate has none of its name."""
        if stored.letter.event is None:
            return "unknown"
        message = msgspec.json.decode(stored.letter.event)
        kind = message.get("type", "")
        rule = self._candidate.rule(kind, message.get("event") or message.get("name") or kind)
        if rule is None:
            return "unknown"
        properties = message.get(holder_of(kind), {})
        return "passes" if passed(rule, properties) is not None else "rejected"


def _is_the_same(stored: StoredDeadLetter, event: Event) -> bool:
    """Whether an event is the one that a letter holds; one that repeats by its content has another id each time.

    A letter of an unreadable record stands for all that the record makes, one of an unplanned event names a lifecycle kind.
    """
    name = stored.letter.event_name
    if name is None or name == event.kind:
        return True
    return name == event.name and (stored.letter.event_id == event.id or KINDS[event.kind].repeats == "content")
