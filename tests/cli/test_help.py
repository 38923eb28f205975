"""The command line as a whole: help for everything, a version, quick start, exit codes for wrong use."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cdi_cli import __version__
from cdi_cli.cli.app import app

HEAVY = ("httpx", "jsonschema", "jsonschema_rs", "sqlite3", "yaml", "pydantic", "rich.progress", "stamina", "msgspec")


def commands() -> Iterator[tuple[str, Any]]:
    """Every command and group with its full name."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for child_name, child in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {child_name}", child)

    return walk("cdi", typer.main.get_command(app))


COMMANDS = dict(commands())
LEAVES = {name: command for name, command in COMMANDS.items() if not hasattr(command, "commands")}


def run_python(code: str) -> str:
    """Standard output of a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_help_imports_nothing_heavy() -> None:
    """`cdi --help` loads neither HTTP, nor JSON Schema, nor the database, nor the settings models."""
    code = f"""
import sys
from cdi_cli.__main__ import main
sys.argv = ["cdi", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0
print("LOADED", [name for name in {HEAVY!r} if name in sys.modules])
"""

    assert run_python(code).splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """`--help` of each command and group exits with 0 and says more than its usage line."""
    result = CliRunner().invoke(app, [*name.split()[1:], "--help"], prog_name="cdi")

    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: {name} ")
    assert len(result.stdout.splitlines()) > 4


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_an_example_that_parses(name: str) -> None:
    """The help of each command ends in an example of that very command, whose options exist."""
    text = LEAVES[name].help or ""
    example = " ".join(text.partition("Example: ")[2].split()).partition(" >")[0]

    assert example.startswith(name)
    options = {flag for parameter in LEAVES[name].params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert [word for word in example.split() if word.startswith("-") and word not in options] == []


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_is_explained(name: str) -> None:
    """No option or argument is without a help text."""
    silent = [parameter.name for parameter in LEAVES[name].params if not getattr(parameter, "help", None)]

    assert silent == []


def test_a_group_lists_a_full_sentence_for_each_command() -> None:
    """No short help is cut off."""
    for name in COMMANDS.keys() - LEAVES.keys():
        result = CliRunner().invoke(app, [*name.split()[1:], "--help"])
        assert "..." not in result.stdout.partition("Commands:")[2], name


def test_the_version_is_one_line() -> None:
    """`cdi --version` prints the name and the version, for scripts."""
    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.stdout, result.stderr) == (0, f"cdi {__version__}\n", "")


def test_python_m_works() -> None:
    """`python -m cdi_cli` is the same program."""
    done = subprocess.run([sys.executable, "-m", "cdi_cli", "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"cdi {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chekc"], "No such command 'chekc'. Did you mean 'check'?"),
        (["check", "--pipelin", "x"], "No such option: --pipelin"),
        (["config", "shw"], "No such command 'shw'. Did you mean 'show'?"),
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], message: str) -> None:
    """A misspelt command or option is told on standard error with a suggestion; nothing goes to standard output."""
    result = CliRunner().invoke(app, arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_output_into_a_closed_pipe_is_silent() -> None:
    """When the reader of our output goes away, there is no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "cdi_cli", "config", "schema"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")
