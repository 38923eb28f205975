"""The query parameters that all endpoints share: limits, sort keys, predicates, expansions, flags.

Whatever is out of range or cannot be read is refused with 400 `InvalidInput`, naming the parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cdi_cli.sandbox.commercetools.collection import SortKey
from cdi_cli.sandbox.commercetools.expand import check_path
from cdi_cli.sandbox.commercetools.fields import FIELDS
from cdi_cli.sandbox.commercetools.predicate import check_fields
from cdi_cli.sandbox.commercetools.predicate_syntax import And, Expression, PredicateError, parse
from cdi_cli.sandbox.commercetools.replies import invalid_input
from cdi_cli.sandbox.http_server import Request

LIMIT_MAX = 500
LIMIT_DEFAULT = 20
OFFSET_MAX = 10_000
_SORT = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*)(?:\s+(asc|desc))?")


def predicate(request: Request, kind: str) -> Expression | None:
    """All `where` parameters of a request, ANDed."""
    variables: dict[str, list[str]] = {}
    for name, value in request.params:
        if name.startswith("var."):
            variables.setdefault(name.removeprefix("var."), []).append(value)
    return predicate_of([value for name, value in request.params if name == "where"], variables, kind)


def predicate_of(texts: list[str], variables: Mapping[str, Sequence[str]], kind: str) -> Expression | None:
    """Predicates of one kind, ANDed; None if there are none."""
    try:
        parts = [parse(text, variables) for text in texts]
        for part in parts:
            check_fields(part, FIELDS[kind])
    except PredicateError as error:
        raise invalid_input("where", str(error)) from error
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def sort_key(text: str, kind: str) -> SortKey:
    """One `sort` parameter, as `createdAt asc` or `name.en desc`."""
    match = _SORT.fullmatch(text.strip())
    if match is None:
        raise invalid_input("sort", f"Syntax error while parsing 'sort': {text}")
    path = tuple(match[1].split("."))
    if path[0] not in FIELDS[kind]:
        raise invalid_input("sort", f"The field '{path[0]}' does not exist.")
    return SortKey(path, match[2] == "desc")


def sort_keys(request: Request, kind: str) -> tuple[SortKey, ...]:
    """All `sort` parameters, in order."""
    return tuple(sort_key(value, kind) for name, value in request.params if name == "sort")


def expansions(request: Request) -> list[str]:
    """All `expand` parameters, checked."""
    paths = [value for name, value in request.params if name == "expand"]
    for path in paths:
        check_path(path)
    return paths


def number(request: Request, name: str, default: int, high: int) -> int:
    """A number between 0 and `high`."""
    text = request.param(name)
    if text is None:
        return default
    if not re.fullmatch(r"-?\d{1,9}", text) or not 0 <= int(text) <= high:
        raise invalid_input(name, f"The {name} parameter must be in the range of [0..{high}]")
    return int(text)


def flag(request: Request, name: str, *, default: bool) -> bool:
    """A boolean, spelt in lower case."""
    text = request.param(name)
    if text is None:
        return default
    if text not in ("true", "false"):
        raise invalid_input(name, f"Expected 'true' or 'false' but got '{text}'.")
    return text == "true"
