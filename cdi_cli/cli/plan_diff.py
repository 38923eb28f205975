"""`cdi plan diff`: what changed between two plans, for those who read the events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from cdi_cli.cli.options import ConfigOption


def diff(
    before: Annotated[
        str | None, typer.Argument(help="Plan folder, or git revision (HEAD~1, v1.2.0, a branch)", show_default=False)
    ] = None,
    after: Annotated[
        str | None, typer.Argument(help="Plan folder, or git revision; default the project's plan", show_default=False)
    ] = None,
    git: Annotated[
        str | None, typer.Option("--git", help="Git revision to compare with, never read as a folder", show_default=False)
    ] = None,
    output_format: Annotated[
        Literal["text", "json", "markdown", "github"], typer.Option("--format", help="How to tell it")
    ] = "text",
    lenient: Annotated[
        bool, typer.Option("--lenient", help="Suspected breaking changes demand a minor version, not a major one")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Compare two tracking plans and tell which version the changes demand.

    Each change is breaking, compatible or cosmetic for those who read the events. Breaking demands a major version,
    compatible a minor one, cosmetic a patch. Suspected: the plan alone cannot tell, as when a value comes from elsewhere.

    Exit code 0: the version of the later plan makes the bump; 1: it does not; 2: a plan cannot be read.

    Example: cdi plan diff --git origin/main --format github
    """
    from cdi_cli.cli import output
    from cdi_cli.plan.diff import diff_plans
    from cdi_cli.plan.diff_report import write_diff
    from cdi_cli.plan.diff_sides import open_side

    first, second, folder = _sides(before, after, git, config)
    with (
        open_side(first, folder, is_revision=git is not None) as old,
        open_side(second, folder) as new,
    ):
        found = diff_plans(old.plan, new.plan, is_lenient=lenient)
        told = write_diff(found, old, new, output_format)
    if output_format != "json":
        told = "\n".join(output.plain(line) for line in told.split("\n"))
    output.print_text(told)
    raise typer.Exit(0 if found.is_bump_made else 1)


def _sides(before: str | None, after: str | None, git: str | None, config: Path | None) -> tuple[str, str, Path]:
    """What to compare with what, and the folder whose revisions are meant."""
    from cdi_cli.errors import ConfigError

    if git is not None:
        if after is not None:
            raise ConfigError("with `--git` there is one folder to compare", hint="leave out the second argument")
        folder = Path(before) if before is not None else plan_folder(config)
        if not folder.is_dir():
            raise ConfigError(f"there is no folder `{folder}`", hint="name the plan folder of the work tree")
        return git, str(folder), folder
    if before is None:
        raise ConfigError("what should the plan be compared with?", hint="for example `cdi plan diff HEAD~1`")
    if after is not None and Path(after).is_dir():
        return before, after, Path(after)
    # Two folders need no project; a revision needs to know whose.
    folder = plan_folder(config)
    return before, after or str(folder), folder


def plan_folder(config: Path | None) -> Path:
    """The folder of the project's plan; without a project, `./tracking_plan`; raises ConfigError where there is none."""
    from cdi_cli.cli.options import open_project
    from cdi_cli.config.load import FILE_NAME
    from cdi_cli.errors import ConfigError

    folder = Path("tracking_plan")
    if config is not None or Path(FILE_NAME).is_file():
        named = open_project(config).settings.plan
        if named is None:
            raise ConfigError("the project uses the plan that ships with cdi: it has no revisions", hint="name two folders")
        folder = named
    if not folder.is_dir():
        raise ConfigError(f"there is no plan folder `{folder}`", hint="name it: `cdi plan diff HEAD~1 ./my_plan`")
    return folder
