"""Options that several commands share, each declared once, and how a command finds its project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cdi_cli.pipeline.project import Project

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="CDI_CONFIG", help="Settings file; default ./cdi.yaml", show_default=False),
]
WithheldOption = Annotated[
    Path | None,
    typer.Option(
        "--withheld", help="Append a JSON line for each event that may not be sent: which, and why", show_default=False
    ),
]
PipelineOption = Annotated[
    str | None,
    typer.Option("--pipeline", "-p", help="Pipeline of the settings file; needed when it has several", show_default=False),
]
PipelinesOption = Annotated[
    list[str] | None, typer.Option("--pipeline", "-p", help="Only this pipeline; may be repeated", show_default=False)
]
DestinationsOption = Annotated[
    list[str] | None, typer.Option("--destination", "-d", help="Only this destination; may be repeated", show_default=False)
]
StreamsOption = Annotated[
    list[str] | None, typer.Option("--stream", "-s", help="Only this stream; may be repeated", show_default=False)
]
RateOption = Annotated[
    float | None,
    typer.Option("--rate", min=0.1, max=1_000_000, help="Events per second (the destination's own)", show_default=False),
]
WaitOption = Annotated[
    str | None,
    typer.Option("--wait", help="Wait up to so long for another cdi to end, for example 30s", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable result on standard output")]
LogFileOption = Annotated[
    Path | None,
    typer.Option("--log-file", help="Append a structured log (JSON lines) to this file", show_default=False),
]


def open_project(config: Path | None, *, log_file: Path | None = None) -> Project:
    """The project that the command line names, with its log started; raises SettingsError with every mistake."""
    from cdi_cli import logs
    from cdi_cli.pipeline.project import load_project

    project = load_project(config)
    settings = project.settings
    if log_file is not None:
        logs.start(log_file, settings.log.level if settings.log else "info")
    elif settings.log is not None:
        logs.start(settings.log.file, settings.log.level)
    return project
