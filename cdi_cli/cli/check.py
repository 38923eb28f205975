"""`cdi check`: is everything there that a run needs? One line each, with what to do where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cdi_cli.cli.options import ConfigOption, JsonOption, PipelineOption

if TYPE_CHECKING:
    from rich.console import Console

    from cdi_cli.pipeline.check import Finding

NAME_COLUMNS_MAX = 34


def check(config: ConfigOption = None, pipeline: PipelineOption = None, as_json: JsonOption = False) -> None:
    """Test settings, plan, secrets, credentials, permissions, clocks, reachability and the checkpoint file.

    Sends no event and changes nothing. Also asks destinations that drop unknown names, whether they know those of the plan.
    Ends with 0 when all is well, 2 when settings, plan or a secret are wrong, 3 when the
    other side or the checkpoint file is the trouble.

    Example: cdi check --pipeline main
    """
    import asyncio

    from cdi_cli.cli import output
    from cdi_cli.cli.options import open_project
    from cdi_cli.pipeline.check import check_project, exit_code

    project = open_project(config)
    name = project.pipeline_name(pipeline) if pipeline is not None else None
    findings = asyncio.run(check_project(project, name))
    if as_json:
        output.print_json([_as_json(finding) for finding in findings])
    else:
        console = output.data()
        for line in layout(findings, console.width):
            _print(console, line)
    raise typer.Exit(exit_code(findings))


def layout(findings: list[Finding], width: int) -> list[str]:
    """The lines to print: state, name, detail; a long detail goes on below itself, a fix stands on its own line."""
    import textwrap

    column = min(max((len(finding.check.name) for finding in findings), default=0), NAME_COLUMNS_MAX)

    def wrap(start: str, text: str, indent: int) -> list[str]:
        return textwrap.wrap(
            text,
            max(width, indent + 30),
            initial_indent=start,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [start.rstrip()]

    lines: list[str] = []
    for finding in findings:
        found = finding.check
        lines += wrap(f"{'ok' if found.is_ok else 'FAIL':<4}  {found.name:<{column}}  ", found.detail, column + 8)
        if found.hint:
            lines += wrap(f"      {'note' if found.is_ok else 'fix'}: ", found.hint, 11)
    return lines


def _as_json(finding: Finding) -> dict[str, object]:
    from cdi_cli.secrets import REDACTOR

    found = finding.check
    return {
        "name": found.name,
        "ok": found.is_ok,
        "detail": REDACTOR(found.detail),
        "fix": REDACTOR(found.hint) if found.hint else None,
    }


def _print(console: Console, line: str) -> None:
    from cdi_cli.cli.output import plain
    from cdi_cli.secrets import REDACTOR

    style = "green" if line.startswith("ok ") else "bold red" if line.startswith("FAIL") else None
    from rich.text import Text

    text = Text(plain(REDACTOR(line)))
    if style:
        text.stylize(style, 0, 4)
    console.print(text, soft_wrap=True)
