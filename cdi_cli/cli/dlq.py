"""`cdi dlq list` and `cdi dlq show`: what could not be delivered, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from cdi_cli.cli.dlq_choice import (
    Choice,
    chooses,
    find_numbers,
    require_choice,
)
from cdi_cli.cli.options import ConfigOption, JsonOption

SHOWN_MAX = 20
"""How many dead letters are listed or shown where nobody says otherwise."""


@chooses
def list_(
    choice: Choice,
    config: ConfigOption = None,
    in_doubt: Annotated[bool, typer.Option("--in-doubt", help="Only what may have arrived: see `cdi dlq settle`")] = False,
    as_json: JsonOption = False,
) -> None:
    """List dead letters: records and events that could not be delivered.

    Example: cdi dlq list --reason plan_violation --since yesterday
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.dlq_letters import letter_json, letters_table, reasons_table
    from cdi_cli.cli.state_file import open_reader
    from cdi_cli.state._base import IN_DOUBT

    choice = replace(choice, reason=IN_DOUBT) if in_doubt else choice
    with open_reader(config) as store:
        find_numbers(store, choice)
        letters = store.dead_letters(choice.filter(), limit=choice.limit or SHOWN_MAX) if store else []
        totals = store.dead_letter_reasons(choice.filter()) if store else {}
        is_empty = not totals and (store is None or not store.dead_letter_reasons())
    if as_json:
        output.print_json([letter_json(stored) for stored in letters])
        return
    data = output.data()
    if not letters:
        say(data, "no dead letters" if is_empty else "no dead letters match")
        return
    data.print(reasons_table(totals))
    data.print(letters_table(letters))
    talk = output.talk()
    if (total := sum(totals.values())) > len(letters):
        say(talk, f"the newest {len(letters):,} of {total:,}; `--limit` shows more")
    say(talk, f"hint: `cdi dlq explain {letters[0].id}` explains one")


@chooses
def show(
    choice: Choice,
    config: ConfigOption = None,
    payload: Annotated[bool, typer.Option("--payload", help="Also print the event and the record (personal data)")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters whole: where each came from, which rule it broke, and with `--payload` what it holds.

    Example: cdi dlq show 12 --payload
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.dlq_letters import describe, letter_json
    from cdi_cli.cli.state_file import open_reader

    require_choice(choice)
    with open_reader(config) as store:
        find_numbers(store, choice)
        at_most = choice.limit or max(SHOWN_MAX, len(choice.named))
        letters = store.dead_letters(choice.filter(), limit=at_most) if store else []
    if as_json:
        shown = [letter_json(stored, has_payload=payload) for stored in letters]
        output.print_json(shown[0] if len(choice.named) == 1 and shown else shown)
        return
    data = output.data()
    if not letters:
        say(data, "no dead letters match")
    for number, stored in enumerate(letters):
        if number:
            say(data, "")
        for line in describe(stored, has_payload=payload):
            say(data, line)
