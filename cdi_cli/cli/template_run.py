"""What `cdi template` does: find plan and record, try the event; write the template and the line that names it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from cdi_cli.cli import output
from cdi_cli.cli.closing import say
from cdi_cli.cli.options import open_project
from cdi_cli.cli.plan_export import load_named_plan, write_file
from cdi_cli.cli.preview_record import read_record
from cdi_cli.cli.template_report import print_tries, try_json
from cdi_cli.config.load import FILE_NAME
from cdi_cli.data import data_folder
from cdi_cli.errors import ConfigError, ExitCode
from cdi_cli.pipeline.template_try import bench_of, rule_of, try_event
from cdi_cli.plan import Plan, PlanError, PlannedEvent, compile_plan, load_plan
from cdi_cli.plan.diff_places import key_place
from cdi_cli.plan.eject import eject
from cdi_cli.plan.scripts import FOLDER, SUFFIX


def run_test(
    event: str,
    record: Path,
    source: str | None,
    plan: Path | None,
    config: Path | None,
    pipeline: str | None,
    *,
    has_data: bool,
    is_json: bool,
) -> ExitCode:
    """Try the event and print what comes of it."""
    given = read_record(record)
    project = open_project(config) if config is not None or pipeline is not None or Path(FILE_NAME).is_file() else None
    bench = bench_of(project, source or (_source_in(record) if project is None else None), pipeline, plan)
    tries = asyncio.run(try_event(bench, rule_of(bench.plan, event), given))
    if is_json:
        output.print_json([try_json(one, has_data=has_data) for one in tries])
    else:
        print_tries(tries, output.data(), has_data=has_data)
    return ExitCode.OK if all(one.is_good for one in tries) else ExitCode.FINDINGS


def _source_in(record: Path) -> str | None:
    """The source that a line of fixtures names."""
    try:
        content = msgspec.json.decode(record.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    named = content.get("source") if isinstance(content, dict) and "record" in content else None
    return named if isinstance(named, str) else None


def run_eject(event: str, folder: Path | None, config: Path | None, *, is_written: bool) -> None:
    """Print the template of an event, or write it into the plan."""
    plan = load_named_plan(folder, config)
    planned = rule_of(compile_plan(plan), event).planned
    text = eject(planned)
    if not is_written:
        output.print_text(text.rstrip("\n"))
        return
    for path in _write(plan, planned, text):
        shown = path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
        say(output.talk(), output.plain(f"wrote {shown}"))


def _write(plan: Plan, event: PlannedEvent, text: str) -> list[Path]:
    """Write the template and name it in the event's file; both, or neither where the plan could not be loaded then."""
    if event.template is not None:
        raise ConfigError(f"`{event.name}` has a template already: `{event.template.name}`", where=event.place.file)
    if plan.folder.resolve() == data_folder("tracking_plan").resolve():
        hint = "make a plan of your own with `cdi init --with-plan`, or name one with `--plan`"
        raise ConfigError("the plan that ships with cdi is not changed", where=str(plan.folder), hint=hint)
    file = Path(event.place.file)
    target = plan.folder / FOLDER / f"{file.stem}{SUFFIX}"
    if target.exists():
        raise ConfigError("the file exists, and nothing is overwritten", where=str(target), hint="remove or rename it first")
    before = file.read_text(encoding="utf-8-sig")
    after = _naming(before, event, target.name)
    write_file(target, text)
    write_file(file, after)
    try:
        load_plan(plan.folder, denied_fields=plan.denied_fields)
    except PlanError:
        write_file(file, before)
        target.unlink()
        raise
    return [target, file]


def _naming(text: str, event: PlannedEvent, name: str) -> str:
    """The text of an event's file with the line that names its template, below its trigger."""
    lines = text.splitlines(keepends=True)
    number = key_place(event.place, "trigger").line
    if not lines[number - 1].startswith("trigger"):
        hint = f"write `template: {name}` into it yourself, and the output of `cdi template eject` into `{FOLDER}/{name}`"
        raise ConfigError("the file is not written line by line, so no line can be added", where=event.place.file, hint=hint)
    end = lines[number - 1][len(lines[number - 1].rstrip("\r\n")) :] or "\n"
    lines.insert(number, f"template: {name}{end}")
    if number == len(lines) - 1 and not lines[number - 1].endswith("\n"):
        lines[number - 1] += "\n"
    return "".join(lines)
