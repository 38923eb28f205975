"""`cdi push`: send ready-made events of a file."""

from __future__ import annotations

from typing import Annotated

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, LogFileOption, PipelineOption, RateOption, WaitOption


def push(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="JSON lines, also gzipped; `-` for standard input")],
    config: ConfigOption = None,
    pipeline: PipelineOption = None,
    destination: Annotated[
        str | None, typer.Option("--destination", "-d", help="Only this destination of the pipeline", show_default=False)
    ] = None,
    now: Annotated[bool, typer.Option("--now", help="Take events without a timestamp as happening now")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Send as news, not as history: campaigns and journeys may start")
    ] = False,
    rate: RateOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Stop after so many lines; resumable", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but send and remember")] = False,
    wait: WaitOption = None,
    as_json: JsonOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Send ready-made events (Segment's spec, one JSON message a line) through plan, consent, routing and delivery.

    For exports of a storefront, archives of other tools, and files of the `file` destination. An event is known by its
    messageId, within the hour of its timestamp: a file that is pushed twice sends nothing twice. What backfills and syncs
    sent is not known to a push, nor the other way round. Run the same command again to resume. The pipeline's source is not
    asked. Events go out as history, like those of a backfill, unless --live is given.

    Example: cdi push events.jsonl.gz --destination segment --dry-run
    """
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.push_run import Options, run

    project = open_project(config, log_file=log_file)
    options = Options(
        pipeline=project.pipeline_name(pipeline),
        files=tuple(dict.fromkeys(files)),
        destination=destination,
        takes_now=now,
        is_history=not live,
        rate=rate,
        limit=limit,
        is_dry=dry_run,
        wait=wait,
        is_json=as_json,
    )
    raise typer.Exit(run(project, options))
