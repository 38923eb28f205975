"""`cdi dlq recheck` and `cdi dlq replay`: dead letters by the present plan, looked at or sent."""

from __future__ import annotations

from typing import Annotated

import typer

from cdi_cli.cli.dlq_choice import (
    Choice,
    YesOption,
    chooses,
)
from cdi_cli.cli.options import ConfigOption, JsonOption, LogFileOption, RateOption, WaitOption


@chooses
def recheck(
    choice: Choice,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Tell which dead letters would pass now: by the present plan, mapping, consent and routing. Sends and changes nothing.

    Ends with 1 when some would fail again.

    Example: cdi dlq recheck --event "Order Completed"
    """
    from cdi_cli.cli.dlq_replay_run import Options, run_recheck
    from cdi_cli.cli.options import open_project

    options = Options(choice, is_dry=True, is_json=as_json)
    raise typer.Exit(run_recheck(open_project(config, log_file=log_file), options))


@chooses
def replay(
    choice: Choice,
    config: ConfigOption = None,
    rate: RateOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but send, and say what would happen")] = False,
    wait: WaitOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Send dead letters by the present plan, mapping, consent and routing, under the event ids that they had.

    What is delivered leaves the queue at once; what is rejected again stays, with its new reason. Ends with 0 when all have
    left the queue, 1 when some stay. A replay that was stopped needs no resuming: run it again.

    What is in doubt, see `cdi dlq settle`, is only sent where its number or `--reason in_doubt` names it.

    Example: cdi dlq replay --reason plan_violation --since yesterday
    """
    from cdi_cli.cli.dlq_replay_run import Options, run_recheck, run_replays
    from cdi_cli.cli.options import open_project

    options = Options(choice, rate=rate, is_dry=dry_run, is_sure=yes, is_json=as_json, wait=wait)
    project = open_project(config, log_file=log_file)
    raise typer.Exit(run_recheck(project, options) if dry_run else run_replays(project, options))
