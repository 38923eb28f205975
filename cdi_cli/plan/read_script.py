"""Reading the scripts of a plan: `jsonata:` beside a property, `template:` beside an event, the files of `templates/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cdi_cli.plan.problems import Place, Problems, listing, suggest
from cdi_cli.plan.scripts import FOLDER, SUFFIX, Script, read_script
from cdi_cli.plan.shapes import Shape
from cdi_cli.plan.yaml_nodes import FILE_BYTES_MAX, Node

_FILE_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.-]{{0,100}}{re.escape(SUFFIX)}")


@dataclass(slots=True)
class ScriptReader:
    """Reads the scripts of one plan; `templates`: file name -> file, `used` those that some event names."""

    problems: Problems
    templates: dict[str, Path]
    denied: frozenset[str]
    used: set[str] = field(default_factory=set)

    def expression(self, node: Node, path: str, inputs: Mapping[str, Shape]) -> Script | None:
        """The expression that a property's `jsonata:` holds, None where it has mistakes; they are noted."""
        if not isinstance(node.value, str):
            self.problems.add(node.place, path, "`jsonata` must be text", "put it in quotes, or on lines of its own: `|`")
            return None
        start, indent = _start(node)
        return self._read(Script(node.value, start, indent=indent), path, inputs)

    def template(self, node: Node, inputs: Mapping[str, Shape]) -> Script | None:
        """The template that an event names, None where there is none or it has mistakes; they are noted."""
        name = node.value
        if not isinstance(name, str) or name not in self.templates:
            known = f"the plan has {listing(sorted(self.templates))}" if self.templates else "it has none"
            hint = (
                suggest(str(name), self.templates) or f"name a file of `{FOLDER}/`, as in `order_completed.jsonata`; {known}"
            )
            self.problems.add(node.place, "template", f"`{str(name)[:80]}` is no template of this plan", hint)
            return None
        self.used.add(name)
        file = self.templates[name]
        text = _text(file, self.problems)
        if text is None:
            return None
        return self._read(Script(text, Place(str(file)), name), "", inputs)

    def _read(self, script: Script, path: str, inputs: Mapping[str, Shape]) -> Script | None:
        found = read_script(script, inputs, self.denied)
        if isinstance(found, Script):
            return found
        for mistake in found:
            self.problems.add(script.place(mistake.offset), path, mistake.message, mistake.hint)
        return None


def template_files(folder: Path, problems: Problems) -> dict[str, Path]:
    """The templates of a plan folder by name; a file with a name that no event could write is noted."""
    found: dict[str, Path] = {}
    for path in sorted((folder / FOLDER).glob(f"*{SUFFIX}")):
        if _FILE_NAME.fullmatch(path.name):
            found[path.name] = path
        else:
            hint = "use letters, digits, `_`, `-` and `.`"
            problems.add(Place(str(path)), "", "a template cannot have this name", hint)
    return found


def _text(file: Path, problems: Problems) -> str | None:
    place = Place(str(file))
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            problems.add(place, "", f"the file is larger than {FILE_BYTES_MAX:,} bytes")
            return None
        return file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        problems.add(place, "", f"the file cannot be read: {error.strerror}", "check its name and its owner")
    except UnicodeDecodeError as error:
        problems.add(place, "", f"the file is not UTF-8 text (byte {error.start})", "save it as UTF-8")
    return None


def _start(node: Node) -> tuple[Place, int]:
    """Where the text of an expression begins in its file, and how far its later lines are indented."""
    at = node.content or node.place
    if node.style == "|":
        indent = _indent(at)
        return Place(at.file, at.line + 1, indent + 1), indent
    return Place(at.file, at.line, at.column + (node.style in ("'", '"'))), 0


def _indent(at: Place) -> int:
    """How far the block of lines below a line is indented."""
    try:
        lines = Path(at.file).read_text(encoding="utf-8-sig").splitlines()[at.line :]
    except (OSError, UnicodeDecodeError):
        return 0
    first = next((line for line in lines if line.strip()), "")
    return len(first) - len(first.lstrip(" "))
