"""The documentation is true: commands parse, links lead somewhere, generated parts are fresh, examples load."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import cdi_cli

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "tracking_plan/*.md", "examples/**/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:cdi|make) [a-z][^`]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _docs_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_script", ROOT / "scripts" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docs = _docs_script()


def _shown_commands(page: Path) -> list[str]:
    """The command lines of a page: those of its console blocks, and those in running text that name `cdi` or `make`."""
    text = page.read_text(encoding="utf-8")
    lines = [line[2:] for block in CONSOLE.findall(text) for line in block.splitlines() if line.startswith("$ ")]
    return lines + INLINE.findall(text)


SHOWN = [
    pytest.param(command, id=f"{page.relative_to(ROOT)}: {command}")
    for page in PAGES
    for command in dict.fromkeys(_shown_commands(page))
    if command.startswith(("cdi ", "make "))
]


def _fault(command: str) -> str | None:
    """What is wrong with a shown command line, None if nothing; `...` and `<name>` stand for a value."""
    words = shlex.split(re.sub(r"\s[>|].*$", "", command))
    return _make_fault(words) if words[0] == "make" else _cdi_fault(words)


def _make_fault(words: list[str]) -> str | None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    unknown = [word for word in words[1:] if "=" not in word and word not in targets | {"..."}]
    return f"no such target: {unknown}" if unknown else None


def _cdi_fault(words: list[str]) -> str | None:
    commands = dict(docs.commands())
    depth = max(n for n in range(1, len(words) + 1) if " ".join(words[:n]) in commands)
    command: Any = commands[" ".join(words[:depth])]
    if hasattr(command, "commands") and words[depth:] and not words[depth].startswith("-"):
        return f"no such command: {' '.join(words[: depth + 1])}"
    options = {flag: parameter for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    rest = iter(words[depth:])
    for word in rest:
        flag, has_value, _value = word.partition("=")
        if flag in {"--help", "-h"} or not flag.startswith("-"):
            continue
        if flag not in options:
            return f"no such option: {flag}"
        if not has_value and not getattr(options[flag], "is_flag", False):
            next(rest, None)
    return None


@pytest.mark.parametrize("command", SHOWN)
def test_a_shown_command_exists(command: str) -> None:
    """Every command line on a page names a command, options and targets that exist."""
    assert _fault(command) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cdi backfil --since 90d", "no such command: cdi backfil"),
        ("cdi dlq lst", "no such command: cdi dlq lst"),
        ("cdi backfill --sinze 90d", "no such option: --sinze"),
        ("make demmo", "no such target: ['demmo']"),
    ],
)
def test_a_wrong_command_would_be_noticed(command: str, expected: str) -> None:
    """A misspelt command, option or target on a page is a fault."""
    assert _fault(command) == expected


def test_pages_show_commands() -> None:
    """The scan of the pages finds what the README shows, so that the tests above are about something."""
    shown = [parameter.values[0] for parameter in SHOWN]

    assert "make demo" in shown
    assert "cdi check" in shown
    assert len(shown) > 20


def test_every_command_is_in_the_readme() -> None:
    """The README's table of commands lists each command of the program, and no other."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(cdi [a-z ]+)` \|", text, re.MULTILINE))
    existing = {name for name, command in docs.commands() if not hasattr(command, "commands")}

    assert listed == existing


def test_generated_parts_are_fresh() -> None:
    """`docs/cli.md` and the generated tables of the README are what `make docs` would write."""
    assert docs.stale() == []


def test_a_dependency_needs_its_reason() -> None:
    """A run-time dependency without a comment stops the documentation from being made."""
    with pytest.raises(ValueError, match="needs its reason"):
        docs.dependency_table('[project]\ndependencies = [\n  "httpx>=1",\n]\n')


def test_dependency_table_has_every_dependency() -> None:
    """The table has one row for each dependency that a TOML reader finds."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = [re.match(r"[\w.-]+", line)[0] for line in tomllib.loads(text)["project"]["dependencies"]]  # type: ignore[index]

    rows = re.findall(r"^\| `([\w.-]+)` \|", docs.dependency_table(text), re.MULTILINE)

    assert rows == names


def test_the_changelog_knows_this_version() -> None:
    """The newest entry of the changelog is the package's version."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.findall(r"^## (\S+)", text, re.MULTILINE)[0] == cdi_cli.__version__


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file or folder, and a heading of it where it names one."""
    broken = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (heading and heading not in _headings(path)):
            broken.append(target)

    assert broken == []


def test_the_tests_that_the_promise_names_exist() -> None:
    """Every test file or test function that RELIABILITY.md names is there, and no promise is without one."""
    text = (ROOT / "RELIABILITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    missing = [
        f"{file}::{function}"
        for file, function in named
        if not (ROOT / file).is_file() or f"def {function}" not in (ROOT / file).read_text(encoding="utf-8")
    ]
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| The promise")]

    assert missing == []
    assert [row for row in rows if "`tests/" not in row] == []
    assert len(named) > 10


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def _yaml_block(mark: str) -> str:
    blocks = YAML.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (block,) = [block for block in blocks if mark in block]
    return block


def test_the_settings_of_the_readme_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The `cdi.yaml` that the README shows is valid as it stands."""
    from cdi_cli.pipeline.project import load_project

    for name in ("COMMERCETOOLS_CLIENT_SECRET", "SEGMENT_WRITE_KEY"):
        monkeypatch.setenv(name, "placeholder")
    file = tmp_path / "cdi.yaml"
    file.write_text(_yaml_block("workspace:"), encoding="utf-8")

    project = load_project(file)

    assert list(project.settings.pipelines) == ["main"]


def test_the_custom_field_of_the_readme_works(tmp_path: Path) -> None:
    """The lines that the README adds to an event make a plan that loads, with these properties in it."""
    from cdi_cli.data import data_folder
    from cdi_cli.plan import load_plan

    plan = tmp_path / "tracking_plan"
    shutil.copytree(data_folder("tracking_plan"), plan)
    event = plan / "events" / "order_completed.yaml"
    event.write_text(
        event.read_text(encoding="utf-8").replace("\nproperties:\n", f"\nproperties:\n{_yaml_block('gift_message')}")
    )

    loaded = load_plan(plan)

    (completed,) = [one for one in loaded.events if one.name == "Order Completed"]
    names = {one.name for one in completed.properties}
    assert {"gift_message", "order_id"} <= names
