"""`cdi template`: try an event's JSONata on a record, and write an event's mapping as a template."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, PipelineOption

EventArgument = Annotated[str, typer.Argument(help="The event: its name, its file, or its template", show_default=False)]
PlanOption = Annotated[
    Path | None,
    typer.Option("--plan", help="Plan folder; default the project's, else the one that ships with cdi", show_default=False),
]


def attempt(
    event: EventArgument,
    record: Annotated[
        Path,
        typer.Option("--record", "-r", metavar="FILE", help="A record as its source sends it, or a line of fixtures"),
    ],
    source: Annotated[
        str | None,
        typer.Option(
            "--source", "-s", help="Where the record comes from: a source of the settings, or a type", show_default=False
        ),
    ] = None,
    plan: PlanOption = None,
    config: ConfigOption = None,
    pipeline: PipelineOption = None,
    show_data: Annotated[bool, typer.Option("--show-data", help="Show personal data, too")] = False,
    as_json: JsonOption = False,
) -> None:
    """Try an event on one record: what its JSONata reads, what comes of it, which line made what, and what breaks the plan.

    Needs no secret and no network, and no settings file where `--source` names a type. It works for events that are mapped
    with `from:`, too. Personal data is shown by its kind only.

    Exit code 0: the event keeps to the plan; 1: it does not, or a script fails; 2: the plan or the record cannot be read, or
    the record makes no such event.

    Example: cdi template test order_completed --record order.json --source magento
    """
    from cdi_cli.cli.template_run import run_test

    raise typer.Exit(
        run_test(event, record, source, plan, config, pipeline, has_data=show_data, is_json=as_json),
    )


def eject(
    event: EventArgument,
    write: Annotated[bool, typer.Option("--write", help="Write it into the plan, and let the event use it")] = False,
    plan: PlanOption = None,
    config: ConfigOption = None,
) -> None:
    """Write an event's mapping as a JSONata template that makes the same events, to go on from there.

    Without `--write` it is printed. With it, it becomes a file of the plan's `templates/`, and the event's file names it
    with `template:`; remove that line and everything is as before.

    Example: cdi template eject order_completed --write
    """
    from cdi_cli.cli.template_run import run_eject

    run_eject(event, plan, config, is_written=write)
