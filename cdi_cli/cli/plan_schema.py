"""`cdi plan schema`: the JSON Schema of plan files, for editors."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def schema(
    kind: Annotated[
        Literal["plan", "event", "group", "definition"] | None,
        typer.Option("--kind", "-k", help="Kind of file; without it, one schema that fits any of them", show_default=False),
    ] = None,
) -> None:
    """Print the JSON Schema (draft-07) of plan files, for editors that complete and check while you type.

    Put `# yaml-language-server: $schema=event.schema.json` on the first line of an event's file to use it; `cdi init
    --with-plan` does that for every file of the plan.

    Example: cdi plan schema --kind event > event.schema.json
    """
    from cdi_cli.cli import output
    from cdi_cli.plan.file_schema import file_schema

    output.print_json(file_schema(kind))
