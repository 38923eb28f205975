"""A record that the shop cannot serve: found by bisection, and handed on as a record that says so.

One spoilt order makes a list of a hundred fail with status 500 (sheet "magento", section 4). Asked for a single row, the
shop still fails, but nothing tells that row's id: it is the one below which nothing fails and from which everything does.

    {"cdi_unreadable":"webapi-abc","entity_id":7}      what stands in its place; the report may be empty
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from cdi_cli.sources._base import Unreadable

_PREFIX = b'{"cdi_unreadable":'
ID_MAX = 2**32 - 1
"""Ids are unsigned 32-bit numbers."""


class _Marker(msgspec.Struct, frozen=True):
    cdi_unreadable: str
    entity_id: int


def marker(entity_id: int, report_id: str) -> bytes:
    """The record that stands for one that cannot be served."""
    return msgspec.json.encode(_Marker(report_id, entity_id))


def why_unreadable(record: bytes) -> Unreadable | None:
    """What to say of a record that only stands for another; None for one that is real."""
    if not record.startswith(_PREFIX):
        return None
    try:
        found = msgspec.json.decode(record, type=_Marker)
    except (ValueError, RecursionError):
        return None
    return source_error(found.entity_id, found.cdi_unreadable)


def source_error(entity_id: int | str, report_id: str) -> Unreadable:
    """A record that the shop itself fails on."""
    report = f" (Report ID {report_id})" if report_id else ""
    return Unreadable("source_error", f"the shop fails whenever it is asked for this record{report}", str(entity_id))


async def find_poisoned(fails_up_to: Callable[[int], Awaitable[bool]], near: int = 0) -> int | None:
    """The id of a record that cannot be served; None if there is none, or if the shop fails whatever it is asked for.

    `fails_up_to(id)` asks for the first row of those with at most that id. It begins to fail at a poisoned row: without that
    row the first one is another, which is served, or there is none. `near` is where the search begins.
    """
    if await fails_up_to(0):
        return None
    low, high = await _bracket(fails_up_to, near)
    while high - low > 1:
        middle = (low + high) // 2
        if await fails_up_to(middle):
            high = middle
        else:
            low = middle
    return high if high <= ID_MAX else None


async def _bracket(fails_up_to: Callable[[int], Awaitable[bool]], near: int) -> tuple[int, int]:
    """An id up to which nothing fails and a greater one up to which something does: the one after the largest if none."""
    if near and await fails_up_to(near):
        return 0, near
    low, step = near, 1
    while low < ID_MAX:
        high = min(low + step, ID_MAX)
        if await fails_up_to(high):
            return low, high
        low, step = high, step * 4
    return ID_MAX, ID_MAX + 1
