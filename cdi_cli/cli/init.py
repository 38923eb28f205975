"""`cdi init`: the files of a new project."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cdi_cli.config.scaffold import Part, Question

SHORTHANDS = {
    "project_key": ("--project-key", "source"),
    "client_id": ("--client-id", "source"),
    "region": ("--region", "source"),
    "segment_region": ("--segment-region", "destination"),
}
"""Options that are short for `--set source.KEY=` or `--set destination.KEY=`."""


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project; made if it does not exist")] = Path(),
    source: Annotated[str, typer.Option("--source", help="Type of the source")] = "commercetools",
    destination: Annotated[str, typer.Option("--destination", help="Type of the destination")] = "segment",
    workspace: Annotated[
        str | None, typer.Option("--workspace", help="Namespace of event ids; default the folder's name", show_default=False)
    ] = None,
    project_key: Annotated[
        str | None, typer.Option("--project-key", help="The source's project key", show_default=False)
    ] = None,
    client_id: Annotated[str | None, typer.Option("--client-id", help="The source's client id", show_default=False)] = None,
    region: Annotated[str | None, typer.Option("--region", help="The source's region", show_default=False)] = None,
    segment_region: Annotated[
        str | None, typer.Option("--segment-region", help="Region of the Segment workspace: us or eu", show_default=False)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PART.KEY=VALUE", help="Any other setting: source.page_size=100; repeatable", show_default=False
        ),
    ] = None,
    with_plan: Annotated[bool, typer.Option("--with-plan", help="Also copy the tracking plan, to adapt it")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; placeholders for what is not given")] = False,
) -> None:
    """Make a new project: settings, a list of the secrets it needs, and a .gitignore for what must not be committed.

    Asks for what is not given when run in a terminal. Overwrites nothing. Secrets are never asked for: the settings refer to
    environment variables.

    Example: cdi init shop --project-key my-shop --region europe-west1.gcp --segment-region eu --yes
    """
    from cdi_cli.config import scaffold
    from cdi_cli.pipeline.project import known

    connectors = known()
    shorthands = {
        "project_key": project_key,
        "client_id": client_id,
        "region": region,
        "segment_region": segment_region,
    }
    given = _given(shorthands, settings or [])
    is_asking = not yes and sys.stdin.isatty() and sys.stderr.isatty()
    source_type = _known_type(source, connectors.sources.names, "source")
    destination_type = _known_type(destination, connectors.destinations.names, "destination")
    name = workspace if workspace is not None else scaffold.workspace_name(folder.resolve().name)
    targets = [folder / file for file in (scaffold.FILE_NAME, scaffold.SCHEMA_FILE, ".env.example")]
    targets += [folder / scaffold.PLAN_FOLDER] if with_plan else []
    _refuse_existing(targets)
    parts = (
        _fill(scaffold.Part("shop", source_type, connectors.sources.model(source_type)), "source", given, is_asking, yes),
        _fill(
            scaffold.Part(destination_type, destination_type, connectors.destinations.model(destination_type)),
            "destination",
            given,
            is_asking,
            yes,
        ),
    )
    _write(folder, name, parts, with_plan=with_plan)
    _say_next(folder, parts, with_plan=with_plan)


def _given(shorthands: dict[str, str | None], settings: list[str]) -> dict[str, dict[str, str]]:
    """What the command line says about each part; raises ConfigError for a `--set` that is not understood."""
    from cdi_cli.errors import ConfigError

    given: dict[str, dict[str, str]] = {"source": {}, "destination": {}}
    for name, value in shorthands.items():
        if value is not None:
            part = SHORTHANDS[name][1]
            given[part][name.removeprefix("segment_")] = value
    for text in settings:
        target, equals, value = text.partition("=")
        part, dot, key = target.partition(".")
        if not equals or not dot or not key or part not in given:
            raise ConfigError(
                "`--set` needs the form `source.KEY=VALUE` or `destination.KEY=VALUE`",
                hint="for example `--set source.page_size=100`",
            )
        given[part][key] = value
    return given


def _known_type(name: str, names: object, noun: str) -> str:
    from cdi_cli.config.problems import suggestion
    from cdi_cli.errors import ConfigError

    assert isinstance(names, list)
    if name not in names:
        raise ConfigError(f"unknown {noun} type `{name}`", hint=suggestion(name, names))
    return name


def _refuse_existing(targets: list[Path]) -> None:
    from cdi_cli.errors import ConfigError

    if present := [str(target) for target in targets if target.exists() or target.is_symlink()]:
        raise ConfigError(
            f"{', '.join(present)} exist{'s' if len(present) == 1 else ''} already; nothing was written",
            hint="name another folder: `cdi init DIR`",
        )


def _fill(part: Part, noun: str, given: dict[str, dict[str, str]], is_asking: bool, is_yes: bool) -> Part:
    """The part with an answer to every question: given, asked for, or a placeholder."""
    from dataclasses import replace

    from cdi_cli.config import scaffold
    from cdi_cli.config.fields import is_secret
    from cdi_cli.config.problems import suggestion
    from cdi_cli.errors import ConfigError

    answers = dict(given[noun])
    for key in answers:
        is_field = key in part.model.model_fields
        if not is_field or is_secret(part.model, (key,)):
            reason = "is a secret: it is read from the environment" if is_field else "is no setting"
            raise ConfigError(f"`{key}` {reason} of the {noun} `{part.kind}`", hint=suggestion(key, part.model.model_fields))
    asked = [question for question in scaffold.questions(part.model, answers) if not _is_answered(question.key, answers)]
    missing = []
    for question in asked:
        if is_asking:
            answers[question.key] = _ask(part, question)
        elif is_yes and question.placeholder is not None:
            answers[question.key] = question.placeholder
        else:
            missing.append(question)
    if missing:
        flags = [_flag(noun, question) for question in missing]
        raise ConfigError(
            f"the {noun} `{part.kind}` needs {' and '.join(f'`{question.key}`' for question in missing)}",
            hint=f"add {' '.join(flags)}, or run `cdi init` in a terminal to be asked",
        )
    order = [question.key for question in scaffold.questions(part.model, answers)]
    ordered = sorted(answers, key=lambda key: order.index(key) if key in order else len(order))
    filled = replace(part, answers={key: answers[key] for key in ordered})
    if wrong := scaffold.mistakes(filled):
        sentences = "; ".join(
            f"{f'`{key}` ' if key and text.startswith('must') else ''}{text}" for key, text in wrong.items()
        )
        raise ConfigError(f"{noun} `{part.kind}`: {sentences}", hint="nothing was written; correct it and run again")
    return filled


def _is_answered(key: str, answers: dict[str, str]) -> bool:
    # An explicit address stands in for a region.
    return key in answers or (key == "region" and bool({"api_url", "base_url", "endpoint"} & set(answers)))


def _flag(noun: str, question: Question) -> str:
    names = {(part, name.removeprefix("segment_")): flag for name, (flag, part) in SHORTHANDS.items()}
    flag = names.get((noun, question.key))
    value = "|".join(question.choices) or question.key.upper()
    return f"{flag} {value}" if flag else f"--set {noun}.{question.key}={value}"


def _ask(part: Part, question: Question) -> str:
    """Ask until the answer is one that the connector takes."""
    from dataclasses import replace

    from cdi_cli.config import scaffold

    text = f"{part.kind}: {question.text}" + (f" ({'/'.join(question.choices)})" if question.choices else "")
    while True:
        answer = str(typer.prompt(text, err=True)).strip()
        wrong = scaffold.mistakes(replace(part, answers={question.key: answer})).get(question.key)
        if wrong is None:
            return answer
        typer.echo(f"{question.key} {wrong}" if wrong.startswith("must") else wrong, err=True)


def _write(folder: Path, workspace: str, parts: tuple[Part, Part], *, with_plan: bool) -> None:
    import json
    import shutil
    import tempfile

    from cdi_cli.config import scaffold
    from cdi_cli.config.load import load_settings
    from cdi_cli.config.schema import json_schema
    from cdi_cli.data import data_folder
    from cdi_cli.errors import ConfigError
    from cdi_cli.pipeline.project import known
    from cdi_cli.plan.file_schema import add_schemas

    text = scaffold.settings_text(workspace, *parts, has_plan=with_plan)
    with tempfile.TemporaryDirectory() as trial:
        # What is written is read back first: a project that `cdi config show` would refuse is never left behind.
        file = Path(trial) / scaffold.FILE_NAME
        file.write_text(text, encoding="utf-8")
        load_settings(file, known=known())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _create(folder / ".env.example", scaffold.environment_text(parts))
        _create(folder / scaffold.SCHEMA_FILE, json.dumps(json_schema(known()), indent=2) + "\n")
        if with_plan:
            add_schemas(Path(shutil.copytree(data_folder("tracking_plan"), folder / scaffold.PLAN_FOLDER)))
        ignore = folder / ".gitignore"
        present = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
        with ignore.open("a", encoding="utf-8") as stream:
            stream.write(scaffold.ignore_text(present))
        _create(folder / scaffold.FILE_NAME, text)
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}") from None


def _create(file: Path, text: str) -> None:
    """Write a new file; never follows or replaces what may have appeared there meanwhile."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def _say_next(folder: Path, parts: tuple[Part, Part], *, with_plan: bool) -> None:
    import shlex

    from cdi_cli.config import scaffold

    written = [scaffold.FILE_NAME, scaffold.SCHEMA_FILE, ".env.example", ".gitignore"]
    written += [f"{scaffold.PLAN_FOLDER}/"] if with_plan else []
    variables = ", ".join(part.variable(key) for part in parts for key in part.secrets())
    steps = [] if folder.resolve() == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
    steps += [
        f"cp .env.example .env, fill in {variables}, then: set -a; . ./.env; set +a",
        "cdi check",
        "cdi backfill --since 90d --dry-run",
    ]
    typer.echo(f"wrote {', '.join(written)} in {folder.resolve()}", err=True)
    open_keys = {
        f"{part.name}.{question.key}"
        for part in parts
        for question in scaffold.questions(part.model, part.answers)
        if part.answers.get(question.key) == question.placeholder
    }
    if open_keys:
        steps.insert(len(steps) - 3, f"edit {scaffold.FILE_NAME}: put a value in place of {', '.join(sorted(open_keys))}")
    typer.echo("next:", err=True)
    for number, step in enumerate(steps, start=1):
        typer.echo(f"  {number}. {step}", err=True)
