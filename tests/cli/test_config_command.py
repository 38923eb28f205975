"""`cdi config show` and `cdi config schema`, run as commands on real connectors."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from cdi_cli.cli.app import app
from cdi_cli.config.document import read_document
from cdi_cli.data import data_folder

CANARY = "canary-0a1b2c3d4e5f6789"
EXAMPLE = data_folder("examples") / "quickstart" / "cdi.yaml"


def test_the_effective_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML on standard output, nothing on standard error, references with their state."""
    monkeypatch.setenv("CDI_SANDBOX_SECRET", CANARY)

    result = CliRunner().invoke(app, ["config", "show", "--config", str(EXAMPLE)])

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("workspace: quickstart\n")
    assert "    client_secret: ${CDI_SANDBOX_SECRET}  # set\n" in result.stdout
    assert "NOT SET: environment variable CDI_SANDBOX_WRITE_KEY is not set" in result.stdout
    assert CANARY not in result.output


def test_the_effective_settings_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--json` prints one JSON value, and no secret."""
    monkeypatch.setenv("CDI_SANDBOX_SECRET", CANARY)

    result = CliRunner().invoke(app, ["config", "show", "--json"], env={"CDI_CONFIG": str(EXAMPLE)})

    shown = json.loads(result.stdout)
    assert shown["sources"]["shop"]["client_secret"] == {"reference": "${CDI_SANDBOX_SECRET}", "is_set": True}
    assert CANARY not in result.output


def test_mistakes_end_with_2_and_their_places(tmp_path: Path) -> None:
    """A wrong region of a real connector: message, place, suggestion, exact."""
    file = tmp_path / "cdi.yaml"
    file.write_text(EXAMPLE.read_text().replace("source: shop", "source: shpo").replace("type: segment", "type: segmnt"))

    result = CliRunner().invoke(app, ["config", "show", "-c", str(file)])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: unknown destination type `segmnt`\n"
        f"  --> {file}:17:11  destinations.segment.type\n"
        "  hint: did you mean `segment`?\n"
        "error: unknown source `shpo`\n"
        f"  --> {file}:24:13  pipelines.main.source\n"
        "  hint: did you mean `shop`?\n"
        "error: 2 mistakes, nothing was started\n"
    )


def test_without_a_file_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder leads to `cdi init`."""
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["config", "show"])

    assert result.exit_code == 2
    assert result.stderr == (
        "error: there is no cdi.yaml in this folder\n"
        f"  --> {tmp_path}\n"
        "  hint: make one with `cdi init`, or name one with `--config PATH` or CDI_CONFIG\n"
    )


def test_the_schema_knows_the_real_connectors() -> None:
    """The schema is valid, accepts the example, and tells a source from a destination."""
    result = CliRunner().invoke(app, ["config", "schema"])

    schema = json.loads(result.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    data = read_document(EXAMPLE).data
    assert [error.message for error in validator.iter_errors(data)] == []
    data["sources"]["shop"]["type"] = "segment"
    assert not validator.is_valid(data)
