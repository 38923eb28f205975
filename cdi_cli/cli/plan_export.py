"""`cdi plan export`: the tracking plan in the words of another system, or as a catalogue for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cdi_cli.cli.options import ConfigOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cdi_cli.plan import Plan
    from cdi_cli.plan.export_losses import Loss, Losses

Format = Literal["segment", "mparticle", "json-schema", "markdown", "html"]
PlanOption = Annotated[
    Path | None,
    typer.Option("--plan", help="Plan folder; default the project's, else the one that ships with cdi", show_default=False),
]
AllowLossesOption = Annotated[bool, typer.Option("--allow-losses", help="End with 0 although rules got lost")]


def export(
    to: Annotated[Format, typer.Option("--to", help="What to make of the plan")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; `-` or nothing: standard output", show_default=False)
    ] = None,
    plan: PlanOption = None,
    allow_losses: AllowLossesOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the tracking plan for another system, or as a catalogue that people read.

    segment is a Protocols tracking plan as the Public API takes it, mparticle a data plan version, json-schema one document
    that judges any message, markdown and html a catalogue; the html page is one file, searchable, for a browser.

    What the other format cannot say is listed on standard error. Exit code 0: no rule got lost; 1: the file is written, and
    rules got lost; 2: the plan cannot be read.

    Example: cdi plan export --to html --out catalogue.html
    """
    from cdi_cli.cli import output
    from cdi_cli.plan.export_losses import Losses

    losses = Losses()
    text = _text(to, load_named_plan(plan, config), losses)
    if out is None or str(out) == "-":
        output.print_text(text)
    else:
        write_file(out, text + "\n")
        output.talk().print(output.plain(f"wrote {out} ({len(text.encode()) + 1:,} bytes)"), soft_wrap=True)
    tell_losses(losses.all(), "the plan", f"`{to}`")
    if losses.rules() and not allow_losses:
        raise typer.Exit(1)


def _text(to: Format, plan: Plan, losses: Losses) -> str:
    """The plan in the other format, without a line end at its end."""
    import json

    from cdi_cli import destinations

    types = destinations.names()
    if to in ("markdown", "html"):
        from cdi_cli.plan.catalogue import catalogue_of
        from cdi_cli.plan.catalogue_html import to_html
        from cdi_cli.plan.catalogue_markdown import to_markdown

        catalogue = catalogue_of(plan, types)
        return (to_html(catalogue) if to == "html" else to_markdown(catalogue)).rstrip("\n")
    if to == "segment":
        from cdi_cli.plan.export_segment import to_segment

        document = to_segment(plan, losses, types=types)
    elif to == "mparticle":
        from cdi_cli.plan.export_mparticle import to_mparticle

        document = to_mparticle(plan, losses, types=types)
    else:
        from cdi_cli.plan.export_json_schema import to_json_schema

        document = to_json_schema(plan)
    return json.dumps(document, indent=2, ensure_ascii=False)


def load_named_plan(folder: Path | None, config: Path | None) -> Plan:
    """The plan of a folder; without one the project's, and without a project the one that ships with cdi."""
    from cdi_cli.cli.options import open_project
    from cdi_cli.config.load import FILE_NAME
    from cdi_cli.plan import load_plan

    if folder is None and (config is not None or Path(FILE_NAME).is_file()):
        folder = open_project(config).settings.plan
    return load_plan(folder)


def write_file(path: Path, text: str) -> None:
    """Write a whole file or leave the old one as it is; raises ConfigError where it cannot be written."""
    import os
    import tempfile

    from cdi_cli.errors import ConfigError

    if path.is_dir():
        raise ConfigError("it is a folder, not a file", where=str(path), hint="name a file with `--out`")
    scratch: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 -- a descriptor, not a path
            file.write(text)
        os.chmod(scratch, 0o666 & ~_umask())  # noqa: PTH101 -- beside mkstemp, which makes private files
        os.replace(scratch, path)  # noqa: PTH105
        scratch = None
    except OSError as error:
        raise ConfigError(f"the file cannot be written: {error.strerror}", where=str(path)) from None
    finally:
        if scratch is not None:
            Path(scratch).unlink(missing_ok=True)


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def tell_losses(losses: Iterable[Loss], source: str, target: str) -> None:
    """Tell on standard error what got lost between two formats: rules with their places, then what is no rule."""
    from cdi_cli.cli import output
    from cdi_cli.plan.export_losses import grouped

    groups = grouped(losses)
    rules = [group for group in groups if group.is_rule]
    notes = [group for group in groups if not group.is_rule]
    lines: list[str] = []
    if rules:
        count = sum(group.count for group in rules)
        lines.append(f"warning: {count} rule{'s' if count > 1 else ''} of {source} cannot be said in {target}")
        for group in rules:
            lines.append(f"  {group.aspect}{f' ({group.count}): {group.where}' if group.where else ''}")
            lines += [f"    hint: {group.hint}"] if group.hint else []
    if notes:
        lines.append(f"note: {source} says this too, for which {target} has no place")
        for group in notes:
            count_text = f" ({group.count})" if group.count > 1 else ""
            lines.append(f"  {group.aspect}{count_text}{f': {group.hint}' if group.hint else ''}")
    console = output.talk()
    for line in lines:
        console.print(output.plain(line), soft_wrap=True)
