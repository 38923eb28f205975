"""`searchCriteria` as PHP reads it from a query string: filter groups, sort orders, page size and number.

Names are accepted in both spellings. Filters of a group are ORed, groups are ANDed. A sort without a direction goes down.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from cdi_cli.sandbox.http_server import Request
from cdi_cli.sandbox.magento.replies import required, wrong_direction, wrong_type

_ROOTS = ("searchCriteria", "search_criteria")
_INTEGER = re.compile(r"\s*[+-]?\d+\s*")


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on one field."""

    field: str
    value: str
    condition: str = "eq"


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort order."""

    field: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a list is asked for; a page size of None or 0 stands for all rows."""

    groups: tuple[tuple[Filter, ...], ...] = ()
    sorts: tuple[Sort, ...] = ()
    page_size: int | None = None
    current_page: int | None = None
    echo: dict[str, Any] = field(default_factory=dict)
    """The criteria as the answer repeats them."""


def criteria_of(request: Request) -> Criteria:
    """The criteria of a request; raises what the server answers to senseless ones."""
    tree: dict[str, Any] = {}
    for name, value in request.params:
        root, *path = _keys(name)
        if root in _ROOTS:
            _put(tree, ["root", *path], value)
    if "root" not in tree:
        raise required("searchCriteria")
    given = tree["root"] if isinstance(tree["root"], dict) else {}
    groups = tuple(_group(each) for each in _entries(given, "filter_groups"))
    sorts = tuple(_sort(each) for each in _entries(given, "sort_orders"))
    page_size, current_page = _integer(given, "page_size"), _integer(given, "current_page")
    return Criteria(groups, sorts, page_size, current_page, _echo(groups, sorts, page_size, current_page))


def _keys(name: str) -> list[str]:
    """The parts of `a[b][0]`."""
    head, bracket, rest = name.partition("[")
    return [head, *rest.removesuffix("]").split("][")] if bracket else [head]


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for key in path[:-1]:
        below = tree.get(key)
        if not isinstance(below, dict):
            below = tree[key] = {}
        tree = below
    tree[path[-1]] = value


def _named(given: dict[str, Any], name: str) -> Any:
    """The value under a name in snake case or in camel case."""
    head, *rest = name.split("_")
    return given.get(name, given.get(head + "".join(part.capitalize() for part in rest)))


def _entries(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = _named(given, name)
    return [each for each in found.values() if isinstance(each, dict)] if isinstance(found, dict) else []


def _group(given: dict[str, Any]) -> tuple[Filter, ...]:
    return tuple(
        Filter(str(each.get("field", "")), str(each.get("value", "")), str(_named(each, "condition_type") or "eq"))
        for each in _entries(given, "filters")
    )


def _sort(given: dict[str, Any]) -> Sort:
    direction = str(given.get("direction", "DESC")).upper()
    if direction not in ("ASC", "DESC"):
        raise wrong_direction()
    return Sort(str(given.get("field", "")), direction == "DESC")


def _integer(given: dict[str, Any], name: str) -> int | None:
    value = _named(given, name)
    if value is None:
        return None
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise wrong_type(str(value), "int")
    return int(value)


def _echo(
    groups: tuple[tuple[Filter, ...], ...], sorts: tuple[Sort, ...], page_size: int | None, current_page: int | None
) -> dict[str, Any]:
    filters = [
        {"filters": [{"field": each.field, "value": each.value, "condition_type": each.condition} for each in group]}
        for group in groups
    ]
    echo: dict[str, Any] = {"filter_groups": filters}
    if sorts:
        echo["sort_orders"] = [{"field": s.field, "direction": "DESC" if s.descending else "ASC"} for s in sorts]
    if page_size is not None:
        echo["page_size"] = page_size
    if current_page is not None:
        echo["current_page"] = current_page
    return echo
