"""`cdi validate`: is the plan right, and does what is sent keep to it?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cdi_cli.cli.options import ConfigOption, PipelineOption


class Format(StrEnum):
    """How findings are written."""

    text = "text"
    json = "json"
    junit = "junit"
    sarif = "sarif"
    github = "github"


class FailOn(StrEnum):
    """The mildest finding that fails the run."""

    error = "error"
    warning = "warning"


def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files of events to check: JSON, JSON Lines, .gz, or `-` for standard input", show_default=False
        ),
    ] = None,
    config: ConfigOption = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Folder of the tracking plan, instead of the project's", show_default=False)
    ] = None,
    pipeline: PipelineOption = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="Pull records from this source and check them; sends nothing", show_default=False),
    ] = None,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Records of each stream, with --source")] = 100,
    since: Annotated[str, typer.Option("--since", help="Start of the window, with --source")] = "30d",
    until: Annotated[
        str | None,
        typer.Option("--until", help="End of the window, excluded, with --source; default now", show_default=False),
    ] = None,
    timezone: Annotated[str, typer.Option("--timezone", help="Zone of dates without one (IANA name)")] = "UTC",
    dlq: Annotated[bool, typer.Option("--dlq", help="Check dead letters again: how many would pass now")] = False,
    destination: Annotated[
        list[str] | None,
        typer.Option("--for", help="Also mind the limits of this destination type; may be repeated", show_default=False),
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Write what comes of fixtures as what is expected")] = False,
    form: Annotated[Format, typer.Option("--format", help="How findings are written")] = Format.text,
    max_findings: Annotated[int, typer.Option("--max-findings", min=1, help="Show at most so many; all are counted")] = 100,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="Mildest finding that ends with 1")] = FailOn.error,
) -> None:
    """Check the tracking plan, its mapping and the fixtures; or events, live records or dead letters against the plan.

    Without arguments: the plan (rules, names, limits of the destinations), the mapping (what can happen is planned, what is
    required is produced), and the records of `fixtures/*.jsonl` with the events expected of them. Needs no secrets and no
    network. Ends with 0 when nothing was found, 1 when something was, 2 when it could not be checked at all.

    Example: cdi validate events.jsonl --format github --fail-on warning
    """
    from cdi_cli.cli.validate_run import Request, run

    request = Request(
        files=tuple(files or ()),
        config=config,
        plan=plan,
        pipeline=pipeline,
        source=source,
        sample=sample,
        window=(since, until, timezone),
        is_dlq=dlq,
        destinations=tuple(destination or ()),
        is_update=update,
        form=form.value,
        findings_max=max_findings,
        fail_on=fail_on.value,
    )
    raise typer.Exit(run(request))
