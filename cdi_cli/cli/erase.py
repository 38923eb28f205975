"""`cdi erase`: forget a person here, send nothing more about them, and say what to ask the destinations for."""

from __future__ import annotations

from typing import Annotated

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, PipelineOption, WaitOption


def erase(
    config: ConfigOption = None,
    email: Annotated[
        str | None,
        typer.Option("--email", help="E-mail address; `-` reads it from standard input", show_default=False),
    ] = None,
    customer_id: Annotated[
        str | None, typer.Option("--id", help="Customer id, as the source platform writes it", show_default=False)
    ] = None,
    pipeline: PipelineOption = None,
    departed: Annotated[
        bool, typer.Option("--departed", help="List customers that the sources deleted, and the requests for them")
    ] = False,
    done: Annotated[
        int | None,
        typer.Option("--done", min=1, help="With --departed: the requests up to this number were made", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done")] = False,
    wait: WaitOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a person: nothing is sent about them any more, and their dead letters and ledger entries are removed.

    What the destinations hold is deleted by requests that you make to them; they are printed, with what each needs. A
    customer that was deleted in commercetools with `dataErasure` leaves no trace there: such a person is erased with this
    command. Names are remembered only as hashes. Ends with 3 when a source could not be asked: run it again then.

    Example: cdi erase --id 6a3c0f2e-1b7d-4c55-9a0e-3f2d8c1b7a90 --dry-run
    """
    from cdi_cli.cli.erase_run import Options, run
    from cdi_cli.cli.options import open_project

    project = open_project(config)
    pipelines = (project.pipeline_name(pipeline),) if pipeline is not None else tuple(project.settings.pipelines)
    run(
        project,
        Options(
            pipelines=pipelines,
            email=email,
            customer_id=customer_id,
            is_departed=departed,
            done=done,
            is_confirmed=yes,
            is_dry=dry_run,
            wait=wait,
            is_json=as_json,
        ),
    )
