"""`cdi dlq settle`: decide that events did arrive of which nobody could tell."""

from __future__ import annotations

from dataclasses import replace

import typer

from cdi_cli.cli.dlq_choice import Choice, YesOption, chooses, counted, find_numbers, seconds_of
from cdi_cli.cli.options import ConfigOption, JsonOption, WaitOption


@chooses
def settle(
    choice: Choice,
    config: ConfigOption = None,
    wait: WaitOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decide that events in doubt did arrive: they count as delivered and leave the queue; nothing is sent.

    In doubt is what was being sent to a destination that cannot recognise a repeat when the answer was lost, and that could
    not be read back there. Look there first. `cdi dlq replay` is the other decision: it sends them.

    Example: cdi dlq settle 17 18
    """
    import sys

    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.options import open_project
    from cdi_cli.errors import ConfigError
    from cdi_cli.state import open_store
    from cdi_cli.state._base import IN_DOUBT

    if choice.reason not in (None, IN_DOUBT):
        raise ConfigError(f"only what is in doubt can be settled, not `{choice.reason}`", hint="leave `--reason` out")
    choice = replace(choice, reason=IN_DOUBT)
    path = open_project(config).settings.state
    settled = 0
    if path.exists():
        with open_store(path, wait_seconds=seconds_of(wait)) as store:
            chosen = find_numbers(store, choice)
            if chosen and not yes:
                if not sys.stdin.isatty():
                    raise ConfigError(f"{counted(len(chosen))} would count as delivered", hint="add `--yes` to decide so")
                if not typer.confirm(f"Did the events of {counted(len(chosen))} arrive?", err=True):
                    say(output.talk(), "nothing was decided")
                    return
            settled = store.settle_doubts(chosen)
    if as_json:
        output.print_json({"settled": settled})
    else:
        say(output.data(), f"{counted(settled)} settled as delivered" if settled else "nothing is in doubt")
