"""Settling: the cursor follows the longest complete prefix, and everything goes through one transaction at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi_cli.errors import StateError
from cdi_cli.pipeline.progress import Progress
from cdi_cli.pipeline.settle import OPEN_PAGES_MAX, OpenPage, Settler
from cdi_cli.sources import Cursor
from cdi_cli.state._base import LedgerEntry, Settlement


class Memory:
    """A store that only remembers what was settled."""

    def __init__(self, *, failure: Exception | None = None) -> None:
        self.settled: list[Settlement] = []
        self.transactions = 0
        self.failure = failure

    def settle(self, _run_id: int, settlements: Iterable[Settlement]) -> None:
        """Remember, or fail."""
        if self.failure:
            raise self.failure
        self.transactions += 1
        self.settled += settlements

    @property
    def cursor(self) -> str | None:
        """Where the partition stands."""
        moved = [one.cursor for one in self.settled if one.cursor]
        return moved[-1] if moved else None


def page(number: int, *, partition: int = 0, is_last: bool = False) -> OpenPage:
    """Page `number` of a partition."""
    return OpenPage(partition, "orders", Cursor(f"after-{number}"), is_last, pulled=10)


def make(memory: Memory) -> tuple[Settler, asyncio.Task[None]]:
    """A settler at work on `memory`."""
    settler = Settler(memory, 1, Progress())  # type: ignore[arg-type]
    return settler, asyncio.create_task(settler.run())


async def end(settler: Settler, task: asyncio.Task[None]) -> None:
    """Let the settler write all it has, and end."""
    settler.close()
    await task


@given(st.permutations(range(6)))
async def test_the_cursor_is_the_end_of_the_longest_settled_prefix(order: list[int]) -> None:
    """Whatever order batches come back in, the cursor never passes a page that is still out."""
    memory = Memory()
    settler, task = make(memory)
    pages = [page(number) for number in range(6)]
    for one in pages:
        await settler.open_page(one)
        one.waiting = 1
        settler.page_read(one)
    done: set[int] = set()

    for number in order:
        await settler.batch(pages[number], [], [], {})
        done.add(number)
        prefix = next((count for count in range(6) if count not in done), 6)
        await asyncio.sleep(0)

        assert memory.cursor == (f"after-{prefix - 1}" if prefix else None)
    await end(settler, task)


async def test_a_page_counts_once_when_the_cursor_passes_it() -> None:
    """Filtered items and records pulled are written with the cursor, not with the batches."""
    memory = Memory()
    settler, task = make(memory)
    first = page(0)
    first.counts = {("orders", "", "filtered", "nothing_to_send"): 3}
    await settler.open_page(first)
    first.waiting = 2
    settler.page_read(first)

    await settler.batch(first, [], [], {("orders", "Order Completed", "delivered", ""): 5})
    assert sum(one.pulled for one in memory.settled) == 0
    await settler.batch(first, [], [], {("orders", "Order Completed", "delivered", ""): 2})
    await end(settler, task)

    assert sum(one.pulled for one in memory.settled) == 10
    assert [one.counts.get(("orders", "", "filtered", "nothing_to_send")) for one in memory.settled if one.cursor] == [3]


async def test_outcomes_that_gather_during_a_write_go_into_one_transaction() -> None:
    """Group commit: many batches, few transactions, nothing lost."""
    memory = Memory()
    settler, task = make(memory)
    pages = [page(0, partition=number) for number in range(8)]
    for one in pages:
        await settler.open_page(one)
        one.waiting = 10
    entry = LedgerEntry("order", "2026-01-01T00:00:00.000Z", b"k" * 16, b"c" * 8)  # type: ignore[arg-type]

    await asyncio.gather(*(settler.batch(one, [entry], [], {}) for one in pages for _ in range(10)))
    await end(settler, task)

    assert sum(len(one.delivered) for one in memory.settled) == 80
    assert memory.transactions < 20


async def test_a_store_that_fails_fails_every_waiter() -> None:
    """Nobody goes on as if the outcome were saved, and no later write is tried."""
    memory = Memory(failure=StateError("the disk is full"))
    settler, task = make(memory)
    one = page(0)
    await settler.open_page(one)
    one.waiting = 2

    with pytest.raises(StateError, match="disk is full"):
        await settler.batch(one, [], [], {})
    memory.failure = None
    with pytest.raises(StateError, match="disk is full"):
        await settler.batch(one, [], [], {})

    await task
    assert memory.settled == []


async def test_reading_waits_while_too_many_pages_are_open() -> None:
    """A stuck batch holds reading back instead of filling memory."""
    memory = Memory()
    settler, task = make(memory)
    pages: list[Any] = [page(number) for number in range(OPEN_PAGES_MAX + 1)]
    for one in pages[:-1]:
        await settler.open_page(one)
        one.waiting = 1
        settler.page_read(one)

    opening = asyncio.create_task(settler.open_page(pages[-1]))
    await asyncio.sleep(0.01)
    assert not opening.done()
    await settler.batch(pages[0], [], [], {})
    await opening
    await end(settler, task)
