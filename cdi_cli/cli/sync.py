"""`cdi sync`: send what changed since the last sync, once."""

from __future__ import annotations

from typing import Annotated

import typer

from cdi_cli.cli.options import (
    ConfigOption,
    DestinationsOption,
    JsonOption,
    LogFileOption,
    PipelinesOption,
    RateOption,
    StreamsOption,
    WaitOption,
    WithheldOption,
)


def sync(
    config: ConfigOption = None,
    pipeline: PipelinesOption = None,
    destination: DestinationsOption = None,
    stream: StreamsOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Where the first sync starts when there was no backfill, for example today or 2h",
            show_default=False,
        ),
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Zone of dates without one (IANA name)")] = "UTC",
    max_duration: Annotated[
        str | None,
        typer.Option(
            "--max-duration", help="Stop in order after so long, for example 4m; the next run goes on", show_default=False
        ),
    ] = None,
    wait: WaitOption = None,
    rate: RateOption = None,
    metrics_file: Annotated[
        str | None,
        typer.Option("--metrics-file", help="Write the figures of all pipelines there, for Prometheus", show_default=False),
    ] = None,
    withheld: WithheldOption = None,
    reconcile: Annotated[
        bool,
        typer.Option(
            "--reconcile",
            help="Instead, read whole what changes without its modification time telling it (newsletter consent, prices)",
        ),
    ] = False,
    as_json: JsonOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Read what was modified since the last sync, and send what is new in it.

    Made for cron: it never overlaps with itself (exit code 4), goes on where it stopped, and says what it did, in one line
    per destination. Each destination keeps its own progress: one that is down does not hold up the others.

    With `--reconcile` it reads the streams whose changes no modification time tells, from where the first backfill or sync
    began (or from `--since`), and sends what is new in them; once a night is often enough.

    Example: cdi sync --max-duration 4m
    """
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.sync_run import Options, run

    project = open_project(config, log_file=log_file)
    options = Options(
        pipelines=tuple(project.pipeline_name(name) for name in pipeline or project.settings.pipelines),
        destinations=tuple(destination or ()),
        streams=tuple(stream or ()),
        since=since,
        timezone=timezone,
        max_duration=max_duration,
        wait=wait,
        rate=rate,
        metrics_file=metrics_file,
        withheld=withheld,
        kind="reconcile" if reconcile else "sync",
        is_json=as_json,
    )
    raise typer.Exit(run(project, options))
