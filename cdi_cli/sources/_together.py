"""Several requests at once, of which none goes on alone when one fails, and something that is asked for only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def together(*waits: Coroutine[Any, Any, T]) -> list[T]:
    """The results in the same order; raises the first failure, when all others have ended."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


class Once(Generic[T]):
    """Something that is asked for when it is first needed, by whoever needs it first."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._found: list[T] = []

    async def __call__(self) -> T:
        """What was found; raises what asking raises, and asks again the next time."""
        if not self._found:
            async with self._lock:
                if not self._found:
                    self._found.append(await self._read())
        return self._found[0]
