"""`${NAME}` inside texts of a settings file: replaced from the environment, except where a secret is referred to.

A secret keeps its reference; it is resolved only where it is used. `$${` stands for a literal `${`. Relative paths, also
those of `file:` references, become absolute here: they are relative to the settings file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cdi_cli.config.document import Document, KeyPath
from cdi_cli.config.fields import is_path, is_secret
from cdi_cli.config.problems import nearest

_VARIABLE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Interpolator:
    """Replaces variables in the data of one document, and notes those that are not set."""

    def __init__(self, document: Document, environment: Mapping[str, str]) -> None:
        self._document = document
        self._environment = environment

    def __call__(self, data: Any, model: type[BaseModel], root: KeyPath) -> Any:
        """The data that stands at `root` with all its texts filled in; `model` says which of them are secrets."""
        return self._fill(data, model, root, ())

    def _fill(self, data: Any, model: type[BaseModel], root: KeyPath, path: KeyPath) -> Any:
        if isinstance(data, dict):
            return {key: self._fill(value, model, root, (*path, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self._fill(value, model, root, (*path, number)) for number, value in enumerate(data)]
        if not isinstance(data, str):
            return data
        folder = self._document.file.parent
        if is_secret(model, path):
            return f"file:{folder / data.removeprefix('file:')}" if data.startswith("file:") else data
        text = self._fill_text(data, (*root, *path))
        return str(folder / Path(text)) if text and is_path(model, path) else text

    def _fill_text(self, text: str, path: KeyPath) -> str:
        def value_of(match: re.Match[str]) -> str:
            name = match.group(1)
            if name is None:
                return "${"
            return self._value(name, path)

        return _VARIABLE.sub(value_of, text) if "${" in text else text

    def _value(self, name: str, path: KeyPath) -> str:
        value = self._environment.get(name)
        if value:
            return value
        if not _NAME.fullmatch(name):
            message = f"`${{{name}}}` is no name of an environment variable"
            self._document.problem(path, message, hint="write `$${` for a literal `${`")
        else:
            near = nearest(name, (known for known in self._environment if self._environment[known]))
            hint = f"did you mean `${{{near}}}`?" if near else f"export {name}=..."
            state = "not set" if value is None else "empty"
            self._document.problem(path, f"environment variable {name} is {state}", hint=hint)
        self._document.settled.add(path)
        return ""
