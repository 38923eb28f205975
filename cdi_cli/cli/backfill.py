"""`cdi backfill`: send history, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, LogFileOption, PipelineOption, RateOption, WithheldOption

if TYPE_CHECKING:
    pass


def backfill(
    config: ConfigOption = None,
    pipeline: PipelineOption = None,
    destination: Annotated[
        str | None, typer.Option("--destination", "-d", help="Only this destination of the pipeline", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Start of the window: 2024-01-01, a date-time with zone, 90d, yesterday", show_default=False
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="End of the window, excluded; default the source's now", show_default=False)
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Zone of dates without one (IANA name)")] = "UTC",
    stream: Annotated[
        list[str] | None, typer.Option("--stream", "-s", help="Only this stream; may be repeated", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but send, and say what it would cost")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Pull at most this many records", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Partitions read at the same time", show_default=False)
    ] = None,
    rate: RateOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the unfinished backfill")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="Drop the unfinished backfill and begin anew")] = False,
    withheld: WithheldOption = None,
    as_json: JsonOption = False,
    log_file: LogFileOption = None,
) -> None:
    """Pull a window of history by creation time, map and check it, and deliver it once.

    An interrupted backfill goes on where it stopped when the same command is run again. What was delivered is remembered, so
    running a finished one again sends nothing twice.

    Example: cdi backfill --pipeline main --since 2024-01-01 --until yesterday
    """
    from cdi_cli.cli.backfill_run import Options, run
    from cdi_cli.cli.options import open_project
    from cdi_cli.errors import ConfigError

    if resume and restart:
        raise ConfigError("`--resume` and `--restart` exclude each other")
    project = open_project(config, log_file=log_file)
    mode: Literal["auto", "resume", "restart"] = "resume" if resume else "restart" if restart else "auto"
    options = Options(
        pipeline=project.pipeline_name(pipeline),
        destination=destination,
        since=since,
        until=until,
        timezone=timezone,
        streams=tuple(stream or ()),
        mode=mode,
        workers=workers,
        rate=rate,
        limit=limit,
        is_dry=dry_run,
        withheld=withheld,
        is_json=as_json,
    )
    raise typer.Exit(run(project, options))
