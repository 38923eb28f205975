"""`cdi plan impact`: what a plan would do to events that were delivered, and to dead letters."""

from __future__ import annotations

from typing import Annotated

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, PipelineOption


def impact(
    plan: Annotated[
        str | None,
        typer.Option("--plan", help="Candidate: plan folder or git revision (the project's plan)", show_default=False),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", help="Folder or git revision the events were delivered with (the project's)", show_default=False
        ),
    ] = None,
    since: Annotated[str, typer.Option("--since", help="Start of the window: 2024-01-01, 90d, 1y, yesterday")] = "1y",
    until: Annotated[
        str | None, typer.Option("--until", help="End of the window, excluded; default the source's now", show_default=False)
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Zone of dates without one (IANA name)")] = "UTC",
    sample: Annotated[int, typer.Option("--sample", min=1, help="Read about so many records of each stream")] = 1_000,
    every: Annotated[bool, typer.Option("--all", help="Read every record of the window, not a sample")] = False,
    source: Annotated[
        str | None, typer.Option("--source", help="Study the pipeline that reads this source", show_default=False)
    ] = None,
    pipeline: PipelineOption = None,
    stream: Annotated[
        list[str] | None, typer.Option("--stream", "-s", help="Only this stream; may be repeated", show_default=False)
    ] = None,
    fail_over: Annotated[
        float | None,
        typer.Option("--fail-over", min=0, max=100, help="Exit 1 if more percent would be rejected", show_default=False),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a plan would reject of the events already delivered, and which dead letters it would let pass.

    The ledger alone cannot tell: it remembers a digest of each delivered event, not its content. So records of the window
    are read from the source again, mapped with the baseline plan (that is what was delivered, as far as the records have not
    changed since), and checked against the candidate. Where there is a checkpoint file, only events in its ledger count. The
    candidate also maps the records itself: what it would reject from now on. Nothing is sent and nothing is written.

    Exit code 0: it was told; 1: more than `--fail-over` would be rejected; 2: a plan or the settings are wrong; 3: a stream
    could not be read.

    Example: cdi plan impact --plan ./next_plan --since 1y --sample 5000
    """
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.plan_impact_run import Options, run

    options = Options(
        candidate=plan,
        baseline=baseline,
        since=since,
        until=until,
        timezone=timezone,
        sample=None if every else sample,
        source=source,
        pipeline=pipeline,
        streams=tuple(stream or ()),
        fail_over=fail_over,
        is_json=as_json,
    )
    raise typer.Exit(run(open_project(config), options))
