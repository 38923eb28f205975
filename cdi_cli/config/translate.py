"""From pydantic's findings to problems that a person can act on: place in the file, plain words, a suggestion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cdi_cli.config.document import Document, KeyPath, dotted, value_at
from cdi_cli.config.fields import annotation_at, choices, field_at, is_secret, keys_at
from cdi_cli.config.privacy import REGIONAL_PATTERN
from cdi_cli.config.problems import is_secret_name, looks_like_credential, show_value, suggestion
from cdi_cli.config.routing import COUNTRY_PATTERN
from cdi_cli.config.settings import CATEGORY_PATTERN, FIELD_PATTERN, SLUG_PATTERN, Settings
from cdi_cli.secrets import MASK

_SHAPES = {
    SLUG_PATTERN: "must be 1 to 64 of `a-z`, `0-9`, `_`, `-`",
    CATEGORY_PATTERN: "must be 1 to 34 characters",
    COUNTRY_PATTERN: "must be a country (`DE`) or a region (`EU`, `EEA`)",
    REGIONAL_PATTERN: "must be a country (`DE`), `EU`, `EEA` or `*`",
    FIELD_PATTERN: "must be a path of names and dots, for example `custom.fields.marketingConsent`",
}
_TYPES = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "model": "a mapping",
    "mapping": "a mapping",
    "list": "a list",
    "tuple": "a list",
    "path": "a path",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be more than"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be less than"),
}


def note_mistakes(document: Document, error: ValidationError, model: type[BaseModel], root: KeyPath, filled: Any) -> None:
    """Add what pydantic found in the part of the document at `root` to the document's problems.

    `filled` is that part with its variables replaced: what came from the environment is never repeated in a message.
    """
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        by_path.setdefault(_path(document, root, details), []).append(details)
    for path, found in by_path.items():
        _note(document, path, found, model, root, filled)


def _path(document: Document, root: KeyPath, details: ErrorDetails) -> KeyPath:
    """The finding's path in the document: pydantic puts in names of union members, which the file does not have."""
    path = root
    for part in details["loc"]:
        if (*path, part) in document.values:
            path = (*path, part)
    return (*path, details["loc"][-1]) if details["type"] == "missing" else path


def _note(
    document: Document, path: KeyPath, found: list[ErrorDetails], model: type[BaseModel], root: KeyPath, filled: Any
) -> None:
    inner, details = path[len(root) :], found[0]
    kind, name = details["type"], _name(path)
    written = value_at(document.data, path)
    if kind == "too_short" and written:
        # The items themselves are wrong and reported; pydantic then counts what is left.
        return
    if kind == "missing":
        field = field_at(model, inner)
        hint = field.description if field is not None else None
        document.problem(path, f"key `{name}` is missing", hint=f"`{name}`: {hint}" if hint else None)
    elif kind == "extra_forbidden":
        document.problem(path, f"unknown key `{name}`", hint=suggestion(name, _allowed(model, inner[:-1])), at_key=True)
    elif details["loc"][-1:] == ("[key]",):
        document.problem(path, f"name `{name}` {sentence_of(details)}", at_key=True)
    elif is_secret(model, inner):
        document.problem(path, f"`{name}` {_secret_sentence(details)}", hint=_secret_hint(path))
    else:
        wrong = " or ".join(dict.fromkeys(sentence_of(each) for each in found)).replace(" or must be ", " or ")
        value_text = None if is_secret_name(name) else show_value(written)
        message = _hide(wrong, written, value_at(filled, inner))
        subject = f"`{name}` " if message.startswith(("must ", "needs ", "does not ")) else ""
        options = choices(annotation_at(model, inner)) if kind == "literal_error" else ()
        hint = suggestion(value_text, options) if options and value_text else _type_hint(details, written)
        document.problem(path, subject + message, value_text=value_text, hint=hint)


def _allowed(model: type[BaseModel], path: KeyPath) -> list[str]:
    return [key for key in keys_at(model, path) if model is not Settings or path or key != "file"]


def _name(path: KeyPath) -> str:
    """How a message calls the thing at a path: its key, and its place where it is an item of a list (`streams[0]`)."""
    last = max((number for number, part in enumerate(path) if isinstance(part, str)), default=0)
    return dotted(path[last:])


def _hide(message: str, written: Any, filled: Any) -> str:
    """The message without the value where that came from the environment or may be a credential."""
    if not isinstance(filled, str) or filled not in message or not filled:
        return message
    if looks_like_credential(filled):
        return message.replace(filled, MASK)
    return message.replace(filled, str(written)) if written != filled else message


def sentence_of(details: ErrorDetails) -> str:
    """What one of pydantic's findings means, as the rest of a sentence that begins with the key: `must be a number`."""
    kind: str = details["type"]
    context: Mapping[str, Any] = details.get("ctx", {})
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return "must be one of " + ", ".join(f"`{value}`" for value in allowed)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context.get(name)}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty" if context.get("min_length") == 1 else f"needs at least {context.get('min_length')}"
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return _SHAPES.get(pattern, f"must match `{pattern}`")
    if kind == "value_error":
        return str(context.get("error", details["msg"]))
    family = kind.split("_", 1)[0]
    if family in _TYPES and kind.endswith(("_type", "_parsing", "_from_float", "_attributes_type")):
        return f"must be {_TYPES[family]}"
    return details["msg"][:1].lower() + details["msg"][1:]


def _secret_sentence(details: ErrorDetails) -> str:
    if details["type"] == "secret_literal":
        return "must be a reference to a secret, not the secret itself"
    return sentence_of(details)


def _secret_hint(path: KeyPath) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", "_".join(str(part) for part in path[1:]).upper()).strip("_") or "NAME"
    name = name if name[:1].isalpha() else f"CDI_{name}"
    return f"export {name}=... and write `${{{name}}}` here, or `file:/path`, or `keyring:service/name`"


def _type_hint(details: ErrorDetails, written: Any) -> str | None:
    if details["type"] == "string_type" and isinstance(written, bool | int | float):
        return "put it in quotes"
    if written is None and not details["type"].startswith(("value_error", "too_short")):
        return "nothing is written here: give a value or remove the key"
    return None
