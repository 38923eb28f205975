"""`cdi dlq`: what could not be delivered, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from cdi_cli.state._base import StoredDeadLetter


def list_(
    config: ConfigOption = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Only this reason", show_default=False)] = None,
    event: Annotated[str | None, typer.Option("--event", help="Only this event", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many, newest first")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List dead letters: records and events that could not be delivered.

    Example: cdi dlq list --reason plan_violation
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.state_file import open_reader

    with open_reader(config) as store:
        letters = store.dead_letters(reason=reason, event_name=event, limit=limit) if store else []
        totals = store.dead_letter_reasons() if store else {}
    if as_json:
        output.print_json([letter_json(letter, has_payload=False) for letter in letters])
        return
    data = output.data()
    if not letters:
        say(data, "no dead letters" if not totals else "no dead letters match")
        return
    data.print(_totals_table(totals))
    data.print(_letters_table(letters))
    say(output.talk(), f"hint: `cdi dlq show {letters[0].id}` explains one")


def show(
    number: Annotated[int, typer.Argument(help="Number of the dead letter, from `cdi dlq list`")],
    config: ConfigOption = None,
    payload: Annotated[bool, typer.Option("--payload", help="Also print the event and the record (personal data)")] = False,
    as_json: JsonOption = False,
) -> None:
    """Explain one dead letter: what it was, which rule it broke, and what to do.

    Example: cdi dlq show 12 --payload
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.state_file import open_reader
    from cdi_cli.errors import ConfigError

    with open_reader(config) as store:
        stored = store.dead_letter(number) if store else None
    if stored is None:
        raise ConfigError(f"there is no dead letter {number}", hint="`cdi dlq list` shows their numbers")
    if as_json:
        output.print_json(letter_json(stored, has_payload=payload))
        return
    for line in _explain(stored, has_payload=payload):
        say(output.data(), line)


def letter_json(stored: StoredDeadLetter, *, has_payload: bool) -> dict[str, Any]:
    """A dead letter as plain data; event and record only on request, they hold personal data."""
    letter = stored.letter
    shown: dict[str, Any] = {
        "id": stored.id,
        "at": stored.at,
        "pipeline": stored.pipeline,
        "source": stored.source,
        "destination": stored.destination,
        "stream": letter.stream,
        "entity_id": letter.entity_id,
        "event": letter.event_name,
        "event_id": letter.event_id,
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


def _totals_table(totals: dict[tuple[str, str, str], int]) -> Table:
    from cdi_cli.cli.closing import plain_table

    table = plain_table()
    for name in ("stream", "event", "reason"):
        table.add_column(name, overflow="fold")
    table.add_column("count", justify="right")
    for (stream, event, reason), number in sorted(totals.items(), key=lambda one: -one[1]):
        table.add_row(stream, event or "-", reason, f"{number:,}")
    return table


def _letters_table(letters: list[StoredDeadLetter]) -> Table:
    from rich.text import Text

    from cdi_cli.cli.closing import plain_table
    from cdi_cli.cli.output import plain

    table = plain_table()
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("event", overflow="fold")
    table.add_column("why", overflow="fold")
    for stored in letters:
        letter = stored.letter
        name = letter.event_name or f"{letter.stream} record"
        table.add_row(str(stored.id), stored.at[:16].replace("T", " "), Text(plain(name)), Text(plain(letter.detail)))
    return table


def _explain(stored: StoredDeadLetter, *, has_payload: bool) -> list[str]:
    from cdi_cli.cli.output import plain

    letter = stored.letter
    lines = [
        f"dead letter {stored.id}, {stored.at}, run {stored.run_id}",
        f"from:   {stored.source} {letter.stream}, record {letter.entity_id or 'without a readable id'}",
        f"to:     {stored.destination} (pipeline {stored.pipeline})",
        f"event:  {letter.event_name or 'none was made'}{f' ({letter.event_id})' if letter.event_id else ''}",
        f"reason: {letter.reason}: {letter.detail}",
    ]
    lines += [f"        {path or 'event'}: {text} (rule: {rule})" for path, rule, text in letter.violations]
    lines.append(f"plan:   {stored.plan_version}")
    lines.append(f"next:   {ADVICE.get(letter.reason, ADVICE_OTHERWISE)}")
    if has_payload:
        import msgspec

        for name, raw in (("event", letter.event), ("record", letter.record)):
            text = msgspec.json.format(raw, indent=2).decode() if raw else "not kept"
            lines += [f"{name}:", *text.splitlines()]
    elif letter.event or letter.record:
        lines.append(f"`cdi dlq show {stored.id} --payload` prints the event and the record (personal data)")
    return [plain(line) for line in lines]


ADVICE = {
    "plan_violation": "correct the record in the shop, or the event's rule in the tracking plan",
    "unplanned_event": "plan an event with this trigger, or set `unplanned_events: ignore` in `plan.yaml`",
    "unreadable_record": "the record differs from the platform's documented shape; look at it with --payload",
    "refund_without_order": "no order names this payment; it was deleted, or the payment was made outside the shop",
    "destination_refused": "the destination answered that it will not take this event; see its message above",
}
ADVICE_OTHERWISE = "correct the record or the mapping named above, then run the backfill again"
