"""What the tests of `cdi validate` share: the command in the test's own process, a project, events."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cdi_cli.cli.app import app
from cdi_cli.data import data_folder

FORMATS = ("text", "json", "junit", "sarif", "github")
ORDER = {"type": "track", "userId": "u1", "event": "Order Completed"}
GOOD = {"order_id": "1", "total": 10.5, "revenue": 9, "currency": "EUR"}


def run(*arguments: str, **options: Any) -> Result:
    """`cdi validate` with these arguments, in the test's process."""
    return CliRunner().invoke(app, ["validate", *arguments], prog_name="cdi", **options)


def report(*arguments: str) -> dict[str, Any]:
    """What `cdi validate --format json` says."""
    value: dict[str, Any] = json.loads(run(*arguments, "--format", "json").stdout)
    return value


def change(path: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def make_project(folder: Path) -> Path:
    """A project with its own copy of the plan and the shipped fixtures."""
    shutil.copytree(data_folder("tracking_plan"), folder / "tracking_plan")
    shutil.copytree(data_folder("examples") / "quickstart" / "fixtures", folder / "fixtures")
    settings = (data_folder("examples") / "quickstart" / "cdi.yaml").read_text(encoding="utf-8")
    (folder / "cdi.yaml").write_text(f"{settings}plan: ./tracking_plan\n", encoding="utf-8")
    return folder


def events(folder: Path, *messages: Any, name: str = "events.jsonl") -> Path:
    """A file with a message on each line."""
    path = folder / name
    path.write_text("".join(json.dumps(message) + "\n" for message in messages), encoding="utf-8")
    return path


def order(**changes: Any) -> dict[str, Any]:
    """An Order Completed that keeps to the plan, but for the changes (None removes)."""
    properties = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return {**ORDER, "properties": properties}
