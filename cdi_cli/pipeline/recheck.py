"""Rechecking dead letters: what a replay would make of each, without sending or writing anything.

The records go through plan, mapping, consent, routing and encoding as in a replay; only the destination's own answer is not
known. Look-ups are made, as they decide what an event holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cdi_cli.pipeline.items import Issue
from cdi_cli.pipeline.opening import Opened
from cdi_cli.pipeline.partition import GROUP_RECORDS
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.replay import LetterSource, by_stream, left_out, letter_flow
from cdi_cli.pipeline.replay_issue import LetterIssuer, LetterRecord
from cdi_cli.state._base import Store, StoredDeadLetter

Fate = Literal["passes", "leaves", "fails"]
FATES: tuple[Fate, ...] = ("passes", "leaves", "fails")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay would make of a letter: it `passes` (would be sent), `leaves` the queue unsent, or `fails` again.

    `reason` and `detail` say why it would not be sent; `violations` are (path, rule, sentence).
    """

    number: int
    stream: str
    event_name: str | None
    entity_id: str | None
    fate: Fate
    reason: str = ""
    detail: str = ""
    violations: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Recheck:
    """The verdicts of one pipeline and destination, and what could not be judged at all (sentences, how many letters)."""

    pipeline: str
    destination: str
    plan_version: str
    verdicts: tuple[Verdict, ...]
    problems: tuple[str, ...] = ()
    left_out: int = 0

    def fates(self) -> Counter[Fate]:
        """How many letters have each fate."""
        return Counter(verdict.fate for verdict in self.verdicts)


async def recheck(opened: Opened, store: Store, numbers: Sequence[int]) -> Recheck:
    """Judge these dead letters; `store` may be open for reading only. Raises what the source raises for a failed look-up."""
    listed = by_stream(opened, store, numbers)
    source = LetterSource(opened, store, listed)
    issuer = letter_flow(opened, store, 0, Progress(), source).issuer
    assert isinstance(issuer, LetterIssuer)
    verdicts: list[Verdict] = []
    for stream, own in listed.items():
        for start in range(0, len(own), GROUP_RECORDS):
            records = [LetterRecord(stored) for stored in source.take(own[start : start + GROUP_RECORDS])]
            found = await source.read(stream, records)
            for record, readings in zip(records, found, strict=True):
                verdicts.append(_verdict(record.stored, issuer.issue_letter(record.stored, readings)))
    stranded = len(numbers) - sum(len(own) for own in listed.values())
    return Recheck(
        opened.pipeline,
        opened.destination_name,
        opened.plan.version,
        tuple(verdicts),
        tuple(left_out(opened, missing=source.missing, stranded=stranded)),
        source.missing + stranded,
    )


def _verdict(stored: StoredDeadLetter, issue: Issue) -> Verdict:
    letter = stored.letter
    if issue.dead:
        worst = issue.dead[0]
        fate: Fate = "fails"
        reason, detail, violations = worst.reason, worst.detail, worst.violations
    elif issue.outgoing or issue.doubtful:
        fate, reason, detail, violations = "passes", "", "", ()
    else:
        fate, detail, violations = "leaves", "", ()
        reason = ", ".join(dict.fromkeys(f"{outcome}: {why}" for _, _, outcome, why in issue.counts))
    return Verdict(stored.id, letter.stream, letter.event_name, letter.entity_id, fate, reason, detail, violations)
