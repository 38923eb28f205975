"""`cdi dlq export`: dead letters as a file for other programs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cdi_cli.cli.dlq_choice import (
    Choice,
    chooses,
    counted,
    find_numbers,
)
from cdi_cli.cli.options import ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Format(StrEnum):
    """How dead letters are written."""

    jsonl = "jsonl"
    csv = "csv"


@chooses
def export(
    choice: Choice,
    file: Annotated[str, typer.Argument(help="File to write, or `-` for standard output")],
    config: ConfigOption = None,
    form: Annotated[Format, typer.Option("--format", help="How they are written")] = Format.jsonl,
    redact: Annotated[bool, typer.Option("--redact", help="Leave out records and whatever is personal data")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists")] = False,
    as_json: JsonOption = False,
) -> None:
    """Export dead letters with their events and records, which hold personal data unless `--redact` is given.

    The file can be read by its owner alone.

    Example: cdi dlq export letters.jsonl --reason plan_violation --redact
    """
    from pathlib import Path

    from cdi_cli.cli import output
    from cdi_cli.cli.closing import say
    from cdi_cli.cli.options import open_project
    from cdi_cli.cli.state_file import open_reader
    from cdi_cli.pipeline.letter_export import csv_lines, json_lines, redactor, rows
    from cdi_cli.plan import load_plan

    project = open_project(config)
    with open_reader(config) as store:
        chosen = find_numbers(store, choice)
        leave_out = redactor(project.settings, lambda name: load_plan(project.plan_folder(name))) if redact else None
        exported = rows(store, chosen, leave_out) if store else iter(())
        lines = csv_lines(exported, has_record=not redact) if form is Format.csv else json_lines(exported)
        if file == "-":
            for line in lines:
                output.print_text(line.decode().removesuffix("\n"))
        else:
            write_private(Path(file), lines, is_forced=force)
    talk = output.talk()
    if as_json and file != "-":
        output.print_json({"file": file, "format": form.value, "is_redacted": redact, "letters": len(chosen)})
    else:
        say(talk, f"exported {counted(len(chosen))}")
    if chosen and not redact:
        say(talk, "warning: events and records hold personal data; `--redact` leaves it out")


def write_private(path: Path, lines: Iterable[bytes], *, is_forced: bool) -> None:
    """Write a file of mode 0600, whole or not at all; raises ConfigError where it exists (unless forced) or it cannot."""
    import os
    import tempfile

    from cdi_cli.errors import ConfigError

    scratch: str | None = None
    try:
        if path.is_dir():
            raise ConfigError("it is a folder, not a file", where=str(path), hint="name a file, or `-`")
        if os.path.lexists(path) and not is_forced:
            raise FileExistsError
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # made with O_EXCL and mode 0600
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        if is_forced:
            os.replace(scratch, path)  # noqa: PTH105
            scratch = None
        else:
            os.link(scratch, path)  # as O_EXCL: fails where a file of that name has appeared meanwhile
    except FileExistsError:
        raise ConfigError("the file exists", where=str(path), hint="name another one, or add `--force`") from None
    except OSError as error:
        raise ConfigError(f"the file cannot be written: {error.strerror}", where=str(path)) from None
    finally:
        if scratch is not None:
            os.unlink(scratch)  # noqa: PTH108
