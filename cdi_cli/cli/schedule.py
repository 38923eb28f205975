"""`cdi schedule`: print a unit that runs `cdi sync` at an interval, ready for the scheduler that is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cdi_cli.cli.options import ConfigOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdi_cli.cli.schedule_facts import Facts
    from cdi_cli.cli.schedule_units import Unit

Form = Literal["cron", "systemd", "kubernetes", "github-actions", "airflow"]


def schedule(
    every: Annotated[str, typer.Option("--every", help="Interval, for example 5m, 1h or 1d")],
    form: Annotated[Form, typer.Option("--as", help="The scheduler")],
    config: ConfigOption = None,
    pipeline: Annotated[
        list[str] | None, typer.Option("--pipeline", "-p", help="Only this pipeline; may be repeated", show_default=False)
    ] = None,
    max_duration: Annotated[
        str | None,
        typer.Option(
            "--max-duration",
            help="When a run stops in order; default 80 % of the interval, 30s at least",
            show_default=False,
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--command", help="Path of `cdi` where it will run; default this one", show_default=False),
    ] = None,
    image: Annotated[str | None, typer.Option("--image", help="Container image, for kubernetes", show_default=False)] = None,
    output_folder: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the files into this folder instead", show_default=False)
    ] = None,
) -> None:
    """Print a unit that runs `cdi sync` unattended: at an interval, never twice at once, never for ever, with its log kept.

    Runs never overlap: the checkpoint's lock is the kernel's and cannot go stale, so a unit needs no lock of its own. A run
    stops in order after --max-duration and goes on next time; one that hangs is ended by force. The unit goes to standard
    output, what to do with it to standard error.

    Example: cdi schedule --every 5m --as systemd --output units
    """
    from cdi_cli.cli import output
    from cdi_cli.cli.plan_export import write_file
    from cdi_cli.cli.schedule_facts import gather, warnings
    from cdi_cli.pipeline.project import load_project

    project = load_project(config)
    if form == "kubernetes" and command is None:
        command = "cdi"
    facts = gather(project, every=every, max_duration=max_duration, command=command, pipelines=pipeline or [], image=image)
    unit = _makers()[form](facts)
    talk = output.talk()
    if output_folder is not None:
        for name, text in unit.files.items():
            write_file(output_folder / name, text)
            talk.print(output.plain(f"wrote {output_folder / name}"), soft_wrap=True)
    else:
        output.print_text(_shown(unit))
    found = warnings(facts, project, is_elsewhere=form in ("kubernetes", "github-actions"))
    for line in (*(f"warning: {each}" for each in found), *(f"hint: {each}" for each in unit.advice)):
        talk.print(output.plain(line), soft_wrap=True)


def _makers() -> dict[Form, Callable[[Facts], Unit]]:
    from cdi_cli.cli import schedule_cluster, schedule_units

    return {
        "cron": schedule_units.cron,
        "systemd": schedule_units.systemd,
        "kubernetes": schedule_cluster.kubernetes,
        "github-actions": schedule_cluster.github_actions,
        "airflow": schedule_cluster.airflow,
    }


def _shown(unit: Unit) -> str:
    """The one file as it is; several with their names above them."""
    if len(unit.files) == 1:
        (text,) = unit.files.values()
        return text.rstrip("\n")
    return "\n\n".join(f"# {name}\n{text}".rstrip("\n") for name, text in unit.files.items())
