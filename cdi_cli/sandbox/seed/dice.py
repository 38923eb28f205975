"""Seeded chance: everything random in the seed data comes from one `Dice`, so equal seeds make equal shops."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeVar

from cdi_cli.clock import Instant

T = TypeVar("T")

DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)
_days: dict[int, str] = {}


def instant(epoch_ms: int) -> Instant:
    """The canonical text of milliseconds since 1970; days are cached, this runs several times an order."""
    day, ms = divmod(epoch_ms, DAY_MS)
    text = _days.get(day)
    if text is None:
        text = _days[day] = (_EPOCH + timedelta(days=day)).isoformat()
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return Instant(f"{text}T{hours:02d}:{minutes:02d}:{seconds:02d}.{ms:03d}Z")


class Dice:
    """A seeded source of chance, picks, ids and times."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.random = self._random.random

    def chance(self, share: float) -> bool:
        """True in `share` of all throws."""
        return self.random() < share

    def below(self, count: int) -> int:
        """A whole number in [0, count)."""
        return int(self.random() * count)

    def between(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """One of several, all equally likely."""
        return choices[int(self.random() * len(choices))]

    def weighted(self, choices: Sequence[tuple[T, float]]) -> T:
        """One of several; the weights add up to 1."""
        left = self.random()
        for value, weight in choices:
            left -= weight
            if left < 0:
                return value
        return choices[-1][0]

    def uuid(self) -> str:
        """A UUID of version 4 layout."""
        bits = self._random.getrandbits(128)
        bits = bits & ~(0xF << 76) | 0x4 << 76
        bits = bits & ~(0x3 << 62) | 0x2 << 62
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
