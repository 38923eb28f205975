"""The rules of `tests/architecture.py` hold for the project, and each of them catches what it is there to catch."""

from __future__ import annotations

import ast
from pathlib import Path

import architecture
import pytest
from architecture import RULES, Module, Rule

ROOT = Path(__file__).resolve().parent.parent

LONG_FUNCTION = '"""Doc."""\ndef work():\n    """Doc."""\n' + "    step()\n" * 69
PLANTED: list[tuple[Rule, dict[str, str], str]] = [
    (architecture.layers, {"cdi_cli.commerce.entities": "import cdi_cli.events"}, "cdi_cli.commerce.entities:1 is below"),
    (
        architecture.layers,
        {"cdi_cli.events.ids": "def f():\n    from ..pipeline import run"},
        "cdi_cli.events.ids:2 is below",
    ),
    (architecture.layers, {"cdi_cli._http_retry": "from cdi_cli.commerce import Money"}, "cdi_cli._http_retry:1 is below"),
    (architecture.layers, {"cdi_cli.helpers": ""}, "cdi_cli.helpers has no layer"),
    (architecture.sandbox_apart, {"cdi_cli.pipeline.run": "from cdi_cli.sandbox import serve"}, "imports the sandbox"),
    (
        architecture.sandbox_apart,
        {"cdi_cli.sandbox.shop": "from cdi_cli import commerce", "cdi_cli.commerce.__init__": ""},
        "judge",
    ),
    (architecture.connectors_apart, {"cdi_cli.sources.a.client": "import cdi_cli.sources.b.client"}, "another connector"),
    (architecture.connectors_apart, {"cdi_cli.destinations.a": "from cdi_cli.sources.b import X"}, "another connector"),
    (architecture.homes, {"cdi_cli.pipeline.progress": "from rich.table import Table"}, "imports rich, whose home is cli"),
    (architecture.homes, {"cdi_cli.sources.a": "import httpx"}, "imports httpx, whose home is http"),
    (architecture.homes, {"cdi_cli.sandbox.server": "import httpx"}, "imports httpx, whose home is http"),
    (architecture.homes, {"cdi_cli.events.check": "import jsonschema_rs"}, "imports jsonschema_rs, whose home is plan"),
    (architecture.homes, {"cdi_cli.cli.status": "import sqlite3"}, "imports sqlite3, whose home is state"),
    (architecture.homes, {"cdi_cli.pipeline.lock": "import filelock"}, "imports filelock, whose home is state"),
    (architecture.homes, {"cdi_cli.events.load": "import yaml"}, "imports yaml, whose home is cli, config, plan"),
    (architecture.homes, {"cdi_cli.plan.compile": "import jsonatapy"}, "jsonatapy, whose home is plan.expressions"),
    (architecture.homes, {"cdi_cli.cli.app": "import click"}, "imports click, which has no home"),
    (
        architecture.no_cycles,
        {
            "cdi_cli.a": "import cdi_cli.b",
            "cdi_cli.b": "def f():\n    from cdi_cli import c",
            "cdi_cli.c": "from .a import x",
        },
        "cdi_cli.a -> cdi_cli.b -> cdi_cli.c -> cdi_cli.a",
    ),
    (architecture.small_files, {"cdi_cli.clock": "x = 1\n" * 401}, "cdi_cli.clock has 401 lines"),
    (architecture.small_functions, {"cdi_cli.clock": LONG_FUNCTION}, "cdi_cli.clock:2 work has 71 lines"),
    (architecture.secrets_revealed_late, {"cdi_cli.pipeline.run": "log(key.reveal())"}, "cdi_cli.pipeline.run:1 reveals"),
    (architecture.no_print, {"cdi_cli.events.ids": "print(1)"}, "cdi_cli.events.ids:1 prints"),
    (architecture.docstrings, {"cdi_cli.clock": "x = 1"}, "cdi_cli.clock has no docstring"),
    (architecture.docstrings, {"cdi_cli.clock": '"""Doc."""\nasync def now(): ...'}, "cdi_cli.clock:2 now has no docstring"),
    (architecture.docstrings, {"cdi_cli.clock": '"""Doc."""\nclass Clock: ...'}, "cdi_cli.clock:2 Clock has no docstring"),
    (
        architecture.docstrings,
        {"cdi_cli.clock": '"""Doc."""\nclass Clock:\n    """Doc."""\n    def now(self): ...'},
        "cdi_cli.clock:4 now has no docstring",
    ),
    (architecture.errors_say_it_in_one_line, {"cdi_cli.plan.load": "class PlanError(ConfigError): ..."}, "PlanError needs"),
    (
        architecture.errors_say_it_in_one_line,
        {"cdi_cli.errors": 'class CdiError(Exception):\n    """It went\n    wrong."""'},
        "CdiError needs",
    ),
]
ALLOWED: list[tuple[Rule, dict[str, str]]] = [
    (architecture.layers, {"cdi_cli.pipeline.run": "from cdi_cli.events import Event\nfrom cdi_cli.errors import CdiError"}),
    (architecture.sandbox_apart, {"cdi_cli.cli.demo": "import cdi_cli.sandbox", "cdi_cli.sandbox": "import cdi_cli.clock"}),
    (architecture.connectors_apart, {"cdi_cli.sources.a.__init__": "from .._base import X\nfrom .client import Y"}),
    (architecture.homes, {"cdi_cli._http_retry": "import stamina\nimport asyncio", "cdi_cli.sandbox.wire": "import isal"}),
    (architecture.no_cycles, {"cdi_cli.a": "if TYPE_CHECKING:\n    import cdi_cli.b", "cdi_cli.b": "import cdi_cli.a"}),
    (architecture.small_files, {"cdi_cli.clock": "x = 1\n" * 400}),
    (architecture.small_functions, {"cdi_cli.clock": LONG_FUNCTION.removesuffix("    step()\n")}),
    (architecture.secrets_revealed_late, {"cdi_cli.sources.a.client": "key.reveal()"}),
    (architecture.no_print, {"cdi_cli.cli.output": "print(1)"}),
    (architecture.docstrings, {"cdi_cli.clock": '"""Doc."""\ndef _hidden(): ...\nclass _Hidden:\n    def f(self): ...'}),
    (architecture.errors_say_it_in_one_line, {"cdi_cli.errors": 'class CdiError(Exception):\n    """It went wrong."""'}),
]


def _modules(sources: dict[str, str]) -> list[Module]:
    return [
        Module(name.removesuffix(".__init__"), text, is_package=name.endswith(".__init__")) for name, text in sources.items()
    ]


@pytest.fixture(scope="module")
def project() -> list[Module]:
    """Every module of the package."""
    modules = architecture.load(ROOT)
    assert len(modules) > 30
    return modules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps_the_rule(rule: Rule, project: list[Module]) -> None:
    """No module of the package breaks the rule."""
    assert "\n".join(rule(project)) == ""


@pytest.mark.parametrize("folder", ["tests", "scripts", "benchmarks"])
def test_tests_and_tools_are_small_too(folder: str) -> None:
    """Test modules and tools keep the limits on lines per file and per function."""
    modules = architecture.load(ROOT, folder)

    assert "\n".join(architecture.small_files(modules) + architecture.small_functions(modules)) == ""


@pytest.mark.parametrize(("rule", "sources", "expected"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_violation_is_caught(rule: Rule, sources: dict[str, str], expected: str) -> None:
    """The rule names the place of a violation."""
    violations = rule(_modules(sources))

    assert len(violations) == 1
    assert expected in violations[0]


@pytest.mark.parametrize(("rule", "sources"), ALLOWED, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_allowed_passes(rule: Rule, sources: dict[str, str]) -> None:
    """The rule has nothing to say about the nearest thing that is allowed."""
    assert rule(_modules(sources)) == []


def test_every_rule_is_tried_both_ways() -> None:
    """No rule is without a planted violation and an allowed neighbour."""
    assert {rule for rule, *_ in PLANTED} == set(RULES)
    assert {rule for rule, _ in ALLOWED} == set(RULES)


def test_test_functions_state_the_behaviour() -> None:
    """Every test function has a docstring that says in one line what must hold."""
    silent = [
        f"{module.name}:{node.lineno} {node.name}"
        for module in architecture.load(ROOT, "tests")
        for node in architecture.tests_in(module)
        if len((ast.get_docstring(node) or "").splitlines()) != 1
    ]

    assert "\n".join(silent) == ""
