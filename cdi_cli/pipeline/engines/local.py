"""The local engine: partitions are worked on side by side in this process and event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from cdi_cli.state._base import Partition


async def run(partitions: Iterable[Partition], work: Callable[[Partition], Awaitable[None]], workers: int) -> None:
    """Work on all partitions, at most `workers` at once, in order; the first error cancels the rest and is raised."""
    waiting = deque(partitions)

    async def worker() -> None:
        while waiting:
            await work(waiting.popleft())

    tasks = [asyncio.create_task(worker()) for _ in range(min(workers, len(waiting)))]
    try:
        for done in asyncio.as_completed(tasks):
            await done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
