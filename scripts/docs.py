"""Write the parts of the documentation that are made from the program: `docs/cli.md`, tables of `README.md` and of `docs/`.

* `docs/cli.md`: the `--help` text of every command, as a terminal of 80 columns shows it.
* README, between `<!-- exit-codes -->` marks: one row per `ExitCode`.
* README, between `<!-- dependencies -->` marks: one row per run-time dependency, with its comment in `pyproject.toml`.
* `docs/templates.md`: what scripts of the plan may read, field by field, and what they may not do (`script_docs.py`).

`python scripts/docs.py` writes, `python scripts/docs.py --check` names what is stale and ends with 1. A test does the same.
"""

from __future__ import annotations

import os
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXIT_MEANINGS = {
    "OK": "Everything was delivered, or there was nothing to do",
    "DEAD_LETTERS": "It finished, and there is something to look at: dead letters (`cdi dlq list`), or findings",
    "USAGE": "The command line, the settings or the plan are wrong; nothing was started",
    "STOPPED": "It stopped before its end (network, credentials, disk, books that do not close) and can be resumed",
    "LOCKED": "Another `cdi` holds the checkpoint file",
    "INTERRUPTED": "Ctrl-C; what was in flight is settled and saved",
    "TERMINATED": "SIGTERM; what was in flight is settled and saved",
}
_DEPENDENCY = re.compile(r'^  "(?P<name>[A-Za-z0-9_.-]+)(?P<range>[^";]*)(;[^"]*)?", *# (?P<why>.+)$')


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the program as `("cdi dlq list", command)`, groups included, in the order of the help."""
    import typer.main

    from cdi_cli.cli.app import app

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield name, command
        for child_name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                yield from walk(f"{name} {child_name}", child)

    yield from walk("cdi", typer.main.get_command(app))


def help_text(name: str) -> str:
    """What `<name> --help` prints on a terminal of 80 columns without colour."""
    from typer.testing import CliRunner

    from cdi_cli.cli.app import app

    plain = {"COLUMNS": "80", "TERMINAL_WIDTH": "80", "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(app, [*name.split()[1:], "--help"], prog_name="cdi", env=plain)
    if result.exit_code != 0:
        msg = f"`{name} --help` failed: {result.output}"
        raise RuntimeError(msg)
    return "\n".join(line.rstrip() for line in result.stdout.strip("\n").splitlines())


def command_reference() -> str:
    """The text of `docs/cli.md`."""
    parts = [
        "# Commands",
        "Made by `make docs` from the program's own help; a test fails when it is stale. Data goes to standard output, "
        "progress, errors and hints go to standard error.",
    ]
    for name, _command in commands():
        parts += [f"## `{name}`", f"```text\n{help_text(name)}\n```"]
    return "\n\n".join(parts) + "\n"


def exit_code_table() -> str:
    """One row per exit code; raises KeyError for a code that has no meaning written down above."""
    from cdi_cli.errors import ExitCode

    rows = [f"| {code.value} | {EXIT_MEANINGS[code.name]} |" for code in ExitCode]
    return "\n".join(["| Code | Meaning |", "|---|---|", *rows])


def dependency_table(pyproject: str) -> str:
    """One row per run-time dependency of the `pyproject.toml` text; raises ValueError for one without a reason."""
    block = pyproject.split("\ndependencies = [\n", 1)[1].split("\n]", 1)[0]
    rows = []
    for line in block.splitlines():
        match = _DEPENDENCY.match(line)
        if match is None:
            msg = f"a dependency needs its reason in a comment on the same line: {line.strip()}"
            raise ValueError(msg)
        rows.append(f"| `{match['name']}` | {match['range']} | {match['why']} |")
    return "\n".join(["| Package | Versions | What it is for |", "|---|---|---|", *rows])


def fill(text: str, mark: str, block: str) -> str:
    """`text` with what stands between `<!-- mark -->` and `<!-- /mark -->` replaced; raises ValueError without the marks."""
    pattern = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        msg = f"the file must have `<!-- {mark} -->` and `<!-- /{mark} -->` once"
        raise ValueError(msg)
    return pattern.sub(lambda match: f"{match[1]}{block}\n{match[2]}", text)


def rendered() -> dict[Path, str]:
    """Every generated file with the text that it should have."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = fill(readme, "exit-codes", exit_code_table())
    readme = fill(readme, "dependencies", dependency_table((ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    templates = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
    for mark, table in runpy.run_path(str(ROOT / "scripts" / "script_docs.py"))["tables"]().items():
        templates = fill(templates, mark, table)
    return {
        ROOT / "docs" / "cli.md": command_reference(),
        ROOT / "docs" / "templates.md": templates,
        ROOT / "README.md": readme,
    }


def stale() -> list[str]:
    """The names of the generated files whose text on disk is not what it should be."""
    return [
        str(path.relative_to(ROOT))
        for path, text in rendered().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` only name the stale ones; returns the exit code."""
    names = stale()
    if arguments == ["--check"]:
        for name in names:
            print(f"{name} is stale; run `make docs`", file=sys.stderr)
        return 1 if names else 0
    for path, text in rendered().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print("\n".join(f"wrote {name}" for name in names) or "documentation is up to date")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, os.fspath(ROOT))
    raise SystemExit(main(sys.argv[1:]))
