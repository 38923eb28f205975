"""The rules of the code base, read from its syntax trees: each takes modules and returns one sentence per violation.

Layers point one way: `cli -> pipeline -> {sources, destinations, plan, events, state} -> commerce -> foundation -> errors`.
A module of a layer may import its own layer and those below. Connectors (the folders under `sources/` and `destinations/`)
know only their contract. `sandbox/` stands apart: an independent judge, seen by `cli/` alone. A third-party package has one
home. `test_architecture.py` runs the rules on the project and on planted violations.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

PACKAGE = "cdi_cli"
LINES_PER_FILE = 400
LINES_PER_FUNCTION = 70
FOUNDATION = {"http", "clock", "secrets", "config", "checks", "registry", "data", "logs"}
LAYERS = [
    {"errors", ""},
    FOUNDATION,
    {"commerce"},
    {"sources", "destinations", "plan", "events", "state"},
    {"pipeline"},
    {"cli", "__main__"},
]
FOLDERS = {"cli", "pipeline", "sources", "destinations", "plan", "events", "state", "commerce", "config", "sandbox"}
HOMES = {
    "typer": {"cli"},
    "rich": {"cli"},
    "httpx": {"http"},
    "stamina": {"http"},
    "isal": {"http", "sandbox"},
    "sqlite3": {"state"},
    "filelock": {"state"},
    "jsonschema": {"plan"},
    "jsonschema_rs": {"plan"},
    "yaml": {"plan", "config", "cli"},
    "jsonatapy": {"plan.expressions"},
    "dateutil": {"cli"},
    "keyring": {"secrets"},
    "pydantic": {"config", "sources", "destinations", "pipeline", "cli"},
    "pydantic_core": {"config", "sources", "destinations", "pipeline", "cli"},
    "msgspec": FOLDERS | FOUNDATION,
}
REVEALERS = {"secrets", "config", "http", "sources", "destinations"}
SANDBOX_MAY_IMPORT = {"", "clock", "errors", "sandbox"}


@dataclass(frozen=True)
class Module:
    """One parsed source file; `name` is dotted, `cdi_cli.events` for `cdi_cli/events/__init__.py`."""

    name: str
    text: str
    is_package: bool

    @property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @property
    def part(self) -> str:
        """The part of the package it belongs to: `events`, `http` (also for `_http_retry`), "" for the package itself."""
        top = self.name.split(".")[1] if "." in self.name else ""
        return "http" if top.startswith("_http_") else top

    @property
    def connector(self) -> str:
        """`sources.commercetools` for a module inside that folder, "" for any other module."""
        pieces = self.name.split(".")[1:]
        is_inside = len(pieces) >= 2 and pieces[0] in {"sources", "destinations"} and not pieces[1].startswith("_")
        return ".".join(pieces[:2]) if is_inside else ""


@dataclass(frozen=True)
class Import:
    """One imported module as seen from `module`; `is_for_types`: only type checkers run it."""

    module: Module
    target: str
    line: int
    is_for_types: bool

    @property
    def where(self) -> str:
        """The place, for a message."""
        return f"{self.module.name}:{self.line}"


Rule = Callable[[Sequence[Module]], list[str]]


def load(root: Path, package: str = PACKAGE) -> list[Module]:
    """All modules of the package folder under `root`, in path order."""
    return [_module(path, root) for path in sorted((root / package).rglob("*.py"))]


def _module(path: Path, root: Path) -> Module:
    pieces = list(path.relative_to(root).with_suffix("").parts)
    is_package = pieces[-1] == "__init__"
    return Module(".".join(pieces[:-1] if is_package else pieces), path.read_text(encoding="utf-8"), is_package)


def imports(module: Module, names: frozenset[str] = frozenset()) -> Iterator[Import]:
    """What a module imports, anywhere in it; `from p import m` is an import of `p.m` where `names` holds that module."""
    tree = module.tree
    typed = {
        id(inner) for node in ast.walk(tree) if _is_type_checking(node) for part in node.body for inner in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            targets = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in names else base for alias in node.names]
        else:
            continue
        for target in dict.fromkeys(targets):
            yield Import(module, target, node.lineno, id(node) in typed)


def _is_type_checking(node: ast.AST) -> TypeGuard[ast.If]:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if node.level == 0:
        return node.module or ""
    pieces = module.name.split(".")
    kept = pieces[: len(pieces) - node.level + (1 if module.is_package else 0)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _all_imports(modules: Sequence[Module]) -> Iterator[Import]:
    names = frozenset(module.name for module in modules)
    for module in modules:
        yield from imports(module, names)


def _inner(target: str) -> Module | None:
    is_inner = target == PACKAGE or target.startswith(f"{PACKAGE}.")
    return Module(target, "", False) if is_inner else None


def _rank(part: str) -> int | None:
    return next((rank for rank, parts in enumerate(LAYERS) if part in parts), None)


def layers(modules: Sequence[Module]) -> list[str]:
    """No module imports a layer above its own, and every module has a layer."""
    found = [
        f"{module.name} has no layer; give `{module.part}` one in tests/architecture.py"
        for module in modules
        if _rank(module.part) is None and module.part != "sandbox"
    ]
    for each in _all_imports(modules):
        target = _inner(each.target)
        own, other = _rank(each.module.part), _rank(target.part) if target else None
        if own is not None and other is not None and other > own:
            found.append(f"{each.where} is below {each.target} and may not import it")
    return found


def sandbox_apart(modules: Sequence[Module]) -> list[str]:
    """Only `cli/` imports the sandbox, and the sandbox imports nothing of the program but time and errors."""
    found = []
    for each in _all_imports(modules):
        target = _inner(each.target)
        if target is None:
            continue
        own, other = each.module.part, target.part
        if other == "sandbox" and own not in {"cli", "sandbox"}:
            found.append(f"{each.where} imports the sandbox, which production code may not")
        if own == "sandbox" and other not in SANDBOX_MAY_IMPORT:
            found.append(f"{each.where} imports {each.target}, so the sandbox is no independent judge")
    return found


def connectors_apart(modules: Sequence[Module]) -> list[str]:
    """No connector imports another one."""
    return [
        f"{each.where} imports {each.target}, another connector"
        for each in _all_imports(modules)
        if each.module.connector
        and (target := _inner(each.target)) is not None
        and target.connector not in {"", each.module.connector}
    ]


def homes(modules: Sequence[Module]) -> list[str]:
    """Every third-party package (and `sqlite3`) is known here and imported only in its home: a part, or one module."""
    found = []
    for each in _all_imports(modules):
        top = each.target.split(".")[0]
        if top == PACKAGE or (top in sys.stdlib_module_names and top not in HOMES):
            continue
        if top not in HOMES:
            found.append(f"{each.where} imports {top}, which has no home in tests/architecture.py")
        elif HOMES[top].isdisjoint({each.module.part, each.module.name.removeprefix(f"{PACKAGE}.")}):
            found.append(f"{each.where} imports {top}, whose home is {', '.join(sorted(HOMES[top]))}")
    return found


def no_cycles(modules: Sequence[Module]) -> list[str]:
    """No module is reached from itself by imports, those inside functions included, those for type checkers not."""
    graph: dict[str, set[str]] = {module.name: set() for module in modules}
    for each in _all_imports(modules):
        if not each.is_for_types and each.target in graph and each.target != each.module.name:
            graph[each.module.name].add(each.target)
    return sorted({" -> ".join(cycle) for name in graph if (cycle := _cycle_through(name, graph))})


def _cycle_through(start: str, graph: dict[str, set[str]]) -> list[str]:
    """The shortest way from `start` back to it, told from its alphabetically first module; empty if there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for target in sorted(graph[way[-1]]):
            if target == start:
                first = way.index(min(way))
                return [*way[first:], *way[:first], way[first]]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []


def small_files(modules: Sequence[Module]) -> list[str]:
    """No file is longer than 400 lines."""
    sizes = {module.name: len(module.text.splitlines()) for module in modules}
    return [f"{name} has {size} lines" for name, size in sizes.items() if size > LINES_PER_FILE]


def small_functions(modules: Sequence[Module]) -> list[str]:
    """No function is longer than 70 lines, from `def` to its last line."""
    return [
        f"{module.name}:{node.lineno} {node.name} has {size} lines"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_PER_FUNCTION
    ]


def secrets_revealed_late(modules: Sequence[Module]) -> list[str]:
    """`.reveal()` is called only where a request is built or a secret is learned by the redactor."""
    return [
        f"{module.name}:{node.lineno} reveals a secret"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr == "reveal" and module.part not in REVEALERS
    ]


def no_print(modules: Sequence[Module]) -> list[str]:
    """Only `cli/` prints."""
    return [
        f"{module.name}:{node.lineno} prints"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id == "print" and module.part != "cli"
    ]


def docstrings(modules: Sequence[Module]) -> list[str]:
    """Every module, public class, public function and public method says what it is for."""
    found = []
    for module in modules:
        tree = module.tree
        if not ast.get_docstring(tree):
            found.append(f"{module.name} has no docstring")
        found += [f"{module.name}:{node.lineno} {node.name} has no docstring" for node in _undocumented(tree)]
    return found


def _undocumented(scope: ast.Module | ast.ClassDef) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in scope.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or node.name.startswith("_"):
            continue
        is_overload = any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)
        if not ast.get_docstring(node) and not is_overload:
            yield node
        if isinstance(node, ast.ClassDef):
            yield from _undocumented(node)


def errors_say_it_in_one_line(modules: Sequence[Module]) -> list[str]:
    """Every exception class begins with one line that says what happened; more may follow after a blank line."""
    return [
        f"{module.name}:{node.lineno} {node.name} needs a first line that says what happened"
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases)
        and not _has_summary_line(ast.get_docstring(node) or "")
    ]


def _has_summary_line(docstring: str) -> bool:
    first, *rest = docstring.split("\n")
    return first != "" and (not rest or rest[0] == "")


RULES: list[Rule] = [
    layers,
    sandbox_apart,
    connectors_apart,
    homes,
    no_cycles,
    small_files,
    small_functions,
    secrets_revealed_late,
    no_print,
    docstrings,
    errors_say_it_in_one_line,
]


def tests_in(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The test functions of a test module, those in classes included."""
    return [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
