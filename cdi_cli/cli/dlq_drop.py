"""`cdi dlq drop`: give dead letters up for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cdi_cli.cli.dlq_choice import (
    Choice,
    YesOption,
    chooses,
    counted,
    find_numbers,
    seconds_of,
)
from cdi_cli.cli.options import ConfigOption, JsonOption, WaitOption

if TYPE_CHECKING:
    from cdi_cli.state._base import Store

CHUNK_NUMBERS = 1_000
"""Numbers that one question to the checkpoint file names."""


@chooses
def drop(
    choice: Choice,
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Drop all dead letters, where no filter is given")] = False,
    wait: WaitOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Drop dead letters for good: they are not sent and cannot be brought back.

    A record that still fails comes back with the next sync that reads it.

    Example: cdi dlq drop --reason refund_without_order --until 90d
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.dlq_letters import reasons_table
    from cdi_cli.cli.options import open_project
    from cdi_cli.errors import ConfigError
    from cdi_cli.state import open_store

    if choice.is_everything and not everything:
        raise ConfigError("no dead letter is named", hint="give numbers or a filter, or `--all` to drop every dead letter")
    path = open_project(config).settings.state
    totals: dict[tuple[str, str, str], int] = {}
    dropped = 0
    if path.exists():
        with open_store(path, wait_seconds=seconds_of(wait)) as store:
            chosen = find_numbers(store, choice)
            totals = _reasons(store, chosen)
            if not as_json and chosen:
                output.data().print(reasons_table(totals))
            if chosen and not yes and not _is_wanted(len(chosen)):
                say(output.talk(), "nothing was dropped")
                return
            dropped = store.drop_letters(chosen)
    if as_json:
        rows = [
            {"stream": stream_name, "event": event_name or None, "reason": why, "count": count}
            for (stream_name, event_name, why), count in totals.items()
        ]
        output.print_json({"dropped": dropped, "reasons": rows})
    else:
        say(
            output.data(),
            f"dropped {counted(dropped)}" if dropped else "no dead letters match",
        )


def _reasons(store: Store, numbers: list[int]) -> dict[tuple[str, str, str], int]:
    """How many of these there are by stream, event and reason."""
    from cdi_cli.state._base import LetterFilter

    totals: dict[tuple[str, str, str], int] = {}
    for start in range(0, len(numbers), CHUNK_NUMBERS):
        wanted = LetterFilter(numbers=tuple(numbers[start : start + CHUNK_NUMBERS]))
        for key, count in store.dead_letter_reasons(wanted).items():
            totals[key] = totals.get(key, 0) + count
    return totals


def _is_wanted(count: int) -> bool:
    """Ask; raises ConfigError where there is nobody to answer."""
    import sys

    from cdi_cli.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError(f"{counted(count)} would be dropped for good", hint="add `--yes` to do so")
    return typer.confirm(f"Drop {counted(count)} for good?", err=True)
