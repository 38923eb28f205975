"""The files of a new project: `cdi.yaml`, `.env.example`, `.gitignore`, made from what the connectors' settings ask for.

What is asked is read off each connector's model, so that a new connector is scaffolded without a line here: its required
fields, those it needs besides (`ConnectorSettings.needed`), and a `region` where it has one. Secrets are never asked for;
they become `${NAME}` references.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml
from pydantic import BaseModel, ValidationError

from cdi_cli.config.fields import choices, is_secret
from cdi_cli.config.load import FILE_NAME
from cdi_cli.config.translate import sentence_of
from cdi_cli.config.types import ConnectorSettings

SCHEMA_FILE = "cdi.schema.json"
PLAN_FOLDER = "tracking_plan"
IGNORED = (".cdi/", ".env")


@dataclass(frozen=True, slots=True)
class Question:
    """A setting that a new project needs; `placeholder` stands in where it may be filled in later, None where it may not."""

    key: str
    text: str
    choices: tuple[str, ...]
    placeholder: str | None


@dataclass(frozen=True, slots=True)
class Part:
    """One source or destination of a new project: its name in the file, its type, its answers in the file's order."""

    name: str
    kind: str
    model: type[BaseModel]
    answers: Mapping[str, str] = field(default_factory=dict)

    def variable(self, key: str) -> str:
        """The environment variable that a secret of this part is read from: `SEGMENT_WRITE_KEY`."""
        return re.sub(r"[^A-Z0-9]+", "_", f"{self.kind}_{key}".upper())

    def secrets(self) -> list[str]:
        """The keys of the secrets that are needed."""
        return [key for key in _needed(self.model, self.answers) if is_secret(self.model, (key,))]


def _needed(model: type[BaseModel], answers: Mapping[str, str]) -> list[str]:
    """The keys that must be set, in the model's order."""
    besides = model.needed(answers) if issubclass(model, ConnectorSettings) else ()
    return [key for key, info in model.model_fields.items() if info.is_required() or key in besides]


def questions(model: type[BaseModel], answers: Mapping[str, str] | None = None) -> list[Question]:
    """What must be known about a connector before its settings can be written, in view of what is known of them already."""
    found = []
    needed = _needed(model, answers or {})
    for key, info in model.model_fields.items():
        is_asked = key in needed and not is_secret(model, (key,))
        # A region has no default because a wrong one fails late or silently: it is always asked for, never guessed.
        if is_asked or key == "region":
            example = str(info.examples[0]) if info.examples else f"your-{key.replace('_', '-')}"
            placeholder = None if key == "region" or choices(info.annotation) else example
            found.append(Question(key, info.description or key, choices(info.annotation), placeholder))
    return found


def mistakes(part: Part) -> dict[str, str]:
    """What is wrong with a part's answers, by key; the key is empty where they contradict each other."""
    values = {**part.answers, **{key: f"${{{part.variable(key)}}}" for key in part.secrets()}}
    try:
        part.model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)
        return {str(details["loc"][0]) if details["loc"] else "": sentence_of(details) for details in found}
    return {}


def settings_text(workspace: str, source: Part, destination: Part, *, has_plan: bool) -> str:
    """The `cdi.yaml` of a new project, with its comments."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        f"# Renew the schema after an upgrade with: cdi config schema > {SCHEMA_FILE}",
        "# See these settings as they are understood, defaults and all: cdi config show",
        "",
        f"workspace: {_scalar(workspace)}  # part of every event id: never change it",
        *(
            [f"plan: {PLAN_FOLDER}  # your own copy of the built-in plan: add properties and events here"]
            if has_plan
            else []
        ),
        "",
        "sources:",
        *_part_lines(source),
        "",
        "destinations:",
        *_part_lines(destination),
        "",
        "pipelines:",
        "  main:",
        f"    source: {source.name}",
        f"    destinations: [{destination.name}]",
        "    # Where records keep a person's consent, by the category's name in the destination:",
        "    # consent:",
        f"    #   Advertising: {{field: {_consent(source.model)}, granted: [true], denied: [false]}}",
        "    # require_consent: [Advertising]  # events of people who did not grant it are not sent",
    ]
    return "\n".join(lines) + "\n"


def environment_text(parts: Sequence[Part]) -> str:
    """The `.env.example` of a new project: one line for each secret."""
    lines = ["# Copy to .env, fill in, and load it before running cdi: set -a; . ./.env; set +a"]
    for part in parts:
        for key in part.secrets():
            description = part.model.model_fields[key].description
            lines += [f"# {part.name}: {description or key}", f"{part.variable(key)}="]
    return "\n".join(lines) + "\n"


def ignore_text(present: str) -> str:
    """What to append to a `.gitignore` so that state and secrets are never committed; empty if nothing is missing."""
    lines = {line.strip() for line in present.splitlines()}
    missing = [pattern for pattern in IGNORED if pattern not in lines]
    start = "\n" if present and not present.endswith("\n") else ""
    return start + "".join(f"{pattern}\n" for pattern in missing) if missing else ""


def workspace_name(folder_name: str) -> str:
    """A workspace slug from a folder's name; `workspace` when nothing of it can be used."""
    return re.sub(r"[^a-z0-9_-]+", "-", folder_name.lower()).strip("-")[:64] or "workspace"


def _part_lines(part: Part) -> list[str]:
    lines = [f"  {part.name}:", f"    type: {part.kind}"]
    asked = {question.key: question for question in questions(part.model, part.answers)}
    for key, value in part.answers.items():
        is_open = key in asked and value == asked[key].placeholder
        lines.append(f"    {key}: {_scalar(value)}{'  # change me' if is_open else ''}")
    return lines + [f"    {key}: ${{{part.variable(key)}}}" for key in part.secrets()]


def _consent(model: type[BaseModel]) -> str:
    return (model if issubclass(model, ConnectorSettings) else ConnectorSettings).consent_example


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).removesuffix("\n").removesuffix("\n...")


__all__ = [
    "FILE_NAME",
    "PLAN_FOLDER",
    "SCHEMA_FILE",
    "Part",
    "Question",
    "environment_text",
    "ignore_text",
    "mistakes",
    "questions",
    "settings_text",
    "workspace_name",
]
