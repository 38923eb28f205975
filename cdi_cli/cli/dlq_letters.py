"""Dead letters as text and as JSON: what all of `cdi dlq` shows of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cdi_cli.cli.closing import plain_table
from cdi_cli.cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from cdi_cli.state._base import StoredDeadLetter

_SCRIPT_ADVICE = "correct the script of the tracking plan at the place named above; `cdi template test` tries it on a record"
ADVICE = {
    "in_doubt": "look in the destination whether it arrived: if so `cdi dlq settle`, if not `cdi dlq replay`",
    "plan_violation": "correct the record in the shop, or the event's rule in the tracking plan",
    "expression_failed": _SCRIPT_ADVICE,
    "template_failed": _SCRIPT_ADVICE,
    "unplanned_event": "plan an event with this trigger, or set `unplanned_events: ignore` in `plan.yaml`",
    "unreadable_record": "the record differs from the platform's documented shape; look at it with `cdi dlq show --payload`",
    "refund_without_order": "no order names this payment; it was deleted, or the payment was made outside the shop",
    "destination_refused": "the destination answered that it will not take this event; see its message above",
    "quarantine": "look at it; `cdi dlq replay` releases it, `cdi dlq drop` gives it up",
    "blocked": "it stays here while the rule stands: change the pipeline's `routing`, then `cdi dlq replay` it",
    "no_longer_made": "put the event back into the plan, or drop this with `cdi dlq drop`",
}
ADVICE_OTHERWISE = "correct the record or the mapping named above, then `cdi dlq replay` it"


def advice(reason: str) -> str:
    """What to do about a reason, in one line."""
    return ADVICE.get(reason.partition(":")[0], ADVICE_OTHERWISE)


def letter_json(stored: StoredDeadLetter, *, has_payload: bool = False) -> dict[str, Any]:
    """A dead letter as plain data; event and record only on request, they hold personal data."""
    letter = stored.letter
    shown: dict[str, Any] = {
        "id": stored.id,
        "at": stored.at,
        "first_at": stored.first_at,
        "times": stored.times,
        "pipeline": stored.pipeline,
        "source": stored.source,
        "destination": stored.destination,
        "stream": letter.stream,
        "entity_id": letter.entity_id,
        "event": letter.event_name,
        "event_id": letter.event_id,
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "violations": [{"path": path, "rule": rule, "message": text} for path, rule, text in letter.violations],
        "plan_version": stored.plan_version,
        "run": stored.run_id,
    }
    if has_payload:
        import msgspec

        for name, raw in (("message", letter.event), ("record", letter.record)):
            shown[name] = msgspec.json.decode(raw) if raw else None
    return shown


def reasons_table(totals: dict[tuple[str, str, str], int]) -> Table:
    """How many there are by stream, event and reason, most first."""
    table = plain_table()
    for name in ("stream", "event", "reason"):
        table.add_column(name, overflow="fold")
    table.add_column("count", justify="right")
    for (stream, event, reason), number in sorted(totals.items(), key=lambda one: (-one[1], one[0])):
        table.add_row(stream, event or "-", reason, f"{number:,}")
    return table


def letters_table(letters: Sequence[StoredDeadLetter]) -> Table:
    """One line for each: number, when it failed last, event, sentence."""
    from rich.text import Text

    table = plain_table()
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("event", overflow="fold")
    table.add_column("why", overflow="fold")
    for stored in letters:
        when = stored.at[:16].replace("T", " ")
        table.add_row(str(stored.id), when, Text(plain(name_of(stored))), Text(plain(stored.letter.detail)))
    return table


def name_of(stored: StoredDeadLetter) -> str:
    """The event, or what kind of record made none."""
    return stored.letter.event_name or f"{stored.letter.stream} record"


def describe(stored: StoredDeadLetter, *, has_payload: bool) -> list[str]:
    """The facts of one dead letter, line by line."""
    letter = stored.letter
    again = f", {stored.times:,} times since {stored.first_at}" if stored.times > 1 else ""
    lines = [
        f"dead letter {stored.id}, {stored.at}, run {stored.run_id}{again}",
        f"from:   {stored.source} {letter.stream}, record {letter.entity_id or 'without a readable id'}",
        f"to:     {stored.destination} (pipeline {stored.pipeline})",
        f"event:  {letter.event_name or 'none was made'}{f' ({letter.event_id})' if letter.event_id else ''}",
        f"reason: {letter.reason}: {letter.detail}",
    ]
    lines += [f"        {path or 'event'}: {text} (rule: {rule})" for path, rule, text in letter.violations]
    lines.append(f"plan:   {stored.plan_version}")
    lines.append(f"next:   {advice(letter.reason)}")
    if has_payload:
        import msgspec

        for name, raw in (("event", letter.event), ("record", letter.record)):
            text = msgspec.json.format(raw, indent=2).decode() if raw else "not kept"
            lines += [f"{name}:", *text.splitlines()]
    elif letter.event or letter.record:
        lines.append(f"`cdi dlq show {stored.id} --payload` prints the event and the record (personal data)")
    return [plain(line) for line in lines]
